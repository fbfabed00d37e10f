/** The watch for anomalies as the configuration has it: each is a flow for every sink, a line in the log, and a metric. */
import { randomInt } from 'node:crypto';
import { AnomalyWatch, anomalyFlow } from '../../hubble/anomaly/watch.ts';
import { flowIds } from '../../hubble/flow-id.ts';
import type { Flow } from '../../hubble/flow.ts';
import type { Registry } from '../../hubble/metrics/registry.ts';
import type { Config } from '../config/config.ts';

/** Of the means of sinks. */
interface AnomalyMeans {
  readonly config: Config;
  readonly metrics: Registry;
  readonly tell: (flow: Flow) => void;
  readonly log: (level: 'warn', text: string, fields: Readonly<Record<string, unknown>>) => void;
}

/** Number of anomalies beside those of the rings, for uuids. */
const SOURCE = 254;

export function openAnomalyWatch({ config, metrics, tell, log }: AnomalyMeans): AnomalyWatch {
  const { nodeName, hubble, dns } = config;
  const idOf = flowIds(nodeName, SOURCE);
  let told = 0;
  return new AnomalyWatch({
    limits: hubble.anomalies,
    exempt: hubble.anomalies.exempt,
    registry: metrics,
    seed: randomInt(2 ** 32),
    startedMs: Date.now(),
    clusterDomain: dns.domain,
    clock: () => performance.now(),
    tell: (finding) => {
      const { rule, subject, text, flow } = finding;
      log('warn', `anomaly: ${text}`, { rule, subject });
      tell(anomalyFlow(finding, idOf(Date.parse(flow.time), told++)));
    },
  });
}
