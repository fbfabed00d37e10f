/**
 * Rows of a table as bytes. A segment is one chunk with all rows of a table; a journal is the chunks that came while the
 * table was being filled, each with the rows and the entries of dictionaries that are new in it.
 *
 *     0  "SLFC"  version  bytes of the directory  its CRC  bytes of the body  CRC of these 20 bytes   (u32 each)
 *    24  directory, JSON (`ChunkDirectory`)
 *        body: the columns, then the pages of the dictionaries
 *
 * A column takes as many bytes a row as its greatest number needs, none when all are equal. A page is some entries of a
 * dictionary, one a line, deflated in a segment. Every part has its CRC; nothing of a file is believed before that and
 * the sizes in the directory have been looked at. Numbers are little-endian.
 */
import { promisify } from 'node:util';
import { crc32, deflateRaw } from 'node:zlib';
import {
  COLUMN_NAMES,
  type Column,
  type ColumnName,
  CorruptSegment,
  DICTIONARIES,
  type DictionaryName,
  ID_COLUMNS,
  MAX_ENTRIES,
  MAX_ENTRY_LENGTH,
  MAX_ROWS,
  UUID_BYTES,
} from './columns.ts';
import type { FlowTable } from './flow-table.ts';

export const HEAD_BYTES = 24;
const MAGIC = 0x43464c53; // "SLFC"
const VERSION = 1;
const PAGE_LENGTH = 65_536; // characters a page is filled to
const MAX_PAGE_BYTES = 4 * (PAGE_LENGTH + MAX_ENTRY_LENGTH);
const MAX_DIRECTORY_BYTES = 1_048_576;

/** Where a column is: bytes a row, or 0 and the number that all rows have. */
export interface ColumnPlace {
  readonly width: number;
  readonly constant: number;
  readonly at: number;
  readonly crc: number;
}

/** Where some entries of a dictionary are. `raw` = `bytes`: they are not deflated. */
export interface PagePlace {
  readonly entries: number;
  readonly at: number;
  readonly bytes: number;
  readonly raw: number;
  readonly crc: number;
}

export interface ChunkDirectory {
  readonly rows: number;
  readonly baseMs: number;
  readonly minMs: number;
  readonly maxMs: number;
  readonly columns: Readonly<Record<ColumnName, ColumnPlace>>;
  readonly pages: Readonly<Record<DictionaryName, readonly PagePlace[]>>;
}

/** What a chunk begins after: the rows and the entries that earlier chunks of the file hold. */
export interface Mark {
  readonly rows: number;
  readonly entries: Readonly<Record<DictionaryName, number>>;
}

export const START: Mark = { rows: 0, entries: { endpoints: 0, shapes: 0, values: 0, words: 0, parts: 0, texts: 0 } };

/** Where a table stands now. */
export function markOf(table: FlowTable): Mark {
  const entries = DICTIONARIES.map((name) => [name, table.dictionaries[name].texts.length] as const);
  return { rows: table.rows, entries: Object.fromEntries(entries) as Record<DictionaryName, number> };
}

/** Takes bytes to fewer, in a thread of its own. */
export type Deflate = (bytes: Uint8Array) => Promise<Uint8Array>;

const deflateLevel: (bytes: Uint8Array, options: { level: number }) => Promise<Uint8Array> = promisify(deflateRaw);
export const deflate: Deflate = (bytes) => deflateLevel(bytes, { level: 1 });

/**
 * The bytes of the rows from one mark to another.
 * @param deflate for a segment; the table must not change before the answer is there
 * @returns buffers to be written one after the other
 */
export async function emitChunk(table: FlowTable, from: Mark, to: Mark, deflate?: Deflate): Promise<Uint8Array[]> {
  const body = new Body();
  const columns = COLUMN_NAMES.map(
    (name) => [name, emitColumn(body, table.array(name), name, from.rows, to.rows)] as const,
  );
  const pages: Partial<Record<DictionaryName, PagePlace[]>> = {};
  for (const name of DICTIONARIES) {
    const texts = table.dictionaries[name].texts;
    pages[name] = [];
    for (const page of pagesOf(texts, from.entries[name], to.entries[name])) {
      const raw = Buffer.from(page.join('\n'));
      const stored = deflate === undefined ? raw : await deflate(raw);
      const isSmaller = stored.length < raw.length;
      const place = body.add(isSmaller ? stored : raw);
      pages[name].push({ entries: page.length, ...place, raw: raw.length });
    }
  }
  const directory = {
    rows: to.rows - from.rows,
    baseMs: table.baseMs,
    ...rangeOf(table, from.rows, to.rows),
    columns: Object.fromEntries(columns),
    pages,
  };
  const text = Buffer.from(JSON.stringify(directory));
  return [headOf(text, body.length), text, ...body.parts];
}

class Body {
  readonly parts: Uint8Array[] = [];
  length = 0;

  add(bytes: Uint8Array): { at: number; bytes: number; crc: number } {
    const at = this.length;
    if (bytes.length > 0) this.parts.push(bytes);
    this.length += bytes.length;
    return { at, bytes: bytes.length, crc: crc32(bytes) };
  }
}

function headOf(directory: Uint8Array, bodyBytes: number): Uint8Array {
  const head = Buffer.alloc(HEAD_BYTES);
  for (const [index, word] of [MAGIC, VERSION, directory.length, crc32(directory), bodyBytes].entries()) {
    head.writeUInt32LE(word, 4 * index);
  }
  head.writeUInt32LE(crc32(head.subarray(0, HEAD_BYTES - 4)), HEAD_BYTES - 4);
  return head;
}

function rangeOf(table: FlowTable, from: number, to: number): { minMs: number; maxMs: number } {
  let min = Number.POSITIVE_INFINITY;
  let max = Number.NEGATIVE_INFINITY;
  for (let row = from; row < to; row++) {
    min = Math.min(min, table.time[row]);
    max = Math.max(max, table.time[row]);
  }
  return { minMs: table.baseMs + min, maxMs: table.baseMs + max };
}

function emitColumn(body: Body, column: Column, name: ColumnName, from: number, to: number): ColumnPlace {
  if (name === 'uuid') {
    const bytes = column.subarray(from * UUID_BYTES, to * UUID_BYTES) as Uint8Array;
    const isZero = bytes.every((byte) => byte === 0);
    const { at, crc } = body.add(isZero ? new Uint8Array(0) : bytes.slice());
    return { width: isZero ? 0 : UUID_BYTES, constant: 0, at, crc };
  }
  const rows = column.subarray(from, to);
  let greatest = 0;
  let isConstant = true;
  for (const value of rows) {
    if (value > greatest) greatest = value;
    if (value !== rows[0]) isConstant = false;
  }
  const narrow = isConstant ? new Uint8Array(0) : narrowed(rows, greatest);
  const { at, crc } = body.add(new Uint8Array(narrow.buffer, narrow.byteOffset, narrow.byteLength));
  return { width: isConstant ? 0 : narrow.BYTES_PER_ELEMENT, constant: isConstant ? (rows[0] ?? 0) : 0, at, crc };
}

/** A copy in as few bytes as its numbers need. */
function narrowed(rows: Column, greatest: number): Column {
  if (rows instanceof Float64Array) return rows.slice();
  if (greatest < 0x100) return Uint8Array.from(rows);
  return greatest < 0x1_0000 ? Uint16Array.from(rows) : rows.slice();
}

function* pagesOf(texts: readonly string[], from: number, to: number): Generator<string[]> {
  let page: string[] = [];
  let length = 0;
  for (let at = from; at < to; at++) {
    if (page.length > 0 && length + texts[at].length > PAGE_LENGTH) {
      yield page;
      page = [];
      length = 0;
    }
    page.push(texts[at]);
    length += texts[at].length + 1;
  }
  if (page.length > 0) yield page;
}

export interface ChunkHead {
  readonly directoryBytes: number;
  readonly directoryCrc: number;
  readonly bodyBytes: number;
}

/** @returns undefined for what is no head of a chunk of this version */
export function readHead(bytes: Uint8Array): ChunkHead | undefined {
  if (bytes.length < HEAD_BYTES) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, HEAD_BYTES);
  const word = (index: number) => view.getUint32(4 * index, true);
  const isSound = word(5) === crc32(bytes.subarray(0, HEAD_BYTES - 4));
  if (!isSound || word(0) !== MAGIC || word(1) !== VERSION || word(2) > MAX_DIRECTORY_BYTES) return undefined;
  return { directoryBytes: word(2), directoryCrc: word(3), bodyBytes: word(4) };
}

/** @throws CorruptSegment unless every size in it is within the body and within what a table can have */
export function readDirectory(bytes: Uint8Array, head: ChunkHead): ChunkDirectory {
  if (crc32(bytes) !== head.directoryCrc) throw new CorruptSegment('found a directory whose CRC is wrong');
  const directory = JSON.parse(Buffer.from(bytes).toString()) as ChunkDirectory;
  const { rows, columns, pages, minMs, maxMs, baseMs } = directory;
  const isWithin = (at: number, length: number) => isCount(at) && isCount(length) && at + length <= head.bodyBytes;
  const isSound =
    isCount(rows) &&
    rows <= MAX_ROWS &&
    [minMs, maxMs, baseMs].every(Number.isSafeInteger) &&
    COLUMN_NAMES.every(
      (name) => isWidth(name, columns[name].width) && isWithin(columns[name].at, rows * columns[name].width),
    ) &&
    DICTIONARIES.every(
      (name) =>
        pages[name].every(
          (page) => isCount(page.entries) && isWithin(page.at, page.bytes) && page.raw <= MAX_PAGE_BYTES,
        ) && pages[name].reduce((sum, { entries }) => sum + entries, 0) <= MAX_ENTRIES,
    );
  if (!isSound) throw new CorruptSegment('found a directory whose sizes make no sense');
  return directory;
}

const isCount = (value: unknown): boolean => Number.isSafeInteger(value) && (value as number) >= 0;

function isWidth(name: ColumnName, width: number): boolean {
  if (name === 'uuid') return width === 0 || width === UUID_BYTES;
  if (name === 'latency') return width === 0 || width === 8;
  return width === 0 || width === 1 || width === 2 || (width === 4 && !Object.hasOwn(ID_COLUMNS, name));
}

/** @param bytes those of the place @throws CorruptSegment */
export function readColumn(bytes: Uint8Array, place: ColumnPlace, name: ColumnName, rows: number): Column {
  if (place.width === 0) return constantColumn(name, rows, place.constant);
  if (crc32(bytes) !== place.crc) throw new CorruptSegment(`found a column ${name} whose CRC is wrong`);
  const { buffer, byteOffset } = bytes.byteOffset % place.width === 0 ? bytes : Uint8Array.from(bytes);
  if (name === 'uuid') return new Uint8Array(buffer, byteOffset, rows * UUID_BYTES);
  if (place.width === 1) return new Uint8Array(buffer, byteOffset, rows);
  if (place.width === 2) return new Uint16Array(buffer, byteOffset, rows);
  return place.width === 4 ? new Uint32Array(buffer, byteOffset, rows) : new Float64Array(buffer, byteOffset, rows);
}

const ZEROS = new Uint8Array(MAX_ROWS * UUID_BYTES);

function constantColumn(name: ColumnName, rows: number, value: number): Column {
  if (value === 0) return ZEROS.subarray(0, name === 'uuid' ? rows * UUID_BYTES : rows);
  return name === 'latency' ? new Float64Array(rows).fill(value) : new Uint32Array(rows).fill(value);
}

/** @param bytes those of the page, no longer deflated @throws CorruptSegment */
export function readPage(bytes: Uint8Array, { entries, raw }: PagePlace): string[] {
  const texts = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString().split('\n');
  if (bytes.length === raw && texts.length === entries) return texts;
  throw new CorruptSegment(
    `found a page of ${texts.length} entries and ${bytes.length} bytes, wanted ${entries} and ${raw}`,
  );
}
