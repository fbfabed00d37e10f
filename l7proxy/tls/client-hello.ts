/**
 * Reads a ClientHello (RFC 8446 4.1.2, RFC 5246 7.4.1.2) for the name of the server (RFC 6066 3). What two readers could
 * understand in two ways is refused: lengths that do not fit together, bytes behind the end, an extension that comes twice, a
 * list of several names or with a name of another kind. Values nobody knows (GREASE, RFC 8701) are passed over like all others.
 */
import { u16 } from '../../wire/bytes.ts';
import { TLS_BAD_HELLO, TLS_BAD_NAME, TLS_DUPLICATE_EXTENSION, TLS_SEVERAL_NAMES } from './errors.ts';
import { MAX_SERVER_NAME } from './server-name.ts';

const U16_BYTES = 2;
const RANDOM_BYTES = 32;
const MAX_SESSION_ID = 32;
const EXTENSION_SERVER_NAME = 0;
const NAME_TYPE_HOST = 0;

/** What the last hello said. */
export class ClientHello {
  /** Its legacy_version, e.g. 0x0303. */
  version = 0;
  /** The name is bytes[nameStart, nameEnd); both 0 = it has none. */
  nameStart = 0;
  nameEnd = 0;
  /** Which types of extension this hello has had. */
  readonly #seen = new Uint8Array(65536 / 8);

  /** Reads bytes[start, end), the message behind its type and length. @returns 0, or why it is refused */
  read(bytes: Uint8Array, start: number, end: number): number {
    this.nameStart = 0;
    this.nameEnd = 0;
    const at = this.#afterCompression(bytes, start, end);
    if (at < 0) return TLS_BAD_HELLO;
    if (at === end) return 0; // no extensions at all: SSL 3.0, and old TLS 1.0
    if (end - at < U16_BYTES || at + U16_BYTES + u16(bytes, at) !== end) return TLS_BAD_HELLO;
    this.#seen.fill(0);
    return this.#extensions(bytes, at + U16_BYTES, end);
  }

  /** @returns where extensions would begin, -1 when the fields before them are wrong */
  #afterCompression(bytes: Uint8Array, start: number, end: number): number {
    let at = start + U16_BYTES + RANDOM_BYTES;
    if (at >= end) return -1;
    this.version = u16(bytes, start);
    if (this.version >> 8 !== 3 || bytes[at] > MAX_SESSION_ID) return -1;
    at += 1 + bytes[at];
    if (end - at < U16_BYTES) return -1;
    const suites = u16(bytes, at);
    if (suites === 0 || suites % 2 !== 0) return -1;
    at += U16_BYTES + suites;
    if (at >= end || bytes[at] === 0) return -1;
    at += 1 + bytes[at];
    return at > end ? -1 : at;
  }

  #extensions(bytes: Uint8Array, start: number, end: number): number {
    for (let at = start; at < end; ) {
      if (end - at < 2 * U16_BYTES) return TLS_BAD_HELLO;
      const type = u16(bytes, at);
      const content = at + 2 * U16_BYTES;
      at = content + u16(bytes, at + U16_BYTES);
      if (at > end) return TLS_BAD_HELLO;
      const bit = 1 << (type & 7);
      if ((this.#seen[type >> 3] & bit) !== 0) return TLS_DUPLICATE_EXTENSION;
      this.#seen[type >> 3] |= bit;
      const error = type === EXTENSION_SERVER_NAME ? this.#serverName(bytes, content, at) : 0;
      if (error !== 0) return error;
    }
    return 0;
  }

  #serverName(bytes: Uint8Array, start: number, end: number): number {
    const list = start + U16_BYTES;
    const name = list + 1 + U16_BYTES;
    if (name > end || list + u16(bytes, start) !== end || bytes[list] !== NAME_TYPE_HOST) return TLS_BAD_NAME;
    const length = u16(bytes, list + 1);
    if (length === 0 || length > MAX_SERVER_NAME || name + length > end) return TLS_BAD_NAME;
    if (name + length < end) return TLS_SEVERAL_NAMES;
    this.nameStart = name;
    this.nameEnd = end;
    return 0;
  }
}
