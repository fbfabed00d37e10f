/**
 * The streams of one connection that were allowed and have not ended on both sides. A hash table by stream id without lists:
 * ids count up, so that they seldom meet. It grows as streams come, up to MAX_STREAMS of them, and shrinks when the last has ended.
 */

/** More at one time are refused; servers are made to say so (settings.ts). */
export const MAX_STREAMS = 1024;

/** Bits of `flags`. */
export const CLIENT_ENDED = 1;
export const SERVER_ENDED = 2;
export const IS_GRPC = 4;

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
  /** For the record of its answer. */
  records: (object | undefined)[] = nothings(FIRST_PLACES);

  clear(): void {
    this.count = 0;
    if (this.id.length > FIRST_PLACES) this.#make(FIRST_PLACES);
    this.id.fill(0);
    this.records.fill(undefined);
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
  add(id: number, flags: number, remaining: number, record: object | undefined): number {
    if (this.count * 2 >= this.id.length) this.#grow();
    this.count++;
    return this.#put(id, flags, remaining, record);
  }

  remove(place: number): void {
    const mask = this.id.length - 1;
    let hole = place;
    for (let next = (hole + 1) & mask; this.id[next] !== 0; next = (next + 1) & mask) {
      const home = (this.id[next] >>> 1) & mask;
      if (((next - home) & mask) < ((next - hole) & mask)) continue;
      this.#move(next, hole);
      hole = next;
    }
    this.id[hole] = 0;
    this.records[hole] = undefined;
    if (--this.count === 0 && this.id.length > IDLE_PLACES) this.#make(FIRST_PLACES);
  }

  #move(from: number, to: number): void {
    this.id[to] = this.id[from];
    this.flags[to] = this.flags[from];
    this.remaining[to] = this.remaining[from];
    this.records[to] = this.records[from];
  }

  #put(id: number, flags: number, remaining: number, record: object | undefined): number {
    const mask = this.id.length - 1;
    let place = (id >>> 1) & mask;
    while (this.id[place] !== 0) place = (place + 1) & mask;
    this.id[place] = id;
    this.flags[place] = flags;
    this.remaining[place] = remaining;
    this.records[place] = record;
    return place;
  }

  #grow(): void {
    const { id, flags, remaining, records } = this;
    this.#make(id.length * 2);
    for (let place = 0; place < id.length; place++) {
      if (id[place] !== 0) this.#put(id[place], flags[place], remaining[place], records[place]);
    }
  }

  #make(places: number): void {
    this.id = zeros(places);
    this.flags = zeros(places);
    this.remaining = zeros(places);
    this.records = nothings(places);
  }
}

// Plain arrays: of so few numbers they take a third of what typed arrays do, of which each connection would have three.

function zeros(places: number): number[] {
  return new Array<number>(places).fill(0);
}

function nothings(places: number): (object | undefined)[] {
  return new Array<object | undefined>(places).fill(undefined);
}
