/**
 * Reads header blocks (RFC 7541). It has the table of one encoder: each block of that encoder must be read, in order, whatever
 * becomes of it, or the tables fall out of step.
 *
 * What is refused with COMPRESSION_ERROR: an index that is in no table, a size update behind a field, or beyond the limit,
 * more than two of them, a number that is longer than any is, and strings that end behind their block or are coded as no encoder does
 * (huffman.ts). A block that makes much out of little (one byte may stand for 4 KiB) is read up to MAX_WORK_BYTES.
 */
import { copyBytes } from '../../wire/bytes.ts';
import { DEFAULT_TABLE_BYTES, DynamicTable } from './dynamic-table.ts';
import type { FieldList } from './field-list.ts';
import { decodeHuffman } from './huffman.ts';
import { STATIC_ENTRIES, STATIC_NAMES, STATIC_VALUES } from './static-table.ts';

export const BLOCK_READ = 0;
export const BLOCK_BROKEN = 1;
/** It would become more than anybody has room for. */
export const BLOCK_BOMB = 2;

const MAX_WORK_BYTES = 1 << 18;
const MAX_SIZE_UPDATES = 2;
/** Continuation bytes of a number: 28 bits. */
const MAX_NUMBER_SHIFT = 21;

const HUFFMAN = 0x80;

const NONE = new Uint8Array(0);

export class HpackDecoder {
  readonly table: DynamicTable = new DynamicTable();
  /** Of the last block: a field of it refers to the dynamic table. */
  hasReference = false;
  /** Of the last block: the largest size that it set, -1 = none. */
  sizeUpdate = -1;
  /** Of the last block: bytes of its fields that were not in it. */
  expansion = 0;
  #bytes: Uint8Array = NONE;
  #at = 0;
  #end = 0;

  reset(): void {
    this.table.clear();
    this.hasReference = false;
    this.sizeUpdate = -1;
  }

  /** A block was known that refers to no table, and changes none. */
  skip(): void {
    this.hasReference = false;
    this.sizeUpdate = -1;
  }

  /** Whether a block is the same fields for ever, and leaves nothing behind. */
  get isStateless(): boolean {
    return this.table.maxBytes === 0;
  }

  /** Reads the block bytes[start, end). @param fields filled @returns BLOCK_READ, BLOCK_BROKEN or BLOCK_BOMB */
  decode(bytes: Uint8Array, start: number, end: number, fields: FieldList): number {
    fields.clear();
    this.hasReference = false;
    this.sizeUpdate = -1;
    this.expansion = 0;
    this.#bytes = bytes;
    this.#at = start;
    this.#end = end;
    const outcome = this.#read(fields);
    this.#bytes = NONE; // which is somebody else's
    return outcome;
  }

  #read(fields: FieldList): number {
    const start = this.#at;
    let updates = 0;
    let isFirst = true;
    let work = 0;
    while (this.#at < this.#end) {
      if ((this.#bytes[this.#at] & 0xe0) === 0x20) {
        if (!isFirst || ++updates > MAX_SIZE_UPDATES || !this.#resize()) return BLOCK_BROKEN;
        continue;
      }
      isFirst = false;
      const written = this.#readField(fields);
      if (written < 0) return BLOCK_BROKEN;
      work += written;
      if (work > MAX_WORK_BYTES) return BLOCK_BOMB;
    }
    this.expansion = work - (this.#end - start);
    return BLOCK_READ;
  }

  #resize(): boolean {
    const size = this.#readNumber(0x1f);
    if (size < 0 || size > DEFAULT_TABLE_BYTES) return false;
    this.table.resize(size);
    this.sizeUpdate = Math.max(this.sizeUpdate, size);
    return true;
  }

  /** @returns the bytes that the field has, -1 when it is none */
  #readField(fields: FieldList): number {
    const first = this.#bytes[this.#at];
    if ((first & 0x80) !== 0) return this.#readIndexed(fields);
    const isAdded = (first & 0x40) !== 0;
    const index = this.#readNumber(isAdded ? 0x3f : 0x0f);
    if (index < 0) return -1;
    const start = fields.end;
    const nameEnd = index === 0 ? this.#readString(fields.bytes, start) : this.#copyName(index, fields.bytes, start);
    if (nameEnd < 0) return -1;
    const valueEnd = this.#readString(fields.bytes, nameEnd);
    if (valueEnd < 0) return -1;
    fields.add(nameEnd, valueEnd, (first & 0xf0) === 0x10);
    if (isAdded) this.table.add(fields.bytes, start, nameEnd, nameEnd, valueEnd);
    return valueEnd - start;
  }

  #readIndexed(fields: FieldList): number {
    const index = this.#readNumber(0x7f);
    if (index <= 0) return -1;
    const start = fields.end;
    const nameEnd = this.#copyName(index, fields.bytes, start);
    if (nameEnd < 0) return -1;
    const valueEnd = this.#copyValue(index, fields.bytes, nameEnd);
    fields.add(nameEnd, valueEnd, false);
    return valueEnd - start;
  }

  #copyName(index: number, into: Uint8Array, at: number): number {
    if (index <= STATIC_ENTRIES) return copyAll(STATIC_NAMES[index], into, at);
    const { table } = this;
    const entry = index - STATIC_ENTRIES - 1;
    if (entry >= table.count) return -1;
    this.hasReference = true;
    const from = table.nameAt(entry);
    return copyBytes(table.text, from, from + table.nameBytes(entry), into, at);
  }

  #copyValue(index: number, into: Uint8Array, at: number): number {
    if (index <= STATIC_ENTRIES) return copyAll(STATIC_VALUES[index], into, at);
    const { table } = this;
    const entry = index - STATIC_ENTRIES - 1;
    const from = table.nameAt(entry) + table.nameBytes(entry);
    return copyBytes(table.text, from, from + table.valueBytes(entry), into, at);
  }

  /** @returns the position behind what was written, -1 when there is no such string */
  #readString(into: Uint8Array, at: number): number {
    if (this.#at >= this.#end) return -1;
    const isCoded = (this.#bytes[this.#at] & HUFFMAN) !== 0;
    const length = this.#readNumber(0x7f);
    const start = this.#at;
    if (length < 0 || length > this.#end - start) return -1;
    this.#at = start + length;
    if (isCoded) return decodeHuffman(this.#bytes, start, start + length, into, at);
    return copyBytes(this.#bytes, start, start + length, into, at);
  }

  /** @param prefix mask of the bits in the first byte @returns -1 when it is not whole, or too long */
  #readNumber(prefix: number): number {
    const bytes = this.#bytes;
    let value = bytes[this.#at++] & prefix;
    if (value < prefix) return value;
    for (let shift = 0; shift <= MAX_NUMBER_SHIFT; shift += 7) {
      if (this.#at >= this.#end) return -1;
      const byte = bytes[this.#at++];
      value += (byte & 0x7f) << shift;
      if ((byte & 0x80) === 0) return value;
    }
    return -1;
  }
}

function copyAll(source: Uint8Array, into: Uint8Array, at: number): number {
  return copyBytes(source, 0, source.length, into, at);
}
