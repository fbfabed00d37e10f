/**
 * The agent's end of `drop_counts`: asks for the other half when there is something in the one that is written, and tells what
 * then stands still. What was told is remembered in `runtime_config`, so that the next agent does not tell it again.
 */
import { decodeCount } from '../../hubble/decode/decode-count.ts';
import type { DecodeOptions } from '../../hubble/decode/decode.ts';
import type { Flow } from '../../hubble/flow.ts';
import { CONFIG_DROP_COUNTS_EPOCH, CONFIG_DROP_COUNTS_TOLD, type ConfigMap } from '../../policy-maps/config-map.ts';
import type { DropCountMap } from '../../policy-maps/drop-count-map.ts';
import { flowIds } from '../../hubble/flow-id.ts';

/** Number of the counts beside those of the rings, for uuids. */
const SOURCE = 255;
/** How often they are asked for. */
const EVERY_MS = 1000;
/** More rows than a half can have: what makes positions of rows. */
const ROWS = 1 << 17;

export class DropCounts {
  readonly #map: DropCountMap;
  readonly #config: ConfigMap;
  readonly #options: DecodeOptions;
  readonly #idOf: (timeMs: number, position: number) => string;
  #id = '';
  #nextMs = 0;

  constructor(map: DropCountMap, config: ConfigMap, options: Omit<DecodeOptions, 'uuid'>) {
    this.#map = map;
    this.#config = config;
    this.#options = { ...options, uuid: () => this.#id };
    this.#idOf = flowIds(options.nodeName, SOURCE);
  }

  /** What has come to stand still since the last call, in order of time. @param nowMs of any clock that goes on */
  take(nowMs: number): Flow[] {
    if (nowMs < this.#nextMs) return [];
    this.#nextMs = nowMs + EVERY_MS;
    const flows = this.#untold();
    // Only now may it be cleared. Where nothing is written there is nothing to ask for.
    if (this.#map.hasCounted) this.#config.store(CONFIG_DROP_COUNTS_EPOCH, (this.#map.epoch + 1) | 0);
    return flows;
  }

  #untold(): Flow[] {
    const { epoch } = this.#map;
    if (this.#config.load(CONFIG_DROP_COUNTS_TOLD) === epoch >>> 0) return [];
    const counts = [...this.#map.settled()].sort((a, b) => a.lastMs - b.lastMs);
    const flows = counts.map((count, row) => {
      this.#id = this.#idOf(count.lastMs, epoch * ROWS + row);
      return decodeCount(count, this.#options);
    });
    this.#config.store(CONFIG_DROP_COUNTS_TOLD, epoch);
    return flows;
  }
}
