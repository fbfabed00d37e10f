/**
 * `cilium-dbg monitor`: the records of an event ring as text, without the agent. The lines are those of monitor-line.ts
 * and monitor-l7.ts; here are the choice of records, the two longer forms, and the joining of access-log records.
 */
import { EVENT_DROP, EVENT_L7, EVENT_TRACE, type EventRecord, FLAG_L3, OBSERVATION_POINTS } from '../../wire/event.ts';
import { reasonText } from '../../wire/reasons.ts';
import { readAccessLog } from '../../wire/l7-record-reader.ts';
import { L7Joiner } from '../decode/decode-l7.ts';
import { type Dissection, dissect } from '../decode/dissect.ts';
import { l7Json, l7Line } from './monitor-l7.ts';
import {
  actionText,
  connection,
  hashText,
  identityPair,
  line,
  type MonitorOptions,
  noAddress,
  stateText,
  traceSummary,
} from './monitor-line.ts';
import { matchTypeText } from './print.ts';
import { escapeControls } from './terminal.ts';
import { INGRESS } from '../../wire/direction.ts';

/** Which records to show: each list, when it is not empty, must hold the record's value. */
export interface MonitorFilter {
  /** EVENT_* numbers. */
  readonly types?: readonly number[];
  /** Endpoint ids of the source. */
  readonly from?: readonly number[];
  readonly to?: readonly number[];
  /** Endpoint ids of either end. */
  readonly related?: readonly number[];
}

/** Whether a record is to be shown. */
export function monitorMatches(record: EventRecord, filter: MonitorFilter): boolean {
  const has = (list: readonly number[] | undefined, ...values: number[]) =>
    list === undefined || list.length === 0 || values.some((value) => list.includes(value));
  return (
    has(filter.types, record.type) &&
    has(filter.from, record.sourceEndpoint) &&
    has(filter.to, record.destinationEndpoint) &&
    has(filter.related, record.sourceEndpoint, record.destinationEndpoint)
  );
}

/** `CPU 00: Lost 5 events` */
export function monitorLost(count: number): string {
  return `CPU 00: Lost ${count} events`;
}

/** Prints the records of one ring; it holds the parts of an access-log record that is not whole yet. */
export class Monitor {
  readonly #options: MonitorOptions;
  readonly #l7 = new L7Joiner();

  constructor(options: MonitorOptions) {
    this.#options = options;
  }

  /** Tells that records are missing between the last one and the next. */
  gap(): void {
    this.#l7.reset();
  }

  /** Takes the next record of the ring. @returns it with all its parts, undefined for a part of one that goes on */
  take(record: EventRecord): EventRecord | undefined {
    return record.type === EVENT_L7 ? this.#l7.join(record) : record;
  }

  /** The text of a record that `take` gave, without its last line end; undefined when it says nothing. */
  text(record: EventRecord): string | undefined {
    if (record.type === EVENT_L7) {
      const log = readAccessLog(record);
      if (log === undefined) return undefined;
      return this.#options.form === 'json' ? l7Json(record, log, this.#options) : l7Line(record, log, this.#options);
    }
    const seen = dissect(record.payload, (record.flags & FLAG_L3) === 0);
    if (this.#options.form === 'json') return json(record, seen);
    return this.#options.form === 'verbose' ? verbose(record, seen, this.#options) : line(record, seen, this.#options);
  }
}

const SEPARATOR = '-'.repeat(78);

function verbose(record: EventRecord, seen: Dissection, options: MonitorOptions): string {
  const mark = `CPU 00: MARK ${hashText(record, seen)} FROM ${record.sourceEndpoint}`;
  const to = record.destinationEndpoint === 0 ? '' : `, to endpoint ${record.destinationEndpoint}`;
  const packet = options.hex === true ? hexDump(record.payload) : packetText(seen);
  if (record.type === EVENT_DROP) {
    const what = `DROP: ${record.originalBytes} bytes, reason ${reasonText(record.subtype)}`;
    return `${SEPARATOR}\n${mark} ${what}, ${identityPair(record, options)}${to}\n${packet}`;
  }
  if (record.type !== EVENT_TRACE) return `${line(record, seen, options)}\n${packet}`;
  const point = OBSERVATION_POINTS[record.subtype] ?? String(record.subtype);
  const size = `${record.originalBytes} bytes (${record.payload.length} captured), state ${stateText(record.traceReason)}`;
  const device = options.directory.interface(record.ifindex)?.name;
  const by = device === undefined ? '' : `, interface ${escapeControls(device)}`;
  const tail = `${identityPair(record, options)}, orig-ip ${noAddress(record)}${to}`;
  return `${SEPARATOR}\n${mark} ${point}: ${size}${by}, ${tail}\n${packet}`;
}

function packetText(seen: Dissection): string {
  const layers: string[] = [];
  if (seen.ethernet) layers.push(`Ethernet\t${seen.ethernet.source} -> ${seen.ethernet.destination}`);
  if (seen.ip) layers.push(`${seen.ip.ipVersion}\t${seen.ip.source} -> ${seen.ip.destination}`);
  if (seen.l4) layers.push(`${Object.keys(seen.l4)[0]}\t${connection(seen)}`);
  return layers.join('\n');
}

function hexDump(bytes: Uint8Array): string {
  const lines: string[] = [];
  for (let at = 0; at < bytes.length; at += 16) {
    const row = Buffer.from(bytes.subarray(at, at + 16));
    const pairs = Array.from(row, (byte) => byte.toString(16).padStart(2, '0'));
    const half = (from: number) => pairs.slice(from, from + 8).join(' ');
    const text = row.toString('latin1').replace(/[^\x20-\x7e]/g, '.');
    lines.push(`${at.toString(16).padStart(8, '0')}  ${`${half(0)}  ${half(8)}`.padEnd(49)} |${text}|`);
  }
  return lines.join('\n');
}

function json(record: EventRecord, seen: Dissection): string {
  const base = { cpu: 'CPU 00:', mark: hashText(record, seen) };
  const ends = { srcLabel: record.srcIdentity, dstLabel: record.dstIdentity, dstID: record.destinationEndpoint };
  const sized = { source: record.sourceEndpoint, bytes: record.originalBytes, ...ends };
  const summary = { l2: seen.ethernet, l3: seen.ip, l4: seen.l4 };
  if (record.type === EVENT_DROP) {
    const reason = reasonText(record.subtype);
    return JSON.stringify({ ...base, type: 'drop', reason, ...sized, Ifindex: record.ifindex, summary });
  }
  if (record.type === EVENT_TRACE) {
    const state = stateText(record.traceReason);
    const point = { observationPoint: OBSERVATION_POINTS[record.subtype], traceSummary: traceSummary(record) };
    return JSON.stringify({
      ...base,
      type: 'trace',
      ifindex: String(record.ifindex),
      state,
      ...point,
      ...sized,
      summary,
    });
  }
  const { protocol: proto, cookie } = record;
  const direction = record.direction === INGRESS ? 'ingress' : 'egress';
  const verdict = { direction, action: actionText(record), match: matchTypeText(record.matchType), proto, cookie };
  return JSON.stringify({ ...base, type: 'policy-verdict', ...verdict, ...sized, summary });
}
