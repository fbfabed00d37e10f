/** What a run found, as text, as JSON and as a page. */
import { readFileSync } from 'node:fs';
import type { Limit, Ratio, Summary } from './series.ts';
import { limitTable, ratioTable, summaryTable } from './tables.ts';

/** A report as scripts/bench writes it. */
export interface Report {
  readonly machine: Readonly<Record<string, string | number | boolean>>;
  /** What disturbed the run, one sentence each; none in a report of a quiet machine. */
  readonly disturbances?: readonly string[];
  readonly results: readonly Summary[];
  readonly ratios: readonly Ratio[];
  readonly limits: readonly Limit[];
}

/** @throws Error when the file is no report */
export function readReport(file: string): Report {
  const report: unknown = JSON.parse(readFileSync(file, 'utf8'));
  const { results, ratios, machine } = report as Partial<Report>;
  if (!Array.isArray(results) || !Array.isArray(ratios) || machine === undefined)
    throw new Error(`${file}: not a report that scripts/bench --json wrote`);
  return report as Report;
}

/** For a terminal. What disturbed the run comes first: no figure below is to be believed more than that. */
export function reportText({ machine, disturbances = [], results, ratios, limits }: Report): string {
  const lines = (entries: readonly string[]) => entries.join('\n');
  return [
    ...(disturbances.length > 0 ? [`NOT QUIET\n${lines(disturbances.map((sentence) => `  ${sentence}`))}`] : []),
    lines(Object.entries(machine).map(([key, value]) => `${key}: ${value}`)),
    summaryTable(results),
    ...(ratios.length > 0 ? [ratioTable(ratios)] : []),
    ...(limits.length > 0 ? [limitTable(limits)] : []),
  ].join('\n\n');
}

/** The page BENCHMARKS.md, from a report. */
export function reportPage(report: Report): string {
  const { machine, disturbances = [], results, ratios, limits } = report;
  const fenced = (text: string) => `\`\`\`text\n${text}\n\`\`\`\n`;
  const state =
    disturbances.length === 0
      ? 'Nothing else ran on the machine meanwhile.'
      : `The machine was **not quiet**: ${disturbances.join('; ')}.`;
  const { cpu, cores, memoryGiB, kernel, node, date, commit } = machine;
  return `# Benchmarks

What \`scripts/bench\` found, in one run: each cell is the median of the rounds with the least and the greatest beside it.
[bench/](bench/README.md) says what is measured and how; on two cores the load generators take part in every figure, so that only
ratios of one run mean anything. This page is made of \`bench/report.json\` by \`scripts/bench --from bench/report.json --page BENCHMARKS.md\`.

Machine: ${cpu}, ${cores} cores, ${memoryGiB} GiB, Linux ${kernel}, Node ${node}; ${String(date).slice(0, 10)}, commit ${commit}.
${state}

## Ratios

${fenced(ratioTable(ratios))}${limits.length === 0 ? '' : `\n## Limits\n\n${fenced(limitTable(limits))}`}
## Figures

${fenced(summaryTable(results))}`;
}
