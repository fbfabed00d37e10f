/** Problems of manifests, as compilers print them: `file:line:column: severity: path: message (hint)`. */
import { palette, wantsColor } from '../terminal/color.ts';
import type { Problem } from '../../policy/rule/problems.ts';
import type { Host } from '../terminal/host.ts';
import { printable } from '../terminal/table.ts';

/** What is printed of a problem. */
type PrintedProblem = Pick<Problem, 'message'> & Partial<Problem>;

/**
 * Prints problems to standard error.
 * @returns whether one of them is an error and not a warning
 */
export function reportProblems(host: Host, problems: readonly PrintedProblem[]): boolean {
  const paint = palette(wantsColor('auto', host.stderr, host.env));
  for (const problem of problems) {
    const isWarning = problem.severity === 'warning';
    const word = isWarning ? paint.yellow('warning') : paint.red('error');
    host.stderr.write(`${placeOf(problem)}${word}: ${printable(textOf(problem))}\n`);
  }
  return problems.some(({ severity }) => severity !== 'warning');
}

function placeOf({ file, line, column }: PrintedProblem): string {
  const parts = [file, line, column].filter((part) => part !== undefined && part !== '' && part !== 0);
  return parts.length === 0 ? '' : `${parts.join(':')}: `;
}

function textOf({ path, message, hint }: PrintedProblem): string {
  const where = path === undefined || path === '' ? '' : `${path}: `;
  return `${where}${message}${hint === undefined || hint === '' ? '' : ` (${hint})`}`;
}
