/**
 * A dataplane process in reserve: started, loaded, and waiting for the byte that has it forward. Starting Node and compiling
 * take 150 ms on a quiet machine and 500 on a busy one, which a dataplane that takes the place of a dead one has behind it.
 *
 *     begin() -> loading (nobody asks how far it is) -- take() --> the supervisor's, like any child
 *                    |
 *                    +-- ends by itself: another after RETRY_MS
 *
 * Each process has a listening socket of its own, since an agent that has adopted a dataplane does not have that one's; it is
 * made under another name, and gets the name where clients look when its process is taken. A standby touches nothing
 * else, and ends when this process ends.
 */
import type { ChildProcess } from 'node:child_process';
import { renameSync, rmSync } from 'node:fs';
import { startProcess } from './detached-process.ts';

const RETRY_MS = 30_000;

interface StandbyOptions {
  readonly command: readonly string[];
  /** Where its socket is to be found once it forwards. */
  readonly socketPath: string;
  readonly logPath: string;
}

export class Standby {
  readonly #options: StandbyOptions;
  #child: ChildProcess | undefined;
  #notBeforeMs = 0;

  constructor(options: StandbyOptions) {
    this.#options = options;
  }

  /** Starts one unless there is one. @throws Error when that cannot be done now: it is tried again after a while */
  begin(nowMs: number): void {
    if (this.#child !== undefined || nowMs < this.#notBeforeMs) return;
    this.#notBeforeMs = nowMs + RETRY_MS;
    const { command, logPath } = this.#options;
    const child = startProcess({ command, logPath, socketPath: this.#waitingPath, stdin: 'pipe' });
    child.stdin?.on('error', () => {}); // told by its exit
    const forget = () => {
      if (this.#child === child) this.#child = undefined;
    };
    child.once('exit', forget).once('error', forget);
    this.#child = child;
  }

  /** The process, for the caller to wake (`wake`) and to watch; undefined when there is none. */
  take(): ChildProcess | undefined {
    const child = this.#child;
    this.#child = undefined;
    this.#notBeforeMs = 0;
    if (child?.pid === undefined) return undefined;
    child.removeAllListeners();
    try {
      renameSync(this.#waitingPath, this.#options.socketPath);
      return child;
    } catch {
      child.kill('SIGKILL');
      return undefined;
    }
  }

  /** Ends it. */
  end(): void {
    this.#child?.removeAllListeners('exit');
    this.#child?.kill('SIGKILL');
    this.#child = undefined;
    rmSync(this.#waitingPath, { force: true });
  }

  get #waitingPath(): string {
    return `${this.#options.socketPath}.standby`;
  }
}
