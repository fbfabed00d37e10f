/**
 * Keeps one dataplane process running.
 *
 *               spawn                    word moves                    exit · hung 5 s
 *     (none) ------------> starting -----------------> running ---------------------------> (none), back-off, spawn
 *        ^                     |                          ^
 *        | too old, or dead    | exit                     | adopted: pid and start time as noted, socket answers
 *        +---------------------+                          |
 *     adopt() -- finds <runDir>/state/dataplane.json -----+
 *
 * The process is detached (its own session, output to a file), so it outlives an agent that dies; the next agent finds it by pid
 * and start time, connects, and asks for the descriptors of ports. It is watched by the heartbeat word that it
 * moves in the runtime_config map: a word that has not moved for 5 s, counted in ticks of this process, is a hang. (Counting ticks
 * instead of comparing clocks keeps a suspended machine from looking like one.) A hung process is killed.
 *
 * While one runs another stands by (standby.ts), which takes its place after a death; without one a new process is started.
 * After a death the next one starts at once; dying again within 30 s waits 100 ms, then twice as long each time, up to
 * 5 s. The listening socket is made here and given to each child.
 */
import type { ChildProcess } from 'node:child_process';
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { BackOff } from './back-off.ts';
import { ControlLink } from './control-link.ts';
import type { PacketSocket } from './control.ts';
import { startProcess } from './detached-process.ts';
import { Standby } from './standby.ts';
import { dataplaneNote } from '../../linux/dataplane-process.ts';
import { kill, killAfter } from '../../linux/process-end.ts';
import { isAlive, type ProcessId, startTimeOf } from '../../linux/process-id.ts';
import type { StateFile } from '../../linux/state-file.ts';

const TICK_MS = 100;
/** Its word moves every second. */
const SILENT_MS = 2000;
const HUNG_MS = 5000;
const START_GRACE_MS = 15_000; // mapping and touching default tables on a slow disk-backed machine
const STOP_MS = 3000;
const STANDBY_AFTER_MS = 1000; // not while pods are being attached at start
const LAST_LINES = 10;
const LAST_BYTES = 8192;

export interface SupervisorOptions {
  readonly runDir: string;
  /** Program and arguments of the dataplane; it finds the listening socket as descriptor 3. */
  readonly command: readonly string[];
  /** The same for a process that stands by; without it none does. */
  readonly standbyCommand?: readonly string[];
  /** The heartbeat word, any number that moves while the dataplane lives. */
  readonly heartbeat: () => number;
  /** CLOCK_MONOTONIC, ms. */
  readonly nowMs: () => number;
  /** How often the process is looked at, ms; default 100. */
  readonly tickMs?: number;
  /** Called with each new link, adopted or fresh, before anything else is sent. */
  readonly onLink: (link: ControlLink, isAdopted: boolean) => Promise<void> | void;
  readonly onEvent: (event: string, details: Record<string, unknown>) => void;
}

/** What `status` shows of the dataplane. */
export interface DataplaneState {
  readonly pid: number;
  readonly state: 'starting' | 'running' | 'waiting' | 'stopped';
  readonly isAdopted: boolean;
  readonly restarts: number;
  readonly lastExit: string;
}

/** The supervisor of one run directory. */
export class Supervisor {
  readonly #options: SupervisorOptions;
  readonly #note: StateFile<ProcessId | null>;
  readonly #standby: Standby | undefined;
  #process: ProcessId | undefined;
  #child: ChildProcess | undefined;
  #link: ControlLink | undefined;
  #state: DataplaneState['state'] = 'stopped';
  #isAdopted = false;
  /** It was loaded when it was asked to forward. */
  #hasStoodBy = false;
  #restarts = 0;
  #lastExit = '';
  /** Why the process could not be noted; '' when it is. */
  #noteProblem = '';
  /** Why it could not be looked after last; '' when it was. */
  #lookProblem = '';
  #lastWord = -1;
  #startedMs = 0;
  #unmovedMs = 0;
  #lastTickMs = 0;
  readonly #backOff = new BackOff();
  #timer: NodeJS.Timeout | undefined;
  #respawn: NodeJS.Timeout | undefined;

  constructor(options: SupervisorOptions) {
    this.#options = options;
    this.#note = dataplaneNote(options.runDir);
    const { standbyCommand: command } = options;
    const { socketPath, logPath } = this;
    if (command !== undefined) this.#standby = new Standby({ command, socketPath, logPath });
  }

  get socketPath(): string {
    return join(this.#options.runDir, 'dataplane.sock');
  }

  get logPath(): string {
    return join(this.#options.runDir, 'dataplane.log');
  }

  status(): DataplaneState {
    const pid = this.#process?.pid ?? 0;
    return { pid, state: this.#state, isAdopted: this.#isAdopted, restarts: this.#restarts, lastExit: this.#lastExit };
  }

  /** What is wrong with the process, a sentence; '' when nothing is. */
  problem(): string {
    const isUp = this.#state === 'running' || (this.#state === 'starting' && this.#lastExit === '');
    if (!isUp) return `dataplane is ${this.#state}: it ended by ${this.#lastExit}: see ${this.logPath}`;
    if (this.#state !== 'running' || this.#unmovedMs < SILENT_MS) return '';
    const seconds = Math.floor(this.#unmovedMs / 1000);
    return `dataplane has given no sign of life for ${seconds} s: after ${HUNG_MS / 1000} s another takes its place`;
  }

  /**
   * Takes over the dataplane that an earlier agent left running. Call before `start`.
   * @returns whether there was one that answers; one that does not is killed
   */
  async adopt(): Promise<boolean> {
    const noted = this.#note.load(null);
    if (noted === null || !isAlive(noted)) return false;
    try {
      this.#link = new ControlLink(this.socketPath);
    } catch (error) {
      this.#options.onEvent('dataplane does not answer, replacing it', {
        pid: noted.pid,
        reason: (error as Error).message,
      });
      await kill(noted);
      return false;
    }
    this.#process = noted;
    this.#isAdopted = true;
    this.#begin('running');
    await this.#options.onLink(this.#link, true);
    this.#options.onEvent('dataplane adopted', { pid: noted.pid });
    return true;
  }

  /** Starts a dataplane unless one was adopted, and watches it from now on. */
  async start(): Promise<void> {
    if (this.#process === undefined) await this.#spawn();
    this.#lastTickMs = this.#options.nowMs();
    this.#timer = setInterval(() => void this.#look(), this.#options.tickMs ?? TICK_MS);
  }

  /** Asks the dataplane to look at the maps. */
  wake(): void {
    this.#link?.wake();
  }

  /** Tells the dataplane that DNS answers may go on. */
  tellPublished(): void {
    this.#link?.published();
  }

  /** Hands over one more TAP. @returns false when there is nobody to hand it to now */
  givePort(port: number, fd: number): boolean {
    return this.#link?.givePort(port, fd) ?? false;
  }

  /** The same with packet sockets. */
  giveSockets(sockets: Iterable<readonly [number, PacketSocket]>): boolean {
    return this.#link?.giveSockets(sockets) ?? false;
  }

  /** Ends the dataplane: by word, after 3 s by force. */
  async stop(): Promise<void> {
    this.#halt();
    const process = this.#process;
    if (process !== undefined) {
      this.#link?.stop();
      await killAfter(process, STOP_MS);
    }
    rmSync(this.socketPath, { force: true });
    this.#note.remove();
    this.#process = undefined;
    this.#state = 'stopped';
  }

  /** Leaves the dataplane running for the next agent. */
  release(): void {
    this.#halt();
    this.#child?.unref();
  }

  #halt(): void {
    this.#standby?.end();
    clearInterval(this.#timer);
    clearTimeout(this.#respawn);
    this.#child?.removeAllListeners('exit');
    if (this.#state === 'waiting') this.#process = undefined;
  }

  async #spawn(): Promise<void> {
    try {
      await this.#spawnOnce();
    } catch (error) {
      this.#died((error as Error).message);
    }
  }

  async #spawnOnce(): Promise<void> {
    const standby = this.#standby?.take();
    const child = standby ?? this.#startChild();
    this.#child = child;
    this.#isAdopted = false;
    this.#hasStoodBy = standby !== undefined;
    this.#begin('starting');
    if (child.pid === undefined) throw await new Promise<Error>((resolve) => child.once('error', resolve));
    this.#process = { pid: child.pid, startTime: startTimeOf(child.pid) };
    this.#noteProcess(this.#process);
    standby?.stdin?.end('.'); // only now that it is noted
    child.once('exit', (code, signal) => this.#died(signal === null ? `exit code ${code}` : signal));
    this.#options.onEvent('dataplane started', { pid: child.pid });
    this.#link = new ControlLink(this.socketPath);
    await this.#options.onLink(this.#link, false);
  }

  /** Without a note the next agent ends the process as one that nobody knows of; so that is tried again with each beat. */
  #noteProcess(process: ProcessId): void {
    try {
      this.#note.save(process);
      this.#noteProblem = '';
    } catch (error) {
      const { message } = error as Error;
      if (message !== this.#noteProblem)
        this.#options.onEvent('dataplane not noted', { pid: process.pid, reason: message });
      this.#noteProblem = message;
    }
  }

  #startChild(): ChildProcess {
    const { socketPath, logPath } = this;
    return startProcess({ command: this.#options.command, socketPath, logPath, stdin: 'ignore' });
  }

  #begin(state: DataplaneState['state']): void {
    this.#state = state;
    this.#startedMs = this.#options.nowMs();
    this.#unmovedMs = 0;
    this.#lastWord = this.#options.heartbeat();
  }

  /** What fails is told once while it lasts, and tried again: it is no reason to end this process. */
  async #look(): Promise<void> {
    let found = '';
    try {
      await this.#tick();
    } catch (error) {
      found = (error as Error).message;
    }
    if (found !== '' && found !== this.#lookProblem)
      this.#options.onEvent('dataplane not looked after', { reason: found });
    this.#lookProblem = found;
  }

  async #tick(): Promise<void> {
    const now = this.#options.nowMs();
    const elapsed = Math.min(now - this.#lastTickMs, 2 * TICK_MS);
    this.#lastTickMs = now;
    const process = this.#process;
    if (process === undefined || this.#state === 'waiting') return;
    if (!isAlive(process)) {
      if (this.#isAdopted) this.#died('found dead'); // a child of ours says itself how it ended
      return;
    }
    if (this.#link?.isOpen === false) await this.#relink();
    const word = this.#options.heartbeat();
    if (word === this.#lastWord) this.#unmovedMs += elapsed;
    else this.#beat(word, now);
    if (this.#state === 'running' && now - this.#startedMs > STANDBY_AFTER_MS) this.#standby?.begin(now);
    const isLoading = this.#state === 'starting' && !this.#hasStoodBy;
    const limit = isLoading ? START_GRACE_MS : HUNG_MS;
    if (this.#unmovedMs <= limit) return;
    this.#options.onEvent('dataplane hangs, killing it', { pid: process.pid, unmovedMs: Math.round(this.#unmovedMs) });
    this.#unmovedMs = 0;
    await kill(process);
  }

  #beat(word: number, now: number): void {
    if (this.#noteProblem !== '' && this.#process !== undefined) this.#noteProcess(this.#process);
    this.#lastWord = word;
    this.#unmovedMs = 0;
    this.#state = 'running';
    this.#backOff.noteAge(now - this.#startedMs);
  }

  /** The process lives but has dropped the connection: a new one, and if there is none to be had, the heartbeat decides. */
  async #relink(): Promise<void> {
    try {
      this.#link = new ControlLink(this.socketPath);
    } catch {
      this.#link = undefined;
    }
    if (this.#link !== undefined) await this.#options.onLink(this.#link, false);
  }

  #died(how: string): void {
    if (this.#state === 'waiting') return;
    const backoffMs = this.#backOff.next();
    this.#lastExit = how;
    this.#options.onEvent('dataplane died', {
      pid: this.#process?.pid ?? 0,
      how,
      backoffMs,
      said: lastWords(this.logPath),
    });
    this.#state = 'waiting';
    this.#link?.close();
    this.#link = undefined;
    this.#process = undefined;
    this.#child?.removeAllListeners('exit');
    this.#restarts++;
    this.#respawn = setTimeout(() => void this.#spawn(), backoffMs);
  }
}

/** What the process said last: from the last line that begins with a time, at most LAST_LINES lines. */
function lastWords(path: string): string {
  try {
    const lines = readFileSync(path, 'utf8').slice(-LAST_BYTES).trim().split('\n');
    const from = Math.max(
      0,
      lines.findLastIndex((line) => /^\d{4}-\d\d-\d\dT/.test(line)),
    );
    return lines.slice(from, from + LAST_LINES).join('\n');
  } catch {
    return '';
  }
}
