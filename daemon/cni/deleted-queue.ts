/**
 * Calls of DEL that came while no agent was there: files of `<runDir>/cni/deleted` that the plugin wrote (cni/queue.c), each the body of a
 * call. They are worked on before any other call, and as they appear; so nothing that lies there, whatever it is, may hold up or end the work.
 */
import { existsSync, lstatSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Log } from '../health/log.ts';
import { DELETED } from './attachments.ts';
import { answerTo, readCall } from './route.ts';
import type { RuntimeCalls } from './runtime-calls.ts';

/** The plugin's input of 1 MiB, with every character escaped, and its environment. */
const FILE_LIMIT = 8 << 20;

export class DeletedQueue {
  readonly #folder: string;
  readonly #calls: Pick<RuntimeCalls, 'call'>;
  readonly #log: Pick<Log, 'info' | 'warn'>;
  #draining: Promise<void> = Promise.resolve();

  constructor(runDir: string, calls: Pick<RuntimeCalls, 'call'>, log: Pick<Log, 'info' | 'warn'>) {
    this.#folder = join(runDir, 'cni', DELETED);
    this.#calls = calls;
    this.#log = log;
  }

  /** Works on what waits. @returns when it is done */
  drain(): Promise<void> {
    this.#draining = this.#draining.then(() =>
      this.#drainNow().catch((error: unknown) =>
        this.#log.warn({ folder: this.#folder, error: (error as Error).message }, 'calls of DEL cannot be worked on'),
      ),
    );
    return this.#draining;
  }

  async #drainNow(): Promise<void> {
    if (!existsSync(this.#folder)) return;
    const names = readdirSync(this.#folder).filter((name) => !name.startsWith('.'));
    for (const name of names.sort()) await this.#work(join(this.#folder, name));
  }

  async #work(path: string): Promise<void> {
    try {
      const call = readCall(textOf(path));
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
    rmSync(path, { force: true, recursive: true });
  }
}

/** @throws Error for what the plugin has not written: to open a pipe would be to wait for ever */
function textOf(path: string): string {
  const status = lstatSync(path);
  if (!status.isFile() || status.size > FILE_LIMIT) throw new Error(`wanted a file of at most ${FILE_LIMIT} bytes`);
  return readFileSync(path, 'utf8');
}
