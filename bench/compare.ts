/** A report beside an earlier one. They are of two runs: only what each run compared within itself can be held against the other. */
import type { Report } from './report.ts';
import type { Ratio, Summary } from './series.ts';
import { figure, share, table } from './tables.ts';

/** Why figures of the two say little about each other; empty when nothing is known against it. */
export function caveats(then: Report, now: Report): string[] {
  const differing = ['cpu', 'cores', 'kernel', 'node'].filter((key) => then.machine[key] !== now.machine[key]);
  return [
    ...differing.map((key) => `${key}: ${then.machine[key]} then, ${now.machine[key]} now`),
    ...(then.disturbances ?? []).map((sentence) => `then: ${sentence}`),
    ...(now.disturbances ?? []).map((sentence) => `now: ${sentence}`),
  ];
}

/** One row for each ratio and each figure that both have. */
export function comparisonTable(then: Report, now: Report): string {
  const nameOf = ({ metric, subject, beside }: Ratio) => `${metric}: ${subject} / ${beside}`;
  const ratios = now.ratios.flatMap((one) => {
    const earlier = then.ratios.find((other) => nameOf(other) === nameOf(one));
    if (earlier === undefined) return [];
    return [[nameOf(one), cellOf(earlier), cellOf(one), share(one.ratio / earlier.ratio)]];
  });
  const figures = now.results.flatMap((one) => {
    const earlier = then.results.find(({ metric, subject }) => metric === one.metric && subject === one.subject);
    if (earlier === undefined) return [];
    const cell = ({ median, min, max }: Summary) => `${figure(median)} (${figure(min)}..${figure(max)})`;
    return [
      [`${one.metric}: ${one.subject}, ${one.unit}`, cell(earlier), cell(one), share(one.median / earlier.median)],
    ];
  });
  return table([
    ['RATIOS WITHIN A RUN', 'THEN', 'NOW', 'NOW / THEN'],
    ...ratios,
    ['FIGURES OF TWO RUNS', '', '', ''],
    ...figures,
  ]);
}

const cellOf = ({ ratio, low, high }: Ratio): string => `${share(ratio)} (${share(low)}..${share(high)})`;
