/** The door of the decoder: event records in the order of their ring in, flows out. */
import { EVENT_L7, type EventRecord } from '../../wire/event.ts';
import { type DecodeOptions, decodeFlow } from './decode.ts';
import { decodeL7, L7Decoder } from './decode-l7.ts';
import type { Flow } from '../flow.ts';

/** One for each ring that is read: it holds the parts of an access-log record that is not whole yet. */
export class Decoder {
  readonly #options: DecodeOptions;
  readonly #l7 = new L7Decoder();

  constructor(options: DecodeOptions) {
    this.#options = options;
  }

  /** Access-log records that could not be told. */
  get dropped(): number {
    return this.#l7.dropped;
  }

  /** @returns the flow, or undefined for a part of a record that goes on, and for events of an unknown type */
  decode(record: EventRecord): Flow | undefined {
    if (record.type !== EVENT_L7) return decodeFlow(record, this.#options);
    const log = this.#l7.join(record);
    return log === undefined ? undefined : decodeL7(record, log, this.#options);
  }

  /** Tells the decoder that records are missing between the last one and the next. */
  gap(): void {
    this.#l7.reset();
  }
}
