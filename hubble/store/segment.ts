/** A segment on disk: opened by its head alone, columns and dictionaries are read when a query wants them. */
import { crc32, inflateRawSync } from 'node:zlib';
import {
  HEAD_BYTES,
  type ChunkDirectory,
  type ChunkHead,
  type PagePlace,
  readColumn,
  readDirectory,
  readHead,
  readPage,
} from './chunk.ts';
import { type Column, type ColumnName, CorruptSegment, type DictionaryName, type FlowRows } from './columns.ts';

/** A file, as far as it is needed here. */
export interface ByteSource {
  readonly size: number;
  /** @returns fewer bytes where the file ends */
  read(at: number, length: number): Promise<Uint8Array>;
}

const FIRST_READ = 8192;

export class Segment implements FlowRows {
  readonly #source: ByteSource;
  readonly #directory: ChunkDirectory;
  readonly #bodyAt: number;
  readonly #bodyBytes: number;
  #body: Uint8Array | undefined;

  private constructor(source: ByteSource, directory: ChunkDirectory, head: ChunkHead) {
    this.#source = source;
    this.#directory = directory;
    this.#bodyAt = HEAD_BYTES + head.directoryBytes;
    this.#bodyBytes = head.bodyBytes;
  }

  /** @throws CorruptSegment when it is no segment, or not all of one */
  static async open(source: ByteSource): Promise<Segment> {
    const first = await source.read(0, FIRST_READ);
    const head = readHead(first);
    if (head === undefined) throw new CorruptSegment('found no head of a segment');
    const bodyAt = HEAD_BYTES + head.directoryBytes;
    if (source.size !== bodyAt + head.bodyBytes) {
      throw new CorruptSegment(`found ${source.size} bytes, wanted ${bodyAt + head.bodyBytes}`);
    }
    const whole =
      bodyAt <= first.length ? first.subarray(HEAD_BYTES, bodyAt) : await source.read(HEAD_BYTES, head.directoryBytes);
    return new Segment(source, directoryOf(whole, head), head);
  }

  get rows(): number {
    return this.#directory.rows;
  }
  get minMs(): number {
    return this.#directory.minMs;
  }
  get maxMs(): number {
    return this.#directory.maxMs;
  }
  get baseMs(): number {
    return this.#directory.baseMs;
  }

  async load(): Promise<void> {
    this.#body ??= await this.#source.read(this.#bodyAt, this.#bodyBytes);
  }

  async column(name: ColumnName): Promise<Column> {
    const place = this.#directory.columns[name];
    const bytes = place.width === 0 ? NOTHING : await this.#read(place.at, this.rows * place.width);
    return readColumn(bytes, place, name, this.rows);
  }

  async texts(name: DictionaryName): Promise<readonly string[]> {
    const texts: string[] = [];
    for (const page of this.#directory.pages[name]) for (const text of await this.#page(page)) texts.push(text);
    return texts;
  }

  async #page(page: PagePlace): Promise<string[]> {
    const stored = await this.#read(page.at, page.bytes);
    if (crc32(stored) !== page.crc) throw new CorruptSegment('found a page whose CRC is wrong');
    return readPage(page.raw === page.bytes ? stored : inflateRawSync(stored, { maxOutputLength: page.raw }), page);
  }

  async #read(at: number, length: number): Promise<Uint8Array> {
    if (this.#body !== undefined) return this.#body.subarray(at, at + length);
    return this.#source.read(this.#bodyAt + at, length);
  }
}

const NOTHING = new Uint8Array(0);

/** Whatever is wrong with a directory is a corrupt segment: members that are missing, no JSON. */
function directoryOf(bytes: Uint8Array, head: ChunkHead): ChunkDirectory {
  try {
    return readDirectory(bytes, head);
  } catch (error) {
    if (error instanceof CorruptSegment) throw error;
    throw new CorruptSegment(`found a directory that cannot be read: ${String(error)}`);
  }
}
