/**
 * The agent's end of the page for browsers: the thread (daemon/page/thread.ts) that serves it. All that the thread knows of the agent it
 * asks on the agent's sockets, as any other client, so that the agent has nothing to tell it and never waits for it.
 * docs/decisions/0018-page.md says why it is so.
 */
import type { StatusDocument } from '../../api/shapes.ts';
import type { Config } from '../config/config.ts';
import type { Log } from '../health/log.ts';
import { SupervisedThread } from '../supervise/supervised-thread.ts';
import type { FromPage, PageStatus } from './messages.ts';

/** What it holds is the files and what is under way. */
const HEAP_MIB = 128;

const NOTHING: PageStatus = { address: '', problems: [], judgeDeaths: 0 };

export class Page {
  readonly #thread: SupervisedThread<never, FromPage> | undefined;
  #status: PageStatus = NOTHING;

  /** Nothing without the option `ui`. */
  constructor(config: Config, log: Pick<Log, 'info' | 'warn' | 'error'>) {
    if (!config.ui) return;
    this.#thread = new SupervisedThread({
      program: 'page',
      name: 'the thread of the page',
      log,
      workerData: config,
      heapMib: HEAP_MIB,
      onMessage: ({ page }) => (this.#status = page),
      onDeath: () => (this.#status = { ...NOTHING, judgeDeaths: this.#status.judgeDeaths }),
    });
  }

  /** Returns when the thread runs, or has died before; an address that is taken is not waited for. */
  async start(): Promise<void> {
    await this.#thread?.start();
  }

  async stop(): Promise<void> {
    await this.#thread?.stop();
  }

  /** Undefined when no page is wanted. */
  get document(): StatusDocument['page'] {
    const { address, judgeDeaths } = this.#status;
    return this.#thread && { address, restarts: this.#thread.restarts, judgeDeaths };
  }

  /** What is wrong now, one sentence each. */
  problems(): string[] {
    const death = this.#thread?.death ?? '';
    return [...this.#status.problems, ...(death === '' ? [] : [`the thread of the page died: ${death}`])];
  }
}
