/**
 * A pinned map: one file on tmpfs, mapped by every process that uses it, with a header that says what it is.
 *
 * ```
 *   byte 0                 64                128               256                          fileBytes
 *   | what it is, seed,    | generation,     | counters        | the table's own words  ...  |
 *   | owner of the pen     | count, free list|                 |                             |
 * ```
 *
 * Everything is 32-bit words in the byte order of the machine (the magic word shows a foreign order). Files are
 * sparse: creation writes the header and nothing else, and 0 means "empty" in every table, so a page costs memory only
 * once it is used. A store into a page for which the file system has no room kills the process (SIGBUS): a writer makes room
 * first (`reserve`), for the whole of a small file, else for what it is about to use, and refuses what finds none. Never scan a mapped region that may be a hole: on tmpfs even a read through the mapping allocates.
 *
 * Creation is atomic: a temporary file in the same folder is filled and renamed. Whoever has the old file mapped keeps
 * the old one.
 *
 * One writer. The owner word holds the writer's pid (22 bits, the kernel's maximum) and 10 bits of its start time, and
 * is taken by compare-and-swap. A live owner means ERR_MAP_BUSY; the pen of a dead one (gone, or a zombie) is taken
 * over and `recovered` tells the table that the last writer may have stopped half way. Processes must share a pid
 * namespace. Maps whose words have different owners (ConfigMap) are not exclusive.
 *
 * A mapping goes when the buffer is collected, or by `close(unmap)`. What this does not do: it cannot save a process from
 * SIGBUS when somebody truncates a file that is in use.
 */
import { randomBytes } from 'node:crypto';
import { closeSync, ftruncateSync, openSync, renameSync, rmSync, writeSync } from 'node:fs';
import { MapError, MapFullError } from './map-error.ts';
import {
  checkHeader,
  formatError,
  type MapLayout,
  readHeader,
  HEADER_BYTES,
  HEADER_WORDS,
  KINDS,
  MAGIC,
  W_CAPACITY,
  W_COUNT,
  W_EVICTIONS,
  W_EXPIRED,
  W_FILE_BYTES,
  W_FULL,
  W_KEY_BYTES,
  W_KIND,
  W_MAGIC,
  W_OWNER,
  W_PARAMETER,
  W_PROBE_FAILURES,
  W_REMOVALS,
  W_SEED_0,
  W_SEED_1,
  W_UPDATES,
  W_VALUE_BYTES,
  W_VERSION,
  wantedCapacity,
} from './map-header.ts';
import { isAlive, ownerPid, ownerWord } from './map-owner.ts';

/** Maps `bytes` bytes of an existing file, shared between processes; `writable` false maps it read-only. */
export interface Mapper {
  (path: string, bytes: number, writable: boolean): ArrayBufferLike;
  /** Makes room for a part of a writable mapping; false when there is none. Without it there is always room. */
  readonly reserve?: (buffer: ArrayBuffer, offset: number, bytes: number) => boolean;
}

/** Takes such a mapping away at once. */
export type Unmapper = (buffer: ArrayBuffer) => void;

export interface CreateOptions {
  /** Default: the layout's. */
  readonly capacity?: number;
  /** Hash seed; random unless a test wants to repeat itself. */
  readonly seed?: readonly [number, number];
  /** A number that the map keeps for itself (PolicyMap: the cluster id). */
  readonly parameter?: number;
}

/** Counters of a map, as the CLI and metrics show them. */
export interface MapCounters {
  readonly count: number;
  readonly capacity: number;
  readonly updates: number;
  readonly removals: number;
  readonly full: number;
  readonly evictions: number;
  readonly probeFailures: number;
  readonly expired: number;
}

export class MapFile {
  readonly path: string;
  readonly buffer: ArrayBufferLike;
  readonly header: Int32Array;
  readonly capacity: number;
  readonly writable: boolean;
  /** The last writer died with the pen in its hand: the table must look after itself before it writes. */
  readonly recovered: boolean;
  readonly #mapper: Mapper;
  #ownerWord: number;

  private constructor(
    path: string,
    mapping: { buffer: ArrayBufferLike; writable: boolean; mapper: Mapper },
    pen: { owner: number; recovered: boolean },
  ) {
    const { buffer, writable, mapper } = mapping;
    this.path = path;
    this.buffer = buffer;
    this.header = new Int32Array(buffer, 0, HEADER_WORDS);
    this.capacity = this.header[W_CAPACITY];
    this.writable = writable;
    this.recovered = pen.recovered;
    this.#mapper = mapper;
    this.#ownerWord = pen.owner;
  }

  /**
   * Makes the file (replacing one that nobody is writing) and opens it for writing.
   * @throws {MapError} ERR_MAP_BUSY when a live process writes the existing file
   * @throws {RangeError} when the capacity is not one that the layout allows
   */
  static create(path: string, layout: MapLayout, options: CreateOptions, mapper: Mapper): MapFile {
    const capacity = options.capacity ?? layout.capacity;
    const wanted = wantedCapacity(layout, capacity);
    if (wanted !== undefined) {
      throw new RangeError(`create map ${path}: capacity: found ${capacity}, wanted ${wanted}`);
    }
    refuseLiveWriter(path);
    const header = new Int32Array(HEADER_WORDS);
    const seed = options.seed ?? randomSeed();
    const owner = layout.exclusive === false ? 0 : ownerWord(process.pid);
    const bytes = layout.fileBytes(capacity);
    header[W_MAGIC] = MAGIC;
    header[W_VERSION] = layout.version;
    header[W_KIND] = KINDS[layout.kind];
    header[W_KEY_BYTES] = layout.keyBytes;
    header[W_VALUE_BYTES] = layout.valueBytes;
    header[W_CAPACITY] = capacity;
    header[W_SEED_0] = seed[0];
    header[W_SEED_1] = seed[1];
    header[W_FILE_BYTES] = bytes;
    header[W_OWNER] = owner;
    header[W_PARAMETER] = options.parameter ?? 0;
    writeNewFile(path, header, bytes);
    return new MapFile(path, mapped(path, bytes, true, mapper), { owner, recovered: false });
  }

  /**
   * Opens an existing map, for reading or as its writer.
   * @throws {MapError} ERR_MAP_MISSING, ERR_MAP_FORMAT, or ERR_MAP_BUSY when somebody else is the writer
   */
  static open(path: string, layout: MapLayout, mapper: Mapper, writable: boolean): MapFile {
    const bytes = checkHeader(path, layout);
    const mapping = mapped(path, bytes, writable, mapper);
    const pen =
      writable && layout.exclusive !== false ? takePen(path, new Int32Array(mapping.buffer, 0, HEADER_WORDS)) : NO_PEN;
    return new MapFile(path, mapping, pen);
  }

  /** Makes room for `bytes` bytes from `byteOffset` on, before they are written. @returns false when there is none */
  reserve(byteOffset: number, bytes: number): boolean {
    if (!(this.buffer instanceof ArrayBuffer)) return true;
    return (
      this.#mapper.reserve?.(this.buffer, byteOffset, Math.min(bytes, this.buffer.byteLength - byteOffset)) ?? true
    );
  }

  /** As `reserve`. @throws {MapFullError} when there is no room */
  require(byteOffset: number, bytes: number): void {
    if (this.reserve(byteOffset, bytes)) return;
    const mismatch = { what: 'memory', found: 'a full file system', wanted: `${bytes} bytes` };
    throw new MapFullError('make room in map', this.path, mismatch);
  }

  /** `count` words from `byteOffset` on. */
  words(byteOffset: number, count: number): Int32Array {
    return new Int32Array(this.buffer, byteOffset, count);
  }

  get seed0(): number {
    return this.header[W_SEED_0];
  }

  get seed1(): number {
    return this.header[W_SEED_1];
  }

  /** The number given at creation as `parameter`. */
  get parameter(): number {
    return this.header[W_PARAMETER];
  }

  get counters(): MapCounters {
    const h = this.header;
    return {
      count: h[W_COUNT],
      capacity: this.capacity,
      updates: h[W_UPDATES] >>> 0,
      removals: h[W_REMOVALS] >>> 0,
      full: h[W_FULL] >>> 0,
      evictions: h[W_EVICTIONS] >>> 0,
      probeFailures: h[W_PROBE_FAILURES] >>> 0,
      expired: h[W_EXPIRED] >>> 0,
    };
  }

  /** The error for contents that cannot be. */
  corrupt(what: string, found: string | number, wanted: string | number): MapError {
    return new MapError('ERR_MAP_FORMAT', 'read map', this.path, { what, found, wanted });
  }

  /**
   * Lays the pen down.
   * @param unmap takes the mapping away, after which the map must not be used; without it, that waits for the collector,
   * which does nothing in a thread that never enters its event loop
   */
  close(unmap?: Unmapper): void {
    if (this.#ownerWord !== 0) Atomics.compareExchange(this.header, W_OWNER, this.#ownerWord, 0);
    this.#ownerWord = 0;
    if (this.buffer instanceof ArrayBuffer) unmap?.(this.buffer);
  }
}

const NO_PEN = { owner: 0, recovered: false };

let temporaryFiles = 0;

function writeNewFile(path: string, header: Int32Array, bytes: number): void {
  const temporary = `${path}.new-${process.pid}-${temporaryFiles++}`;
  const fd = openSync(temporary, 'wx', 0o600);
  try {
    ftruncateSync(fd, bytes);
    writeSync(fd, new Uint8Array(header.buffer), 0, HEADER_BYTES, 0);
    renameSync(temporary, path);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  } finally {
    closeSync(fd);
  }
}

function mapped(path: string, bytes: number, writable: boolean, mapper: Mapper) {
  const buffer = mapper(path, bytes, writable);
  if (buffer.byteLength < bytes) throw formatError(path, 'mapped bytes', buffer.byteLength, bytes);
  return { buffer, writable, mapper };
}

/** Takes the owner word, from nobody or from a process that is dead. */
function takePen(path: string, header: Int32Array): { owner: number; recovered: boolean } {
  const mine = ownerWord(process.pid);
  const found = Atomics.load(header, W_OWNER);
  if (found !== 0 && isAlive(found)) throw busyError(path, found);
  const before = Atomics.compareExchange(header, W_OWNER, found, mine);
  if (before !== found) throw busyError(path, before);
  return { owner: mine, recovered: found !== 0 };
}

function refuseLiveWriter(path: string): void {
  let owner = 0;
  try {
    const { header } = readHeader(path);
    if (header[W_MAGIC] === MAGIC) owner = header[W_OWNER];
  } catch {
    return; // absent or not a map: nobody writes it
  }
  if (owner !== 0 && isAlive(owner)) throw busyError(path, owner);
}

function busyError(path: string, owner: number): MapError {
  const found = `process ${ownerPid(owner)}`;
  return new MapError('ERR_MAP_BUSY', 'open map', path, { what: 'writer', found, wanted: 'no other writer' });
}

function randomSeed(): [number, number] {
  const bytes = randomBytes(8);
  return [bytes.readInt32LE(0), bytes.readInt32LE(4)];
}
