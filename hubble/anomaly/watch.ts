/**
 * Watches the stream of flows for what looks like an attack or a fault. Each rule has a file; here they are handed the flows, and
 * what they find is exempted, throttled, counted and told.
 *
 *     flows --> rules --Finding--> exempt? --> Throttle --> told: a flow, a line in the log (by the caller), a counter
 *
 * Whatever rules remember is bounded (recent.ts): a flood of subjects makes older ones forgotten, which is counted. Findings are told
 * as flows of type `agent`, which every client of Hubble shows, and which are not looked at here.
 */
import { EVENT_AGENT } from '../../wire/event.ts';
import { compact, type Envelope, type Flow } from '../flow.ts';
import { Counter, Read, type Registry } from '../metrics/registry.ts';
import { timeMsOf } from '../ring.ts';
import type { FlowSink } from '../sink.ts';
import { workloadOf } from './attempt.ts';
import { DnsNames } from './dns-names.ts';
import { DropSurge } from './drop-surge.ts';
import { NewExternal, NewPair } from './newcomers.ts';
import { type Finding, type Making, type Rule, RULES } from './rule.ts';
import { PortScan, Sweep } from './scans.ts';
import { Throttle } from './throttle.ts';
import { UnansweredSyns } from './unanswered-syns.ts';

export interface AnomalyOptions extends Omit<Making, 'tell'> {
  /** Sources about which nothing is told: addresses, `namespace/`, `namespace/workload`, `namespace/pod`. */
  readonly exempt: readonly string[];
  readonly registry: Registry;
  /** Any steady clock, in milliseconds. */
  readonly clock: () => number;
  /** Takes what may be told. */
  readonly tell: (finding: Finding) => void;
}

export class AnomalyWatch implements FlowSink {
  readonly #rules: readonly Rule[];
  readonly #exempt: ReadonlySet<string>;
  readonly #throttle: Throttle;
  readonly #told: Counter;
  readonly #untold: Counter;
  readonly #options: AnomalyOptions;

  constructor(options: AnomalyOptions) {
    const { limits, exempt, registry, clock } = options;
    this.#options = options;
    this.#exempt = new Set(exempt);
    this.#throttle = new Throttle(limits);
    this.#rules = rulesOf({ ...options, tell: (finding) => this.#find(finding) });
    const counter = (name: string, help: string): Counter =>
      registry.add(new Counter({ name, help, labels: ['rule'] }, clock));
    this.#told = counter('sluice_anomalies_total', 'Anomalies that were told.');
    this.#untold = counter('sluice_anomalies_untold_total', 'Anomalies that were found and are too many to be told.');
    for (const rule of RULES) for (const one of [this.#told, this.#untold]) one.add([rule], 0);
    const forgotten = 'Subjects that rules forgot for want of room.';
    registry.add(
      new Read({ name: 'sluice_anomaly_subjects_forgotten_total', help: forgotten, labels: ['rule'] }, 'counter', () =>
        this.#rules.map((rule) => [[rule.names[0]], rule.forgotten]),
      ),
    );
  }

  take(envelopes: readonly Envelope[]): void {
    for (const envelope of envelopes) {
      if (envelope.lost_events !== undefined) for (const rule of this.#rules) rule.gap?.();
      const { flow } = envelope;
      if (flow === undefined || flow.event_type.type === EVENT_AGENT) continue;
      const timeMs = timeMsOf(envelope);
      for (const rule of this.#rules) rule.take(flow, timeMs);
    }
  }

  tick(timeMs: number): void {
    for (const rule of this.#rules) rule.tick?.(timeMs);
  }

  #find(finding: Finding): void {
    const { flow, rule } = finding;
    if (rule !== 'drop-surge' && this.#isExempt(flow)) return;
    const mayTell = this.#throttle.admit(finding, this.#options.clock());
    (mayTell ? this.#told : this.#untold).add([rule]);
    if (mayTell) this.#options.tell(finding);
  }

  #isExempt({ source, IP }: Flow): boolean {
    const { namespace = '', pod_name: pod = '' } = source;
    const names = [IP?.source ?? '', `${namespace}/`, `${namespace}/${pod}`, workloadOf(source)];
    return names.some((name) => this.#exempt.has(name));
  }
}

function rulesOf(making: Making): Rule[] {
  const { limits } = making;
  const isLearning = limits['learning-minutes'] > 0;
  const isAsking = limits['dns-many-names'] > 0 || limits['dns-random-names'] > 0;
  return [
    ...(limits['port-scan-ports'] > 0 ? [new PortScan(making)] : []),
    ...(limits['sweep-addresses'] > 0 ? [new Sweep(making)] : []),
    ...(isLearning ? [new NewPair(making), new NewExternal(making)] : []),
    ...(isAsking ? [new DnsNames(making)] : []),
    ...(limits['drop-surge-factor'] > 0 ? [new DropSurge(making)] : []),
    ...(limits['unanswered-syns'] > 0 ? [new UnansweredSyns(making)] : []),
  ];
}

/**
 * What is told as a flow: ends, addresses and time of the flow that brought it to light, without ports, for it is of no packet. The
 * rule is in `extensions` (SLUICE_ANOMALY_PORT_SCAN) and at the head of the summary.
 */
export function anomalyFlow({ flow, rule, text }: Finding, uuid: string): Flow {
  return compact<Flow>({
    time: flow.time,
    uuid,
    emitter: flow.emitter,
    verdict: 'VERDICT_UNKNOWN',
    IP: flow.IP,
    source: flow.source,
    destination: flow.destination,
    Type: 'L3_L4',
    node_name: flow.node_name,
    source_names: flow.source_names,
    destination_names: flow.destination_names,
    event_type: { type: EVENT_AGENT },
    traffic_direction: flow.traffic_direction,
    Summary: `Anomaly ${rule}: ${text}`,
    extensions: {
      '@type': 'type.googleapis.com/google.protobuf.StringValue',
      value: `SLUICE_ANOMALY_${rule.toUpperCase().replaceAll('-', '_')}`,
    },
  });
}
