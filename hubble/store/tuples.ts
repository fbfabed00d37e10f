/** Lists of small integers, each known by a number that counts from 1: found by a hash, compared whole. */
export class Tuples {
  /** The list being put together: `scratch[0 .. length)`. */
  readonly scratch = new Int32Array(MAX_LENGTH);
  length = 0;
  readonly #lists: Int32Array[] = [];
  readonly #next: number[] = [];
  readonly #byHash = new Map<number, number>();

  /** Puts an integer at the end of the list; what is beyond MAX_LENGTH is left out, see `isWhole`. */
  push(value: number): void {
    if (this.length < MAX_LENGTH) this.scratch[this.length] = value;
    this.length++;
  }

  get isWhole(): boolean {
    return this.length <= MAX_LENGTH;
  }

  /** The number of the list, 0 when it is new. */
  find(): number {
    let id = this.#byHash.get(this.#hash()) ?? 0;
    while (id !== 0 && !this.#equals(this.#lists[id - 1])) id = this.#next[id - 1];
    return id;
  }

  /** @returns the number of the list, which was not found */
  add(): number {
    const hash = this.#hash();
    const id = this.#lists.push(this.scratch.slice(0, this.length));
    this.#next.push(this.#byHash.get(hash) ?? 0);
    this.#byHash.set(hash, id);
    return id;
  }

  /** The list as JSON. */
  text(): string {
    return `[${this.scratch.subarray(0, this.length).join(',')}]`;
  }

  #hash(): number {
    let hash = 0x811c9dc5;
    for (let at = 0; at < this.length; at++) hash = Math.imul(hash ^ this.scratch[at], 0x01000193);
    return (hash ^ (hash >>> 15)) & 0x3fffffff;
  }

  #equals(list: Int32Array): boolean {
    if (list.length !== this.length) return false;
    for (let at = 0; at < list.length; at++) if (list[at] !== this.scratch[at]) return false;
    return true;
  }
}

const MAX_LENGTH = 256;
