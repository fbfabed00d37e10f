/** Rows of a table become the envelopes again that they were made of. */
import type { Envelope, Flow } from '../flow.ts';
import {
  COLUMN_NAMES,
  type Column,
  type ColumnName,
  CorruptSegment,
  DICTIONARIES,
  type DictionaryName,
  type FlowRows,
  ID_COLUMN_NAMES,
  ID_COLUMNS,
  type IdColumn,
  UUID_BYTES,
} from './columns.ts';
import {
  COLUMN,
  COLUMN_OF,
  ENVELOPE,
  EVENT_TYPE,
  IP,
  isMembers,
  MAC,
  type Members,
  PORTS,
  portsOf,
  REST,
  readShape,
  type Step,
  TIME,
  UUID,
  VALUE,
} from './shape.ts';
import { TimeWriter, unpackUuid } from './texts.ts';

const TEXT_COLUMNS = ID_COLUMN_NAMES.filter((name) => ID_COLUMNS[name] === 'texts');

export class RowReader {
  readonly #baseMs: number;
  readonly #columns: Readonly<Record<ColumnName, Column>>;
  readonly #texts: Readonly<Record<DictionaryName, readonly string[]>>;
  readonly #values: Readonly<Record<DictionaryName, unknown[]>>;
  readonly #shapes: (readonly Step[] | undefined)[] = [];
  readonly #time = new TimeWriter();

  private constructor(
    rows: FlowRows,
    columns: Record<ColumnName, Column>,
    texts: Record<DictionaryName, readonly string[]>,
  ) {
    this.#baseMs = rows.baseMs;
    this.#columns = columns;
    this.#texts = texts;
    this.#values = { endpoints: [], shapes: [], values: [], words: [], parts: [], texts: [] };
  }

  /** @param wanted the rows that will be read, for what none of them needs is left out @throws CorruptSegment, and what the file's reader throws */
  static async open(rows: FlowRows, wanted: Uint32Array): Promise<RowReader> {
    await rows.load();
    const columns: Partial<Record<ColumnName, Column>> = {};
    for (const name of COLUMN_NAMES) columns[name] = await rows.column(name);
    const needsTexts = TEXT_COLUMNS.some((name) => wanted.some((row) => columns[name]?.[row] !== 0));
    const texts: Partial<Record<DictionaryName, readonly string[]>> = {};
    for (const name of DICTIONARIES) texts[name] = name === 'texts' && !needsTexts ? [] : await rows.texts(name);
    return new RowReader(
      rows,
      columns as Record<ColumnName, Column>,
      texts as Record<DictionaryName, readonly string[]>,
    );
  }

  /** @throws CorruptSegment */
  read(row: number): Envelope {
    const shape = this.#shape(this.#columns.shape[row]);
    if (shape[0]?.how === ENVELOPE) return this.#rest(row)[0] as Envelope;
    const flow: Record<string, unknown> = {};
    let rest: readonly unknown[] | undefined;
    let taken = 0;
    for (const step of shape) {
      if (step.how === REST) {
        rest ??= this.#rest(row);
        flow[step.member] = rest[taken++];
      } else flow[step.member] = this.#member(step, row);
    }
    const { node_name: nodeName, time } = flow as unknown as Flow;
    const whole = flow as unknown as Flow;
    return { flow: whole, ...(nodeName !== undefined && { node_name: nodeName }), ...(time !== undefined && { time }) };
  }

  #shape(id: number): readonly Step[] {
    return (this.#shapes[id] ??= readShape(this.#text('shapes', id), (value) => this.#value('values', value)));
  }

  #rest(row: number): readonly unknown[] {
    const rest = this.#idColumn('rest', row);
    if (Array.isArray(rest)) return rest;
    throw new CorruptSegment('found no list in the column rest');
  }

  #member({ member, how, detail, value }: Step, row: number): unknown {
    const columns = this.#columns;
    switch (how) {
      case VALUE:
      case EVENT_TYPE:
        return value;
      case COLUMN:
        return this.#idColumn(COLUMN_OF[member] ?? 'rest', row);
      case TIME:
        return this.#time.write(this.#baseMs + columns.time[row], columns.nanos[row], detail);
      case UUID:
        return unpackUuid(columns.uuid as Uint8Array, row * UUID_BYTES);
      case IP:
        return { ...this.#ends('sourceIp', 'destinationIp', row), ...(detail !== 0 && { ipVersion: value }) };
      case MAC:
        return this.#ends('sourceMac', 'destinationMac', row);
      case PORTS:
        return portsOf(detail, columns.sourcePort[row], columns.destinationPort[row]);
      default:
        return this.#l7(detail === 1, row);
    }
  }

  #ends(source: IdColumn, destination: IdColumn, row: number): Members {
    return { source: this.#idColumn(source, row), destination: this.#idColumn(destination, row) };
  }

  #l7(hasLatency: boolean, row: number): unknown {
    const l7 = this.#idColumn('l7', row);
    if (!hasLatency || !isMembers(l7)) return l7;
    const { type, ...others } = l7;
    return { type, latency_ns: String(this.#columns.latency[row]), ...others };
  }

  #idColumn(name: IdColumn, row: number): unknown {
    return this.#value(ID_COLUMNS[name] ?? 'texts', this.#columns[name][row]);
  }

  #value(name: DictionaryName, id: number): unknown {
    const values = this.#values[name];
    return (values[id] ??= parse(this.#text(name, id)));
  }

  #text(name: DictionaryName, id: number): string {
    const text = this.#texts[name][id - 1];
    if (text === undefined) throw new CorruptSegment(`found no entry ${id} among ${this.#texts[name].length} ${name}`);
    return text;
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new CorruptSegment(`found the entry ${text.slice(0, 80)}, wanted JSON`);
  }
}
