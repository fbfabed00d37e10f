/**
 * Finds a whole ClientHello at the front of a stream, however it is cut into records. All bytes since the front are handed over
 * again each time, and each record header is read once. A hello in one record is read where it lies; one in several is put
 * together in a buffer that all connections share, once, when its last byte is there.
 */
import { u16 } from '../../wire/bytes.ts';
import { ClientHello } from './client-hello.ts';
import { TLS_BAD_HELLO, TLS_BAD_RECORD, TLS_NOT_TLS, TLS_SSL2, TLS_TOO_LARGE } from './errors.ts';
import { contentLength, HANDSHAKE, RECORD_HEADER_BYTES, recordError } from './record.ts';

/** Of the handshake message. */
const MAX_HELLO = 16384; // bytes
const MESSAGE_HEADER_BYTES = 4;
const CLIENT_HELLO = 1;

/** What the readers of all connections share: it is used from one call to its end. */
export class HelloScratch {
  readonly message: Uint8Array = new Uint8Array(MAX_HELLO);
  readonly hello: ClientHello = new ClientHello();
}

export class HelloReader {
  /** Where the name lies after `read` found a hello: `nameStart` and `nameEnd` of `scratch.hello` are in these bytes. */
  source: Uint8Array;
  readonly #scratch: HelloScratch;
  #next = 0; // of the header of the first record that is not whole, from the front
  #gathered = 0; // bytes of the message in whole records
  #total = -1; // bytes of the message; -1 = not known yet

  constructor(scratch: HelloScratch) {
    this.#scratch = scratch;
    this.source = scratch.message;
  }

  reset(): void {
    this.#next = 0;
    this.#gathered = 0;
    this.#total = -1;
    this.source = this.#scratch.message;
  }

  /**
   * Reads bytes[start, end), where `start` is the front.
   * @returns how many bytes the hello takes, 0 when more are needed, or the negative number of an error
   */
  read(bytes: Uint8Array, start: number, end: number): number {
    for (;;) {
      const at = start + this.#next;
      if (at === end) return 0;
      if (this.#next === 0 && bytes[at] !== HANDSHAKE) return notTls(bytes, at, end);
      const error = bytes[at] === HANDSHAKE ? recordError(bytes, at, end) : TLS_BAD_RECORD;
      if (error !== 0) return -error;
      if (end - at <= RECORD_HEADER_BYTES) return 0;
      const length = contentLength(bytes, at);
      const there = Math.min(length, end - at - RECORD_HEADER_BYTES);
      const wrong = this.#learnTotal(bytes, start, this.#gathered + there);
      if (wrong !== 0) return -wrong;
      if (this.#total >= 0 && this.#gathered + length > this.#total) return -TLS_BAD_HELLO; // bytes behind the hello
      if (there < length) return 0;
      this.#gathered += length;
      this.#next += RECORD_HEADER_BYTES + length;
      if (this.#gathered === this.#total) return this.#finish(bytes, start);
    }
  }

  /** Reads type and length of the message once they are there. */
  #learnTotal(bytes: Uint8Array, start: number, known: number): number {
    if (this.#total >= 0) return 0;
    const { message } = this.#scratch;
    this.#copy(bytes, start, Math.min(known, MESSAGE_HEADER_BYTES));
    if (message[0] !== CLIENT_HELLO) return TLS_BAD_HELLO;
    if (known < MESSAGE_HEADER_BYTES) return 0;
    this.#total = MESSAGE_HEADER_BYTES + ((message[1] << 16) | u16(message, 2));
    return this.#total > MAX_HELLO ? TLS_TOO_LARGE : 0;
  }

  /** Copies the first bytes of the message out of their records. */
  #copy(bytes: Uint8Array, start: number, count: number): void {
    const { message } = this.#scratch;
    let copied = 0;
    for (let at = start; copied < count; ) {
      const content = at + RECORD_HEADER_BYTES;
      const length = contentLength(bytes, at);
      const wanted = Math.min(length, count - copied);
      for (let i = 0; i < wanted; i++) message[copied + i] = bytes[content + i];
      copied += wanted;
      at = content + length;
    }
  }

  #finish(bytes: Uint8Array, start: number): number {
    const { hello, message } = this.#scratch;
    const isOneRecord = this.#next === RECORD_HEADER_BYTES + this.#total;
    if (!isOneRecord) this.#copy(bytes, start, this.#total);
    this.source = isOneRecord ? bytes : message;
    const front = isOneRecord ? start + RECORD_HEADER_BYTES : 0;
    const error = hello.read(this.source, front + MESSAGE_HEADER_BYTES, front + this.#total);
    return error === 0 ? this.#next : -error;
  }
}

/**
 * What begins otherwise than TLS: it may be the hello of SSL 2.0, in which old clients offered TLS too (a length with its
 * high bit set, and type 1). @returns 0 while that is not known, or the negative number of an error
 */
function notTls(bytes: Uint8Array, at: number, end: number): number {
  if (bytes[at] < 0x80) return -TLS_NOT_TLS;
  if (end - at < 3) return 0;
  return -(bytes[at + 2] === CLIENT_HELLO ? TLS_SSL2 : TLS_NOT_TLS);
}
