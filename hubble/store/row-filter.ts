/**
 * Which rows of a table a request's filters can match, found without making flows of them: each filter's fields are tried
 * on the entries of the dictionaries, and on ports, and what is left for a row is to look up its numbers. The same
 * compiled predicates do it that decide in the end, on flows of which only that part is known. Rows that are left may
 * yet not match; rows that are left out cannot.
 */
import { compileFilter, type FlowPredicate } from '../filter/filter.ts';
import type { FlowFilter, ListField as Field } from '../filter/flow-filter.ts';
import type { Flow } from '../flow.ts';
import {
  type Column,
  CorruptSegment,
  type FlowRows,
  ID_COLUMNS,
  type IdColumn,
  MAX_ENTRIES,
  UUID_BYTES,
} from './columns.ts';
import { ENVELOPE, IN_SHAPE, knownOf, REST, readShape, type Step } from './shape.ts';
import { packUuid } from './texts.ts';

/** Fields that one column decides, and the flow that an entry of it makes. */
interface Lookup {
  readonly column: IdColumn;
  readonly fields: readonly Field[];
  readonly flowOf: (value: unknown) => unknown;
}

const LOOKUPS: readonly Lookup[] = [
  {
    column: 'source',
    fields: ['source_pod', 'source_label', 'source_workload', 'source_cluster_name', 'source_identity'],
    flowOf: (source) => ({ source }),
  },
  {
    column: 'destination',
    fields: [
      'destination_pod',
      'destination_label',
      'destination_workload',
      'destination_cluster_name',
      'destination_identity',
    ],
    flowOf: (destination) => ({ destination }),
  },
  { column: 'sourceIp', fields: ['source_ip'], flowOf: (source) => ({ IP: { source } }) },
  { column: 'destinationIp', fields: ['destination_ip'], flowOf: (destination) => ({ IP: { destination } }) },
  { column: 'sourceNames', fields: ['source_fqdn'], flowOf: (names) => ({ source_names: names }) },
  { column: 'destinationNames', fields: ['destination_fqdn'], flowOf: (names) => ({ destination_names: names }) },
  { column: 'sourceService', fields: ['source_service'], flowOf: (service) => ({ source_service: service }) },
  {
    column: 'destinationService',
    fields: ['destination_service'],
    flowOf: (service) => ({ destination_service: service }),
  },
  { column: 'interface', fields: ['interface'], flowOf: (port) => ({ interface: port }) },
  { column: 'sourcePort', fields: ['source_port'], flowOf: (port) => ({ l4: { TCP: { source_port: port } } }) },
  {
    column: 'destinationPort',
    fields: ['destination_port'],
    flowOf: (port) => ({ l4: { TCP: { destination_port: port } } }),
  },
];

/** Fields that the shape decides. */
const SHAPE_FIELDS: readonly Field[] = [
  'traffic_direction',
  'verdict',
  'drop_reason_desc',
  'event_type',
  'reply',
  'tcp_flags',
  'node_name',
  'node_labels',
  'ip_version',
];

/** Fields that look at `l7`, which a shape either has not, or knows nothing of. */
const L7_FIELDS: readonly Field[] = [
  'protocol',
  'http_status_code',
  'http_method',
  'http_path',
  'http_url',
  'http_header',
  'dns_query',
];

/** Members that the fields above look at; a row that keeps one in an unusual way is left to the last look. */
const LOOKED_AT: ReadonlySet<string> = new Set([
  'uuid',
  'event_type',
  ...IN_SHAPE,
  'IP',
  'l4',
  'source',
  'destination',
  'interface',
  'source_names',
  'destination_names',
  'source_service',
  'destination_service',
]);

/** Whether a number of a column can match: `allowed[number]`. */
interface Test {
  readonly column: Column;
  readonly allowed: Uint8Array;
}

const MOST_KNOWN = 65_536; // entries whose answer is remembered

/** A field of a filter tried on the entries of dictionaries; tables repeat them, so answers are remembered. */
class EntryTest {
  readonly lookup: Lookup;
  readonly #matches: FlowPredicate;
  readonly #known = new Map<string, boolean>();

  constructor(lookup: Lookup, filter: FlowFilter) {
    this.lookup = lookup;
    this.#matches = compileFilter(only(filter, lookup.fields));
  }

  /** @returns undefined when no row can match */
  async on(rows: FlowRows): Promise<Test | undefined> {
    const column = await rows.column(this.lookup.column);
    const dictionary = ID_COLUMNS[this.lookup.column];
    const texts = dictionary === undefined ? undefined : await rows.texts(dictionary);
    const allowed = new Uint8Array(MAX_ENTRIES + 1);
    let isAny = false;
    // A dictionary is of several columns: only the entries of this one are of its kind.
    for (const number of numbersIn(column)) {
      const answer = texts === undefined ? this.#test(number) : this.#entry(texts, number);
      if (answer) allowed[number] = 1;
      isAny ||= answer;
    }
    return isAny ? { column, allowed } : undefined;
  }

  #entry(texts: readonly string[], id: number): boolean {
    // 0 is none: a flow without that member.
    if (id === 0) return this.#matches({ source: {}, destination: {} } as Flow);
    const text = entryOf(texts, id);
    let answer = this.#known.get(text);
    if (answer === undefined) {
      answer = this.#test(JSON.parse(text));
      if (this.#known.size < MOST_KNOWN) this.#known.set(text, answer);
    }
    return answer;
  }

  #test(value: unknown): boolean {
    return this.#matches(this.lookup.flowOf(value) as Flow);
  }
}

interface CompiledFilter {
  readonly entries: readonly EntryTest[];
  /** The first two bytes of the UUIDs that are looked for. */
  readonly uuids: Uint8Array | undefined;
  readonly looksAtShape: boolean;
  readonly matchesShape: FlowPredicate;
  readonly matchesPlainShape: FlowPredicate;
}

/** The filters of a request, for any number of tables. */
export class RowFilter {
  readonly #filters: readonly CompiledFilter[];

  /** @param allow the filters one of which must match; none: all rows can @throws SyntaxError as compileFilter() does */
  constructor(allow: readonly FlowFilter[]) {
    this.#filters = allow.map((filter) => ({
      entries: LOOKUPS.filter(({ fields }) => has(filter, fields)).map((lookup) => new EntryTest(lookup, filter)),
      uuids: filter.uuid?.length ? beginningsOf(filter.uuid) : undefined,
      looksAtShape: has(filter, SHAPE_FIELDS) || has(filter, L7_FIELDS),
      matchesShape: compileFilter(only(filter, SHAPE_FIELDS)),
      matchesPlainShape: compileFilter(only(filter, L7_FIELDS)),
    }));
  }

  /**
   * The rows that can match and whose time is within the bounds, in their order.
   * @param limit rows from there on do not count
   * @throws CorruptSegment, and what the file's reader throws
   */
  async rowsOf(rows: FlowRows, limit: number, sinceMs: number, untilMs: number): Promise<Uint32Array> {
    const chosen = this.#filters.length === 0 ? new Uint8Array(limit).fill(1) : await this.#chosen(rows, limit);
    if (chosen === undefined) return new Uint32Array(0);
    if (rows.minMs < sinceMs || rows.maxMs > untilMs) {
      // Below a millisecond the last look decides.
      keepBetween(chosen, await rows.column('time'), sinceMs - rows.baseMs - 1, untilMs - rows.baseMs);
    }
    return positionsOf(chosen);
  }

  /** One byte a row; undefined when there is none. */
  async #chosen(rows: FlowRows, limit: number): Promise<Uint8Array | undefined> {
    const unusual = await unusualRows(rows, limit);
    let chosen = unusual;
    for (const filter of this.#filters) {
      const tests = await testsOf(filter, rows);
      if (tests === undefined) continue;
      const mask = new Uint8Array(limit).fill(1);
      for (const { column, allowed } of tests) keepAllowed(mask, column, allowed);
      if (chosen === undefined) chosen = mask;
      else for (let row = 0; row < limit; row++) chosen[row] |= mask[row];
    }
    return chosen;
  }
}

/** The numbers that occur in a column, each once. */
function* numbersIn(column: Column): Generator<number> {
  const seen = new Uint8Array(MAX_ENTRIES + 1);
  for (let row = 0; row < column.length; row++) seen[column[row]] = 1;
  for (let number = 0; number < seen.length; number++) if (seen[number] !== 0) yield number;
}

function entryOf(texts: readonly string[], id: number): string {
  const text = texts[id - 1];
  if (text === undefined) throw new CorruptSegment(`found no entry ${id} among ${texts.length}`);
  return text;
}

function has(filter: FlowFilter, fields: readonly Field[]): boolean {
  return fields.some((field) => (filter[field]?.length ?? 0) > 0);
}

function only(filter: FlowFilter, fields: readonly Field[]): FlowFilter {
  return Object.fromEntries(fields.flatMap((field) => (filter[field] === undefined ? [] : [[field, filter[field]]])));
}

function keepAllowed(mask: Uint8Array, column: Column, allowed: Uint8Array): void {
  for (let row = 0; row < mask.length; row++) mask[row] &= allowed[column[row]];
}

function keepBetween(mask: Uint8Array, time: Column, from: number, to: number): void {
  for (let row = 0; row < mask.length; row++) if (time[row] < from || time[row] > to) mask[row] = 0;
}

function positionsOf(mask: Uint8Array): Uint32Array {
  let count = 0;
  for (const one of mask) count += one;
  const rows = new Uint32Array(count);
  let at = 0;
  for (let row = 0; at < count; row++) if (mask[row] !== 0) rows[at++] = row;
  return rows;
}

/** Rows that keep something unusual in `rest`, and may thus match whatever the columns say; undefined: there is none. */
async function unusualRows(rows: FlowRows, limit: number): Promise<Uint8Array | undefined> {
  const rest = (await rows.column('rest')).subarray(0, limit);
  if (isZero(rest)) return undefined;
  const shapes = await shapesOf(rows);
  const allowed = Uint8Array.from([0, ...shapes.map((shape) => (isUnusual(shape) ? 1 : 0))]);
  const mask = new Uint8Array(limit).fill(1);
  keepAllowed(mask, await rows.column('shape'), allowed);
  return mask;
}

function isZero(column: Column): boolean {
  for (let row = 0; row < column.length; row++) if (column[row] !== 0) return false;
  return true;
}

function isUnusual(shape: readonly Step[]): boolean {
  return shape.some(({ member, how }) => how === ENVELOPE || (how === REST && LOOKED_AT.has(member)));
}

async function shapesOf(rows: FlowRows): Promise<(readonly Step[])[]> {
  const values = await rows.texts('values');
  const parsed: unknown[] = [];
  const valueOf = (id: number) => {
    const text = entryOf(values, id);
    return (parsed[id] ??= JSON.parse(text) as unknown);
  };
  return (await rows.texts('shapes')).map((text) => readShape(text, valueOf));
}

/** The looks of one filter; undefined when no row can match. */
async function testsOf(filter: CompiledFilter, rows: FlowRows): Promise<Test[] | undefined> {
  const tests: Test[] = [];
  for (const entry of filter.entries) {
    const test = await entry.on(rows);
    if (test === undefined) return undefined;
    tests.push(test);
  }
  if (filter.looksAtShape) {
    const allowed = Uint8Array.from([0, ...(await shapesOf(rows)).map((shape) => (canBe(filter, shape) ? 1 : 0))]);
    if (!allowed.includes(1)) return undefined;
    tests.push({ column: await rows.column('shape'), allowed });
  }
  if (filter.uuids !== undefined) tests.push({ column: beginnings(await rows.column('uuid')), allowed: filter.uuids });
  return tests;
}

function canBe(filter: CompiledFilter, shape: readonly Step[]): boolean {
  const known = knownOf(shape);
  const hasL7 = shape.some(({ member }) => member === 'l7');
  return filter.matchesShape(known) && (hasL7 || filter.matchesPlainShape(known));
}

function beginningsOf(uuids: readonly string[]): Uint8Array {
  const allowed = new Uint8Array(65_536);
  const bytes = new Uint8Array(UUID_BYTES);
  for (const uuid of uuids) {
    if (packUuid(uuid, bytes, 0)) allowed[bytes[0] * 256 + bytes[1]] = 1;
    else allowed.fill(1); // one of another form is in no column
  }
  return allowed;
}

/** The first two bytes of each UUID as a number. */
function beginnings(uuids: Column): Uint16Array {
  const out = new Uint16Array(uuids.length / UUID_BYTES);
  for (let row = 0; row < out.length; row++) out[row] = uuids[row * UUID_BYTES] * 256 + uuids[row * UUID_BYTES + 1];
  return out;
}
