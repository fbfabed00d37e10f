/** What is wrong with a document: one record a problem, always with its place and, where we know it, the cure. */

export type Severity = 'error' | 'warning';

export interface Problem {
  readonly file: string;
  /** From 1; 0 = not from a file that has lines (the command line, a file that cannot be read). */
  readonly line: number;
  /** From 1; 0 as for `line`. */
  readonly column: number;
  /** Where in the document, e.g. `spec.ingress[0].toPorts[0].ports[1].port`; '' = the document itself. */
  readonly path: string;
  readonly severity: Severity;
  /** `action: found X, wanted Y`. */
  readonly message: string;
  readonly hint?: string;
  /** `Kind/namespace/name` when the document got far enough to have one. */
  readonly document?: string;
  /** A stable short name of the check, for tests and editors, e.g. `unknown-field`. */
  readonly code: string;
}

/** `file:line:column: error: message (path)` and, on a second line, the hint. */
export function formatProblem(problem: Problem): string {
  const place = problem.line === 0 ? problem.file : `${problem.file}:${problem.line}:${problem.column}`;
  const path = problem.path === '' ? '' : ` (${problem.path})`;
  const hint = problem.hint === undefined ? '' : `\n  hint: ${problem.hint}`;
  return `${place}: ${problem.severity}: ${problem.message}${path}${hint}`;
}

export function hasErrors(problems: readonly Problem[]): boolean {
  return problems.some((problem) => problem.severity === 'error');
}

/** What to say of an exception that nobody foresaw: a fault of ours, told with the place that it happened at. */
export function internalFault(error: unknown): string {
  const { name, message } = error instanceof Error ? error : { name: 'exception', message: String(error) };
  return `read document: found a fault of Sluice itself (${name}: ${message}), wanted none: please report it with the document`;
}

/** A value as a message shows it: JSON, cut to 60 characters. */
export function quote(value: unknown): string {
  const text = typeof value === 'string' ? JSON.stringify(value) : (JSON.stringify(value) ?? String(value));
  return text.length > 60 ? `${text.slice(0, 57)}...` : text;
}

/** The candidate that `word` was probably meant to be; undefined when none is near. */
export function nearest(word: string, candidates: Iterable<string>): string | undefined {
  const lower = word.toLowerCase();
  const limit = Math.max(1, Math.min(3, Math.floor(word.length / 3)));
  let best: string | undefined;
  let bestDistance = limit + 1;
  for (const candidate of candidates) {
    const distance = editDistance(lower, candidate.toLowerCase());
    if (distance < bestDistance) {
      best = candidate;
      bestDistance = distance;
    }
  }
  return best;
}

/** Edits (insert, delete, replace, swap of neighbours) from `a` to `b`. */
function editDistance(a: string, b: string): number {
  const rows: number[][] = [Array.from({ length: b.length + 1 }, (_, j) => j)];
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const replace = rows[i - 1][j - 1] + (a[i - 1] === b[j - 1] ? 0 : 1);
      row[j] = Math.min(rows[i - 1][j] + 1, row[j - 1] + 1, replace);
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      if (swapped) row[j] = Math.min(row[j], rows[i - 2][j - 2] + 1);
    }
    rows.push(row);
  }
  return rows[a.length][b.length];
}
