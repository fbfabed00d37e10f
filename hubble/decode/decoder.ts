/** The door of the decoder: event records in the order of their ring in, flows out. */
import type { AccessLog } from '../../wire/access-log.ts';
import { EVENT_L7, type EventRecord } from '../../wire/event.ts';
import { readAccessLog } from '../../wire/l7-record-reader.ts';
import { type DecodeOptions, decodeFlow } from './decode.ts';
import { decodeL7, L7Joiner } from './decode-l7.ts';
import type { Flow } from '../flow.ts';

/** One for each ring that is read: it holds the parts of an access-log record that is not whole yet. */
export class Decoder {
  readonly #options: DecodeOptions;
  readonly #joiner = new L7Joiner();

  constructor(options: DecodeOptions) {
    this.#options = options;
  }

  /** Access-log records that could not be told. */
  get dropped(): number {
    return this.#joiner.dropped;
  }

  /**
   * Takes the next record of the ring.
   * @returns the record, with all its parts: what `decode` is given, now or when somebody looks; undefined for a part of one that goes on
   */
  take(record: EventRecord): EventRecord | undefined {
    return record.type === EVENT_L7 ? this.#joiner.join(record) : record;
  }

  /** @param record that `take` gave @returns the flow, or undefined for events of an unknown type */
  decode(record: EventRecord): Flow | undefined {
    if (record.type !== EVENT_L7) return decodeFlow(record, this.#options);
    return decodeL7(record, readAccessLog(record) ?? NONSENSE, this.#options);
  }

  /** Tells the decoder that records are missing between the last one and the next. */
  gap(): void {
    this.#joiner.reset();
  }
}

/** What stands for a record that says neither what it is nor what became of it. */
const NONSENSE: AccessLog = { Type: 'Sample', Verdict: 'Error', Info: 'unreadable record' };
