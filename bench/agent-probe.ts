/**
 * Loaded into an agent that is measured (by the flag import of Node), in its main thread and in each of its threads: answers with the memory that is left when all garbage
 * has gone, and with the longest time that the thread held up everybody else.
 *
 * The bench asks by writing a number into `<PROBE_DIR>/ask`; each thread writes `<PROBE_DIR>/<number>-<thread>.json`.
 */
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { isMainThread, threadId } from 'node:worker_threads';

const LOOK_MS = 50;
const BEAT_MS = 5;

/** What a thread answers. */
export interface ProbeAnswer {
  readonly isMain: boolean;
  readonly program: string;
  /** Bytes in use on the heap of this thread, garbage gone. */
  readonly heap: number;
  /** Bytes outside of V8's heaps that objects of this thread hold. */
  readonly outside: number;
  /** Of the process. */
  readonly rss: number;
  /** Of its own CPU time between two beats of its event loop, ms, since the last question: time that others had of the machine does not count. */
  readonly longestBlockMs: number;
}

const directory = process.env['PROBE_DIR'] ?? '';
const program = process.argv[1] ?? '';

function ownCpuMs(): number {
  return Number(readFileSync('/proc/thread-self/schedstat', 'utf8').split(' ')[0]) / 1e6;
}

function watch(): void {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  let last = ownCpuMs();
  let longestBlockMs = 0;
  const beat = (): void => {
    const now = ownCpuMs();
    longestBlockMs = Math.max(longestBlockMs, now - last);
    last = now;
  };
  setInterval(beat, BEAT_MS).unref();
  const ask = join(directory, 'ask');
  let answered = '';
  const look = (): void => {
    const asked = existsSync(ask) ? readFileSync(ask, 'utf8') : '';
    if (asked === answered) return;
    answered = asked;
    beat();
    collect();
    collect();
    const { heapUsed, external, rss } = process.memoryUsage();
    const answer: ProbeAnswer = {
      isMain: isMainThread,
      program,
      heap: heapUsed,
      outside: external,
      rss,
      longestBlockMs,
    };
    const path = join(directory, `${asked}-${threadId}.json`);
    writeFileSync(`${path}.new`, JSON.stringify(answer));
    renameSync(`${path}.new`, path);
    // Its own collection is nobody's block.
    last = ownCpuMs();
    longestBlockMs = 0;
  };
  setInterval(look, LOOK_MS).unref();
}

if (directory !== '') watch();
