/**
 * The ranges that pods of this node have their addresses from, which are routed nowhere else (option podCIDRs). An address in
 * one of them that no pod has is nobody's: it must not pass for a peer outside, nor a frame to it leave the node.
 */
import { holdsWords } from '../wire/prefix.ts';
import {
  CONFIG_POD_RANGE_IPV4,
  CONFIG_POD_RANGE_IPV6,
  type ConfigMap,
  POD_RANGE_BITS,
} from '../policy-maps/config-map.ts';

export class PodRanges {
  /** By family: four words of the mapped space, and how many bits of them count; 0 = there is no range. */
  readonly #v4 = new Int32Array(5);
  readonly #v6 = new Int32Array(5);

  /** Takes the ranges over from the shared words. */
  refresh(config: ConfigMap): void {
    for (let word = 0; word <= POD_RANGE_BITS; word++) {
      this.#v4[word] = config.words[CONFIG_POD_RANGE_IPV4 + word];
      this.#v6[word] = config.words[CONFIG_POD_RANGE_IPV6 + word];
    }
  }

  holds(family: number, w0: number, w1: number, w2: number, w3: number): boolean {
    const range = family === 4 ? this.#v4 : this.#v6;
    const bits = range[POD_RANGE_BITS];
    return bits !== 0 && holdsWords(range, 0, bits, w0, w1, w2, w3);
  }
}
