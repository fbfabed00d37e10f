/**
 * Which ports the dataplane has open, told in the shared words of `runtime_config`: one word with the generation of the
 * `ports` map that it has last worked through, then one bit a port.
 *
 * Only with this does the agent know that a pod is connected: until the dataplane has opened the port behind a row,
 * what the pod sends is lost without anybody counting it, and its first ARP or ND request is repeated a second later.
 * The dataplane writes the bits before the generation, so a reader that finds the generation of a row finds its bit.
 */
import { CONFIG_FIRST_FREE, type ConfigMap } from './config-map.ts';
import { PORT_CAPACITY } from './port-map.ts';

const SEEN_WORD = CONFIG_FIRST_FREE;
const FIRST_BIT_WORD = SEEN_WORD + 1;
const BIT_WORDS = PORT_CAPACITY / 32;

/** Both sides' view of the words. */
export class OpenPorts {
  readonly #config: ConfigMap;

  constructor(config: ConfigMap) {
    this.#config = config;
  }

  /** A dataplane that begins has nothing open, whatever its predecessor had. */
  reset(): void {
    for (let word = 0; word < BIT_WORDS; word++) this.#config.store(FIRST_BIT_WORD + word, 0);
  }

  set(index: number, isOpen: boolean): void {
    const word = FIRST_BIT_WORD + (index >>> 5);
    const bit = 1 << (index & 31);
    const bits = this.#config.load(word);
    this.#config.store(word, isOpen ? bits | bit : bits & ~bit);
  }

  /** The dataplane has worked through the rows of this generation of the `ports` map: what is not open now failed. */
  noteSeen(generation: number): void {
    this.#config.store(SEEN_WORD, generation);
  }

  /** Whether the dataplane has worked through a row that was written with this generation. */
  hasSeen(generation: number): boolean {
    return ((this.#config.load(SEEN_WORD) - generation) | 0) >= 0; // generations wrap at 2^32
  }

  isOpen(index: number): boolean {
    return (this.#config.load(FIRST_BIT_WORD + (index >>> 5)) & (1 << (index & 31))) !== 0;
  }
}
