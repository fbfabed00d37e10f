/** A log of messages for tests: what protocols tell, written as the dataplane writes it, and read as the agent reads it. */
import { L7Joiner } from '../hubble/decode/decode-l7.ts';
import type { StreamOwner } from '../l7proxy/parser.ts';
import type { EngineLog } from '../l7proxy/protocol.ts';
import type { AccessLog } from '../wire/access-log.ts';
import { decodeEvent, EVENT_BYTES, type EventRecord } from '../wire/event.ts';
import { L7RecordWriter, MAX_RECORD_SLOTS, type SlotRing } from '../wire/l7-record.ts';
import { readAccessLog } from '../wire/l7-record-reader.ts';

/** A record and whom it is about. */
export interface Told {
  readonly owner: StreamOwner;
  readonly isIngress: boolean;
  readonly cookie: number;
  /** Without the addresses of its ends. */
  readonly log: AccessLog;
}

/** A ring with room for one record. */
export class OneRecord implements SlotRing {
  readonly bytes: Uint8Array = new Uint8Array(MAX_RECORD_SLOTS * EVENT_BYTES);
  slots = 0;

  next(): number {
    return EVENT_BYTES * this.slots++;
  }

  commit(): void {}

  /** The record in it, which is taken out. */
  take(): EventRecord[] {
    const records = Array.from({ length: this.slots }, (_, i) => decodeEvent(this.bytes, i * EVENT_BYTES));
    this.slots = 0;
    return records;
  }
}

/** What a record says whose slots are these. */
export function whole(records: readonly EventRecord[]): EventRecord {
  const joiner = new L7Joiner();
  const found = records.map((record) => joiner.join(record)).at(-1);
  if (found === undefined) throw new Error('not a whole record');
  return found;
}

export class ToldLog implements EngineLog {
  isOn: boolean;
  nowMs: number;
  readonly told: Told[] = [];
  /** Slots that a record may take. */
  mostSlots: number = MAX_RECORD_SLOTS;
  readonly #ring = new OneRecord();
  readonly #writer = new L7RecordWriter(this.#ring);
  #about: Omit<Told, 'log'> | undefined;

  readonly #onTold: (told: Told) => void;

  /** @param onTold is told of each record as well */
  constructor(isOn = true, nowMs = 1000, onTold: (told: Told) => void = () => {}) {
    this.isOn = isOn;
    this.nowMs = nowMs;
    this.#onTold = onTold;
  }

  get logs(): AccessLog[] {
    return this.told.map(({ log }) => log);
  }

  begin(
    owner: StreamOwner,
    isIngress: boolean,
    cookie: number,
    protocol: number,
    type: number,
    verdict: number,
  ): L7RecordWriter {
    if (this.#about !== undefined) throw new Error('a record within a record');
    this.#about = { owner, isIngress, cookie };
    return this.#writer.begin(this.mostSlots, protocol, type, verdict, 0);
  }

  end(): void {
    this.#writer.end();
    const log = readAccessLog(whole(this.#ring.take()));
    if (log === undefined || this.#about === undefined) throw new Error('a record that cannot be read');
    const rest = Object.entries(log).filter(([key]) => !key.endsWith('Endpoint'));
    const told = { ...this.#about, log: Object.fromEntries(rest) as unknown as AccessLog };
    this.#about = undefined;
    this.told.push(told);
    this.#onTold(told);
  }
}
