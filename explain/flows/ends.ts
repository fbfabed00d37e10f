/**
 * The ends that lines name, by number. They are most of a line, and few. Whoever had an address last is tried first: when the line goes
 * on with the bytes of that end it is that end, for an object ends where it ends, and none of it is looked at byte by byte.
 */
import { readEndpoint } from '../../hubble/decode/read-envelope.ts';
import type { Endpoint } from '../../hubble/flow.ts';

const MOST_ENDS = 16_384;
/** Of all together. */
const MOST_BYTES = 16_777_216;
/** Addresses that are remembered, by hash. */
const GUESSES = 65_536;

export class Ends {
  readonly #numbers = new Map<string, number>();
  readonly #texts: Buffer[] = [];
  readonly #guesses = new Int32Array(GUESSES).fill(-1);
  #bytes = 0;

  get isFull(): boolean {
    return this.#texts.length >= MOST_ENDS || this.#bytes >= MOST_BYTES;
  }

  /** The number of the end that had the address last, when it stands at this place; else -1. */
  guess(address: number, bytes: Buffer, from: number, end: number): number {
    const number = this.#guesses[address & (GUESSES - 1)];
    if (number < 0) return -1;
    const text = this.#texts[number];
    const to = from + text.length;
    return to <= end && text.compare(bytes, from, to) === 0 ? number : -1;
  }

  /** In bytes. */
  lengthOf(number: number): number {
    return this.#texts[number].length;
  }

  /** The number of the end whose text is from..to. */
  number(address: number, bytes: Buffer, from: number, to: number): number {
    const text = bytes.toString('latin1', from, to);
    let number = this.#numbers.get(text);
    if (number === undefined) {
      number = this.#texts.length;
      this.#numbers.set(text, number);
      this.#texts.push(Buffer.from(text, 'latin1'));
      this.#bytes += to - from;
    }
    this.#guesses[address & (GUESSES - 1)] = number;
    return number;
  }

  /** All of them by number; undefined for what is no JSON. */
  parse(): (Endpoint | undefined)[] {
    return this.#texts.map((text) => {
      try {
        return readEndpoint(JSON.parse(text.toString()));
      } catch (error) {
        if (error instanceof SyntaxError) return undefined;
        throw error;
      }
    });
  }
}
