/**
 * What a request names, in its order: what an answer repeats. An item is a group, a topic of it, a partition of that; ranks
 * (layout.ts) say what belongs to what.
 */

/** Of one request; more cannot be answered. */
const MAX_ITEMS = 1 << 14;
const MAX_NAME_BYTES = 1 << 18;
const FIRST_ITEMS = 64;
const FIRST_NAME_BYTES = 2048;

const ITEM_WORDS = 5;
const ID_BYTES = 16;
const NONE = -1;

/** rank, name: where and how long (-1 = null), id: where (-1 = none), partition or type of a resource */
const I_RANK = 0;
const I_NAME = 1;
const I_NAME_BYTES = 2;
const I_ID = 3;
const I_NUMBER = 4;

export class Collected {
  count = 0;
  /** There was more than can be kept. */
  isCut = false;
  names: Uint8Array = new Uint8Array(FIRST_NAME_BYTES);
  #items = new Int32Array(ITEM_WORDS * FIRST_ITEMS);
  #nameBytes = 0;

  clear(): void {
    this.count = 0;
    this.isCut = false;
    this.#nameBytes = 0;
  }

  /** Begins an item. */
  add(rank: number): void {
    if (this.count === MAX_ITEMS) {
      this.isCut = true;
      return;
    }
    if (this.count * ITEM_WORDS === this.#items.length)
      this.#items = grown(this.#items, new Int32Array(2 * this.#items.length));
    const at = ITEM_WORDS * this.count++;
    this.#items[at + I_RANK] = rank;
    this.#items[at + I_NAME_BYTES] = NONE;
    this.#items[at + I_ID] = NONE;
    this.#items[at + I_NUMBER] = 0;
  }

  /** Names the item that was begun last; a length of -1 says that it has no name. */
  name(bytes: Uint8Array, at: number, length: number): void {
    const item = ITEM_WORDS * (this.count - 1);
    this.#items[item + I_NAME] = length > 0 ? this.#keep(bytes, at, length) : 0;
    this.#items[item + I_NAME_BYTES] = length;
  }

  id(bytes: Uint8Array, at: number): void {
    this.#items[ITEM_WORDS * (this.count - 1) + I_ID] = this.#keep(bytes, at, ID_BYTES);
  }

  number(value: number): void {
    this.#items[ITEM_WORDS * (this.count - 1) + I_NUMBER] = value;
  }

  rankOf(item: number): number {
    return item < this.count ? this.#items[ITEM_WORDS * item + I_RANK] : NONE;
  }

  /** Where its name is in `names`. */
  nameAt(item: number): number {
    return this.#items[ITEM_WORDS * item + I_NAME];
  }

  /** -1 = none. */
  nameBytes(item: number): number {
    return this.#items[ITEM_WORDS * item + I_NAME_BYTES];
  }

  /** Where its id is in `names`; -1 = none. */
  idAt(item: number): number {
    return this.#items[ITEM_WORDS * item + I_ID];
  }

  numberOf(item: number): number {
    return this.#items[ITEM_WORDS * item + I_NUMBER];
  }

  /** The first item from here on that is not within `item`: of its rank, or of one above it. */
  after(item: number): number {
    const rank = this.rankOf(item);
    let next = item + 1;
    while (next < this.count && this.rankOf(next) > rank) next++;
    return next;
  }

  /** How many items of this rank stand from here on, up to one of a rank above. */
  countFrom(item: number, rank: number): number {
    let count = 0;
    for (let i = item; i < this.count && this.rankOf(i) >= rank; i++) if (this.rankOf(i) === rank) count++;
    return count;
  }

  #keep(bytes: Uint8Array, at: number, length: number): number {
    const to = this.#nameBytes;
    if (to + length > MAX_NAME_BYTES) {
      this.isCut = true;
      return 0;
    }
    let room = this.names.length;
    while (room < to + length) room *= 2;
    if (room > this.names.length) this.names = grown(this.names, new Uint8Array(room));
    this.names.set(bytes.subarray(at, at + length), to);
    this.#nameBytes += length;
    return to;
  }
}

function grown<A extends Int32Array | Uint8Array>(from: A, to: A): A {
  to.set(from);
  return to;
}
