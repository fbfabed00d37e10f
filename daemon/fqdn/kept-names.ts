/**
 * What was learnt, on disk: a file of lines (policy/fqdn/pre-cache.ts) that is added to before a pair is published, so that an
 * agent which is killed at any moment has a successor that knows at least what the maps say. When most of its lines count no
 * more, the file is written anew (beside, then renamed).
 *
 * Nobody waits for the disk: what is written outlives the process, and the maps go with the machine.
 */
import { appendFileSync, existsSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { type KeptAnswer, readKept } from '../../policy/fqdn/pre-cache.ts';

const SLACK_BYTES = 1 << 19;
/** What the cache holds at most takes a quarter of this. */
const MAX_BYTES = 1 << 28;

export class KeptNames {
  readonly #path: string;
  /** Of the file, and what it had when it was written anew last: an answer may have a thousand addresses. */
  #bytes = 0;
  #standingBytes = 0;
  /** The last line may lack its end: it was cut off. */
  #isCut = false;
  #unread = '';
  #unwritten = '';

  constructor(path: string) {
    this.#path = path;
  }

  /** What could not be read at the start, and why the last thing could not be written. */
  get problems(): string[] {
    return [this.#unread, this.#unwritten].filter((text) => text !== '');
  }

  /** What an earlier agent has left. A last line that is cut off does not count. */
  read(): KeptAnswer[] {
    if (!existsSync(this.#path)) return [];
    try {
      const { size } = statSync(this.#path);
      if (size > MAX_BYTES) throw new RangeError(`found ${size} bytes, wanted at most ${MAX_BYTES}`);
      return this.#readText(readFileSync(this.#path, 'utf8'));
    } catch (error) {
      this.#unread = `read ${this.#path}: ${(error as Error).message}: names that were learnt before are not known`;
      return [];
    }
  }

  #readText(text: string): KeptAnswer[] {
    const { answers, unread } = readKept(text);
    this.#isCut = !text.endsWith('\n');
    this.#bytes = Buffer.byteLength(text);
    const lost = unread - (this.#isCut ? 1 : 0);
    if (lost > 0) this.#unread = `read ${this.#path}: found ${lost} lines that are no answers; left out`;
    return answers;
  }

  append(lines: readonly string[]): void {
    if (lines.length === 0) return;
    const text = `${this.#isCut ? '\n' : ''}${lines.join('\n')}\n`;
    const isDone = this.#write(() => appendFileSync(this.#path, text, { mode: 0o600 }));
    this.#isCut = !isDone;
    if (isDone) this.#bytes += Buffer.byteLength(text);
  }

  /** Whether much of the file counts no more, or may. */
  get isLong(): boolean {
    return this.#bytes > 2 * this.#standingBytes + SLACK_BYTES;
  }

  /** Replaces the file. */
  rewrite(lines: readonly string[]): void {
    const beside = `${this.#path}.new`;
    const text = lines.map((line) => `${line}\n`).join('');
    const isDone = this.#write(() => {
      writeFileSync(beside, text, { mode: 0o600 });
      renameSync(beside, this.#path);
    });
    if (!isDone) {
      rmSync(beside, { force: true });
      return;
    }
    this.#isCut = false;
    this.#bytes = Buffer.byteLength(text);
    this.#standingBytes = this.#bytes;
  }

  #write(work: () => void): boolean {
    try {
      work();
      this.#unwritten = '';
      return true;
    } catch (error) {
      this.#unwritten = `write ${this.#path}: ${(error as Error).message}: names that are learnt now are lost when the agent ends`;
      return false;
    }
  }
}
