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
import type { Config } from '../config/config.ts';
import type { Log } from '../health/log.ts';
import type { DirectoryDelta } from '../../hubble/decode/directory-delta.ts';
import { SupervisedThread } from '../supervise/supervised-thread.ts';
import type { FromObservatory, ObservatoryData, OutletStatus, ToObservatory } from './messages.ts';
import { type ApiCounts, SharedState } from './shared-state.ts';

/** Heap of a thread, besides what the kept flows take. */
const HEAP_MIB = 192;
/** Of a decoded flow: 3 with labels of two pods. */
const FLOW_KIB = 4;

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
  readonly #thread: SupervisedThread<ToObservatory, FromObservatory>;
  #outlets: OutletStatus = { exports: [], listeners: [], problems: [] };

  constructor(options: ObservatoryOptions) {
    this.#options = options;
    const { config, log, snapshot } = options;
    const workerData: ObservatoryData = { config, state: this.#state.buffer };
    this.#thread = new SupervisedThread({
      program: 'observatory',
      name: 'the observatory',
      log,
      workerData,
      heapMib: options.heapMib ?? heapMib(config),
      greeting: () => ({ directory: snapshot() }),
      onMessage: (message) => this.#take(message),
      onDeath: () => this.#failures.clear(),
    });
  }

  /** Starts the thread, unless it is switched off. @returns when it serves, or has died before */
  start(): Promise<void> {
    return this.#options.config.hubble.enabled ? this.#thread.start() : Promise.resolve();
  }

  /** Ends the thread, when it has written out what its sinks hold. */
  stop(): Promise<void> {
    return this.#thread.stop();
  }

  /** Tells the thread what has changed; without one, the next gets a snapshot. */
  learn(directory: DirectoryDelta): void {
    this.#thread.tell({ directory });
  }

  /** The agent has sent an echo request: what is about it alone is nobody's flow. */
  noteProbe(sequence: number, address: string): void {
    this.#thread.tell({ probe: { sequence, address } });
  }

  /** Since the agent's start. */
  get counts(): ObservatoryCounts {
    const { seen, lost, kept, heapBytes } = this.#state.counts;
    const { isReady, restarts } = this.#thread;
    const { enabled, 'event-buffer-capacity': flows } = this.#options.config.hubble;
    return { seen, lost, kept: isReady ? kept : 0, capacity: enabled ? flows : 0, heapBytes, restarts };
  }

  /** Of the API; undefined while nothing is served. */
  get api(): ApiCounts | undefined {
    return this.#thread.isReady ? this.#state.api : undefined;
  }

  /** As the thread has told last. */
  get outlets(): OutletStatus {
    return this.#outlets;
  }

  /** What is wrong now, one sentence each. */
  problems(): string[] {
    const { death } = this.#thread;
    const sinks = [...this.#failures].map(([name, error]) => `flows no longer go to the ${name}: ${error}`);
    return [
      ...this.#outlets.problems,
      ...(death === '' ? [] : [`the observatory died: ${death}: no flows are told until it runs again`]),
      ...sinks,
    ];
  }

  #take(message: FromObservatory): void {
    if ('outlets' in message) {
      this.#outlets = message.outlets;
      return;
    }
    const { name, error } = message.failure;
    this.#failures.set(name, error);
    this.#options.log.error({ sink: name, error }, 'a sink of flows failed and is switched off');
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
