/** Readings of many rounds, their medians and spreads, and the comparisons that the project promises. */

/** All values of one metric for one subject, in the order they were taken. */
export interface Series {
  readonly metric: string;
  readonly subject: string;
  readonly unit: string;
  readonly values: number[];
}

export interface Summary {
  readonly metric: string;
  readonly subject: string;
  readonly unit: string;
  readonly median: number;
  readonly min: number;
  readonly max: number;
  readonly rounds: number;
}

/** A promise: `metric` of one subject divided by that of another, at least `wanted`. */
interface Target {
  readonly metric: string;
  /** Those whose name begins with `sluice`, unless told. */
  readonly subject?: string;
  readonly beside: string;
  /** Undefined: only told, for comparison. */
  readonly wanted?: number;
}

/** A promise about a figure that is the better the lower. */
interface Limit {
  readonly metric: string;
  readonly subject: string;
  readonly wanted: number;
}

/** What a service may cost: beside the pod's own address, and beside a service that is the only one. */
function serviceTargets(metric: string, wanted: number, wantedAmongMany: number): Target[] {
  const pair = (subject: string, beside: string, least?: number): Target =>
    least === undefined ? { metric, subject, beside } : { metric, subject, beside, wanted: least };
  return [
    pair('sluice service', 'sluice pod', wanted),
    pair('sluice service of 10001', 'sluice pod of 10001', wanted),
    pair('sluice service of 10001', 'sluice service', wantedAmongMany),
    pair('nft service', 'nft pod'),
    pair('nft service of 10001', 'nft service'),
    pair('sluice service', 'nft service'),
    pair('sluice service of 10001', 'nft service of 10001'),
  ];
}

/** What telling of flows may cost; of CPU time, the less the better, the ratio is the other way round. */
function flowTargets(subject: string, beside: string, wanted: number): Target[] {
  return ['tcp 1', 'udp 64 B', 'http'].flatMap((metric) => [
    { metric, subject, beside, wanted },
    { metric: `${metric}, dataplane CPU`, subject: beside, beside: subject },
    { metric: `${metric}, own CPU`, subject: beside, beside: subject },
  ]);
}

const TARGETS: readonly Target[] = [
  { metric: 'tcp 1', beside: 'bridge+nft', wanted: 0.9 },
  { metric: 'tcp 4', beside: 'bridge+nft', wanted: 0.45 },
  { metric: 'tcp 1', beside: 'ovs userspace', wanted: 8 },
  { metric: 'udp 64 B', beside: 'bridge+nft', wanted: 0.6 },
  { metric: 'http', beside: 'haproxy', wanted: 1.4 },
  { metric: 'http', beside: 'nginx', wanted: 1.4 },
  { metric: 'http', beside: 'envoy', wanted: 2 },
  { metric: 'http', beside: 'bare bridge', wanted: 0.7 },
  { metric: 'http p99', subject: 'haproxy', beside: 'sluice', wanted: 1 },
  { metric: 'http2', beside: 'haproxy', wanted: 1.3 },
  { metric: 'http2', beside: 'nginx', wanted: 1.3 },
  { metric: 'http2', beside: 'envoy' },
  { metric: 'http2, a packet an answer', beside: 'haproxy' },
  { metric: 'grpc unary', beside: 'haproxy' },
  { metric: 'grpc unary', beside: 'nginx' },
  { metric: 'grpc unary', beside: 'envoy', wanted: 1.5 },
  { metric: 'http, by rules', subject: 'sluice HTTP rules', beside: 'sluice L4 rule' },
  { metric: 'http, by rules', subject: 'sluice 1000 HTTP rules', beside: 'sluice HTTP rules', wanted: 0.9 },
  { metric: 'http, by rules, own CPU', subject: 'sluice HTTP rules', beside: 'sluice 1000 HTTP rules', wanted: 0.9 },
  { metric: 'http, new paths, by rules', subject: 'sluice 1000 HTTP rules', beside: 'sluice HTTP rules', wanted: 0.9 },
  { metric: 'response of 1 GiB', subject: 'sluice HTTP rules', beside: 'sluice L4 rule', wanted: 0.85 },
  { metric: 'request of 1 GiB', subject: 'sluice HTTP rules', beside: 'sluice L4 rule', wanted: 0.85 },
  { metric: 'kafka produce, 4 KiB', subject: 'sluice Kafka rules', beside: 'sluice L4 rule', wanted: 0.9 },
  { metric: 'kafka fetch, 4 KiB', subject: 'sluice Kafka rules', beside: 'sluice L4 rule', wanted: 0.9 },
  ...serviceTargets('tcp 1', 0.97, 0.97),
  ...serviceTargets('udp 64 B', 0.97, 0.97),
  ...serviceTargets('tcp connect-request-close', 0.95, 0.97),
  { metric: 'tls connect-request-close', subject: 'sluice serverNames', beside: 'sluice L4 rule', wanted: 0.95 },
  ...flowTargets('flows on', 'flows off', 0.97),
  ...flowTargets('a follower', 'flows off', 0.9),
  ...flowTargets('a follower, history', 'a follower', 0.95),
  { metric: 'dns', subject: 'sluice DNS rule', beside: 'wire' },
  { metric: 'dns', subject: 'sluice L4 rule', beside: 'wire' },
  { metric: 'dns, no network', subject: 'sluice-dns', beside: 'dnsmasq', wanted: 1 },
];

const LIMITS: readonly Limit[] = [
  { metric: 'http, own CPU', subject: 'sluice', wanted: 10 },
  { metric: 'idle HTTP/1 connection', subject: 'sluice', wanted: 4096 },
  { metric: 'idle HTTP/2 connection', subject: 'sluice', wanted: 4096 },
  { metric: 'one service of 10000 changes, p50', subject: 'sluice', wanted: 5 },
  { metric: 'dns p99 beyond the wire', subject: 'sluice DNS rule', wanted: 300 },
  { metric: 'memory of 10000 learnt addresses', subject: 'sluice', wanted: 20 },
  ...['trace', 'verdict', 'drop', 'HTTP request', 'HTTP response'].map((kind) => {
    return { metric: `decoding: ${kind}`, subject: 'sluice', wanted: 3 };
  }),
  { metric: '50000/s to one client: lost', subject: 'sluice', wanted: 0 },
  { metric: '10 M flows on disk: memory of the agent', subject: 'sluice', wanted: 300 },
  { metric: '10 M flows on disk: memory of the agent while it answers', subject: 'sluice', wanted: 300 },
  { metric: '10 M flows on disk, the last 20 of a pod', subject: 'sluice', wanted: 1000 },
  { metric: '10 M flows on disk, everything of a busy pod', subject: 'sluice', wanted: 1000 },
];

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** What became of a promise. */
interface Ratio {
  readonly metric: string;
  readonly subject: string;
  readonly beside: string;
  readonly ratio: number;
  readonly low: number;
  readonly high: number;
  readonly wanted?: number;
}

/** Collects readings by metric and subject. */
export class Results {
  readonly #series = new Map<string, Series>();

  add(subject: string, metric: string, value: number, unit: string): void {
    const key = `${metric}\0${subject}`;
    const series = this.#series.get(key) ?? { metric, subject, unit, values: [] };
    this.#series.set(key, series);
    series.values.push(value);
  }

  /** What was read of one metric, in the order it was. */
  valuesOf(metric: string, subject: string): readonly number[] {
    return this.#series.get(`${metric}\0${subject}`)?.values ?? [];
  }

  summaries(): Summary[] {
    return [...this.#series.values()].map(({ metric, subject, unit, values }) => ({
      metric,
      subject,
      unit,
      median: median(values),
      min: Math.min(...values),
      max: Math.max(...values),
      rounds: values.length,
    }));
  }

  /** One median over another, for each promise that was measured; a ratio of medians, and of each round's pair. */
  ratios(): Ratio[] {
    const found: Ratio[] = [];
    for (const target of TARGETS) {
      for (const ours of this.#series.values()) {
        const theirs = this.#series.get(`${target.metric}\0${target.beside}`);
        const isMeant =
          target.subject === undefined ? ours.subject.startsWith('sluice') : ours.subject === target.subject;
        if (ours.metric !== target.metric || !isMeant || !theirs) continue;
        const pairs = ours.values.map((value, round) => value / theirs.values[round]).filter(Number.isFinite);
        found.push({
          metric: target.metric,
          subject: ours.subject,
          beside: target.beside,
          ratio: median(ours.values) / median(theirs.values),
          low: Math.min(...pairs),
          high: Math.max(...pairs),
          ...(target.wanted !== undefined && { wanted: target.wanted }),
        });
      }
    }
    return found;
  }

  /** Each limit that was measured. */
  limits(): (Summary & { wanted: number })[] {
    return LIMITS.flatMap(({ metric, subject, wanted }) => {
      const found = this.summaries().find((one) => one.metric === metric && one.subject === subject);
      return found === undefined ? [] : { ...found, wanted };
    });
  }
}

const figure = (value: number) => (value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2));

/** A table of text with its columns as wide as needed, three spaces between. */
function table(rows: readonly (readonly string[])[]): string {
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => row[column].length)));
  return rows
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column]))
        .join('   ')
        .trimEnd(),
    )
    .join('\n');
}

/** One row a metric, one column a subject: median (least to greatest). */
export function summaryTable(summaries: readonly Summary[]): string {
  const subjects = [...new Set(summaries.map((one) => one.subject))];
  const isCost = (metric: string) => Number(metric.endsWith(' CPU'));
  const metrics = [...new Set(summaries.map((one) => one.metric))].sort((a, b) => isCost(a) - isCost(b));
  const rows = [['METRIC', 'UNIT', ...subjects]];
  for (const metric of metrics) {
    const of = (subject: string) => summaries.find((one) => one.metric === metric && one.subject === subject);
    const unit = summaries.find((one) => one.metric === metric)?.unit ?? '';
    const cell = (one: Summary | undefined) =>
      one === undefined ? '-' : `${figure(one.median)} (${figure(one.min)}..${figure(one.max)})`;
    rows.push([metric, unit, ...subjects.map((subject) => cell(of(subject)))]);
  }
  return table(rows);
}

/** The promises and what was found. */
export function ratioTable(ratios: ReturnType<Results['ratios']>): string {
  const rows = [['RATIO OF MEDIANS', 'FOUND', 'EACH ROUND', 'WANTED', '']];
  for (const { metric, subject, beside, ratio, low, high, wanted } of ratios) {
    const verdict = wanted === undefined ? '' : ratio >= wanted ? 'kept' : 'MISSED';
    rows.push([
      `${metric}: ${subject} / ${beside}`,
      share(ratio),
      `${share(low)}..${share(high)}`,
      wanted === undefined ? '-' : `>= ${wanted}`,
      verdict,
    ]);
  }
  return table(rows);
}

/** Two ways that cost nearly the same are told apart by the third digit. */
const share = (value: number) => (value < 2 ? value.toFixed(3) : figure(value));

/** The limits and what was found. */
export function limitTable(limits: ReturnType<Results['limits']>): string {
  const rows = [['MEDIAN', 'FOUND', 'EACH ROUND', 'WANTED', '']];
  for (const { metric, subject, unit, median: found, min, max, wanted } of limits) {
    const verdict = found <= wanted ? 'kept' : 'MISSED';
    rows.push([
      `${metric}: ${subject}`,
      `${figure(found)} ${unit}`,
      `${figure(min)}..${figure(max)}`,
      `<= ${wanted} ${unit}`,
      verdict,
    ]);
  }
  return table(rows);
}
