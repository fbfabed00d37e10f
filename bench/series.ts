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

/** A promise: `metric` of Sluice divided by that of `beside`, at least `wanted`. */
interface Target {
  readonly metric: string;
  readonly beside: string;
  readonly wanted: number;
}

const TARGETS: readonly Target[] = [
  { metric: 'tcp 1', beside: 'bridge+nft', wanted: 0.9 },
  { metric: 'tcp 4', beside: 'bridge+nft', wanted: 0.45 },
  { metric: 'tcp 1', beside: 'ovs userspace', wanted: 8 },
  { metric: 'udp 64 B', beside: 'bridge+nft', wanted: 0.6 },
  { metric: 'http', beside: 'haproxy', wanted: 1.25 },
  { metric: 'http', beside: 'nginx', wanted: 1.25 },
  { metric: 'http', beside: 'bare bridge', wanted: 0.7 },
];

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
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

  /** Sluice's median over another's, for each promise that was measured; a ratio of medians, and of each round's pair. */
  ratios(): {
    metric: string;
    subject: string;
    beside: string;
    ratio: number;
    low: number;
    high: number;
    wanted: number;
  }[] {
    const found = [];
    for (const target of TARGETS) {
      for (const ours of this.#series.values()) {
        const theirs = this.#series.get(`${target.metric}\0${target.beside}`);
        if (ours.metric !== target.metric || !ours.subject.startsWith('sluice') || !theirs) continue;
        const pairs = ours.values.map((value, round) => value / theirs.values[round]).filter(Number.isFinite);
        found.push({
          metric: target.metric,
          subject: ours.subject,
          beside: target.beside,
          ratio: median(ours.values) / median(theirs.values),
          low: Math.min(...pairs),
          high: Math.max(...pairs),
          wanted: target.wanted,
        });
      }
    }
    return found;
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
    const verdict = ratio >= wanted ? 'kept' : 'MISSED';
    rows.push([
      `${metric}: ${subject} / ${beside}`,
      figure(ratio),
      `${figure(low)}..${figure(high)}`,
      `>= ${wanted}`,
      verdict,
    ]);
  }
  return table(rows);
}
