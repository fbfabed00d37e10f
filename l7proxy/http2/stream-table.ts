/**
 * The streams of one connection that were allowed and have not ended on both sides. A hash table by stream id without lists:
 * ids count up, so that they seldom meet. It grows as streams come, up to MAX_STREAMS of them, and shrinks when the last has ended.
 *
 * A stream has the ticket of its request (http/tickets.ts), and gives it back when it goes.
 */
import type { HttpRecorder } from '../http1/shared.ts';

/** More at one time are refused; servers are made to say so (settings.ts). */
export const MAX_STREAMS = 1024;

/** Bits of `flags`. */
export const CLIENT_ENDED = 1;
export const SERVER_ENDED = 2;
export const IS_GRPC = 4;
export const IS_CONNECT = 8;
/** Its answer was told; or it is known to say 200, and how it went will be in the trailers. */
export const IS_TOLD = 16;
export const IS_OK = 32;
/** What another process must know of a stream. */
export const SAVED_FLAGS = 63;
const IS_TUNNEL = 64;

const FIRST_PLACES = 4;
/** Kept while no stream is open. */
const IDLE_PLACES = 64;

export class StreamTable {
  count = 0;
  /** By place; 0 = free. */
  id: number[] = zeros(FIRST_PLACES);
  flags: number[] = zeros(FIRST_PLACES);
  /** Bytes of content that the request still owes by its content-length, -1 = it has none. */
  remaining: number[] = zeros(FIRST_PLACES);
  /** For the record of its answer; 0 = none. */
  tickets: number[] = zeros(FIRST_PLACES);
  /** Those whose answer opened a tunnel: what they carry is counted. */
  tunnels = 0;
  readonly #recorder: HttpRecorder;

  constructor(recorder: HttpRecorder) {
    this.#recorder = recorder;
  }

  clear(): void {
    for (let place = 0; place < this.id.length; place++) {
      if (this.id[place] !== 0) this.#recorder.release(this.tickets[place]);
    }
    this.count = 0;
    this.tunnels = 0;
    if (this.id.length > FIRST_PLACES) this.#make(FIRST_PLACES);
    this.id.fill(0);
  }

  /** @returns the place of a stream, -1 when it is not here */
  find(id: number): number {
    const mask = this.id.length - 1;
    for (let place = (id >>> 1) & mask; this.id[place] !== 0; place = (place + 1) & mask) {
      if (this.id[place] === id) return place;
    }
    return -1;
  }

  /** Preconditions: it is not here; there are fewer than MAX_STREAMS. @returns its place, until the next `add` or `remove` */
  add(id: number, flags: number, remaining: number, ticket: number): number {
    if (this.count * 2 >= this.id.length) this.#grow();
    this.count++;
    return this.#put(id, flags, remaining, ticket);
  }

  remove(place: number): void {
    if ((this.flags[place] & IS_TUNNEL) !== 0) this.tunnels--;
    this.#recorder.release(this.tickets[place]);
    const mask = this.id.length - 1;
    let hole = place;
    for (let next = (hole + 1) & mask; this.id[next] !== 0; next = (next + 1) & mask) {
      const home = (this.id[next] >>> 1) & mask;
      if (((next - home) & mask) < ((next - hole) & mask)) continue;
      this.#move(next, hole);
      hole = next;
    }
    this.id[hole] = 0;
    if (--this.count === 0 && this.id.length > IDLE_PLACES) this.#make(FIRST_PLACES);
  }

  /** The answer of a CONNECT opened its tunnel. */
  openTunnel(place: number): void {
    if (this.tickets[place] === 0 || (this.flags[place] & IS_TUNNEL) !== 0) return;
    this.flags[place] |= IS_TUNNEL;
    this.tunnels++;
    this.#recorder.openTunnel(this.tickets[place]);
  }

  /** Content of a stream goes on. */
  carried(place: number, isFromClient: boolean, bytes: number): void {
    if ((this.flags[place] & IS_TUNNEL) !== 0) this.#recorder.carried(this.tickets[place], isFromClient, bytes);
  }

  #move(from: number, to: number): void {
    this.id[to] = this.id[from];
    this.flags[to] = this.flags[from];
    this.remaining[to] = this.remaining[from];
    this.tickets[to] = this.tickets[from];
  }

  #put(id: number, flags: number, remaining: number, ticket: number): number {
    const mask = this.id.length - 1;
    let place = (id >>> 1) & mask;
    while (this.id[place] !== 0) place = (place + 1) & mask;
    this.id[place] = id;
    this.flags[place] = flags;
    this.remaining[place] = remaining;
    this.tickets[place] = ticket;
    return place;
  }

  #grow(): void {
    const { id, flags, remaining, tickets } = this;
    this.#make(id.length * 2);
    for (let place = 0; place < id.length; place++) {
      if (id[place] !== 0) this.#put(id[place], flags[place], remaining[place], tickets[place]);
    }
  }

  #make(places: number): void {
    this.id = zeros(places);
    this.flags = zeros(places);
    this.remaining = zeros(places);
    this.tickets = zeros(places);
  }
}

// Plain arrays: of so few numbers they take a third of what typed arrays do, of which each connection would have three.

function zeros(places: number): number[] {
  return new Array<number>(places).fill(0);
}
