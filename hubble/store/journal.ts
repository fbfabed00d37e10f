/** The journal of a table that was being filled when its writer died: the table again, up to the last whole chunk. */
import { crc32 } from 'node:zlib';
import { HEAD_BYTES, type ChunkDirectory, readColumn, readDirectory, readHead, readPage } from './chunk.ts';
import { COLUMN_NAMES, CorruptSegment, DICTIONARIES, MAX_ROWS, UUID_BYTES } from './columns.ts';
import { FlowTable } from './flow-table.ts';

export interface JournalOutcome {
  /** undefined when there is no whole chunk. */
  readonly table: FlowTable | undefined;
  /** What was cut off at the end, in bytes. */
  readonly torn: number;
}

/** @param bytes the whole journal; pages in it are not deflated */
export function readJournal(bytes: Uint8Array): JournalOutcome {
  let table: FlowTable | undefined;
  let at = 0;
  while (at < bytes.length) {
    const head = readHead(bytes.subarray(at, at + HEAD_BYTES));
    const bodyAt = at + HEAD_BYTES + (head?.directoryBytes ?? 0);
    const end = bodyAt + (head?.bodyBytes ?? 0);
    if (head === undefined || end > bytes.length) break;
    try {
      const directory = readDirectory(bytes.subarray(at + HEAD_BYTES, bodyAt), head);
      table ??= FlowTable.withBase(directory.baseMs);
      addChunk(table, directory, bytes.subarray(bodyAt, end));
    } catch {
      break;
    }
    at = end;
  }
  return { table: table?.rows === 0 ? undefined : table, torn: bytes.length - at };
}

/** Takes a chunk in whole, or throws and leaves the table as it was. */
function addChunk(table: FlowTable, directory: ChunkDirectory, body: Uint8Array): void {
  const { rows, columns, pages, baseMs, minMs, maxMs } = directory;
  if (baseMs !== table.baseMs || table.rows + rows > MAX_ROWS)
    throw new CorruptSegment('found a chunk of another table');
  const numbers = COLUMN_NAMES.map((name) => {
    const place = columns[name];
    return { name, column: readColumn(body.subarray(place.at, place.at + rows * place.width), place, name, rows) };
  });
  const texts = DICTIONARIES.map((name) => ({
    name,
    texts: pages[name].flatMap((page) => {
      const stored = body.subarray(page.at, page.at + page.bytes);
      if (crc32(stored) !== page.crc) throw new CorruptSegment('found a page whose CRC is wrong');
      return readPage(stored, page);
    }),
  }));
  for (const { name, column } of numbers)
    table.array(name).set(column, table.rows * (name === 'uuid' ? UUID_BYTES : 1));
  for (const { name, texts: added } of texts) for (const text of added) table.dictionaries[name].add(text);
  table.minMs = Math.min(table.minMs, minMs);
  table.maxMs = Math.max(table.maxMs, maxMs);
  table.rows += rows;
}
