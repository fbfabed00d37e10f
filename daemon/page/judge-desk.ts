/**
 * Where the page's questions wait for the judge (daemon/judge/), and what starts and ends it. It is a process, since manifests are foreign:
 * V8 ends a whole process, not a thread, for some allocations that it cannot make, and the agent must outlive them.
 *
 *     question --> queue (WAITING_LIMIT) --> judge, one at a time --> answer
 *                                              | late, or dead: its question is answered so, and the next one starts another
 *
 * Quick questions go before slow ones: who types waits for no matrix. A question whose browser has gone is not put. The judge starts with the
 * first question, and ends after UNASKED_MS without one. Bounds: QUICK_MS and SLOW_MS for an answer, HEAP_MIB of heap.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { programPath } from '../../linux/programs.ts';
import type { JudgeReply, JudgeRequest } from '../judge/messages.ts';
import { BackOff } from '../supervise/back-off.ts';

const WAITING_LIMIT = 16;
const QUICK = ['explain', 'validate', 'selected'];
const QUICK_MS = 10_000;
const SLOW_MS = 45_000;
const UNASKED_MS = 300_000;
const HEAP_MIB = 768;
const STDERR_CHARS = 4096;

export interface Judged {
  readonly status: number;
  /** JSON. */
  readonly text: string;
}

interface Waiting {
  readonly id: number;
  readonly question: string;
  readonly body: Buffer;
  readonly limitMs: number;
  readonly done: (judged: Judged) => void;
}

interface DeskOptions {
  readonly runDir: string;
  /** MiB. */
  readonly heapMib?: number;
  readonly quickMs?: number;
  readonly slowMs?: number;
  /** The judge has died, and why. */
  readonly onDeath: (reason: string) => void;
}

export class JudgeDesk {
  readonly #options: DeskOptions;
  readonly #backOff = new BackOff();
  #queue: Waiting[] = [];
  #asked: Waiting | undefined;
  #judge: ChildProcess | undefined;
  #timer: NodeJS.Timeout | undefined;
  #pause: NodeJS.Timeout | undefined;
  #deaths = 0;
  #lastId = 0;
  #isStopped = false;

  constructor(options: DeskOptions) {
    this.#options = options;
  }

  /** Questions that wait, and judges that were late or died. */
  get counts(): { readonly waiting: number; readonly deaths: number } {
    return { waiting: this.#queue.length, deaths: this.#deaths };
  }

  /** @param gone called off: nobody waits for the answer any more */
  ask(question: string, body: Buffer, gone: AbortSignal): Promise<Judged> {
    if (this.#isStopped) return Promise.resolve(failure(503, 'the page stops'));
    if (this.#queue.length >= WAITING_LIMIT)
      return Promise.resolve(failure(503, `${WAITING_LIMIT} questions wait: try again`));
    const { quickMs = QUICK_MS, slowMs = SLOW_MS } = this.#options;
    const limitMs = QUICK.includes(question) ? quickMs : slowMs;
    return new Promise((done) => {
      const waiting = { id: ++this.#lastId, question, body, limitMs, done };
      const at = this.#queue.findIndex((one) => one.limitMs > limitMs);
      this.#queue.splice(at < 0 ? this.#queue.length : at, 0, waiting);
      gone.addEventListener('abort', () => (this.#queue = this.#queue.filter((one) => one !== waiting)));
      this.#next();
    });
  }

  /** Ends the judge; whoever waits is told. */
  stop(): void {
    this.#isStopped = true;
    clearTimeout(this.#timer);
    clearTimeout(this.#pause);
    for (const { done } of this.#queue.splice(0)) done(failure(503, 'the page stops'));
    this.#answer(failure(503, 'the page stops'));
    this.#judge?.kill('SIGKILL');
  }

  #next(): void {
    if (this.#asked !== undefined || this.#pause !== undefined || this.#isStopped) return;
    const [next] = this.#queue;
    clearTimeout(this.#timer);
    if (next === undefined) {
      this.#timer = setTimeout(() => this.#judge?.kill('SIGKILL'), UNASKED_MS).unref();
      return;
    }
    this.#queue.shift();
    this.#asked = next;
    const { id, question, body, limitMs } = next;
    const judge = this.#judge ?? this.#start();
    const request: JudgeRequest = { id, question, body };
    judge.send(request, (error) => error !== null && judge.kill('SIGKILL'));
    this.#timer = setTimeout(() => this.#giveUp(judge, limitMs), limitMs);
  }

  #start(): ChildProcess {
    const startedMs = performance.now();
    const { heapMib = HEAP_MIB, runDir } = this.#options;
    const judge = fork(programPath('sluice-judge'), ['--run-dir', runDir], {
      execArgv: [`--max-old-space-size=${heapMib}`],
      serialization: 'advanced',
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    });
    this.#judge = judge;
    let said = '';
    judge.stderr?.setEncoding('utf8').on('data', (text: string) => (said = (said + text).slice(-STDERR_CHARS)));
    judge.on('error', () => undefined); // its exit follows, or it could not be started and exits with -1
    judge.on('message', (reply: JudgeReply) => {
      if (reply.id !== this.#asked?.id) return;
      this.#answer(reply);
      this.#next();
    });
    judge.once('close', (code, signal) => {
      const isOutOfMemory = /heap out of memory|Allocation failed/.test(said);
      this.#onEnd(
        judge,
        isOutOfMemory ? 'out of memory' : (signal ?? `exit code ${code}`),
        performance.now() - startedMs,
      );
    });
    return judge;
  }

  #giveUp(judge: ChildProcess, limitMs: number): void {
    this.#answer(failure(503, `the judge found no answer within ${limitMs / 1000} s: ask about less`));
    this.#noteDeath(`no answer within ${limitMs / 1000} s`);
    this.#judge = undefined; // the next question gets another
    judge.kill('SIGKILL');
    this.#next();
  }

  #onEnd(judge: ChildProcess, reason: string, livedMs: number): void {
    if (this.#judge !== judge) return;
    this.#judge = undefined;
    this.#backOff.noteAge(livedMs);
    if (this.#asked === undefined || this.#isStopped) return; // it was idle
    this.#answer(failure(503, `the judge died of this question: ${reason}`));
    this.#noteDeath(reason);
    this.#pause = setTimeout(() => {
      this.#pause = undefined;
      this.#next();
    }, this.#backOff.next());
  }

  #noteDeath(reason: string): void {
    this.#deaths++;
    this.#options.onDeath(reason);
  }

  #answer(judged: Judged): void {
    const asked = this.#asked;
    this.#asked = undefined;
    clearTimeout(this.#timer);
    asked?.done(judged);
  }
}

function failure(status: number, error: string): Judged {
  return { status, text: `${JSON.stringify({ error, problems: [] })}\n` };
}
