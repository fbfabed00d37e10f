/** Times and UUIDs between text and numbers, exactly: what would not come out as it went in is not taken. */
import { UUID_BYTES } from './columns.ts';

const NIBBLES = new Int8Array(128).fill(-1);
for (let value = 0; value < 16; value++) NIBBLES[value.toString(16).charCodeAt(0)] = value;
const HEX = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'));
const UUID_LENGTH = 36;
const DASH = 45;
const isDash = (at: number) => at === 8 || at === 13 || at === 18 || at === 23;

/** Writes the bytes of a UUID in lower case. @returns false for any other text; then the bytes are anything */
export function packUuid(text: string, bytes: Uint8Array, at: number): boolean {
  if (text.length !== UUID_LENGTH) return false;
  let to = at;
  for (let from = 0; from < UUID_LENGTH; from += 2) {
    if (isDash(from)) if (text.charCodeAt(from++) !== DASH) return false;
    const high = NIBBLES[text.charCodeAt(from) & 0x7f];
    const low = NIBBLES[text.charCodeAt(from + 1) & 0x7f];
    if ((high | low) < 0 || text.charCodeAt(from) > 0x7f || text.charCodeAt(from + 1) > 0x7f) return false;
    bytes[to++] = (high << 4) | low;
  }
  return to === at + UUID_BYTES;
}

/** The text of sixteen bytes. */
export function unpackUuid(bytes: Uint8Array, at: number): string {
  const h = (offset: number) => HEX[bytes[at + offset]];
  return `${h(0)}${h(1)}${h(2)}${h(3)}-${h(4)}${h(5)}-${h(6)}${h(7)}-${h(8)}${h(9)}-${h(10)}${h(11)}${h(12)}${h(13)}${h(14)}${h(15)}`;
}

/** A time of RFC 3339 as protojson writes it, taken apart. Keeps the last minute, which the next time is mostly in. */
export class TimeReader {
  ms = 0;
  /** Below a millisecond, 0 to 999,999. */
  nanos = 0;
  /** Of a second, as written: 0, 3, 6 or 9. */
  digits = 0;
  #minute = '';
  #minuteMs = 0;

  /** @returns false for what is written in another way; then the fields are anything */
  read(text: string): boolean {
    const digits = text.length === 20 ? 0 : text.length - 21;
    if (digits !== 0 && digits !== 3 && digits !== 6 && digits !== 9) return false;
    if (!this.#readMinute(text.slice(0, 16))) return false;
    const seconds = number(text, 17, 2);
    if (text[16] !== ':' || !text.endsWith('Z') || seconds < 0 || seconds > 59) return false;
    const fraction = digits === 0 ? 0 : number(text, 20, digits);
    // protojson leaves out three zeros at the end.
    if (digits !== 0 && (text[19] !== '.' || fraction < 0 || fraction % 1000 === 0)) return false;
    const nanos = fraction * 10 ** (9 - digits);
    this.digits = digits;
    this.ms = this.#minuteMs + seconds * 1000 + Math.floor(nanos / 1e6);
    this.nanos = nanos % 1e6;
    return true;
  }

  #readMinute(text: string): boolean {
    if (text === this.#minute) return true;
    const ms = /^\d{4}-\d\d-\d\dT\d\d:\d\d$/.test(text) ? Date.parse(`${text}:00Z`) : Number.NaN;
    if (Number.isNaN(ms) || new Date(ms).toISOString().slice(0, 16) !== text) return false;
    this.#minute = text;
    this.#minuteMs = ms;
    return true;
  }
}

/** Decimal digits of a text; -1 when there are others. */
function number(text: string, at: number, length: number): number {
  let value = 0;
  for (let end = at + length; at < end; at++) {
    const digit = text.charCodeAt(at) - 48;
    if (!(digit >= 0 && digit <= 9)) return -1;
    value = value * 10 + digit;
  }
  return value;
}

/** The other way round. Keeps the last second. */
export class TimeWriter {
  #second = Number.NaN;
  #text = '';

  write(ms: number, nanos: number, digits: number): string {
    const second = Math.floor(ms / 1000);
    if (second !== this.#second) {
      this.#second = second;
      this.#text = new Date(second * 1000).toISOString().slice(0, 19);
    }
    if (digits === 0) return `${this.#text}Z`;
    const fraction = (ms - second * 1000) * 1e6 + nanos;
    return `${this.#text}.${String(fraction).padStart(9, '0').slice(0, digits)}Z`;
  }
}
