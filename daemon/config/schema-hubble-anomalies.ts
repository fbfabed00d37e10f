/** Options of the watch for anomalies; a part of config/schema-hubble.ts. */
import type { AnomalyLimits } from '../../hubble/anomaly/rule.ts';
import type { Option } from './option.ts';

/** Of `hubble.anomalies`, all present. */
export interface AnomalySettings extends AnomalyLimits {
  readonly enabled: boolean;
  /** Addresses, `namespace/`, `namespace/workload` and `namespace/pod`. */
  readonly exempt: readonly string[];
}

/** A limit; a threshold of 0 switches its rules off. */
function limit(meaning: string, fallback: number, min: number, max: number): Option {
  return { type: 'integer', meaning, fallback, min, max };
}

export const ANOMALIES: Readonly<Record<keyof AnomalySettings, Option>> = {
  enabled: {
    type: 'boolean',
    meaning: 'watch flows for anomalies; costs that every flow is decoded, as history does',
    fallback: false,
  },
  exempt: {
    type: 'list',
    meaning:
      'sources about which nothing is told, such as scanners and scrapers: an address, `namespace/`, `namespace/workload` or `namespace/pod`',
    fallback: [],
    max: 256,
    check: (text) =>
      /^[^\s*]{1,320}$/.test(text) ? undefined : 'an address, namespace/, or namespace/name, without *',
  },
  'window-seconds': limit('seconds within which scans, names and unanswered SYNs are counted', 60, 1, 3600),
  'port-scan-ports': limit('ports of one address that one source tries; 0 = no such rule', 20, 0, 1024),
  'sweep-addresses': limit('addresses that one source tries at one port; 0 = no such rule', 50, 0, 1024),
  'learning-minutes': limit(
    'minutes after the start in which pairs of workloads, and names and addresses outside, are learnt; 0 = no such rules',
    60,
    0,
    10_080,
  ),
  'dns-random-names': limit(
    'names with a long random label that one source asks of one domain; 0 = no such rule',
    10,
    0,
    1024,
  ),
  'dns-many-names': limit('names that one source asks of one domain; 0 = no such rule', 100, 0, 1024),
  'drop-surge-factor': limit('times the usual number of drops of one reason; 0 = no such rule', 10, 0, 1000),
  'drop-surge-packets': limit('dropped packets in ten seconds; fewer are no surge', 500, 1, 1_000_000_000),
  'unanswered-syns': limit(
    'connection attempts to one address and port without an answer; 0 = no such rule',
    50,
    0,
    1024,
  ),
  'repeat-minutes': limit('minutes until the same about the same is told again', 5, 1, 1440),
  'per-minute': limit('anomalies of one rule that are told in a minute', 10, 1, 600),
};
