/** Options of the metrics of flows, with Hubble's names; a part of config/schema-hubble.ts. */
import { metricProblem } from '../../hubble/metrics/flow-metrics.ts';
import { listenAddressProblem } from './listen-address.ts';
import type { Option } from './option.ts';

export interface MetricsSettings {
  /** Texts of hubble/metrics/flow-metrics.ts. */
  readonly metrics: readonly string[];
  /** Text of readListenAddress; '' = nowhere. */
  readonly 'metrics-server': string;
}

/** What is wrong with metrics that are fine each by itself. */
export function metricsProblem(metrics: readonly string[]): string | undefined {
  const names = metrics.map((text) => text.split(':', 1)[0].replace('httpV2', 'http'));
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  return twice === undefined ? undefined : `found metric ${twice} twice, wanted each once, and one of http and httpV2`;
}

export const METRICS: Readonly<Record<keyof MetricsSettings, Option>> = {
  metrics: {
    type: 'list',
    meaning:
      'metrics of flows that are counted: dns, drop, flow, flows-to-world, http, httpV2, icmp, kafka, policy, port-distribution, sctp, tcp, each with options behind a colon, see [observability](observability.md#metrics)',
    fallback: [],
    max: 32,
    check: metricProblem,
  },
  'metrics-server': {
    type: 'string',
    meaning: 'where metrics of flows are served, such as 127.0.0.1:9965; default: on the unix socket only',
    fallback: '',
    check: listenAddressProblem,
  },
};
