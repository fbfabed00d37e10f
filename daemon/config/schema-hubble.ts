/** Options of the observatory, with Cilium's names without the `hubble-` before them; a part of config/schema.ts. */
import type { Option } from './option.ts';
import { HISTORY, type HistorySettings } from './schema-hubble-history.ts';

/** Of `hubble`, all present. */
export interface HubbleSettings {
  readonly 'event-buffer-capacity': number;
  readonly history: HistorySettings;
}

export const HUBBLE: Readonly<Record<keyof HubbleSettings, Option>> = {
  'event-buffer-capacity': {
    type: 'integer',
    meaning: 'flows kept in memory for observe (2^n - 1)',
    fallback: 4095,
    min: 15,
    max: 65535,
  },
  history: {
    type: 'map',
    meaning: 'flows kept on disk, see [observability](observability.md#history)',
    options: HISTORY,
  },
};
