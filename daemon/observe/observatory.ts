/**
 * The agent's end of the observatory: the thread (thread.ts) that reads what the dataplane tells and serves it to whoever
 * looks. Neither the agent nor the dataplane waits for it. docs/decisions/0015-observatory.md says why it is a thread.
 *
 *     agent --(deltas, probes)--> thread --(log lines, failures)--> agent
 *       |                           |
 *       +----- SharedState ---------+
 *
 * A thread that dies (of its heap limit, of an error) is told and started anew, after a pause that grows while deaths follow
 * each other. The new one gets a snapshot of the directory and goes on in the rings where the old one stopped; clients of the
 * socket have to come again, and the flows that were kept in memory are gone.
 */
import { Worker } from 'node:worker_threads';
import { programPath } from '../../linux/programs.ts';
import type { Config } from '../config/config.ts';
import type { Log } from '../health/log.ts';
import type { DirectoryDelta } from './directory-delta.ts';
import type { OutletStatus, FromObservatory, ObservatoryData, ToObservatory } from './messages.ts';
import { SharedState } from './shared-state.ts';

/** Heap of a thread, besides what the kept flows take. */
const HEAP_MIB = 192;
/** Of a decoded flow: 3 with labels of two pods. */
const FLOW_KIB = 4;
const YOUNG_MIB = 16;
/** Pause before the next start, and the longest. */
const PAUSE_MS = 250;
const MAX_PAUSE_MS = 30_000;
/** A thread that lived so long was not ill from the start. */
const HEALTHY_MS = 60_000;
/** How long a thread may take to write out what its sinks hold. */
const STOP_MS = 5000;

interface ObservatoryOptions {
  readonly config: Config;
  readonly log: Pick<Log, 'info' | 'warn' | 'error'>;
  /** Everything that the directory knows. */
  readonly snapshot: () => DirectoryDelta;
  /** MiB of old heap that a thread may have. */
  readonly heapMib?: number;
}

export class Observatory {
  readonly #options: ObservatoryOptions;
  readonly #state = new SharedState();
  readonly #failures = new Map<string, string>();
  #worker: Worker | undefined;
  #timer: NodeJS.Timeout | undefined;
  #pauseMs = PAUSE_MS;
  #restarts = 0;
  /** Why the last thread died. */
  #death = '';
  #isReady = false;
  #outlets: OutletStatus = { exports: [], problems: [] };
  #isStopping = false;

  constructor(options: ObservatoryOptions) {
    this.#options = options;
  }

  /** Starts the thread, unless it is switched off. @returns when it serves, or has died before */
  start(): Promise<void> {
    const { config, snapshot } = this.#options;
    if (!config.hubble.enabled) return Promise.resolve();
    const startedMs = performance.now();
    const workerData: ObservatoryData = { config, state: this.#state.buffer };
    const maxOldGenerationSizeMb = this.#options.heapMib ?? heapMib(config);
    const worker = new Worker(programPath('observatory'), {
      workerData,
      resourceLimits: { maxOldGenerationSizeMb, maxYoungGenerationSizeMb: YOUNG_MIB },
    });
    this.#worker = worker;
    this.#tell({ directory: snapshot() });
    let reason = '';
    worker.on('error', (error) => (reason = error.message));
    return new Promise((resolve) => {
      worker.on('message', (message: FromObservatory) => {
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
    this.#tell({ stop: true });
    const patience = setTimeout(() => void worker.terminate(), STOP_MS);
    await new Promise((resolve) => worker.once('exit', resolve));
    clearTimeout(patience);
  }

  /** Tells the thread what has changed; without one, the next gets a snapshot. */
  learn(directory: DirectoryDelta): void {
    this.#tell({ directory });
  }

  /** The agent has sent an echo request: what is about it alone is nobody's flow. */
  noteProbe(sequence: number, address: string): void {
    this.#tell({ probe: { sequence, address } });
  }

  /** Since the agent's start. */
  get counts(): ObservatoryCounts {
    const { seen, lost, kept, heapBytes } = this.#state.counts;
    const { enabled, 'event-buffer-capacity': flows } = this.#options.config.hubble;
    const capacity = enabled ? flows : 0;
    return { seen, lost, kept: this.#isReady ? kept : 0, capacity, heapBytes, restarts: this.#restarts };
  }

  /** As the thread has told last. */
  get outlets(): OutletStatus {
    return this.#outlets;
  }

  /** What is wrong now, one sentence each. */
  problems(): string[] {
    const away = this.#isReady || this.#isStopping || this.#death === '';
    const sinks = [...this.#failures].map(([name, error]) => `flows no longer go to the ${name}: ${error}`);
    return [
      ...this.#outlets.problems,
      ...(away ? [] : [`the observatory died: ${this.#death}: no flows are told until it runs again`]),
      ...sinks,
    ];
  }

  #tell(message: ToObservatory): void {
    this.#worker?.postMessage(message);
  }

  #take(message: FromObservatory): void {
    const { log } = this.#options;
    if ('ready' in message) this.#isReady = true;
    else if ('outlets' in message) this.#outlets = message.outlets;
    else if ('log' in message) log[message.log.level](message.log.fields, message.log.text);
    else {
      const { name, error } = message.failure;
      this.#failures.set(name, error);
      log.error({ sink: name, error }, 'a sink of flows failed and is switched off');
    }
  }

  #onExit(reason: string, livedMs: number): void {
    this.#worker = undefined;
    this.#isReady = false;
    this.#failures.clear();
    if (this.#isStopping) return;
    this.#death = reason;
    this.#restarts++;
    this.#pauseMs = livedMs > HEALTHY_MS ? PAUSE_MS : Math.min(this.#pauseMs * 2, MAX_PAUSE_MS);
    this.#options.log.error({ reason, restarts: this.#restarts }, 'the observatory died and is started anew');
    this.#timer = setTimeout(() => void this.start(), this.#pauseMs);
  }
}

export interface ObservatoryCounts {
  readonly seen: number;
  readonly lost: number;
  readonly kept: number;
  /** 0 when it is switched off. */
  readonly capacity: number;
  readonly heapBytes: number;
  readonly restarts: number;
}

function heapMib({ hubble }: Config): number {
  return HEAP_MIB + Math.ceil((hubble['event-buffer-capacity'] * FLOW_KIB) / 1024);
}
