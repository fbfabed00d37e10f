/**
 * What is wrong now, by who found it: manifests, the state on disk, policies, pods, publication. A problem stands until its
 * source says otherwise, and is logged when it comes up, not every time it is seen again.
 */
import type { Problem } from '../../policy/rule/problems.ts';
import type { Log } from './log.ts';

/** All problems of one agent. */
export class ProblemBoard {
  readonly #log: Log;
  readonly #bySource = new Map<string, readonly string[]>();

  constructor(log: Log) {
    this.#log = log;
  }

  /** Replaces the problems of one source. */
  set(source: string, lines: readonly string[]): void {
    const before = this.#bySource.get(source) ?? [];
    for (const line of lines) if (!before.includes(line)) this.#log.warn({ source }, line);
    if (lines.length === 0) this.#bySource.delete(source);
    else this.#bySource.set(source, lines);
  }

  /** As `set`, from why something could not be done; '' = it was. */
  setError(source: string, error: string): void {
    this.set(source, error === '' ? [] : [error]);
  }

  /** As `set`, from problems of documents; warnings are left out. */
  setDocuments(source: string, problems: readonly Problem[]): void {
    this.set(source, problems.filter(({ severity }) => severity === 'error').map(oneLine));
  }

  /** Every problem, one sentence each. */
  all(): string[] {
    return [...this.#bySource.values()].flat();
  }
}

/** `file:line:column: message`. */
export function oneLine({ file, line, column, message }: Problem): string {
  return `${file}:${line}:${column}: ${message}`;
}
