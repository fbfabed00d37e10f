/**
 * One event ring as envelopes. Records are copied out in blocks, and decoded when somebody looks at the envelope. An access-log
 * record that takes several slots, which may lie in two blocks, is put together first.
 */
import { Decoder } from '../../hubble/decode/decoder.ts';
import type { Redaction } from '../../hubble/decode/redact.ts';
import type { Directory } from '../../hubble/decode/directory.ts';
import type { Emitter, Flow } from '../../hubble/flow.ts';
import { VERSION } from '../../linux/version.ts';
import { EventReader, type EventRing } from '../../policy-maps/event-ring.ts';
import {
  decodeEvent,
  EVENT_BYTES,
  EVENT_DROP,
  EVENT_L7,
  EVENT_POLICY_VERDICT,
  EVENT_TRACE,
  type EventRecord,
  protocolOf,
  timeMsOf,
  typeOf,
  viewEvent,
} from '../../wire/event.ts';
import { isInOneSlot } from '../../wire/l7-record.ts';
import { PROTO_ICMP, PROTO_ICMPV6 } from '../../wire/protocols.ts';
import { flowIds } from '../../hubble/flow-id.ts';
import { LazyEnvelope, type RecordDecoder } from './lazy-envelope.ts';

/** Records of a block: as many stay in memory as long as the longest kept of them. */
const BLOCK = 64;
/** Blocks that one look takes: some milliseconds of work. */
const BLOCKS = 64;

/** Who says so, in every flow. */
export const EMITTER: Emitter = { name: 'Sluice', version: VERSION };

export interface SourceOptions {
  readonly nodeName: string;
  readonly directory: Directory;
  /** What is hidden of L7 flows. */
  readonly redaction?: Redaction;
  /** Which events are not told, because the agent makes them itself. Only asked of ICMP. */
  readonly isOwn: (record: EventRecord) => boolean;
}

export class RingSource implements RecordDecoder {
  readonly nodeName: string;
  readonly #options: SourceOptions;
  readonly #reader: EventReader;
  readonly #decoder: Decoder;
  readonly #idOf: (timeMs: number, position: number) => string;
  /** Of the record that is being decoded. */
  #id = '';

  /** @param number of the ring, for uuids @param position where to begin; undefined = with the oldest that is there */
  constructor(ring: EventRing, number: number, position: number | undefined, options: SourceOptions) {
    this.#options = options;
    this.nodeName = options.nodeName;
    this.#reader = new EventReader(ring, position ?? 'oldest');
    this.#idOf = flowIds(options.nodeName, number);
    this.#decoder = new Decoder({ ...options, uuid: () => this.#id, emitter: EMITTER });
  }

  /** Place of the next record in the ring. */
  get position(): number {
    return this.#reader.position;
  }

  /** Whether there is enough for another look at once. */
  get isBehind(): boolean {
    return this.#reader.pending >= BLOCK;
  }

  /** Adds to `seen` what has come, in order. @returns how many records were lost */
  read(seen: LazyEnvelope[]): number {
    let lost = 0;
    for (let blocks = 0; blocks < BLOCKS && this.#reader.pending > 0; blocks++) {
      const block = new Uint8Array(Math.min(BLOCK, this.#reader.pending) * EVENT_BYTES);
      const got = this.#reader.readBlock(block);
      if (got.lost > 0) this.#decoder.gap();
      lost += got.lost;
      const first = this.#reader.position - got.read;
      for (let i = 0; i < got.read; i++) this.#keep(seen, block, i * EVENT_BYTES, (first + i) >>> 0);
    }
    return lost;
  }

  decode(block: Uint8Array, at: number, position: number): Flow | undefined {
    return this.#decode(viewEvent(block, at), position);
  }

  #decode(record: EventRecord, position: number): Flow | undefined {
    this.#id = this.#idOf(record.timeMs, position);
    return this.#decoder.decode(record);
  }

  #keep(seen: LazyEnvelope[], block: Uint8Array, at: number, position: number): void {
    const type = typeOf(block, at);
    if (type === EVENT_L7) {
      this.#keepMessage(seen, block, at, position);
      return;
    }
    if (type !== EVENT_DROP && type !== EVENT_TRACE && type !== EVENT_POLICY_VERDICT) return;
    if (this.#isOwn(block, at)) return;
    seen.push(new LazyEnvelope(this, block, at, position, timeMsOf(block, at)));
  }

  #keepMessage(seen: LazyEnvelope[], block: Uint8Array, at: number, position: number): void {
    if (isInOneSlot(block, at)) {
      this.#decoder.gap(); // for what would go on here does not
      seen.push(new LazyEnvelope(this, block, at, position, timeMsOf(block, at)));
      return;
    }
    const record = this.#decoder.take(decodeEvent(block, at));
    if (record === undefined) return;
    const decoder = { nodeName: this.nodeName, decode: () => this.#decode(record, position) };
    seen.push(new LazyEnvelope(decoder, record.payload, 0, position, record.timeMs));
  }

  #isOwn(block: Uint8Array, at: number): boolean {
    const protocol = protocolOf(block, at);
    if (protocol !== PROTO_ICMP && protocol !== PROTO_ICMPV6) return false;
    return this.#options.isOwn(decodeEvent(block, at));
  }
}
