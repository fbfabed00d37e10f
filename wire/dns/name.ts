/**
 * Names in DNS messages (RFC 1035 3.1, 4.1.4): labels of 1 to 63 bytes, each behind its length, up to an empty one; in a message
 * the rest of a name may be a pointer to where it stood before. A reader follows a pointer only backwards, before the
 * place where it last began to read, so that it ends; a name is at most 255 bytes, 127 labels and 127 pointers.
 *
 * A name that is compared is kept as a `DomainName`: in lower case, with its labels found. Lower case is made over the wire
 * form as a whole, for a length (0 to 63) is never a capital letter (65 to 90).
 */

/** Wire form with the lengths and the empty label at the end. */
export const MAX_NAME_BYTES = 255;
const MAX_LABELS = 127;
const POINTER = 0xc0;
/** Of the header of a message: names stand behind it. */
export const DNS_HEADER_BYTES = 12;
const FULL_STOP = 46;
const ESCAPE = 92;

/**
 * The end of a name that may end in a pointer.
 * @param start of the message @param end of the bytes at hand
 * @returns the offset behind it, or -1 when it is none: no end, too long, a pointer that is not backwards, an unknown kind of label
 */
export function skipName(bytes: Uint8Array, start: number, end: number, at: number): number {
  for (let p = at; p < end && p - at < MAX_NAME_BYTES; p += bytes[p] + 1) {
    const length = bytes[p];
    if (length === 0) return p + 1;
    if ((length & POINTER) === 0) continue;
    const target = pointerAt(bytes, start, end, p);
    return target < 0 || target >= at ? -1 : p + 2;
  }
  return -1;
}

/** The end of a name without pointers. @returns the offset behind it, or -1 */
export function skipPlainName(bytes: Uint8Array, end: number, at: number): number {
  for (let p = at; p < end && p - at < MAX_NAME_BYTES; p += bytes[p] + 1) {
    if (bytes[p] === 0) return p + 1;
    if (bytes[p] >= 64) return -1;
  }
  return -1;
}

/** Where a pointer leads; -1 when it is none, or leads out of the message. */
function pointerAt(bytes: Uint8Array, start: number, end: number, at: number): number {
  if ((bytes[at] & POINTER) !== POINTER || at + 2 > end) return -1;
  const offset = ((bytes[at] & 0x3f) << 8) | bytes[at + 1];
  return offset < DNS_HEADER_BYTES ? -1 : start + offset;
}

/** One name at a time, in lower case; an object used over and over. */
export class DomainName {
  /** Wire form: bytes[0, length). */
  readonly bytes: Uint8Array = new Uint8Array(MAX_NAME_BYTES);
  /** 1 = the root. */
  length = 1;
  /** Where each label begins (its length), without the empty one at the end. */
  readonly labelAt: Uint8Array = new Uint8Array(MAX_LABELS);
  labels = 0;
  /** Whether it has letters, digits, `-` and `_` only: what rules can say. */
  isPlain = true;

  /** Reads a name in a message, pointers followed. @returns false when it is none; the name is the root then */
  load(bytes: Uint8Array, start: number, end: number, at: number): boolean {
    this.#clear();
    let bound = at; // where pointers must lead before
    for (let p = at, hops = 0; p < end; ) {
      const length = bytes[p];
      if (length === 0) return this.#finish();
      if (length >= 64) {
        p = pointerAt(bytes, start, end, p);
        if (p < 0 || p >= bound || ++hops > MAX_LABELS) break;
        bound = p;
      } else {
        if (p + 1 + length > end || !this.#append(bytes, p + 1, length)) break;
        p += length + 1;
      }
    }
    this.#clear();
    return false;
  }

  /**
   * Takes a name as people write it, with or without its final dot; `\.` and `\065` are bytes of a label (RFC 1035 5.1).
   * @returns false when no name is written so; the name is the root then
   */
  loadText(text: string): boolean {
    this.#clear();
    const label = new Uint8Array(64);
    let length = 0;
    for (let i = 0; i < text.length; i++) {
      const code = text.charCodeAt(i);
      if (code === FULL_STOP) {
        if (text.length === 1) break;
        if (length === 0 || !this.#append(label, 0, length)) return this.#fail();
        length = 0;
        continue;
      }
      const escape = code === ESCAPE ? /^\\(?:(\d{3})|([^\d]))/.exec(text.slice(i, i + 4)) : null;
      const byte = escape === null ? code : escape[1] === undefined ? escape[2].charCodeAt(0) : Number(escape[1]);
      if ((code === ESCAPE && escape === null) || byte > 255 || length === 63) return this.#fail();
      label[length++] = byte;
      if (escape !== null) i += escape[0].length - 1;
    }
    if (length > 0 && !this.#append(label, 0, length)) return this.#fail();
    return this.#finish();
  }

  /** As people write it, with the final dot; bytes that would mislead as `\065`. */
  text(): string {
    if (this.labels === 0) return '.';
    let text = '';
    for (let i = 0; i < this.labels; i++) {
      const at = this.labelAt[i];
      for (let p = at + 1; p <= at + this.bytes[at]; p++) text += characterText(this.bytes[p]);
      text += '.';
    }
    return text;
  }

  /** Of names that are equal, the same; -2^31 to 2^31 - 1. @param seed random at start */
  hash(seed: number): number {
    let hash = seed | 0;
    for (let i = 0; i < this.length; i++) {
      hash = Math.imul(hash ^ this.bytes[i], 0x5bd1e995);
      hash ^= hash >>> 15;
    }
    return hash;
  }

  /** @param bytes wire form in lower case: bytes[0, length) */
  equals(bytes: Uint8Array, length: number): boolean {
    if (length !== this.length) return false;
    for (let i = 0; i < length; i++) if (this.bytes[i] !== bytes[i]) return false;
    return true;
  }

  #append(from: Uint8Array, at: number, length: number): boolean {
    const to = this.length - 1; // over the empty label
    if (to + length + 2 > MAX_NAME_BYTES) return false;
    this.labelAt[this.labels++] = to;
    this.bytes[to] = length;
    for (let i = 0; i < length; i++) {
      const byte = lowerCase(from[at + i]);
      this.bytes[to + 1 + i] = byte;
      if (!isPlainByte(byte)) this.isPlain = false;
    }
    this.length = to + length + 2;
    return true;
  }

  #finish(): boolean {
    this.bytes[this.length - 1] = 0;
    return true;
  }

  #fail(): boolean {
    this.#clear();
    return false;
  }

  #clear(): void {
    this.bytes[0] = 0;
    this.length = 1;
    this.labels = 0;
    this.isPlain = true;
  }
}

function lowerCase(byte: number): number {
  return byte >= 65 && byte <= 90 ? byte | 32 : byte;
}

function isPlainByte(byte: number): boolean {
  return (byte >= 97 && byte <= 122) || (byte >= 48 && byte <= 57) || byte === 45 || byte === 95;
}

function characterText(byte: number): string {
  if (byte <= 32 || byte >= 127) return `\\${String(byte).padStart(3, '0')}`;
  const character = String.fromCharCode(byte);
  return byte === FULL_STOP || byte === ESCAPE ? `\\${character}` : character;
}
