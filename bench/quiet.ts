/**
 * Whether the machine did anything else while figures were taken. What this bench starts is below it, or carries a variable in its environment:
 * daemons leave their parent (Open vSwitch), and some programs empty their environment (nginx).
 */
import { randomUUID } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { setTimeout as pause } from 'node:timers/promises';
import { busyCpuUs, processCpuUs, stolenCpuUs } from './machine.ts';

const MARK = 'SLUICE_BENCH_RUN';
/** Of all cores' time, in the seconds before the first load. */
const BUSY_BEFORE_PERCENT = 5;
/** Of all cores' time, while the loads ran. */
const OTHERS_PERCENT = 3;
const STOLEN_PERCENT = 2;
const LOOK_MS = 2000;
const SAMPLE_MS = 5000;
const NAMED = 3;

/** What else went on. */
export interface Noise {
  readonly busyBeforePercent: number;
  readonly othersPercent: number;
  readonly stolenPercent: number;
  /** Names of programs with the greatest share first, of those that are not the bench's. */
  readonly others: readonly string[];
}

/** One sentence each; none when the machine was quiet. */
export function disturbances({ busyBeforePercent, othersPercent, stolenPercent, others }: Noise): string[] {
  const who = others.length === 0 ? '' : `: ${others.join(', ')}`;
  return [
    ...(busyBeforePercent > BUSY_BEFORE_PERCENT
      ? [`${busyBeforePercent.toFixed(1)} % of the CPU time was used before the first load${who}`]
      : []),
    ...(othersPercent > OTHERS_PERCENT
      ? [`${othersPercent.toFixed(1)} % of the CPU time went to other programs meanwhile${who}`]
      : []),
    ...(stolenPercent > STOLEN_PERCENT
      ? [`${stolenPercent.toFixed(1)} % of the CPU time went to other machines (steal)`]
      : []),
  ];
}

/** Watches from `start()` until `stop()`; costs a look at /proc every 5 s. */
export class NoiseWatch {
  readonly #began = performance.now();
  readonly #stolen = stolenCpuUs();
  readonly #busyBeforePercent: number;
  /** CPU time of others by name, microseconds. */
  readonly #othersUs = new Map<string, number>();
  #last: ReadonlyMap<number, Other> = othersNow();
  readonly #timer: NodeJS.Timeout;

  private constructor(busyBeforePercent: number) {
    this.#busyBeforePercent = busyBeforePercent;
    this.#timer = setInterval(() => this.#sample(), SAMPLE_MS).unref();
  }

  /** Looks at the machine for two seconds first. */
  static async start(): Promise<NoiseWatch> {
    process.env[MARK] = randomUUID();
    const [before, busy] = [othersNow(), busyCpuUs()];
    await pause(LOOK_MS);
    const watch = new NoiseWatch(percentOfAll(busyCpuUs() - busy, LOOK_MS));
    watch.#count(before, othersNow());
    return watch;
  }

  /** What was seen so far. */
  noise(): Noise {
    const elapsedMs = performance.now() - this.#began;
    const total = [...this.#othersUs.values()].reduce((sum, us) => sum + us, 0);
    const named = [...this.#othersUs].filter(([, us]) => us > 0).sort(([, one], [, other]) => other - one);
    return {
      busyBeforePercent: this.#busyBeforePercent,
      othersPercent: percentOfAll(total, elapsedMs + LOOK_MS),
      stolenPercent: percentOfAll(stolenCpuUs() - this.#stolen, elapsedMs),
      others: named.slice(0, NAMED).map(([name]) => name),
    };
  }

  stop(): Noise {
    clearInterval(this.#timer);
    this.#sample();
    return this.noise();
  }

  #sample(): void {
    const now = othersNow();
    this.#count(this.#last, now);
    this.#last = now;
  }

  /** One that is new since then counts with all that it has used. */
  #count(before: ReadonlyMap<number, Other>, now: ReadonlyMap<number, Other>): void {
    for (const [pid, { name, us }] of now) {
      const used = us - (before.get(pid)?.us ?? 0);
      this.#othersUs.set(name, (this.#othersUs.get(name) ?? 0) + used);
    }
  }
}

interface Other {
  readonly name: string;
  readonly us: number;
}

const percentOfAll = (us: number, elapsedMs: number): number => us / (elapsedMs * 10 * cpus().length);

/** Programs that neither this process nor what it started is. The kernel's own threads work for whoever sends. */
function othersNow(): Map<number, Other> {
  const mark = `${MARK}=${process.env[MARK]}`;
  const found = new Map<number, Other>();
  const ours = new Set([process.pid]);
  // A child has a greater number than its parent, unless the numbers went round.
  const pids = readdirSync('/proc')
    .map(Number)
    .filter((pid) => !Number.isNaN(pid));
  for (const pid of pids.sort((one, other) => one - other)) {
    try {
      const parent = readFileSync(`/proc/${pid}/stat`, 'utf8')
        .replace(/^.*\) /s, '')
        .split(' ')[1];
      const isMarked = readFileSync(`/proc/${pid}/environ`, 'utf8').includes(mark);
      const isKernels = readFileSync(`/proc/${pid}/cmdline`).length === 0;
      if (isMarked || ours.has(Number(parent))) ours.add(pid);
      if (isKernels || ours.has(pid)) continue;
      found.set(pid, { name: readFileSync(`/proc/${pid}/comm`, 'utf8').trim(), us: processCpuUs(pid) });
    } catch {
      // It ended while it was looked at.
    }
  }
  return found;
}
