/**
 * The header of a map file: word numbers, what is written there, and holding a file on disk to it before it is mapped.
 */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { MapError } from './map-error.ts';

// --- specification: the header, as 32-bit word numbers
export const MAGIC = 0x534c4d50; // "SLMP"
export const W_MAGIC = 0;
export const W_VERSION = 1;
export const W_KIND = 2;
export const W_KEY_BYTES = 3;
export const W_VALUE_BYTES = 4;
export const W_CAPACITY = 5;
export const W_SEED_0 = 6;
export const W_SEED_1 = 7;
export const W_FILE_BYTES = 8;
export const W_OWNER = 9;
export const W_PARAMETER = 10;

/** The word that publishes changes; its meaning (sequence lock, publication number) is the table's. */
export const W_GENERATION = 16;
export const W_COUNT = 17;
export const W_HIGH_WATER = 18;
export const W_FREE_HEAD = 19;
export const W_FREE_TAIL = 20;
export const W_FREE_COUNT = 21;
export const W_CURSOR = 22;
/** Counters: how often the writer changed, removed, refused, evicted. They wrap at 2^32. */
export const W_UPDATES = 32;
export const W_REMOVALS = 33;
export const W_FULL = 34;
export const W_EVICTIONS = 35;
export const W_PROBE_FAILURES = 36;
export const W_EXPIRED = 37;
export const HEADER_WORDS = 64;
export const HEADER_BYTES = HEADER_WORDS * 4;

/** After so many the writer is standing still, in the middle of a change at that: then what is there is consistent. */
export const READ_ATTEMPTS = 1000;

/** Numbers of the kinds; never reused. */
export const KINDS = {
  policy: 1,
  ipcache: 2,
  endpoints: 3,
  ports: 4,
  conntrack: 5,
  metrics: 6,
  policystats: 7,
  events: 8,
  l7_rules: 9,
  frag: 10,
  runtime_config: 11,
  hash: 12,
  lpm: 13,
  lru_hash: 14,
  array: 15,
  counters: 16,
  l7_state: 17,
  conditions: 18,
  address_filter: 19,
  nat: 20,
  lb_services: 21,
  lb_slots: 22,
  lb_backends: 23,
  lb_reverse_nat: 24,
  lb_affinity: 25,
  lb_source_range: 26,
  fqdn: 27,
  events_dns: 28,
  egress_gw_policy: 30,
  l2_responder: 31,
  drop_counts: 32,
  events_l7: 33,
  recording: 34,
  offload_flows: 35,
  offload_offers: 36,
} as const;

export type MapKind = keyof typeof KINDS;

/** What a map of one kind looks like; `create` and `open` hold a file to it. */
export interface MapLayout {
  readonly kind: MapKind;
  readonly version: number;
  readonly keyBytes: number;
  readonly valueBytes: number;
  /** Entries unless `create` is told otherwise. */
  readonly capacity: number;
  /** Default 1; the same as `maxCapacity` where there is no choice. */
  readonly minCapacity?: number;
  readonly maxCapacity: number;
  /** Only powers of two will do. */
  readonly isPowerOfTwo?: boolean;
  /** Size of the file, header included, for a capacity. */
  readonly fileBytes: (capacity: number) => number;
  /** All of it is in use sooner or later: its memory is taken when the file is opened by its writer. Default false. */
  readonly isDense?: boolean;
  /** False when several processes write, each its own words. Default true. */
  readonly exclusive?: boolean;
}

/** Holds the header on disk to the layout, before anything is mapped. Returns the size of the file. */
export function checkHeader(path: string, layout: MapLayout): number {
  const { header, size } = readHeader(path);
  if (size < HEADER_BYTES) throw formatError(path, 'file size', size, `at least ${HEADER_BYTES} bytes of header`);
  if (header[W_MAGIC] !== MAGIC) throw formatError(path, 'magic word', hex(header[W_MAGIC]), hex(MAGIC));
  for (const [what, word, wanted] of [['map kind', W_KIND, KINDS[layout.kind]] as const, ...shapeWords(layout)]) {
    if (header[word] !== wanted) throw formatError(path, what, header[word], wanted);
  }
  const capacity = header[W_CAPACITY];
  const wanted = wantedCapacity(layout, capacity);
  if (wanted !== undefined) throw formatError(path, 'capacity', capacity, wanted);
  const bytes = layout.fileBytes(capacity);
  if (header[W_FILE_BYTES] !== bytes) throw formatError(path, 'file size in the header', header[W_FILE_BYTES], bytes);
  if (size < bytes) throw formatError(path, 'file size', size, bytes);
  return bytes;
}

/** The words of a header that say how rows are to be read, each with what it is called and what is wanted there. */
function shapeWords(layout: MapLayout): (readonly [string, number, number])[] {
  return [
    ['layout version', W_VERSION, layout.version],
    ['key bytes', W_KEY_BYTES, layout.keyBytes],
    ['value bytes', W_VALUE_BYTES, layout.valueBytes],
  ];
}

/**
 * Whether a file is a map of this kind whose rows are to be read otherwise: of another version of Sluice.
 * @throws {MapError} when it cannot be read
 */
export function isOfOtherLayout(path: string, layout: MapLayout): boolean {
  const { header } = readHeader(path);
  if (header[W_MAGIC] !== MAGIC || header[W_KIND] !== KINDS[layout.kind]) return false;
  return shapeWords(layout).some(([, word, wanted]) => header[word] !== wanted);
}

/** What a layout wants of a capacity that it cannot have; undefined when it can. */
export function wantedCapacity(layout: MapLayout, capacity: number): string | undefined {
  const { minCapacity = 1, maxCapacity } = layout;
  if (!(Number.isInteger(capacity) && capacity >= minCapacity && capacity <= maxCapacity)) {
    return minCapacity === maxCapacity ? String(maxCapacity) : `${minCapacity} to ${maxCapacity}`;
  }
  return layout.isPowerOfTwo === true && (capacity & (capacity - 1)) !== 0 ? 'a power of two' : undefined;
}

/** The header as it is on disk, zeroes where the file is too short. @throws {MapError} when it cannot be read */
export function readHeader(path: string): { header: Int32Array; size: number } {
  let fd: number;
  try {
    fd = openSync(path, 'r');
  } catch (error) {
    const found = (error as NodeJS.ErrnoException).code ?? String(error);
    throw new MapError('ERR_MAP_MISSING', 'open map', path, { what: 'file', found, wanted: 'a readable map file' });
  }
  try {
    const header = new Int32Array(HEADER_WORDS);
    const status = fstatSync(fd);
    if (!status.isFile()) throw formatError(path, 'file type', 'not a regular file', 'a regular file');
    readSync(fd, new Uint8Array(header.buffer), 0, HEADER_BYTES, 0);
    return { header, size: status.size };
  } finally {
    closeSync(fd);
  }
}

/** The error for a file that is not what was asked for. */
export function formatError(path: string, what: string, found: string | number, wanted: string | number): MapError {
  return new MapError('ERR_MAP_FORMAT', 'open map', path, { what, found, wanted });
}

function hex(word: number): string {
  return `0x${(word >>> 0).toString(16).padStart(8, '0')}`;
}
