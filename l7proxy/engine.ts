/**
 * The L7 engine: what policy redirects comes here, frame by frame, and goes on, goes on edited, or not at all. It is the
 * other end of the dataplane's `Redirect`.
 *
 *                      protocols.ts: which protocol do these rule sets name?
 *                          |
 *     admit, segment --> stream/   TCP: a parser for each connection
 *     datagram --------> datagram/ all else: a parser for each protocol
 *                          |
 *                          +--> records of messages, while `recording`
 */
import { ConnectionRows } from '../policy-maps/connection-rows.ts';
import { formatIp } from '../wire/address.ts';
import type { Frame } from '../wire/frame.ts';
import { L7RecordWriter } from '../wire/l7-record.ts';
import { PROTO_TCP } from '../wire/protocols.ts';
import { type DatagramOutput, Datagrams } from './datagram/datagrams.ts';
import { teachingReaders } from './dns/counters.ts';
import { Teaching, type TeachingMaps } from './dns/teaching.ts';
import { NO_STATE, type ParserState, type StreamOwner } from './parser.ts';
import type { CounterReader, EngineLog, RuleSetSource, ServerAddress } from './protocol.ts';
import { PROTOCOLS, Protocols, type ProtocolTable } from './protocols.ts';
import { TcpConnections } from './stream/connections.ts';
import type { SegmentOutput } from './stream/segment-output.ts';

export interface L7EngineOptions {
  /** Rows of the conntrack map of TCP (ConntrackMap.words): slot generations, verdicts, and eight words for our state. */
  readonly words: Int32Array;
  /** Rows of the conntrack map of all other protocols. */
  readonly anyWords: Int32Array;
  readonly ruleSets: RuleSetSource;
  readonly output: SegmentOutput;
  /** Sends answers to datagrams. Default: they are lost, and what would have been answered is only dropped. */
  readonly datagramOutput?: DatagramOutput;
  /** Where parsers keep what must outlive the process and needs more than a word; default none. */
  readonly parserState?: ParserState;
  /** Told of each message while `recording` is true; default: nobody. */
  readonly log?: EngineLog;
  /** TCP connections at one time; default 32768. */
  readonly maxConnections?: number;
  /** Bytes kept for all connections; default 64 MiB. */
  readonly memoryBytes?: number;
  /** Bytes kept for one way of one connection; default 1 MiB, at most 2 MiB. */
  readonly streamBytes?: number;
  /** How long a request head may take; default 60 s. */
  readonly headTimeoutMs?: number;
  /** Seeds what is hashed; default random. */
  readonly seed?: number;
  /** What DNS answers teach, and whom; default: nobody learns, and no answer waits. */
  readonly teaching?: TeachingMaps;
  /** Default PROTOCOLS: all there are. */
  readonly protocols?: ProtocolTable;
}

const NO_OUTPUT: DatagramOutput = { sendDatagram: () => false, heldEnded: () => {} };

/** Nobody is told. */
class NoLog implements EngineLog {
  isOn = false;
  nowMs = 0;
  readonly #writer = new L7RecordWriter({ bytes: new Uint8Array(0), next: () => 0, commit: () => {} });

  begin(): L7RecordWriter {
    return this.#writer.begin(0, 0, 0, 0, 0);
  }

  end(): void {}
}

function serverAt(rows: ConnectionRows, slot: number): ServerAddress {
  const [w0, w1, w2, w3] = rows.words.subarray(rows.addressAt(slot, false));
  return { host: formatIp(w0, w1, w2, w3), port: rows.l4Port(slot, false) };
}

export class L7Engine {
  readonly protocols: Protocols;
  readonly streams: TcpConnections;
  readonly datagrams: Datagrams;
  readonly #log: EngineLog;
  readonly teaching: Teaching | undefined;

  constructor(options: L7EngineOptions) {
    const { words, anyWords, ruleSets, output } = options;
    const seed = options.seed ?? Math.floor(Math.random() * 2 ** 32);
    this.#log = options.log ?? new NoLog();
    const teaching = options.teaching === undefined ? undefined : new Teaching(options.teaching);
    this.teaching = teaching;
    const rows = new ConnectionRows(words);
    const serverOf = ({ slot }: StreamOwner) => serverAt(rows, slot);
    const services = { ruleSets, log: this.#log, seed, serverOf, ...(teaching === undefined ? {} : { teaching }) };
    this.protocols = new Protocols(services, options.protocols ?? PROTOCOLS);
    this.streams = new TcpConnections({
      rows,
      parserState: options.parserState ?? NO_STATE,
      protocols: this.protocols,
      output,
      maxConnections: options.maxConnections ?? 32768,
      memoryBytes: options.memoryBytes ?? 1 << 26,
      streamBytes: options.streamBytes ?? 1 << 20,
      headTimeoutMs: options.headTimeoutMs ?? 60_000,
    });
    this.datagrams = new Datagrams(anyWords, this.protocols, options.datagramOutput ?? NO_OUTPUT);
  }

  /** Whether messages are told to the log. */
  get recording(): boolean {
    return this.#log.isOn;
  }

  set recording(isOn: boolean) {
    this.#log.isOn = isOn;
  }

  /**
   * A forward frame of a redirected connection was allowed at L4: its first, or one after policy changed.
   * @param egress rule set of the sender's policy, 0 none @param ingress of the receiver's, 0 none
   * @returns 0; what cannot be judged is refused by `segment` and `datagram`
   */
  admit(frame: Frame, egress: number, ingress: number): number {
    return frame.protocol === PROTO_TCP ? this.streams.admit(frame, egress, ingress) : 0;
  }

  /** A frame of a redirected TCP connection. @returns 0 to forward it, HELD, or a drop reason */
  segment(frame: Frame, ctSlot: number, isReply: boolean): number {
    return this.streams.segment(frame, ctSlot, isReply);
  }

  /** A frame of any other redirected protocol. @returns as `segment` */
  datagram(frame: Frame, ctSlot: number, isReply: boolean): number {
    return this.datagrams.datagram(frame, ctSlot, isReply);
  }

  /** All that is counted here. */
  *counters(): Generator<CounterReader> {
    yield* this.streams.readers;
    yield* this.datagrams.readers;
    yield* this.protocols.counters();
    if (this.teaching !== undefined) yield* teachingReaders(this.teaching.counters);
  }

  /** Sets the clock and does what is due by it. @param nowMs as TcpConnections.tick */
  tick(nowMs: number): void {
    this.#setClock(nowMs);
    this.streams.tick(nowMs);
  }

  /** When `release` must be called at the latest; infinity when nothing is held. */
  get releaseAtMs(): number {
    let atMs = this.datagrams.held.deadlineMs;
    for (const { releaseAtMs } of this.protocols.waiting) if (releaseAtMs < atMs) atMs = releaseAtMs;
    return atMs;
  }

  /**
   * Lets what is held for the agent go on, as far as it may: at `releaseAtMs`, and before, as soon as the agent has published more.
   * @param most datagrams that are sent, and connections that go on, at once, so that their frames can be flushed
   * @returns how many went: call it until that is 0
   */
  release(nowMs: number, most: number): number {
    this.#setClock(nowMs);
    this.streams.nowMs = nowMs;
    let count = this.datagrams.release(nowMs, most);
    for (const waiting of this.protocols.waiting) {
      for (; count < most && waiting.take(nowMs); count++) this.streams.wake(waiting.slot, waiting.slotGeneration);
    }
    return count;
  }

  #setClock(nowMs: number): void {
    this.#log.nowMs = nowMs;
    if (this.teaching !== undefined) this.teaching.nowMs = nowMs;
  }
}
