/**
 * What the charts show, out of two scrapes one after the other. A counter that has become smaller began anew, with its process, and all that
 * it has now was counted since; one that was not there before tells nothing yet.
 */
import type { Sample, Scrape } from './prometheus-text.ts';

/** Lines of a chart: those with the largest figures, the others as one. */
const MAX_LINES = 6;
const QUANTILES = [0.5, 0.95, 0.99] as const;

export interface Step {
  readonly now: Scrape;
  readonly before: Scrape;
  readonly seconds: number;
}

/** Figures by the line's name. */
export type Figures = ReadonlyMap<string, number>;

/** How a figure is written. */
export type Unit = 'B/s' | '/s' | 'ms' | '%';

export interface ChartKind {
  readonly name: string;
  readonly title: string;
  readonly unit: Unit;
  /** What to do when the agent has none of it. */
  readonly absent: string;
  /** None: the agent does not tell it, or nothing of it has happened. */
  readonly read: (step: Step) => Figures;
}

type NameOf = (labels: Sample['labels']) => string;

/** Cilium's metrics have a prefix that is chosen, so they are found by their end. */
function samplesOf(scrape: Scrape, end: string): readonly Sample[] {
  const exact = scrape.get(end);
  if (exact !== undefined) return exact;
  for (const [name, samples] of scrape) if (name.endsWith(`_${end}`)) return samples;
  return [];
}

const PORT_BYTES = 'sluice_port_bytes_total';

/** Ports by the names of their pods, as far as these are known by their interfaces. */
export function withPods(scrape: Scrape, pods: ReadonlyMap<string, string>): Scrape {
  const named = scrape.get(PORT_BYTES)?.map(({ labels, value }) => {
    const { port = '' } = labels;
    return { value, labels: { ...labels, port: pods.get(port) ?? port } };
  });
  return named === undefined ? scrape : new Map([...scrape, [PORT_BYTES, named]]);
}

const keyOf = ({ labels }: Sample) => JSON.stringify(labels);

/** By how much each sample of a counter has grown. */
export function increases({ now, before }: Step, end: string): [Sample['labels'], number][] {
  const old = new Map(samplesOf(before, end).map((sample) => [keyOf(sample), sample.value]));
  return samplesOf(now, end).flatMap((sample): [Sample['labels'], number][] => {
    const was = old.get(keyOf(sample));
    // A series that begins while others of its metric are known began with its first event.
    if (was === undefined) return old.size === 0 ? [] : [[sample.labels, sample.value]];
    return [[sample.labels, sample.value < was ? sample.value : sample.value - was]];
  });
}

function sums(entries: Iterable<readonly [string, number]>): Map<string, number> {
  const found = new Map<string, number>();
  for (const [name, value] of entries) found.set(name, (found.get(name) ?? 0) + value);
  return found;
}

function rates(step: Step, end: string, nameOf: NameOf, factor = 1): Map<string, number> {
  const { seconds } = step;
  return sums(increases(step, end).map(([labels, more]) => [nameOf(labels), (more * factor) / seconds] as const));
}

const rate =
  (end: string, nameOf: NameOf, factor = 1) =>
  (step: Step): Figures =>
    rates(step, end, nameOf, factor);

/** Of all answers of these seconds together. */
export function latencies(step: Step, end: string): Figures {
  const buckets = [...sums(increases(step, `${end}_bucket`).map(([{ le }, more]) => [le, more] as const))]
    .map(([le, count]) => [Number(le.replace('+Inf', 'Infinity')), count] as const)
    .sort(([a], [b]) => a - b);
  const total = buckets.at(-1)?.[1] ?? 0;
  if (total === 0) return new Map();
  return new Map(QUANTILES.map((quantile) => [`p${quantile * 100}`, quantileOf(buckets, quantile * total) * 1000]));
}

/** @param buckets upper bounds, and how many are below each */
function quantileOf(buckets: readonly (readonly [number, number])[], rank: number): number {
  let [low, below] = [0, 0];
  for (const [high, count] of buckets) {
    if (count >= rank) return high === Infinity ? low : low + ((high - low) * (rank - below)) / (count - below);
    [low, below] = [high, count];
  }
  return low;
}

/** The largest; the others are one line. */
export function topOf(figures: Figures): Figures {
  if (figures.size <= MAX_LINES) return figures;
  const sorted = [...figures].sort(([, a], [, b]) => b - a);
  const rest = sorted.slice(MAX_LINES - 1).reduce((sum, [, value]) => sum + value, 0);
  return new Map([...sorted.slice(0, MAX_LINES - 1), ['others', rest]]);
}

const label =
  (...names: readonly string[]): NameOf =>
  (labels) =>
    names.map((name) => labels[name] ?? '').join(' ');

const FLOW_METRICS = 'set hubble.metrics: [httpV2] in the agent\u2019s configuration';
const NOT_TOLD = 'the agent does not tell it, perhaps as its dataplane does not run';

export const CHARTS: readonly ChartKind[] = [
  {
    name: 'bytes',
    title: 'Throughput',
    unit: 'B/s',
    absent: NOT_TOLD,
    read: rate('forward_bytes_total', label('direction')),
  },
  {
    name: 'frames',
    title: 'Packets',
    unit: '/s',
    absent: NOT_TOLD,
    read: rate('forward_count_total', label('direction')),
  },
  {
    name: 'ports',
    title: 'Throughput of ports',
    unit: 'B/s',
    absent: NOT_TOLD,
    read: (step) => topOf(rates(step, PORT_BYTES, label('port', 'way'))),
  },
  {
    name: 'drops',
    title: 'Drops by reason',
    unit: '/s',
    absent: 'nothing was dropped yet',
    read: (step) => topOf(rates(step, 'drop_count_total', label('reason'))),
  },
  { name: 'l7', title: 'L7 messages', unit: '/s', absent: 'no policy judges what is inside of streams', read: l7Rates },
  {
    name: 'latency',
    title: 'HTTP latency',
    unit: 'ms',
    absent: FLOW_METRICS,
    read: (step) => latencies(step, 'hubble_http_request_duration_seconds'),
  },
  { name: 'tables', title: 'Fill of connections and other tables', unit: '%', absent: NOT_TOLD, read: fills },
  { name: 'loop', title: 'Load of loop and CPU', unit: '%', absent: NOT_TOLD, read: loads },
  {
    name: 'flows',
    title: 'Flows seen and lost',
    unit: '/s',
    absent: 'the agent tells of no flows',
    read: (step) =>
      new Map([
        ...rates(step, 'sluice_flows_seen_total', () => 'seen'),
        ...rates(step, 'sluice_flows_lost_total', () => 'lost'),
      ]),
  },
];

function l7Rates(step: Step): Figures {
  const named = rates(step, 'policy_l7_total', label('proxy_type', 'rule'));
  const isQuiet = (proxy: string) =>
    !samplesOf(step.now, 'policy_l7_total').some(({ labels, value }) => labels['proxy_type'] === proxy && value > 0);
  return topOf(new Map([...named].filter(([name]) => !name.endsWith(' received') && !isQuiet(name.split(' ')[0]))));
}

/** The fullest now: a sum over the others would mean nothing. */
function fills({ now }: Step): Figures {
  const all = samplesOf(now, 'bpf_map_pressure').map(({ labels, value }) => [labels['map_name'], value * 100] as const);
  const isConnections = (name: string) => /^ct|conn/.test(name);
  return new Map(
    all
      .sort(([a, one], [b, other]) => Number(isConnections(b)) - Number(isConnections(a)) || other - one)
      .slice(0, MAX_LINES),
  );
}

function loads(step: Step): Figures {
  const idle = rates(step, 'sluice_loop_idle_microseconds_total', () => 'loop', 1e-6);
  return new Map([
    ...[...idle].map(([name, share]) => [name, Math.max(0, 1 - share) * 100] as const),
    ...rates(step, 'sluice_dataplane_cpu_seconds_total', () => 'dataplane CPU', 100),
    ...rates(step, 'process_cpu_seconds_total', () => 'agent CPU', 100),
  ]);
}

const POWERS = ['', 'k', 'M', 'G', 'T'];

/** `1.2 MB/s`, `35 %`, `812 /s`. */
export function figureText(value: number, unit: Unit): string {
  let [rest, power] = [value, 0];
  if (unit.endsWith('/s')) for (; rest >= 1000 && power < 4; power++) rest /= 1000;
  const digits = rest !== 0 && rest < 10 ? 2 : rest < 100 ? 1 : 0;
  return `${Number(rest.toFixed(digits))} ${POWERS[power]}${unit}`;
}
