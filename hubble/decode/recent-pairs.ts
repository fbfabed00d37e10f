/**
 * Parts of flows that the same numbers make: addresses of frames, of which the last ones come again and again. Each pair
 * has one place, which it shares with others, so that a flood of strangers costs what making all of them anew does.
 */
import { formatMac } from '../../wire/address.ts';
import { ipv4Text } from '../../wire/address-text.ts';
import type { Ethernet, Ip } from '../flow.ts';
import { share } from '../shared-part.ts';

const ROOM_BITS = 12;
const ROOM = 1 << ROOM_BITS;
const NUMBERS = 4;

/** What four numbers make, for the last ones that were asked for. */
class Recent<T extends object> {
  readonly #numbers = new Int32Array(ROOM * NUMBERS);
  readonly #values = new Array<T | undefined>(ROOM).fill(undefined);
  readonly #make: (a: number, b: number, c: number, d: number) => T;

  constructor(make: (a: number, b: number, c: number, d: number) => T) {
    this.#make = make;
  }

  of(a: number, b: number, c: number, d: number): T {
    const place =
      Math.imul(a ^ Math.imul(b ^ c ^ Math.imul(d, 0x85ebca6b), 0xc2b2ae35), 0x9e3779b1) >>> (32 - ROOM_BITS);
    const at = place * NUMBERS;
    const numbers = this.#numbers;
    const known = this.#values[place];
    if (
      known !== undefined &&
      numbers[at] === a &&
      numbers[at + 1] === b &&
      numbers[at + 2] === c &&
      numbers[at + 3] === d
    ) {
      return known;
    }
    const value = this.#make(a, b, c, d);
    numbers[at] = a;
    numbers[at + 1] = b;
    numbers[at + 2] = c;
    numbers[at + 3] = d;
    this.#values[place] = value;
    return value;
  }
}

const pairs = new Recent<Ip>((source, destination) => {
  return { source: ipv4Text(source), destination: ipv4Text(destination), ipVersion: 'IPv4' };
});

/** @param source and destination, signed words of IPv4 addresses */
export function ipv4Ends(source: number, destination: number): Ip {
  return pairs.of(source, destination, 0, 0);
}

const ends = new Recent<Ethernet>((fromHigh, fromLow, toHigh, toLow) => {
  return share({ source: formatMac(fromHigh, fromLow), destination: formatMac(toHigh, toLow) });
});

/** MAC addresses in high 16 and low 32 bits, signed. */
export function ethernetEnds(fromHigh: number, fromLow: number, toHigh: number, toLow: number): Ethernet {
  return ends.of(fromHigh, fromLow, toHigh, toLow);
}
