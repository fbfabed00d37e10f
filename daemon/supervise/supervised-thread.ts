/**
 * The agent's end of a thread that does a job beside it: starts it, and anew when it dies (of its heap limit, of an error), after a
 * pause that grows while deaths follow each other. What the two say to each other is theirs; three words are common to all threads:
 *
 *   agent  --{ stop: true }-->   it writes out what it holds and ends within STOP_MS
 *   thread --{ ready: true }-->  it serves
 *   thread --{ log: ... }-->     a line for the agent's log
 *
 * The heap limit is V8's: memory outside of it, such as Buffers, a thread has to bound itself. V8 also knows allocations that cannot be
 * refused, and ends the whole process there: a thread must not work on data of a size that somebody else chooses.
 */
import { Worker } from 'node:worker_threads';
import { type Program, programPath } from '../../linux/programs.ts';
import type { Log } from '../health/log.ts';

const YOUNG_MIB = 16;
/** Pause before the next start, and the longest. */
const PAUSE_MS = 250;
const MAX_PAUSE_MS = 30_000;
/** A thread that lived so long was not ill from the start. */
const HEALTHY_MS = 60_000;
/** How long a thread may take to write out what it holds. */
const STOP_MS = 5000;

/** A line for the agent's log. */
export interface LogLine {
  readonly level: 'info' | 'warn' | 'error';
  readonly fields: Readonly<Record<string, unknown>>;
  readonly text: string;
}

/** What every thread says. */
export type FromThread = { readonly ready: true } | { readonly log: LogLine };

interface ThreadOptions<To, From> {
  readonly program: Program;
  /** With its article, as logs and problems call it. */
  readonly name: string;
  readonly log: Pick<Log, 'info' | 'warn' | 'error'>;
  readonly workerData: unknown;
  /** MiB of old heap that it may have. */
  readonly heapMib: number;
  /** What each new thread is told first. */
  readonly greeting?: () => To;
  /** Of what only this kind of thread says. */
  readonly onMessage: (message: From) => void;
  readonly onDeath?: () => void;
}

export class SupervisedThread<To, From extends object> {
  readonly #options: ThreadOptions<To, From>;
  #worker: Worker | undefined;
  #timer: NodeJS.Timeout | undefined;
  #pauseMs = PAUSE_MS;
  #restarts = 0;
  /** Why the last thread died. */
  #death = '';
  #isReady = false;
  #isStopping = false;

  constructor(options: ThreadOptions<To, From>) {
    this.#options = options;
  }

  /** Starts the thread. @returns when it serves, or has died before */
  start(): Promise<void> {
    const { program, workerData, heapMib, greeting } = this.#options;
    const startedMs = performance.now();
    const worker = new Worker(programPath(program), {
      workerData,
      resourceLimits: { maxOldGenerationSizeMb: heapMib, maxYoungGenerationSizeMb: YOUNG_MIB },
    });
    this.#worker = worker;
    if (greeting !== undefined) this.tell(greeting());
    let reason = '';
    worker.on('error', (error) => (reason = error.message));
    return new Promise((resolve) => {
      worker.on('message', (message: From | FromThread) => {
        this.#take(message);
        if (this.#isReady) resolve();
      });
      worker.on('exit', (code) => {
        this.#onExit(reason === '' ? `exit code ${code}` : reason, performance.now() - startedMs);
        resolve();
      });
    });
  }

  /** Ends the thread, when it has written out what it holds. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    clearTimeout(this.#timer);
    const worker = this.#worker;
    if (worker === undefined) return;
    worker.postMessage({ stop: true });
    const patience = setTimeout(() => void worker.terminate(), STOP_MS);
    await new Promise((resolve) => worker.once('exit', resolve));
    clearTimeout(patience);
  }

  /** Without a thread, nobody is told. */
  tell(message: To): void {
    this.#worker?.postMessage(message);
  }

  /** It serves. */
  get isReady(): boolean {
    return this.#isReady;
  }

  /** Threads that died since the agent's start. */
  get restarts(): number {
    return this.#restarts;
  }

  /** Why no thread serves, while a dead one has no successor; '' else. */
  get death(): string {
    return this.#isReady || this.#isStopping ? '' : this.#death;
  }

  #take(message: From | FromThread): void {
    if ('ready' in message) this.#isReady = true;
    else if ('log' in message) this.#options.log[message.log.level](message.log.fields, message.log.text);
    else this.#options.onMessage(message);
  }

  #onExit(reason: string, livedMs: number): void {
    this.#worker = undefined;
    this.#isReady = false;
    this.#options.onDeath?.();
    if (this.#isStopping) return;
    this.#death = reason;
    this.#restarts++;
    this.#pauseMs = livedMs > HEALTHY_MS ? PAUSE_MS : Math.min(this.#pauseMs * 2, MAX_PAUSE_MS);
    const { log, name } = this.#options;
    log.error({ reason, restarts: this.#restarts }, `${name} died and is started anew`);
    this.#timer = setTimeout(() => void this.start(), this.#pauseMs);
  }
}
