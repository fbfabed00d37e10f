/**
 * Events of the dataplane as flows: reads the two pinned rings, decodes, and keeps the last few thousand for `observe`.
 *
 * The rings are looked at every POLL_MS; drops and the rest come from different rings and are put in order of time within
 * one look. What a ring overwrote before it was read is told as lost.
 *
 * A record becomes a flow when somebody wants to see it: decoding costs ten times what keeping does, and under load most
 * records are overwritten unseen. (Access-log records are decoded at once: they come in parts, in order.)
 */
import { randomUUID } from 'node:crypto';
import { Decoder } from '../../hubble/decode/decoder.ts';
import { lostEnvelope } from '../../hubble/decode/decode.ts';
import type { Directory } from '../../hubble/decode/directory.ts';
import type { Envelope, Flow } from '../../hubble/flow.ts';
import { Ring } from '../../hubble/ring.ts';
import { type SinkFailure, Sinks } from '../../hubble/sink.ts';
import { EventReader, type EventRing } from '../../policy-maps/event-ring.ts';
import {
  decodeEvent,
  EVENT_DROP,
  EVENT_L7,
  EVENT_POLICY_VERDICT,
  EVENT_TRACE,
  type EventRecord,
} from '../../wire/event.ts';
import { DROP_POLICY } from '../../wire/reasons.ts';
import { VERSION } from '../../linux/version.ts';
import { type Direction, EGRESS, INGRESS } from '../../wire/direction.ts';

const POLL_MS = 50;
const KNOWN_TYPES: ReadonlySet<number> = new Set([EVENT_DROP, EVENT_TRACE, EVENT_POLICY_VERDICT, EVENT_L7]);
const READ_LIMIT = 4096; // records a look: decoding one takes some microseconds

/** Who closed a direction of an endpoint, as a cookie; 0 when nobody did. */
export type DefaultDeny = (endpoint: number, direction: Direction) => number;

export interface ObserverOptions {
  readonly events: EventRing;
  readonly dropEvents: EventRing;
  readonly directory: Directory;
  readonly defaultDeny: DefaultDeny;
  /** What is not kept: events of the agent's own making. */
  readonly isOwn: (record: EventRecord) => boolean;
  readonly nodeName: string;
  readonly capacity: number;
  /** A sink failed and is no longer served. */
  readonly onFailure: (failure: SinkFailure) => void;
}

/** A flow that is decoded at the first look. */
class LazyEnvelope implements Envelope {
  readonly node_name: string;
  readonly timeMs: number;
  #decode: (() => Flow | undefined) | undefined;
  #flow: Flow | undefined;

  constructor(nodeName: string, timeMs: number, decode: () => Flow | undefined) {
    this.node_name = nodeName;
    this.timeMs = timeMs;
    this.#decode = decode;
  }

  get flow(): Flow {
    if (this.#decode !== undefined) this.#flow = this.#decode();
    this.#decode = undefined;
    return this.#flow as Flow;
  }

  get time(): string {
    return this.flow.time;
  }

  /** In the order of hubble's own output. */
  toJSON(): Envelope {
    return { flow: this.flow, node_name: this.node_name, time: this.time };
  }
}

export class Observer {
  readonly ring: Ring;
  readonly sinks: Sinks;
  readonly #nodeName: string;
  readonly #sources: readonly { readonly reader: EventReader; readonly decoder: Decoder }[];
  readonly #defaultDeny: DefaultDeny;
  readonly #isOwn: ObserverOptions['isOwn'];
  #timer: NodeJS.Timeout | undefined;
  #lost = 0;

  constructor(options: ObserverOptions) {
    const { events, dropEvents, directory, defaultDeny, isOwn, nodeName, capacity, onFailure } = options;
    this.#isOwn = isOwn;
    this.#defaultDeny = defaultDeny;
    this.ring = new Ring({ capacity, nodeName, nowMs: Date.now });
    this.sinks = new Sinks(onFailure);
    this.sinks.add('ring', this.ring);
    this.#nodeName = nodeName;
    const decoderOptions = { directory, nodeName, uuid: randomUUID, emitter: { name: 'Sluice', version: VERSION } };
    this.#sources = [events, dropEvents].map((ring) => ({
      reader: new EventReader(ring, 'oldest'),
      decoder: new Decoder(decoderOptions),
    }));
  }

  /** Flows seen, and records that were overwritten unread, since the start. */
  get counts(): { readonly seen: number; readonly lost: number } {
    return { seen: this.ring.seen, lost: this.#lost };
  }

  start(): void {
    this.#timer = setInterval(() => this.look(), POLL_MS);
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await this.sinks.stop();
  }

  /** Takes in what has come. */
  look(): void {
    const seen: LazyEnvelope[] = [];
    let lost = 0;
    for (const { reader, decoder } of this.#sources) {
      const outcome = reader.read((bytes, at) => {
        const one = this.#keep(decodeEvent(bytes, at), decoder);
        if (one !== undefined) seen.push(one);
      }, READ_LIMIT);
      if (outcome.lost > 0) decoder.gap();
      lost += outcome.lost;
    }
    seen.sort((a, b) => a.timeMs - b.timeMs);
    this.#lost += lost;
    const told = lost > 0 ? [lostEnvelope('PERF_EVENT_RING_BUFFER', lost, this.#nodeName, Date.now())] : [];
    this.sinks.take([...told, ...seen]);
  }

  #keep(record: EventRecord, decoder: Decoder): LazyEnvelope | undefined {
    if (!KNOWN_TYPES.has(record.type) || this.#isOwn(record)) return undefined;
    if (record.type !== EVENT_L7) {
      return new LazyEnvelope(this.#nodeName, record.timeMs, () => decoder.decode(this.#attribute(record)));
    }
    const flow = decoder.decode(record);
    return flow === undefined ? undefined : new LazyEnvelope(this.#nodeName, record.timeMs, () => flow);
  }

  /** What no entry allowed has no entry to name its authors: they are the rules that closed the direction. */
  #attribute(record: EventRecord): EventRecord {
    const isVerdict = record.type === EVENT_DROP || record.type === EVENT_POLICY_VERDICT;
    if (!isVerdict || record.cookie !== 0 || record.verdict !== -DROP_POLICY) return record;
    const direction = record.direction === EGRESS ? EGRESS : INGRESS;
    const endpoint = direction === EGRESS ? record.sourceEndpoint : record.destinationEndpoint;
    return { ...record, cookie: this.#defaultDeny(endpoint, direction) };
  }
}
