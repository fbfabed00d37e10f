/** Reports as text. */
import type { Limit, Ratio, Summary } from './series.ts';

/** Three digits. */
export const figure = (value: number) =>
  value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2);

/** A table of text with its columns as wide as needed, three spaces between. */
export function table(rows: readonly (readonly string[])[]): string {
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
export function ratioTable(ratios: readonly Ratio[]): string {
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
export const share = (value: number) => (value < 2 ? value.toFixed(3) : figure(value));

/** The limits and what was found. */
export function limitTable(limits: readonly Limit[]): string {
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
