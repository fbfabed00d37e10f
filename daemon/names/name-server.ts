/**
 * Keeps one name server running (sluice-dns, nameserver/README.md), with the sockets that it answers on.
 *
 *     off --want(netns)--> starting --answers--> running --exit, no answer for 5 s--> waiting --back-off--> starting
 *      ^                                           |
 *      +------------- want(undefined) -------------+          adopt(): pid and start time as noted, it answers
 *
 * The process is detached and outlives the agent; the next one finds it by the note, and asks it for its sockets. The sockets are
 * made here, in the network namespace of its pod, and stay the agent's: between two name servers what is asked waits in them, so
 * that a death costs a moment and no question. Sockets of a namespace that has gone are of no use: others are made.
 *
 * One of another version of Sluice is ended, and another begun with the same sockets.
 */
import type { ChildProcess } from 'node:child_process';
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { DnsStatus } from '../../api/shapes.ts';
import { nameServerNote, type NotedNameServer, strayNameServers } from '../../linux/dataplane-process.ts';
import { netnsIdentity } from '../../linux/netns.ts';
import { kill, killAfter } from '../../linux/process-end.ts';
import { isAlive, type ProcessId, startTimeOf } from '../../linux/process-id.ts';
import type { StateFile } from '../../linux/state-file.ts';
import { VERSION } from '../../linux/version.ts';
import type { ControlRequest, NameServerStatus, SocketDescription } from '../../nameserver/control.ts';
import { BackOff } from '../supervise/back-off.ts';
import { startProcess } from '../supervise/detached-process.ts';
import { type LinkAnswer, NameServerLink } from './name-server-link.ts';
import { NameServerSockets } from './name-server-sockets.ts';

const STATUS_EVERY_MS = 1000;
const REPLY_MS = 5000;
const FIRST_REPLY_MS = 15_000; // on a slow and busy machine
const ZONE_MS = 60_000;
const STOP_MS = 2000;

interface NameServerOptions {
  readonly runDir: string;
  /** Program and arguments; it finds its listening control socket as descriptor 3. */
  readonly command: readonly string[];
  readonly onEvent: (event: string, details: Record<string, unknown>) => void;
  /** What `status` says may be another. */
  readonly onChange: () => void;
}

/** What the name server says of itself, and one of another version may not. */
type Said = Partial<NameServerStatus>;

type State = DnsStatus['server'];

export class NameServer {
  readonly #options: NameServerOptions;
  readonly #note: StateFile<NotedNameServer | null>;
  #state: State['state'] = 'off';
  #process: ProcessId | undefined;
  #child: ChildProcess | undefined;
  #link: NameServerLink | undefined;
  #netns: string | undefined;
  readonly #sockets = new NameServerSockets();
  #said: Said = {};
  #problem = '';
  #isAdopted = false;
  #restarts = 0;
  #lastExit = '';
  #startedMs = 0;
  readonly #backOff = new BackOff();
  /** While one ends, no other begins: it has the sockets' addresses. */
  #ending: Promise<void> | undefined;
  #isLooking = false;
  #timer: NodeJS.Timeout | undefined;
  #respawn: NodeJS.Timeout | undefined;

  constructor(options: NameServerOptions) {
    this.#options = options;
    this.#note = nameServerNote(options.runDir);
  }

  get zonePath(): string {
    return join(this.#folder, 'zone');
  }

  get logPath(): string {
    return join(this.#folder, 'log');
  }

  status(): State {
    const pid = this.#process?.pid ?? 0;
    const [restarts, lastExit] = [this.#restarts, this.#lastExit];
    return { pid, state: this.#state, isAdopted: this.#isAdopted, restarts, lastExit };
  }

  /** What it said of itself last. */
  get said(): Said {
    return this.#said;
  }

  /** What is wrong, one sentence each. */
  problems(): string[] {
    if (this.#state === 'off') return [];
    const { problem = '', upstreams = [], counters = {} } = this.#said;
    const hasFallen = this.#state === 'waiting' || (this.#state === 'starting' && this.#lastExit !== '');
    // A machine that is not connected is no problem before somebody asks in vain.
    const inVain = (counters['failures'] ?? 0) + (counters['staleAnswers'] ?? 0);
    const isDark = inVain > 0 && upstreams.every(({ state }) => state !== 'asked');
    const listed = upstreams.map(({ server, state }) => (state === 'loop' ? `${server} (asks us)` : server)).join(', ');
    return [
      ...(hasFallen ? [`name server is ${this.#state}: it ended by ${this.#lastExit}: see ${this.logPath}`] : []),
      ...(this.#problem === '' ? [] : [`name server: ${this.#problem}`]),
      ...(problem === '' ? [] : [`name server: ${problem}`]),
      ...(isDark
        ? [
            `name server: none of the servers outside answers${listed === '' ? ': there are none' : `, ${listed}`}: see dns.upstreams`,
          ]
        : []),
    ];
  }

  /** Takes over the name server that an earlier agent left, with its sockets; ends one that is of no use. Call it first. */
  async adopt(): Promise<void> {
    const noted = this.#note.load(null);
    for (const stray of strayNameServers(this.#options.runDir, noted)) await kill(stray);
    if (noted === null || !isAlive(noted)) return;
    try {
      this.#link = this.#connect();
      const { version } = await this.#askStatus();
      const { fields, fds } = await this.#ask({ ask: 'sockets' });
      this.#sockets.keep(fields['sockets'] as readonly SocketDescription[], fds, noted.netns);
      if (version !== VERSION) throw new Error(`found version ${version}, wanted ${VERSION}`);
    } catch (error) {
      const reason = (error as Error).message;
      this.#options.onEvent('name server is replaced', { pid: noted.pid, reason });
      this.#link?.close();
      this.#link = undefined;
      await kill(noted);
      return;
    }
    this.#process = noted;
    this.#isAdopted = true;
    this.#enter('running');
    this.#options.onEvent('name server adopted', { pid: noted.pid });
  }

  /**
   * Says where it answers; the same again costs nothing.
   * @param netns network namespace of its pod; undefined = there shall be none
   */
  want(netns: string | undefined): void {
    this.#netns = netns;
    if (this.#ending !== undefined) return; // and then it is looked at again
    if (netns === undefined) {
      if (this.#state !== 'off' || this.#process !== undefined) void this.#end();
      return;
    }
    this.#timer ??= setInterval(() => this.#tick(), STATUS_EVERY_MS);
    const place = netnsIdentity(netns);
    if (place === undefined || (place === this.#sockets.place && this.#state !== 'off')) return;
    try {
      if (place !== this.#sockets.place) this.#sockets.open(netns, place);
    } catch (error) {
      this.#tell((error as Error).message);
      return;
    }
    if (this.#process !== undefined) void this.#listen();
    else if (this.#state === 'off') this.#spawn();
  }

  /**
   * The zone file is another.
   * @returns when it has been read, or nobody reads it: the name server looks at it by itself, and says in its status what is wrong with it
   */
  async zoneWritten(): Promise<void> {
    if (this.#process === undefined) return;
    try {
      // A link of its own: while a large file is read, nothing else is answered on it, which would look like a hang.
      const link = new NameServerLink(this.#socketPath, () => {});
      await link.ask({ ask: 'zone' }, [], ZONE_MS).finally(() => link.close());
    } catch {
      // not there, or not in time
    }
  }

  /** Ends it. */
  async stop(): Promise<void> {
    this.#netns = undefined;
    await (this.#ending ?? this.#end());
  }

  /** Removes what it has written. */
  clear(): void {
    rmSync(this.#folder, { recursive: true, force: true });
  }

  /** Leaves it for the next agent. */
  release(): void {
    this.#quieten();
    this.#child?.unref();
    this.#state = 'off';
    this.#link?.close();
  }

  get #folder(): string {
    return join(this.#options.runDir, 'dns');
  }

  get #socketPath(): string {
    return join(this.#folder, 'control.sock');
  }

  #quieten(): void {
    clearInterval(this.#timer);
    clearTimeout(this.#respawn);
    this.#timer = undefined;
    this.#child?.removeAllListeners('exit');
  }

  #end(): Promise<void> {
    this.#ending = this.#endOne().then(() => {
      this.#ending = undefined;
      this.#options.onChange();
      if (this.#netns !== undefined) this.want(this.#netns);
    });
    return this.#ending;
  }

  /** By word, by force when that does not help. */
  async #endOne(): Promise<void> {
    const process = this.#process;
    this.#quieten();
    this.#state = 'off';
    if (process !== undefined) {
      await this.#ask({ ask: 'stop' }).catch(() => {});
      await killAfter(process, STOP_MS);
    }
    this.#link?.close();
    this.#forget();
    this.#sockets.close();
    rmSync(this.#socketPath, { force: true });
    this.#note.remove();
    this.#problem = '';
    this.#lastExit = '';
  }

  #forget(): void {
    this.#child = undefined;
    this.#process = undefined;
    this.#link = undefined;
    this.#said = {};
  }

  #connect(): NameServerLink {
    return new NameServerLink(this.#socketPath, () => setImmediate(() => this.#look()));
  }

  #spawn(): void {
    this.#enter('starting');
    try {
      const child = this.#startChild();
      this.#child = child;
      child.once('error', (error) => this.#died(child, error.message));
      child.once('exit', (code, signal) => this.#died(child, signal ?? `exit code ${code}`));
      if (child.pid === undefined) return; // the error comes
      this.#process = { pid: child.pid, startTime: startTimeOf(child.pid) };
      this.#isAdopted = false;
      this.#noteProcess();
      this.#options.onEvent('name server started', { pid: child.pid });
      this.#link = this.#connect();
      void this.#listen();
    } catch (error) {
      this.#child?.kill('SIGKILL');
      this.#died(this.#child, (error as Error).message);
    }
  }

  #startChild(): ChildProcess {
    mkdirSync(this.#folder, { recursive: true, mode: 0o700 });
    const { command } = this.#options;
    return startProcess({ command, socketPath: this.#socketPath, logPath: this.logPath, stdin: 'ignore' });
  }

  /** Hands over the sockets, in place of those that it has. */
  async #listen(): Promise<void> {
    const { sockets, fds } = this.#sockets.all;
    try {
      const { ok, fields } = await this.#ask({ ask: 'listen', sockets }, fds);
      if (!ok) throw new Error(String(fields['problem']));
      this.#noteProcess();
      if (this.#state === 'starting') this.#enter('running');
      this.#tell('');
      await this.#askStatus();
    } catch (error) {
      if (this.#state !== 'off') this.#tell(`hand over sockets: ${(error as Error).message}`);
    }
  }

  #noteProcess(): void {
    if (this.#process === undefined) return;
    try {
      this.#note.save({ ...this.#process, netns: this.#sockets.place });
    } catch (error) {
      this.#tell((error as Error).message); // the next agent ends one that it does not know of
    }
  }

  #enter(state: State['state']): void {
    this.#state = state;
    if (state === 'starting') this.#startedMs = performance.now();
    this.#options.onChange();
  }

  #tell(problem: string): void {
    if (problem === this.#problem) return;
    this.#problem = problem;
    this.#options.onChange();
  }

  #tick(): void {
    if (this.#state === 'off') this.want(this.#netns); // its sockets could not be had
    this.#look();
  }

  /** Is it there, and does it answer? */
  #look(): void {
    const process = this.#process;
    if (process === undefined || this.#state === 'waiting' || this.#state === 'off') return;
    if (!isAlive(process)) {
      if (this.#isAdopted) this.#died(undefined, 'found dead'); // a child says itself how it ended
      return;
    }
    if (this.#isLooking) return;
    this.#isLooking = true;
    this.#lookAt().then(
      () => (this.#isLooking = false),
      (error: unknown) => {
        this.#isLooking = false;
        this.#replace(process, (error as Error).message);
      },
    );
  }

  /** @throws Error when it does not answer */
  async #lookAt(): Promise<void> {
    if (this.#link?.isOpen !== true) this.#link = this.#connect();
    await this.#askStatus();
    if (this.#state === 'starting') await this.#listen(); // its start took longer than we waited
    this.#backOff.noteAge(performance.now() - this.#startedMs);
  }

  /** One that lives and does not answer. */
  #replace(process: ProcessId, reason: string): void {
    if (this.#process !== process || !isAlive(process)) return;
    this.#options.onEvent('name server does not answer, killing it', { pid: process.pid, reason });
    void kill(process);
  }

  async #askStatus(): Promise<Said> {
    const { ok, fields } = await this.#ask({ ask: 'status' });
    if (!ok) throw new Error(String(fields['problem']));
    this.#said = fields['status'] ?? {};
    this.#options.onChange();
    return this.#said;
  }

  #ask(request: ControlRequest, fds: readonly number[] = []): Promise<LinkAnswer> {
    const patienceMs = this.#state === 'starting' ? FIRST_REPLY_MS : REPLY_MS;
    return this.#link?.ask(request, fds, patienceMs) ?? Promise.reject(new Error('there is no name server to ask'));
  }

  #died(child: ChildProcess | undefined, how: string): void {
    if (this.#state === 'off' || this.#state === 'waiting' || (child !== undefined && child !== this.#child)) return;
    this.#lastExit = how;
    const backoffMs = this.#backOff.next();
    this.#options.onEvent('name server died', { pid: this.#process?.pid ?? 0, how, backoffMs });
    this.#child?.removeAllListeners('exit');
    const link = this.#link;
    this.#forget();
    link?.close();
    this.#restarts++;
    this.#enter('waiting');
    this.#respawn = setTimeout(() => this.#spawn(), backoffMs);
  }
}
