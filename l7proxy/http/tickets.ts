/**
 * What is remembered of requests that were told and are not answered yet: the record of an answer says what it answers, and how long
 * that took. A ticket is a number; 0 stands for none.
 *
 * A request holds its ticket until it is answered, or given up with its connection (`give`); one that opens a tunnel (CONNECT, a
 * websocket), until that ends. There are MAX_TICKETS, of which no endpoint gets more than its share (shares.ts). A request beyond it
 * has none: its answer is told all the same, without its URL. Of a URL with method and host FIELD_BYTES are remembered; the record
 * of the request has more.
 *
 * Columns, and no objects: nothing is allocated for a request. The texts are in chunks, made when first needed.
 */
import type { StreamOwner } from '../parser.ts';
import { Shares } from '../stream/shares.ts';

const MAX_TICKETS = 16_384;
const FIELD_BYTES = 512;
const CHUNK_TICKETS = 128;

/** What a request leaves for its answer. */
export interface Asked {
  /** Fields of a record: bytes[start, urlEnd). */
  readonly bytes: Uint8Array;
  readonly start: number;
  readonly urlEnd: number;
  readonly version: number;
}

export class Tickets {
  readonly shares: Shares = new Shares(MAX_TICKETS);
  // By ticket:
  readonly owner: (StreamOwner | null)[] = [null];
  readonly sinceMs: Float64Array = new Float64Array(MAX_TICKETS + 1);
  readonly cookie: Int32Array = new Int32Array(MAX_TICKETS + 1);
  readonly isIngress: Uint8Array = new Uint8Array(MAX_TICKETS + 1);
  /** As records have it: major * 16 + minor. */
  readonly version: Uint8Array = new Uint8Array(MAX_TICKETS + 1);
  /** Bytes of its fields. */
  readonly length: Uint16Array = new Uint16Array(MAX_TICKETS + 1);
  readonly isCut: Uint8Array = new Uint8Array(MAX_TICKETS + 1);
  /** It opened a tunnel; what went through that, and when the last of it did. */
  readonly isTunnel: Uint8Array = new Uint8Array(MAX_TICKETS + 1);
  readonly fromClient: Float64Array = new Float64Array(MAX_TICKETS + 1);
  readonly toClient: Float64Array = new Float64Array(MAX_TICKETS + 1);
  readonly lastMs: Float64Array = new Float64Array(MAX_TICKETS + 1);
  readonly #endpoint = new Uint16Array(MAX_TICKETS + 1);
  readonly #nextFree = new Int32Array(MAX_TICKETS + 1);
  readonly #chunks: Uint8Array[] = [];
  #free = 0;
  #made = 0;

  /** @returns a ticket, or 0 when the share of the connection's endpoint is full */
  take(owner: StreamOwner, nowMs: number, isIngress: boolean, cookie: number, asked: Asked): number {
    const endpoint = (owner.srcEndpoint === 0 ? owner.dstEndpoint : owner.srcEndpoint) & 0xffff;
    if (!this.shares.take(endpoint, 1)) return 0;
    let ticket = this.#free;
    if (ticket === 0) ticket = ++this.#made;
    else this.#free = this.#nextFree[ticket];
    this.owner[ticket] = owner;
    this.sinceMs[ticket] = nowMs;
    this.cookie[ticket] = cookie;
    this.isIngress[ticket] = isIngress ? 1 : 0;
    this.version[ticket] = asked.version;
    this.isTunnel[ticket] = 0;
    this.#endpoint[ticket] = endpoint;
    this.#write(ticket, asked);
    return ticket;
  }

  give(ticket: number): void {
    this.shares.give(this.#endpoint[ticket], 1);
    this.owner[ticket] = null;
    this.#nextFree[ticket] = this.#free;
    this.#free = ticket;
  }

  /** Its answer opened a tunnel. */
  openTunnel(ticket: number, nowMs: number): void {
    this.isTunnel[ticket] = 1;
    this.fromClient[ticket] = 0;
    this.toClient[ticket] = 0;
    this.sinceMs[ticket] = nowMs;
    this.lastMs[ticket] = nowMs;
  }

  /** Where its fields are: in `fieldsOf`, from `fieldsAt` on, `length` bytes. */
  fieldsOf(ticket: number): Uint8Array {
    return this.#chunks[Math.floor(ticket / CHUNK_TICKETS)];
  }

  fieldsAt(ticket: number): number {
    return (ticket % CHUNK_TICKETS) * FIELD_BYTES;
  }

  #write(ticket: number, { bytes, start, urlEnd }: Asked): void {
    const index = Math.floor(ticket / CHUNK_TICKETS);
    while (this.#chunks.length <= index) this.#chunks.push(new Uint8Array(CHUNK_TICKETS * FIELD_BYTES));
    const chunk = this.#chunks[index];
    const length = Math.min(urlEnd - start, FIELD_BYTES);
    let to = this.fieldsAt(ticket);
    for (let from = start; from < start + length; ) chunk[to++] = bytes[from++];
    this.length[ticket] = length;
    this.isCut[ticket] = length < urlEnd - start ? 1 : 0;
  }
}
