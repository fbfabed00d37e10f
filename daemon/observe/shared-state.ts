/**
 * What the observatory and the agent know together without a message: how far each ring has been read, and the counts that
 * status tells. It outlives a thread of the observatory, so the next one goes on where the last one died.
 *
 * Of a batch the place is stored twice: `taken` before it is handed to the sinks, `handed` after. A record that kills the
 * thread is thus not read again, and what was taken and not handed is told as lost.
 */
const RINGS = 3;
const W_BEGUN = 0;
const W_RINGS = 1; // two words a ring: taken, handed
const WORDS = W_RINGS + 2 * RINGS;
const COUNTS = 7;
const COUNT_BYTES = 8 * COUNTS;

export interface ApiCounts {
  readonly clients: number;
  readonly flowsRate: number;
  readonly lost: number;
}

export class SharedState {
  readonly buffer: SharedArrayBuffer;
  readonly #counts: Float64Array;
  readonly #words: Int32Array;

  /** @param buffer of another thread's */
  constructor(buffer: SharedArrayBuffer = new SharedArrayBuffer(COUNT_BYTES + 4 * WORDS)) {
    this.buffer = buffer;
    this.#counts = new Float64Array(buffer, 0, COUNTS);
    this.#words = new Int32Array(buffer, COUNT_BYTES, WORDS);
  }

  /** Where to go on in a ring, and how many records before that nobody was handed; undefined for the first to read it. */
  placeOf(ring: number): { readonly position: number; readonly lost: number } | undefined {
    if (Atomics.load(this.#words, W_BEGUN) === 0) return undefined;
    const position = Atomics.load(this.#words, W_RINGS + 2 * ring);
    return { position, lost: (position - Atomics.load(this.#words, W_RINGS + 2 * ring + 1)) >>> 0 };
  }

  /** A thread begins to read. @param positions of the rings where it does */
  begin(positions: readonly number[]): void {
    if (Atomics.load(this.#words, W_BEGUN) === 0) this.handed(positions, { seen: 0, lost: 0 });
    this.take(positions);
    Atomics.store(this.#words, W_BEGUN, 1);
  }

  /** @param positions of the rings after what has been read */
  take(positions: readonly number[]): void {
    for (const [ring, position] of positions.entries()) Atomics.store(this.#words, W_RINGS + 2 * ring, position);
  }

  /** @param positions as they were taken @param more what was read */
  handed(positions: readonly number[], more: { readonly seen: number; readonly lost: number }): void {
    for (const [ring, position] of positions.entries()) Atomics.store(this.#words, W_RINGS + 2 * ring + 1, position);
    this.#counts[0] += more.seen;
    this.#counts[1] += more.lost;
  }

  /** Flows seen and records lost since the agent's start, flows kept, bytes of heap in use. */
  get counts(): { readonly seen: number; readonly lost: number; readonly kept: number; readonly heapBytes: number } {
    const [seen = 0, lost = 0, kept = 0, heapBytes = 0] = this.#counts;
    return { seen, lost, kept, heapBytes };
  }

  /** Flows in the ring of the observatory. */
  set kept(flows: number) {
    this.#counts[2] = flows;
  }

  /** Of the API: connections, flows a second over the last minute, and flows that clients lost since the thread's start. */
  get api(): ApiCounts {
    const [clients = 0, flowsRate = 0, lost = 0] = this.#counts.subarray(4);
    return { clients, flowsRate, lost };
  }

  set api({ clients, flowsRate, lost }: ApiCounts) {
    this.#counts.set([clients, flowsRate, lost], 4);
  }

  set heapBytes(bytes: number) {
    this.#counts[3] = bytes;
  }
}
