/**
 * Calls of DEL that came while no agent was there: files of `<runDir>/cni/deleted` that the plugin wrote (cni/queue.c), each the body of a
 * call. They are worked on before any other call, and as they appear.
 */
import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Log } from '../health/log.ts';
import { DELETED } from './attachments.ts';
import { answerTo, readCall } from './route.ts';
import type { RuntimeCalls } from './runtime-calls.ts';

export class DeletedQueue {
  readonly #folder: string;
  readonly #calls: RuntimeCalls;
  readonly #log: Log;
  #draining: Promise<void> = Promise.resolve();

  constructor(runDir: string, calls: RuntimeCalls, log: Log) {
    this.#folder = join(runDir, 'cni', DELETED);
    this.#calls = calls;
    this.#log = log;
  }

  /** Works on what waits. @returns when it is done */
  drain(): Promise<void> {
    this.#draining = this.#draining.then(() => this.#drainNow());
    return this.#draining;
  }

  async #drainNow(): Promise<void> {
    if (!existsSync(this.#folder)) return;
    const names = readdirSync(this.#folder).filter((name) => !name.startsWith('.'));
    for (const name of names.sort()) await this.#work(join(this.#folder, name));
  }

  async #work(path: string): Promise<void> {
    try {
      const call = readCall(readFileSync(path, 'utf8'));
      const [asked = call.environment['CNI_COMMAND']] = call.netavark ?? [];
      if (asked !== 'DEL' && asked !== 'teardown') throw new Error(`found a call of ${asked}, wanted DEL`);
      await answerTo(this.#calls, call, AbortSignal.timeout(60_000));
      this.#log.info({ file: path }, 'a call of DEL that had waited for the agent is done');
    } catch (error) {
      // What cannot be read now cannot be read later either; the namespace's end takes the attachment with it.
      this.#log.warn(
        { file: path, error: (error as Error).message },
        'a call of DEL that had waited for the agent is of no use',
      );
    }
    rmSync(path, { force: true });
  }
}
