/** Options of the flows that are kept on disk; a part of config/schema-hubble.ts. */
import type { Option } from './option.ts';

/** Of `hubble.history`, all present. */
export interface HistorySettings {
  readonly enabled: boolean;
  /** '' only when it is not enabled. */
  readonly directory: string;
  readonly 'max-size-mb': number;
  readonly 'max-age-hours': number;
}

export const HISTORY: Readonly<Record<keyof HistorySettings, Option>> = {
  enabled: {
    type: 'boolean',
    meaning:
      'keep flows on disk, so that observe reaches back beyond those in memory; costs that every flow is decoded, see [observability](observability.md#history)',
    fallback: false,
  },
  directory: {
    type: 'string',
    meaning: 'where; default: <stateDir>/flows',
    fallback: '',
    check: (value) => (value.startsWith('/') ? undefined : 'an absolute path'),
  },
  'max-size-mb': {
    type: 'integer',
    meaning: 'MiB of files, the oldest are removed beyond that; 10 million flows take about 600',
    fallback: 1024,
    min: 16,
    max: 1_048_576,
  },
  'max-age-hours': {
    type: 'integer',
    meaning: 'hours that a file of flows is kept after its last flow',
    fallback: 168,
    min: 1,
    max: 87_600,
  },
};
