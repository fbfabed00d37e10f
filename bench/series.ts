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
interface Ceiling {
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
  { metric: 'tcp 1', beside: 'bridge+nft', wanted: 1 },
  { metric: 'tcp 4', beside: 'bridge+nft', wanted: 0.6 },
  { metric: 'tcp 1', beside: 'ovs userspace', wanted: 8 },
  { metric: 'udp 64 B', beside: 'bridge+nft', wanted: 0.9 },
  ...['tcp 8', 'tcp 1, MTU 9000', 'tcp 4, MTU 9000', 'udp bursts', 'town of 100'].map((metric) => {
    return { metric, beside: 'bridge+nft' };
  }),
  { metric: 'http', beside: 'haproxy', wanted: 1.5 },
  { metric: 'http', beside: 'nginx', wanted: 1.5 },
  { metric: 'http', beside: 'envoy', wanted: 2 },
  { metric: 'http', beside: 'bare bridge', wanted: 0.78 },
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
  ...['tcp 1', 'udp 64 B', 'tcp connect-request-close'].map((metric) => {
    return { metric, subject: 'sluice, full tables', beside: 'sluice, empty tables', wanted: 0.97 };
  }),
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

const LIMITS: readonly Ceiling[] = [
  { metric: 'ping p50 beyond bridge+nft', subject: 'sluice', wanted: 25 },
  { metric: 'pipeline: tcp v4 established, 10 identities, 10 entries', subject: 'sluice', wanted: 250 },
  { metric: 'memory, 100 pods: RSS of all', subject: 'sluice', wanted: 200 },
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
export interface Ratio {
  readonly metric: string;
  readonly subject: string;
  readonly beside: string;
  readonly ratio: number;
  readonly low: number;
  readonly high: number;
  readonly wanted?: number;
}

/** What became of a promise about a figure that is the better the lower. */
export interface Limit extends Summary {
  readonly wanted: number;
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

  /** Adds, round by round, how much more every other subject read than `beside`: `METRIC beyond BESIDE`. */
  addExcess(metric: string, beside: string): void {
    const theirs = this.#series.get(`${metric}\0${beside}`);
    for (const { subject, unit, values } of [...this.#series.values()].filter((one) => one.metric === metric)) {
      if (theirs === undefined || subject === beside) continue;
      const excess = values.map((value, round) => value - theirs.values[round]).filter(Number.isFinite);
      for (const value of excess) this.add(subject, `${metric} beyond ${beside}`, value, unit);
    }
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

  /**
   * One median over another, for each promise that was measured; a ratio of medians, and of each round's pair.
   * @param suffixes of subjects that are another build of the subject without it: all that the two have in common is compared
   */
  ratios(suffixes: readonly string[] = []): Ratio[] {
    const found: Ratio[] = [];
    const builds: Target[] = [...this.#series.values()].flatMap(({ metric, subject }) => {
      return suffixes.map((suffix) => ({ metric, subject, beside: `${subject}${suffix}` }));
    });
    for (const target of [...TARGETS, ...builds]) {
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
  limits(): Limit[] {
    return LIMITS.flatMap(({ metric, subject, wanted }) => {
      const found = this.summaries().find((one) => one.metric === metric && one.subject === subject);
      return found === undefined ? [] : { ...found, wanted };
    });
  }
}
