/**
 * A table of flows: one row a flow, cut into columns of numbers, and dictionaries of what repeats. This is what the
 * history keeps in memory of the newest flows, what it writes to disk, and what a query reads.
 *
 * A number of an id column is a place in one dictionary, 0 for nothing; the entries of a dictionary are JSON texts. All ids
 * are below 65536, so that a column costs at most two bytes a row; who fills a table ends it when a dictionary is full.
 */

/** Dictionaries by what they hold. */
export const DICTIONARIES = ['endpoints', 'shapes', 'values', 'words', 'parts', 'texts'] as const;
export type DictionaryName = (typeof DICTIONARIES)[number];

/** Columns of ids and of 16-bit numbers, with their dictionary. */
export const ID_COLUMNS = {
  source: 'endpoints',
  destination: 'endpoints',
  shape: 'shapes',
  sourceIp: 'words',
  destinationIp: 'words',
  sourcePort: undefined,
  destinationPort: undefined,
  sourceMac: 'words',
  destinationMac: 'words',
  sourceNames: 'parts',
  destinationNames: 'parts',
  sourceService: 'parts',
  destinationService: 'parts',
  interface: 'parts',
  egressAllowedBy: 'parts',
  ingressAllowedBy: 'parts',
  egressDeniedBy: 'parts',
  ingressDeniedBy: 'parts',
  policyLog: 'parts',
  l7: 'texts',
  summary: 'texts',
  rest: 'texts',
} as const satisfies Readonly<Record<string, DictionaryName | undefined>>;

export type IdColumn = keyof typeof ID_COLUMNS;
export const ID_COLUMN_NAMES = Object.keys(ID_COLUMNS) as readonly IdColumn[];

/** Milliseconds after `baseMs`; nanoseconds below that; nanoseconds of latency. */
export type WideColumn = 'time' | 'nanos' | 'latency';
export type ColumnName = IdColumn | WideColumn | 'uuid';
export const COLUMN_NAMES: readonly ColumnName[] = ['time', 'nanos', 'latency', 'uuid', ...ID_COLUMN_NAMES];

export type Column = Uint8Array | Uint16Array | Uint32Array | Float64Array;

export const UUID_BYTES = 16;
export const MAX_ROWS = 65_536;
export const MAX_ENTRIES = 65_535; // of a dictionary: ids are 1 to this
export const MAX_ENTRY_LENGTH = 65_536; // characters of one text
export const MAX_TEXT_LENGTH = 8_388_608; // characters of all dictionaries of a table, about: it is looked at between rows

/** Rows that can be read: a table in memory, or a segment on disk. */
export interface FlowRows {
  readonly rows: number;
  /** Of the first and last moment. */
  readonly minMs: number;
  readonly maxMs: number;
  /** What `time` counts from. */
  readonly baseMs: number;
  /** Says that most of the columns and dictionaries will be asked for. */
  load(): Promise<void>;
  /** A column of `rows` numbers (`uuid`: of 16 bytes a row). */
  column(name: ColumnName): Promise<Column>;
  /** Entries of a dictionary, JSON; the first is that of id 1. */
  texts(name: DictionaryName): Promise<readonly string[]>;
}

/** A file whose bytes make no sense. */
export class CorruptSegment extends Error {}
