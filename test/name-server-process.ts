/**
 * sluice-dns as the agent runs it, without an agent: its run directory, its control socket, and the sockets that it is given.
 *
 *   test ── zone file, control socket ──▶ sluice-dns (in `netns`) ◀── port 53 in `service.netns` ── clients
 *
 * The sockets are the test's too, so that another process can be started in the place of one that was killed.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { closeFd, recvFds, sendFds, unixConnect, unixListen, waitReadable } from '../dataplane/native/index.ts';
import { openInetSocket } from '../dataplane/native/inet.ts';
import { programPath } from '../linux/programs.ts';
import { formatZoneFile, type ZoneFile } from '../nameserver/zone-file.ts';
import { type Cleanup, PATIENCE_MS } from './command.ts';

export interface NameServerOptions {
  readonly name: string;
  readonly cleanup: Cleanup;
  /** Where it runs and asks others. */
  readonly netns?: string;
  /** Where it is asked. */
  readonly service: { readonly netns?: string; readonly addresses: readonly string[]; readonly port: number };
}

export interface ControlReply {
  readonly ok: boolean;
  readonly problem?: string;
  readonly serial?: number;
  readonly status?: {
    readonly pid: number;
    readonly problem: string;
    readonly memoryBytes: number;
    readonly upstreams: readonly { server: string; state: string }[];
    readonly counters: Readonly<Record<string, number>>;
  };
}

export class NameServerProcess {
  readonly runDir: string;
  readonly #options: NameServerOptions;
  readonly #sockets: { type: 'udp' | 'tcp'; address: string; port: number; fd: number }[];
  #child: ChildProcess | undefined;
  #link = -1;

  constructor(options: NameServerOptions) {
    this.#options = options;
    this.runDir = mkdtempSync(join(tmpdir(), `${options.name}-`));
    mkdirSync(join(this.runDir, 'dns'));
    options.cleanup.add(() => rmSync(this.runDir, { recursive: true, force: true }));
    options.cleanup.add(() => this.#child?.kill('SIGKILL'));
    const { netns, addresses, port } = options.service;
    this.#sockets = addresses.flatMap((address) =>
      (['udp', 'tcp'] as const).map((type) => ({
        type,
        address,
        port,
        fd: openInetSocket(type, address, port, netns === undefined ? {} : { netns }),
      })),
    );
    options.cleanup.add(() => this.#sockets.forEach(({ fd }) => closeFd(fd)));
  }

  get log(): string {
    return readFileSync(join(this.runDir, 'log'), 'utf8');
  }

  get pid(): number {
    return this.#child?.pid ?? -1;
  }

  get hasEnded(): boolean {
    return this.#child === undefined || this.#child.exitCode !== null || this.#child.signalCode !== null;
  }

  writeZone(zone: ZoneFile | string): void {
    const path = join(this.runDir, 'dns/zone');
    writeFileSync(`${path}.new`, typeof zone === 'string' ? zone : formatZoneFile(zone));
    renameSync(`${path}.new`, path);
  }

  /** Starts a process, and gives it the sockets. */
  start(): void {
    const path = join(this.runDir, 'dns/control.sock');
    rmSync(path, { force: true });
    const listenFd = unixListen(path);
    const { netns } = this.#options;
    const [program, ...argv] = [
      ...(netns === undefined ? [] : ['ip', 'netns', 'exec', netns]),
      process.execPath,
      programPath('sluice-dns'),
      '--run-dir',
      this.runDir,
    ];
    const log = join(this.runDir, 'log');
    const shell = ['-c', `exec "$@" >>${log} 2>&1`, 'sh', program, ...argv];
    this.#child = spawn('sh', shell, { stdio: ['ignore', 'ignore', 'ignore', listenFd] });
    closeFd(listenFd);
    this.#link = unixConnect(path);
    this.give();
  }

  /** Gives it the sockets of the test. */
  give(): ControlReply {
    const sockets = this.#sockets.map(({ type, address, port }) => ({ type, address, port }));
    return this.ask(
      { ask: 'listen', sockets },
      this.#sockets.map(({ fd }) => fd),
    ).reply;
  }

  /** Asks on the control socket. */
  ask(request: unknown, fds: readonly number[] = []): { reply: ControlReply; fds: readonly number[] } {
    sendFds(this.#link, fds, Buffer.from(typeof request === 'string' ? request : JSON.stringify(request)));
    if (!waitReadable(this.#link, PATIENCE_MS)) throw new Error('ask sluice-dns: no answer');
    const message = recvFds(this.#link);
    if (message === null || message.isClosed) throw new Error('ask sluice-dns: it has gone');
    return { reply: JSON.parse(Buffer.from(message.payload).toString()) as ControlReply, fds: message.fds };
  }

  get status(): NonNullable<ControlReply['status']> {
    const { status } = this.ask({ ask: 'status' }).reply;
    if (status === undefined) throw new Error('ask sluice-dns: an answer without status');
    return status;
  }

  /** Ends it by a signal and waits until it is gone. @returns its exit code; null when the signal did it */
  async end(signal: NodeJS.Signals): Promise<number | null> {
    const child = this.#child;
    if (child === undefined) return null;
    const exit = once(child, 'exit');
    child.kill(signal);
    await exit;
    closeFd(this.#link);
    this.#child = undefined;
    return child.exitCode;
  }
}
