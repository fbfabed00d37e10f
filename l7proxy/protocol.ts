/**
 * What the engine needs of an application protocol. protocols.ts has one entry for each `parser` that a rule set can name;
 * docs/adding.md walks through a new one, with l7proxy/template/ as the example.
 *
 * A protocol is started once for an engine, with what all its connections share. Its judges are by the rule
 * sets and ends of a connection (judge.ts), its parsers by connection, and used again (stream/parsers.ts).
 */
import type { L7RuleSet } from '../policy-maps/l7-rules.ts';
import type { L7RecordWriter } from '../wire/l7-record.ts';
import type { Teaching } from './dns/teaching.ts';
import type { Judge, JudgeKey, Parser, StreamOwner, Way } from './parser.ts';

/** The protocols that a rule set can name. */
export type ProtocolName = L7RuleSet['parser'];

/** Where rule sets come from; policy-maps' L7RuleMap is one. */
export interface RuleSetSource {
  /** Moves with every change of any rule set. */
  readonly generation: number;
  /** The rule set in force under an id; `generation` tells its versions apart. */
  get(id: number): { readonly generation: number; readonly ruleSet: L7RuleSet } | undefined;
}

/** Where protocols tell of messages. */
export interface MessageLog {
  /** Whether anybody wants records now: else none is made. */
  readonly isOn: boolean;
  readonly nowMs: number;
  /**
   * Begins a record; `end` ends it, before anything else happens. What is told of the message is written between the two.
   * @param cookie leads to the rules that allowed the message, or that did not; 0 = none was for its sender
   * @param protocol L7_* @param type TYPE_* @param verdict VERDICT_* of wire/l7-record.ts
   */
  begin(
    owner: StreamOwner,
    isIngress: boolean,
    cookie: number,
    protocol: number,
    type: number,
    verdict: number,
  ): L7RecordWriter;
  end(): void;
}

/** The same as the engine has it: it switches the log on and off, and sets its clock. */
export interface EngineLog extends MessageLog {
  isOn: boolean;
  nowMs: number;
}

/** Where a connection goes, as the dataplane has it: behind a service, the backend. */
export interface ServerAddress {
  readonly host: string;
  readonly port: number;
}

/** What a protocol is started with. */
export interface ProtocolServices {
  /** The name under which it stands in the registry: rule sets of another are none of its own. */
  readonly name: ProtocolName;
  readonly ruleSets: RuleSetSource;
  readonly log: MessageLog;
  /** Makes a text, so it is for answers of our own only. */
  readonly serverOf?: (owner: StreamOwner) => ServerAddress;
  /** For hashes over what senders choose; random at start. */
  readonly seed: number;
  /** What DNS answers teach; absent: nobody learns. */
  readonly teaching?: Teaching;
}

/** A counter: its number in policy-maps/counters.ts, and what it says now. */
export type CounterReader = readonly [number: number, read: () => number];

/** A protocol that is read in TCP connections, started for one engine. */
export interface StreamProtocol<J extends Judge = Judge> {
  /** 1 to 7, in saved states: never given to another. 0 = nothing can be saved. */
  readonly number: number;
  readonly counters: readonly CounterReader[];
  judgeOf(key: JudgeKey): J;
  makeParser(): Parser<J>;
  /** Tells of bytes that cannot be understood: the least that every protocol tells. `error` is a number of its own. */
  tellError(owner: StreamOwner, error: number): void;
  /** Connections of which something waits for neither of their ends (`Parser.isReady`); absent: there are none. */
  readonly waiting?: Waiting;
}

/** Connections that somebody must come back to. */
export interface Waiting {
  /** When at the latest; infinity when none waits. */
  readonly releaseAtMs: number;
  /** The one that `take` found. */
  readonly slot: number;
  readonly slotGeneration: number;
  /** Takes out one that need wait no longer. @returns false when there is none */
  take(nowMs: number): boolean;
}

/** What becomes of a datagram; else a drop reason. */
export const DATAGRAM_PASS = 0;
/** It is answered, with what `answer` holds, and goes no further. */
export const DATAGRAM_ANSWER = 1;
/** It waits, for `ticket` and until `deadlineMs`; answers only. */
export const DATAGRAM_HOLD = 2;
/** What `answer` holds goes on in its place, for it waited too long, or could not wait; answers only. */
export const DATAGRAM_REPLACE = 3;

/** Reads datagrams; one for all conversations of its protocol, for each datagram is a whole message. */
export interface DatagramParser<J extends Judge = Judge> {
  /** The message of our own, after DATAGRAM_ANSWER and DATAGRAM_REPLACE: answer[0, answerBytes), until the next datagram. */
  readonly answer: Uint8Array;
  readonly answerBytes: number;
  /** After DATAGRAM_HOLD: what it waits for, a number of the parser's own, and until when (monotonic ms). */
  readonly ticket: number;
  readonly deadlineMs: number;
  /** @returns a DATAGRAM_ outcome or a drop reason @param bytes the payload is bytes[start, end) */
  onDatagram(judge: J, owner: StreamOwner, way: Way, bytes: Uint8Array, start: number, end: number): number;
  /**
   * Asks again after a datagram that was held, as it came; earlier ones of the parser have been asked after.
   * @param mayWait false when its deadline has come
   * @returns DATAGRAM_PASS or DATAGRAM_REPLACE; DATAGRAM_HOLD if it may wait
   */
  onHeld(owner: StreamOwner, ticket: number, bytes: Uint8Array, start: number, end: number, mayWait: boolean): number;
  /** There is no room to hold the datagram just read. @returns DATAGRAM_REPLACE */
  onNoRoom(owner: StreamOwner, bytes: Uint8Array, start: number, end: number): number;
}

/** A protocol that is read in UDP datagrams, started for one engine. */
export interface DatagramProtocol<J extends Judge = Judge> {
  readonly parser: DatagramParser<J>;
  readonly counters: readonly CounterReader[];
  judgeOf(key: JudgeKey): J;
  tellError(owner: StreamOwner, error: number): void;
}

/**
 * Rules of one set for one remote, asked about a request that is written down and not on its way.
 * @returns the cookie of the rule that allows it; -1 when none does
 */
export type OfflineRules<Request> = (request: Request) => number;

/** This protocol is not read yet over this transport: connections under its rules are refused, and counted. */
export const UNREAD = null;

/** A row of the registry. J and D are the judges of its streams and datagrams, Request what can be asked offline. */
export interface Protocol<Request> {
  readonly stream: ((services: ProtocolServices) => StreamProtocol) | typeof UNREAD;
  readonly datagram: ((services: ProtocolServices) => DatagramProtocol) | typeof UNREAD;
  /** Judges offline by the code that judges the traffic. */
  readonly offline: (ruleSet: L7RuleSet, remote: number) => OfflineRules<Request>;
}
