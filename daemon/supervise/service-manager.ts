/**
 * systemd, when it started this process: what it is told, and what it keeps. A unit with `Type=notify` gives a socket for datagrams
 * (NOTIFY_SOCKET), each some lines of `WORD=VALUE`:
 *
 *   READY=1       it serves                           WATCHDOG=1    all is well; without it for WatchdogSec systemd ends it
 *   RELOADING=1   the configuration is read again     FDSTORE=1     with descriptors: keep them under FDNAME for the next start
 *   STOPPING=1    it ends                             FDSTOREREMOVE=1  let go of those under FDNAME
 *   STATUS=...    a line for `systemctl status`
 *
 * What was kept comes back at the next start as descriptors 3, 4, ... with LISTEN_FDS, LISTEN_FDNAMES and LISTEN_PID. These words
 * are this process's alone: they are taken out of the environment, so that no child believes them to be its own. A datagram that
 * finds no reader or a full queue is lost: watchdog and status come again; a descriptor that was not kept is told anew by whoever
 * has it (kept-descriptors.ts). Without systemd nothing happens.
 */
import { tellUnix } from '../../dataplane/native/index.ts';

/** The first descriptor that is handed over. */
const FIRST_FD = 3;
/** Words to systemd within the time in which it wants one: two may be lost. */
const BEATS = 3;
/** How often the status is looked at where there is no watchdog. */
const STATUS_MS = 10_000;
/** A status line is for people: longer ones are cut. */
const MAX_STATUS = 500;

export interface HandedDescriptor {
  readonly name: string;
  readonly fd: number;
}

export class ServiceManager {
  readonly #socket: string;
  readonly #watchdogMs: number;
  /** What was kept from an earlier start; the caller's. */
  readonly handed: readonly HandedDescriptor[];
  #status = '';
  #timer: NodeJS.Timeout | undefined;

  /** @param environment what is meant for this process alone is taken out of it */
  constructor(environment: NodeJS.ProcessEnv = process.env) {
    const take = (name: string): string => {
      const value = environment[name] ?? '';
      delete environment[name];
      return value;
    };
    this.#socket = take('NOTIFY_SOCKET');
    const isMeant = (pid: string): boolean => pid === '' || Number(pid) === process.pid;
    const microseconds = Number(take('WATCHDOG_USEC'));
    this.#watchdogMs = isMeant(take('WATCHDOG_PID')) && microseconds > 0 ? microseconds / 1000 : 0;
    const count = Number(take('LISTEN_FDS'));
    const names = take('LISTEN_FDNAMES').split(':');
    const isHanded = Number(take('LISTEN_PID')) === process.pid && Number.isInteger(count) && count > 0;
    this.handed = isHanded
      ? Array.from({ length: count }, (_, at) => ({ name: names[at] ?? '', fd: FIRST_FD + at }))
      : [];
  }

  /** Whether anybody is told. */
  get isThere(): boolean {
    return this.#socket !== '';
  }

  /** It serves. From now on the watchdog is told while all is well, and who asks for the status what is said of it. */
  ready(look: () => { readonly isWell: boolean; readonly status: string }): void {
    this.#tell('READY=1');
    if (!this.isThere) return;
    const beat = (): void => {
      const { isWell, status } = look();
      const line = status.replace(/[\r\n]+/g, ' ').slice(0, MAX_STATUS);
      const lines = [
        ...(isWell && this.#watchdogMs > 0 ? ['WATCHDOG=1'] : []),
        ...(line === this.#status ? [] : [`STATUS=${line}`]),
      ];
      if (lines.length > 0 && this.#tell(...lines)) this.#status = line;
    };
    beat();
    this.#timer = setInterval(beat, this.#watchdogMs > 0 ? this.#watchdogMs / BEATS : STATUS_MS).unref();
  }

  /** The configuration is being read again: `read` does so. */
  reload(nowMs: number, read: () => void): void {
    this.#tell('RELOADING=1', `MONOTONIC_USEC=${Math.floor(nowMs * 1000)}`);
    try {
      read();
    } finally {
      this.#tell('READY=1');
    }
  }

  stopping(): void {
    clearInterval(this.#timer);
    this.#tell('STOPPING=1');
  }

  /** Has a descriptor kept beyond this process. @returns whether it was told */
  keep(name: string, fd: number): boolean {
    // What the kernel says of it while its interface is down is no reason to let go of it.
    return this.#tellWith([fd], 'FDSTORE=1', 'FDPOLL=0', `FDNAME=${name}`);
  }

  /** No longer. @returns whether it was told */
  letGo(name: string): boolean {
    return this.#tell('FDSTOREREMOVE=1', `FDNAME=${name}`);
  }

  #tell(...lines: string[]): boolean {
    return this.#tellWith([], ...lines);
  }

  #tellWith(fds: readonly number[], ...lines: string[]): boolean {
    return this.isThere && tellUnix(this.#socket, fds, Buffer.from(`${lines.join('\n')}\n`)) === 0;
  }
}
