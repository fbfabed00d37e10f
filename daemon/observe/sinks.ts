/** Where flows go: every sink of the observatory is added here, one line each (hubble/sink.ts has the rules for them). */
import type { Directory } from '../../hubble/decode/directory.ts';
import type { Registry } from '../../hubble/metrics/registry.ts';
import type { Ring } from '../../hubble/ring.ts';
import type { Sinks } from '../../hubble/sink.ts';
import type { Flow } from '../../hubble/flow.ts';
import type { Config } from '../config/config.ts';
import { openAnomalyWatch } from './anomalies.ts';
import { configuredExport } from './export-settings.ts';
import { Exports } from './exports.ts';
import { History } from './history.ts';
import type { NamespaceLog } from './namespace-log.ts';
import { ServedMetrics } from '../metrics/served-metrics.ts';

/** What sinks and handlers of the observatory may use. */
export interface Means {
  readonly config: Config;
  readonly ring: Ring;
  readonly directory: Directory;
  /** Flows on disk, when they are to be kept. */
  readonly history: History | undefined;
  readonly agentEvents: Ring;
  readonly namespaces: NamespaceLog;
  readonly exports: Exports;
  /** Metrics of flows. */
  readonly metrics: Registry;
  /** Hands every sink a flow of the agent's own, at the next look. */
  readonly tell: (flow: Flow) => void;
  /** Takes in what the dataplane has told since the last look. */
  readonly look: () => void;
  /** A line in the agent's log. */
  readonly log: (level: 'info' | 'warn' | 'error', text: string, fields?: Readonly<Record<string, unknown>>) => void;
}

export function openSinks(sinks: Sinks, means: Means): void {
  const { ring, history, exports, namespaces, config, metrics, log } = means;
  sinks.add('ring', ring);
  sinks.add('list of namespaces', namespaces);
  sinks.add('metrics', new ServedMetrics(config.hubble, metrics, log));
  if (config.hubble.anomalies.enabled) sinks.add('watch for anomalies', openAnomalyWatch(means));
  if (history !== undefined) sinks.add('history', history);
  sinks.add('exports', exports);
}

/** The history as the configuration has it. */
export function openHistory({ config, ring, log }: Pick<Means, 'config' | 'ring' | 'log'>): History | undefined {
  const { enabled, directory, 'max-size-mb': maxMib, 'max-age-hours': hours } = config.hubble.history;
  if (!enabled) return undefined;
  const [maxBytes, maxAgeMs] = [maxMib * 2 ** 20, hours * 3_600_000];
  // A ring of events gives each of its records again after a restart.
  const replayed = (config.maps['bpf-events-map-max'] ?? 0) + (config.maps['bpf-drop-events-map-max'] ?? 0);
  return new History({
    directory,
    maxBytes,
    maxAgeMs,
    nodeName: config.nodeName,
    seen: () => ring.seen,
    replayed,
    log,
  });
}

/** The exports as the configuration has them. */
export function openExports({ config, log }: Pick<Means, 'config' | 'log'>): Exports {
  const path = config.hubble['flowlogs-config-path'];
  return new Exports({ fixed: configuredExport(config), path, nodeName: config.nodeName, nowMs: Date.now, log });
}
