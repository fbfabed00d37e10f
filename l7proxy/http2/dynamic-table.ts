/**
 * The dynamic table of one HPACK decoder (RFC 7541 2.3.2): a queue of name and value pairs, the newest first, with a limit in
 * bytes. Their text lies in one piece of memory, oldest first, behind which new entries are put; when it ends, what is alive
 * moves to its front. It grows as it must, for most connections put a few entries in before they hear that they need none, and is
 * given back while the table is empty, which it is for good once its size is 0.
 */
import { copyBytes } from '../../wire/bytes.ts';

// --- specification
/** What an entry counts for beside its text (4.1). */
const ENTRY_OVERHEAD = 32;
/** SETTINGS_HEADER_TABLE_SIZE when nobody has said another. */
export const DEFAULT_TABLE_BYTES = 4096;

// --- implementation
const FIRST_ENTRIES = 8;
const FIRST_TEXT_BYTES = 256;

// Of an entry: where its text begins, and the lengths of its name and value.
const NAME_BYTES = 1;
const VALUE_BYTES = 2;
const WORDS = 4;

const NONE = new Uint8Array(0);
const NO_ENTRIES = new Int32Array(0);

export class DynamicTable {
  /** Most bytes that it may have now; at most DEFAULT_TABLE_BYTES. */
  maxBytes = DEFAULT_TABLE_BYTES;
  count = 0;
  text: Uint8Array = NONE;
  #bytes = 0;
  /** Place of the oldest entry in the ring. */
  #first = 0;
  #textEnd = 0;
  /** The ring: WORDS of each entry, a power of two of them. */
  #entries: Int32Array = NO_ENTRIES;

  clear(): void {
    this.maxBytes = DEFAULT_TABLE_BYTES;
    this.#evictTo(0);
  }

  /** Where in `text` the name of an entry begins; 0 = the newest. Preconditions: index < count. */
  nameAt(index: number): number {
    return this.#entries[this.#place(index)];
  }

  nameBytes(index: number): number {
    return this.#entries[this.#place(index) + NAME_BYTES];
  }

  valueBytes(index: number): number {
    return this.#entries[this.#place(index) + VALUE_BYTES];
  }

  /** A size update (4.3). Preconditions: maxBytes <= DEFAULT_TABLE_BYTES. */
  resize(maxBytes: number): void {
    this.maxBytes = maxBytes;
    this.#evictTo(maxBytes);
  }

  /** Puts an entry in front. One that is larger than the table leaves it empty (4.4). `source` is none of `text`. */
  add(source: Uint8Array, nameStart: number, nameEnd: number, valueStart: number, valueEnd: number): void {
    const nameBytes = nameEnd - nameStart;
    const textBytes = nameBytes + valueEnd - valueStart;
    const entryBytes = textBytes + ENTRY_OVERHEAD;
    if (entryBytes > this.maxBytes) {
      this.#evictTo(0);
      return;
    }
    this.#evictTo(this.maxBytes - entryBytes);
    this.#makeRoom(textBytes);
    const place = this.#ring(this.count);
    const at = this.#textEnd;
    this.#entries[place] = at;
    this.#entries[place + NAME_BYTES] = nameBytes;
    this.#entries[place + VALUE_BYTES] = textBytes - nameBytes;
    copyBytes(source, nameStart, nameEnd, this.text, at);
    copyBytes(source, valueStart, valueEnd, this.text, at + nameBytes);
    this.#textEnd = at + textBytes;
    this.#bytes += entryBytes;
    this.count++;
  }

  #place(index: number): number {
    return this.#ring(this.count - 1 - index);
  }

  /** Where the entry is that is the `age`th from the oldest. */
  #ring(age: number): number {
    return ((this.#first + age) * WORDS) & (this.#entries.length - 1);
  }

  #evictTo(bytes: number): void {
    while (this.#bytes > bytes) {
      const oldest = this.#ring(0);
      this.#bytes -= this.#entries[oldest + NAME_BYTES] + this.#entries[oldest + VALUE_BYTES] + ENTRY_OVERHEAD;
      this.#first = (this.#first + 1) & (this.#entries.length / WORDS - 1);
      this.count--;
    }
    if (this.count > 0 || this.#entries.length === 0) return;
    this.text = NONE;
    this.#entries = NO_ENTRIES;
    this.#first = 0;
    this.#textEnd = 0;
  }

  /** Preconditions: what is alive and `textBytes` are DEFAULT_TABLE_BYTES at most. */
  #makeRoom(textBytes: number): void {
    if ((this.count + 1) * WORDS > this.#entries.length) this.#growRing();
    if (this.#textEnd + textBytes <= this.text.length) return;
    const from = this.count === 0 ? this.#textEnd : this.#entries[this.#ring(0)];
    const alive = this.#textEnd - from;
    // Where at least half is free afterwards, a byte is moved once on average.
    const isRoomy = (alive + textBytes) * 2 <= this.text.length;
    const into = isRoomy ? this.text : new Uint8Array(roomFor((alive + textBytes) * 2));
    into.set(this.text.subarray(from, this.#textEnd));
    this.text = into;
    this.#textEnd = alive;
    for (let age = 0; age < this.count; age++) this.#entries[this.#ring(age)] -= from;
  }

  #growRing(): void {
    const before = this.#entries;
    const entries = new Int32Array(Math.max(FIRST_ENTRIES * WORDS, before.length * 2));
    for (let age = 0; age < this.count; age++) {
      const at = this.#ring(age);
      entries.set(before.subarray(at, at + WORDS), age * WORDS);
    }
    this.#entries = entries;
    this.#first = 0;
  }
}

function roomFor(bytes: number): number {
  let room = FIRST_TEXT_BYTES;
  while (room < bytes) room *= 2;
  return room;
}
