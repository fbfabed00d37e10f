/**
 * Fills a table with flows. Nothing of a flow is lost: what a column does not hold exactly (a time written in another
 * way, a member that nobody knows) goes as JSON into `rest`, and an envelope that says something else than its flow goes
 * there whole.
 *
 * This runs once for every flow that is kept, so objects are first looked for by identity: the decoder gives the same
 * object for the same endpoint, names, service and policies as long as nothing changes.
 */
import type { Envelope, Flow } from '../flow.ts';
import { MAX_ROWS, MAX_TEXT_LENGTH, UUID_BYTES } from './columns.ts';
import { Interner, TooLong } from './dictionary.ts';
import { FlowTable } from './flow-table.ts';
import {
  COLUMN,
  COLUMN_OF,
  ENVELOPE,
  EVENT_TYPE,
  eventTypeDetail,
  FLAGS,
  HOW_OF,
  HOWS,
  IP,
  isMembers,
  L7,
  MAC,
  type Members,
  PORT_NAMES,
  PORTS,
  PROTOCOLS,
  portsDetail,
  REST,
  TIME,
  UUID,
  VALUE,
} from './shape.ts';
import { packUuid, TimeReader } from './texts.ts';
import { Tuples } from './tuples.ts';

const FITS_NOT = -1;
const MOST_OF_A_ROW = 300; // entries of one dictionary that a row can bring: member names, mostly

/** `full`: this row needs the next table; `refused`: no table would take it. */
export type Appended = 'taken' | 'full' | 'refused';

export class TableWriter {
  readonly table: FlowTable;
  readonly #tuples = new Tuples();
  readonly #time = new TimeReader();
  readonly #endpoints: Interner;
  readonly #values: Interner;
  readonly #words: Interner;
  readonly #parts: Interner;
  readonly #texts: Interner;
  readonly #scalars = new Map<unknown, number>();
  /** The first number of each member in shapes. */
  readonly #codes = new Map<string, number>();
  readonly #rest: unknown[] = [];

  /** @param firstMs about when the first flow was */
  constructor(firstMs: number) {
    this.table = new FlowTable(firstMs);
    const { endpoints, values, words, parts, texts } = this.table.dictionaries;
    this.#endpoints = new Interner(endpoints);
    this.#values = new Interner(values);
    this.#words = new Interner(words);
    this.#parts = new Interner(parts);
    this.#texts = new Interner(texts);
  }

  append(envelope: Envelope): Appended {
    const { table } = this;
    if (this.#isFull()) return 'full';
    const ms = this.#moment(envelope);
    if (!table.reaches(ms)) return 'full';
    try {
      const { flow } = envelope;
      const isPlain = flow !== undefined && envelope.time === flow.time && envelope.node_name === flow.node_name;
      this.#tuples.length = 0;
      this.#rest.length = 0;
      if (isPlain) this.#addFlow(flow, table.rows);
      else this.#addWhole(envelope);
      this.#end(table.rows, ms);
      return 'taken';
    } catch (error) {
      table.clear(table.rows);
      if (error instanceof TooLong) return 'refused';
      throw error;
    }
  }

  #isFull(): boolean {
    const { rows, dictionaries, textLength } = this.table;
    if (rows === MAX_ROWS || textLength > MAX_TEXT_LENGTH) return true;
    const { endpoints, shapes, values, words, parts, texts } = dictionaries;
    const hasRoom =
      endpoints.hasRoom(MOST_OF_A_ROW) &&
      shapes.hasRoom(MOST_OF_A_ROW) &&
      values.hasRoom(MOST_OF_A_ROW) &&
      words.hasRoom(MOST_OF_A_ROW) &&
      parts.hasRoom(MOST_OF_A_ROW) &&
      texts.hasRoom(MOST_OF_A_ROW);
    return !hasRoom;
  }

  /** What has no time is put beside the row before. */
  #moment({ time, flow }: Envelope): number {
    const text = time ?? flow?.time ?? '';
    if (this.#time.read(text)) return this.#time.ms;
    const ms = Math.floor(Date.parse(text));
    if (!Number.isNaN(ms)) return ms;
    const { rows, firstMs, baseMs, time: column } = this.table;
    return rows === 0 ? firstMs : baseMs + column[rows - 1];
  }

  #addWhole(envelope: Envelope): void {
    this.#tuples.push(ENVELOPE);
    this.#tuples.push(0);
    this.#rest.push(envelope);
  }

  #addFlow(flow: Flow, row: number): void {
    const hasL7 = flow.l7 !== undefined;
    for (const member in flow) {
      const value: unknown = flow[member as keyof Flow];
      if (value === undefined) continue;
      const code = this.#codes.get(member) ?? this.#newCode(member);
      // The summary of an L7 flow is its own; of another it says what the flags say.
      const how = member === 'Summary' && !hasL7 ? VALUE : code % HOWS;
      const detail = this.#keep(how, member, value, row);
      const isKept = detail !== FITS_NOT;
      if (!isKept) this.#rest.push(value);
      this.#tuples.push(code - (code % HOWS) + (isKept ? how : REST));
      this.#tuples.push(isKept ? detail : 0);
    }
  }

  #end(row: number, ms: number): void {
    const { table } = this;
    if (!this.#tuples.isWhole) throw new TooLong();
    if (this.#rest.length > 0) table.ids.rest[row] = this.#texts.text(JSON.stringify(this.#rest));
    let shape = this.#tuples.find();
    if (shape === 0) {
      shape = table.dictionaries.shapes.add(this.#tuples.text());
      this.#tuples.add();
    }
    table.ids.shape[row] = shape;
    table.time[row] = ms - table.baseMs;
    table.minMs = Math.min(table.minMs, ms);
    table.maxMs = Math.max(table.maxMs, ms);
    table.rows++;
  }

  #newCode(member: string): number {
    const code = this.#values.string(member) * HOWS + (HOW_OF.get(member) ?? REST);
    this.#codes.set(member, code);
    return code;
  }

  /** Puts a value into its columns. @returns the second number of its step; FITS_NOT when columns cannot hold it */
  #keep(how: number, member: string, value: unknown, row: number): number {
    const { ids } = this.table;
    switch (how) {
      case VALUE:
        return this.#value(value);
      case COLUMN:
        return this.#column(member, value, row);
      case TIME:
        return this.#timeOf(value, row);
      case UUID:
        return typeof value === 'string' && packUuid(value, this.table.uuid, row * UUID_BYTES) ? 0 : FITS_NOT;
      case IP:
        return this.#pair(value, IP_MEMBERS, ids.sourceIp, ids.destinationIp, row);
      case MAC:
        return this.#pair(value, MAC_MEMBERS, ids.sourceMac, ids.destinationMac, row);
      case PORTS:
        return this.#ports(value, row);
      case L7:
        return this.#l7(value, row);
      case EVENT_TYPE:
        return eventType(value);
      default:
        return FITS_NOT;
    }
  }

  #value(value: unknown): number {
    if (typeof value === 'object' && value !== null) return this.#values.object(value);
    let id = this.#scalars.get(value);
    if (id === undefined) {
      id = this.#values.text(JSON.stringify(value));
      this.#scalars.set(value, id);
    }
    return id;
  }

  #timeOf(value: unknown, row: number): number {
    // The moment of the row has been read of the same text.
    if (typeof value !== 'string' || !this.#time.read(value)) return FITS_NOT;
    this.table.nanos[row] = this.#time.nanos;
    return this.#time.digits;
  }

  #column(member: string, value: unknown, row: number): number {
    const column = COLUMN_OF[member];
    if (column === undefined) return FITS_NOT;
    const { ids } = this.table;
    if (column === 'summary') {
      if (typeof value !== 'string') return FITS_NOT;
      ids.summary[row] = this.#texts.string(value);
      return 0;
    }
    if (typeof value !== 'object' || value === null) return FITS_NOT;
    const isEnd = column === 'source' || column === 'destination';
    ids[column][row] = (isEnd ? this.#endpoints : this.#parts).object(value);
    return 0;
  }

  /** Source, destination, and perhaps one member more. */
  #pair(value: unknown, members: readonly string[], from: Uint16Array, to: Uint16Array, row: number): number {
    if (!isMembers(value) || !isInOrder(value, members)) return FITS_NOT;
    const { source, destination } = value;
    if (typeof source !== 'string' || typeof destination !== 'string') return FITS_NOT;
    from[row] = this.#words.string(source);
    to[row] = this.#words.string(destination);
    const more = value['ipVersion'];
    return more === undefined ? 0 : this.#value(more);
  }

  #ports(value: unknown, row: number): number {
    if (!isMembers(value)) return FITS_NOT;
    const [name, second] = Object.keys(value);
    const protocol = (PROTOCOLS as readonly string[]).indexOf(name);
    const members = value[name];
    if (protocol < 0 || second !== undefined || !isMembers(members)) return FITS_NOT;
    const names = PORT_NAMES[protocol];
    if (!isInOrder(members, names)) return FITS_NOT;
    const from = members[names[0]];
    const to = members[names[1]];
    const flags = protocol === 0 ? members['flags'] : undefined;
    const bits = flags === undefined ? 0 : flagBits(flags);
    if (!isShortOrNone(from) || !isShortOrNone(to) || bits === FITS_NOT) return FITS_NOT;
    this.table.ids.sourcePort[row] = from ?? 0;
    this.table.ids.destinationPort[row] = to ?? 0;
    const isThere = (from === undefined ? 0 : 1) | (to === undefined ? 0 : 2) | (flags === undefined ? 0 : 4);
    return portsDetail(protocol, isThere, bits);
  }

  #l7(value: unknown, row: number): number {
    if (!isMembers(value)) return FITS_NOT;
    const { table } = this;
    const latency = latencyOf(value);
    const isApart = latency !== FITS_NOT;
    table.ids.l7[row] = this.#texts.text(JSON.stringify(isApart ? { ...value, latency_ns: undefined } : value));
    table.latency[row] = isApart ? latency : 0;
    return isApart ? 1 : 0;
  }
}

const EVENT_TYPE_MEMBERS = ['type', 'sub_type'];

function eventType(value: unknown): number {
  if (!isMembers(value) || !isInOrder(value, EVENT_TYPE_MEMBERS)) return FITS_NOT;
  const { type, sub_type: subtype } = value;
  if (type === undefined || !isShortOrNone(type) || !isShortOrNone(subtype)) return FITS_NOT;
  return eventTypeDetail(type, subtype);
}

const IP_MEMBERS = ['source', 'destination', 'ipVersion'];
const MAC_MEMBERS = ['source', 'destination'];

/** Whether an object has no members but these, in this order; some may be missing. */
function isInOrder(value: Members, names: readonly string[]): boolean {
  let at = 0;
  for (const member in value) {
    while (at < names.length && names[at] !== member) at++;
    if (at++ >= names.length) return false;
  }
  return true;
}

function isShortOrNone(value: unknown): value is number | undefined {
  return value === undefined || (typeof value === 'number' && (value & 0xffff) === value);
}

function flagBits(value: unknown): number {
  if (!isMembers(value) || !isInOrder(value, FLAGS)) return FITS_NOT;
  let bits = 0;
  for (let bit = 0; bit < FLAGS.length; bit++) {
    const flag = value[FLAGS[bit]];
    if (flag === true) bits |= 1 << bit;
    else if (flag !== undefined) return FITS_NOT;
  }
  return bits;
}

/** Of an L7 part that begins with type and latency. */
function latencyOf(value: Members): number {
  const { latency_ns: text } = value;
  if (typeof text !== 'string' || !/^(0|[1-9]\d{0,14})$/.test(text)) return FITS_NOT;
  const [first, second] = Object.keys(value);
  return first === 'type' && second === 'latency_ns' ? Number(text) : FITS_NOT;
}
