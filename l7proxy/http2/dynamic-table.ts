/**
 * The dynamic table of one HPACK decoder (RFC 7541 2.3.2): a queue of name and value pairs, the newest first, with a limit in
 * bytes. Their text lies in one piece of memory, oldest first, behind which new entries are put; when it ends, what is alive
 * moves to its front. It is given back while the table is empty, which it is for good once its size is 0.
 */

// --- specification
/** What an entry counts for beside its text (4.1). */
const ENTRY_OVERHEAD = 32;
/** SETTINGS_HEADER_TABLE_SIZE when nobody has said another. */
export const DEFAULT_TABLE_BYTES = 4096;

// --- implementation
const MAX_ENTRIES = DEFAULT_TABLE_BYTES / ENTRY_OVERHEAD;
const RING_MASK = MAX_ENTRIES - 1;
/** Moved at most once for each half of it that is written. */
const TEXT_BYTES = DEFAULT_TABLE_BYTES * 2;

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
  /** Of each entry: where its text begins, and the lengths of its name and value. */
  #at: Int32Array = NO_ENTRIES;
  #nameBytes: Int32Array = NO_ENTRIES;
  #valueBytes: Int32Array = NO_ENTRIES;

  clear(): void {
    this.maxBytes = DEFAULT_TABLE_BYTES;
    this.#evictTo(0);
  }

  /** Where in `text` the name of an entry begins; 0 = the newest. Preconditions: index < count. */
  nameAt(index: number): number {
    return this.#at[this.#place(index)];
  }

  nameBytes(index: number): number {
    return this.#nameBytes[this.#place(index)];
  }

  valueBytes(index: number): number {
    return this.#valueBytes[this.#place(index)];
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
    const place = (this.#first + this.count) & RING_MASK;
    const at = this.#textEnd;
    this.#at[place] = at;
    this.#nameBytes[place] = nameBytes;
    this.#valueBytes[place] = textBytes - nameBytes;
    copy(source, nameStart, nameEnd, this.text, at);
    copy(source, valueStart, valueEnd, this.text, at + nameBytes);
    this.#textEnd = at + textBytes;
    this.#bytes += entryBytes;
    this.count++;
  }

  #place(index: number): number {
    return (this.#first + this.count - 1 - index) & RING_MASK;
  }

  #evictTo(bytes: number): void {
    while (this.#bytes > bytes) {
      this.#bytes -= this.#nameBytes[this.#first] + this.#valueBytes[this.#first] + ENTRY_OVERHEAD;
      this.#first = (this.#first + 1) & RING_MASK;
      this.count--;
    }
    if (this.count > 0 || this.text.length === 0) return;
    this.text = NONE;
    this.#at = this.#nameBytes = this.#valueBytes = NO_ENTRIES;
    this.#first = 0;
    this.#textEnd = 0;
  }

  /** Preconditions: what is alive and `textBytes` are DEFAULT_TABLE_BYTES at most. */
  #makeRoom(textBytes: number): void {
    if (this.text.length === 0) {
      this.text = new Uint8Array(TEXT_BYTES);
      this.#at = new Int32Array(MAX_ENTRIES);
      this.#nameBytes = new Int32Array(MAX_ENTRIES);
      this.#valueBytes = new Int32Array(MAX_ENTRIES);
    }
    if (this.#textEnd + textBytes <= TEXT_BYTES) return;
    const from = this.count === 0 ? this.#textEnd : this.#at[this.#first];
    this.text.copyWithin(0, from, this.#textEnd);
    this.#textEnd -= from;
    for (let i = 0; i < this.count; i++) this.#at[(this.#first + i) & RING_MASK] -= from;
  }
}

function copy(source: Uint8Array, from: number, to: number, into: Uint8Array, at: number): void {
  for (let i = from, j = at; i < to; i++, j++) into[j] = source[i];
}
