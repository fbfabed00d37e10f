/**
 * What was learnt, on disk: a file of lines (policy/fqdn/pre-cache.ts) that is added to before a pair is published, so that an
 * agent which is killed at any moment has a successor that knows at least what the maps say. When most of its lines count no
 * more, the file is written anew (beside, then renamed).
 *
 * Nobody waits for the disk: what is written outlives the process, and the maps go with the machine.
 */
import { appendFileSync, existsSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { type KeptAnswer, readKept } from '../../policy/fqdn/pre-cache.ts';

const SLACK_LINES = 4096;

export class KeptNames {
  readonly #path: string;
  #lines = 0;
  /** The last line may lack its end: it was cut off. */
  #isCut = false;
  /** Why something could not be read or written; '' when all was. */
  problem = '';

  constructor(path: string) {
    this.#path = path;
  }

  /** What an earlier agent has left. A last line that is cut off does not count. */
  read(): KeptAnswer[] {
    if (!existsSync(this.#path)) return [];
    const text = this.#try('read', () => readFileSync(this.#path, 'utf8')) ?? '';
    const { answers, unread } = readKept(text);
    this.#isCut = !text.endsWith('\n');
    this.#lines = answers.length + unread;
    const lost = unread - (this.#isCut ? 1 : 0);
    if (lost > 0) this.problem = `read ${this.#path}: found ${lost} lines that are no answers; left out`;
    return answers;
  }

  append(lines: readonly string[]): void {
    if (lines.length === 0) return;
    const text = `${this.#isCut ? '\n' : ''}${lines.join('\n')}\n`;
    const isDone = this.#try('write', () => {
      appendFileSync(this.#path, text, { mode: 0o600 });
      return true;
    });
    this.#isCut = isDone === undefined;
    this.#lines += lines.length;
  }

  /** Whether much of the file counts no more. @param standing lines that would do */
  isLong(standing: number): boolean {
    return this.#lines > 2 * standing + SLACK_LINES;
  }

  /** Replaces the file. */
  rewrite(lines: readonly string[]): void {
    const beside = `${this.#path}.new`;
    const isDone = this.#try('write', () => {
      writeFileSync(beside, lines.map((line) => `${line}\n`).join(''), { mode: 0o600 });
      renameSync(beside, this.#path);
      return true;
    });
    if (isDone === undefined) rmSync(beside, { force: true });
    else this.#isCut = false;
    this.#lines = lines.length;
  }

  #try<T>(what: string, work: () => T): T | undefined {
    try {
      const result = work();
      this.problem = '';
      return result;
    } catch (error) {
      this.problem = `${what} ${this.#path}: ${(error as Error).message}: names that are learnt now are lost when the agent ends`;
      return undefined;
    }
  }
}
