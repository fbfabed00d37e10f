/**
 * The fields of one header block, decoded: where each name and value lies in one piece of memory that is used for one block
 * after the other, by all connections. It holds what HTTP/1 may have in a head; of a larger list no more is kept, but its block
 * is read to its end all the same, for what it does to the dynamic table.
 */
import { MAX_HEAD_BYTES, MAX_HEADERS } from '../http1/syntax.ts';
import { decodedBytes } from './huffman.ts';

/** Bytes of a header block, HEADERS and CONTINUATION together; beyond it the connection ends. */
export const MAX_BLOCK_BYTES = 65_536;
const MAX_PSEUDO = 5;
export const MAX_FIELDS: number = MAX_HEADERS + MAX_PSEUDO;

/** A field of a list that is full already is decoded behind it; its own name may be one of the dynamic table, 4 KiB. */
const SCRATCH_BYTES = MAX_HEAD_BYTES + decodedBytes(MAX_BLOCK_BYTES) + 8192;
/** Behind everything that a block may hold: a request line and a host name are put there. */
const APPENDIX_BYTES = MAX_HEAD_BYTES * 2;

export class FieldList {
  readonly bytes: Uint8Array = new Uint8Array(SCRATCH_BYTES + APPENDIX_BYTES);
  count = 0;
  readonly nameStart: Int32Array = new Int32Array(MAX_FIELDS);
  readonly nameEnd: Int32Array = new Int32Array(MAX_FIELDS);
  readonly valueStart: Int32Array = new Int32Array(MAX_FIELDS);
  readonly valueEnd: Int32Array = new Int32Array(MAX_FIELDS);
  /** Fields that nobody on the way may put into a table (RFC 7541 7.1.3). */
  readonly isNeverIndexed: Uint8Array = new Uint8Array(MAX_FIELDS);
  /** Behind the last field. */
  end = 0;
  /** There were more fields, or more bytes, than are kept. */
  isTooMany = false;
  isTooLarge = false;

  clear(): void {
    this.count = 0;
    this.end = 0;
    this.isTooMany = false;
    this.isTooLarge = false;
  }

  /** Takes in the field that was written at [end, nameEnd) and [nameEnd, valueEnd). */
  add(nameEnd: number, valueEnd: number, isNeverIndexed: boolean): void {
    if (this.count === MAX_FIELDS) this.isTooMany = true;
    else if (valueEnd > MAX_HEAD_BYTES) this.isTooLarge = true;
    if (this.isTooMany || this.isTooLarge) return;
    const index = this.count++;
    this.nameStart[index] = this.end;
    this.nameEnd[index] = nameEnd;
    this.valueStart[index] = nameEnd;
    this.valueEnd[index] = valueEnd;
    this.isNeverIndexed[index] = isNeverIndexed ? 1 : 0;
    this.end = valueEnd;
  }

  /** Whether the name of a field is `name`. */
  isNamed(index: number, name: Uint8Array): boolean {
    const start = this.nameStart[index];
    if (this.nameEnd[index] - start !== name.length) return false;
    for (let i = 0; i < name.length; i++) if (this.bytes[start + i] !== name[i]) return false;
    return true;
  }
}
