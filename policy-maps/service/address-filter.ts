/**
 * Which destinations need a second look before anything else is done with a frame: virtual addresses of services, node
 * addresses with node ports, masquerade addresses, the loopback address. A bitmap of 65,536 bits by a hash of the address: a
 * frame to any other address costs one load, and a bit that two addresses share costs a lookup that finds nothing.
 *
 * Written by the agent, which counts for each bit how many addresses stand behind it. The counts are not in the file: a
 * writer that takes over a file keeps every bit that is set, until `settle` clears those that nobody has added again.
 */
import type { AddressWords } from '../ipcache.ts';
import type { MapFile } from '../table/map-file.ts';
import { HEADER_BYTES, type MapLayout, W_COUNT } from '../table/map-header.ts';
import { PinnedMap } from '../table/pinned-map.ts';

const BITS = 65536;
const WORDS = BITS / 32;

const LAYOUT: MapLayout = {
  kind: 'address_filter',
  version: 1,
  keyBytes: 16,
  valueBytes: 0,
  capacity: BITS,
  minCapacity: BITS,
  maxCapacity: BITS,
  fileBytes: () => HEADER_BYTES + WORDS * 4,
};

export class AddressFilter extends PinnedMap {
  static readonly layout = LAYOUT;
  readonly #bits: Int32Array;
  /** Writer: how many addresses have each bit. */
  readonly #counts: Uint32Array;

  constructor(file: MapFile) {
    super(file);
    this.#bits = file.words(HEADER_BYTES, WORDS);
    this.#counts = new Uint32Array(file.writable ? BITS : 0);
  }

  /** Whether frames to this address may need their destination translated. False is sure, true is not. */
  mayConcern(a0: number, a1: number, a2: number, a3: number): boolean {
    const place = placeOf(a0, a1, a2, a3);
    return ((this.#bits[place >>> 5] >>> (place & 31)) & 1) !== 0;
  }

  /** One more reason to look at this address. */
  add(address: AddressWords): void {
    const place = placeOf(...address);
    if (this.#counts[place]++ === 0) this.#bits[place >>> 5] |= 1 << (place & 31);
    this.file.header[W_COUNT]++;
  }

  /** One reason less; never more than were added. */
  remove(address: AddressWords): void {
    const place = placeOf(...address);
    if (this.#counts[place] === 0) return;
    if (--this.#counts[place] === 0) this.#bits[place >>> 5] &= ~(1 << (place & 31));
    this.file.header[W_COUNT]--;
  }

  /** Clears what a former writer has left and this one has not added: once it has added all that it knows. */
  settle(): void {
    let count = 0;
    for (let word = 0; word < WORDS; word++) {
      let bits = 0;
      for (let bit = 0; bit < 32; bit++) {
        const many = this.#counts[(word << 5) | bit];
        count += many;
        if (many > 0) bits |= 1 << bit;
      }
      if (this.#bits[word] !== bits) this.#bits[word] = bits;
    }
    this.file.header[W_COUNT] = count;
  }
}

function placeOf(a0: number, a1: number, a2: number, a3: number): number {
  return Math.imul(a3 ^ (a2 << 7) ^ (a1 << 13) ^ a0, 0x9e3779b1) >>> 16;
}
