/**
 * The agent's end of the name server's control socket (nameserver/control.ts): questions in order, an answer to each. One that is
 * not answered in time, or that cannot be sent, ends the link; whoever holds it makes another.
 */
import { closeFd, recvFds, sendFds, unixConnect } from '../../dataplane/native/index.ts';
import { watchReadable } from '../../dataplane/native/inet.ts';
import type { ControlRequest } from '../../nameserver/control.ts';

const REQUEST_TIMEOUT_MS = 100;

/** What was answered, and descriptors that came with it: the caller's to close. */
export interface LinkAnswer {
  readonly ok: boolean;
  readonly fields: Readonly<Record<string, unknown>>;
  readonly fds: readonly number[];
}

interface Waiting {
  readonly resolve: (answer: LinkAnswer) => void;
  readonly reject: (error: Error) => void;
  readonly timer: NodeJS.Timeout;
}

export class NameServerLink {
  readonly #fd: number;
  readonly #unwatch: () => void;
  readonly #onEnd: () => void;
  readonly #waiting: Waiting[] = [];
  #isOpen = true;

  /**
   * @param onEnd it has ended, from whichever side
   * @throws SystemError when nobody listens there
   */
  constructor(path: string, onEnd: () => void) {
    this.#fd = unixConnect(path, { timeoutMs: REQUEST_TIMEOUT_MS });
    this.#onEnd = onEnd;
    this.#unwatch = watchReadable(this.#fd, () => this.#receive());
  }

  get isOpen(): boolean {
    return this.#isOpen;
  }

  /**
   * Asks.
   * @param fds handed over; the name server gets duplicates
   * @param patienceMs how long the answer may take
   * @throws Error when the link has ended, or ends before the answer
   */
  ask(request: ControlRequest, fds: readonly number[], patienceMs: number): Promise<LinkAnswer> {
    return new Promise((resolve, reject) => {
      if (!this.#isOpen) {
        reject(new Error('the link to the name server has ended'));
        return;
      }
      const late = new Error(`the name server has not answered within ${patienceMs} ms`);
      this.#waiting.push({ resolve, reject, timer: setTimeout(() => this.close(late), patienceMs) });
      try {
        sendFds(this.#fd, fds, Buffer.from(JSON.stringify(request)), REQUEST_TIMEOUT_MS);
      } catch (error) {
        this.close(error as Error);
      }
    });
  }

  close(reason = new Error('the link to the name server was given up')): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#unwatch();
    closeFd(this.#fd);
    for (const { reject, timer } of this.#waiting.splice(0)) {
      clearTimeout(timer);
      reject(reason);
    }
    this.#onEnd();
  }

  #receive(): void {
    try {
      const message = recvFds(this.#fd);
      if (message === null) return;
      if (message.isClosed) throw new Error('the name server has ended the link');
      this.#take(message.payload, message.fds);
    } catch (error) {
      this.close(error as Error);
    }
  }

  #take(payload: Uint8Array, fds: readonly number[]): void {
    const waiting = this.#waiting.shift();
    try {
      const fields = JSON.parse(Buffer.from(payload).toString('utf8')) as Record<string, unknown>;
      if (waiting === undefined) throw new Error('the name server has answered what was not asked');
      clearTimeout(waiting.timer);
      waiting.resolve({ ok: fields['ok'] === true, fields, fds });
    } catch (error) {
      for (const fd of fds) closeFd(fd);
      waiting?.reject(error as Error);
      clearTimeout(waiting?.timer);
      throw error;
    }
  }
}
