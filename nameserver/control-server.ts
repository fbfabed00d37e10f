/** The name server's end of the control socket (control.ts). Who does not read his answers is cut off. */
import { closeFd, recvFds, sendFds, unixAccept } from '../dataplane/native/index.ts';
import { watchReadable } from '../dataplane/native/inet.ts';
import { type ControlRequest, parseRequest, type SocketDescription } from './control.ts';

const MAX_LINKS = 8;
const ANSWER_TIMEOUT_MS = 100;

/** What an answer says besides `ok`, and the descriptors that it brings; they stay ours. */
export interface ControlAnswer {
  readonly fields?: Readonly<Record<string, unknown>>;
  readonly fds?: readonly number[];
}

/**
 * Does what was asked.
 * @param fds what came with it, the callee's from now on when it returns
 * @throws Error whose message is the answer; then the descriptors are closed
 */
export type Perform = (request: ControlRequest, fds: readonly number[]) => Promise<ControlAnswer>;

export class ControlServer {
  readonly #listenFd: number;
  readonly #perform: Perform;
  /** Descriptor of a connection -> what ends its watch. */
  readonly #links = new Map<number, () => void>();
  readonly #unwatch: () => void;

  /** @param listenFd a listening unix socket */
  constructor(listenFd: number, perform: Perform) {
    this.#listenFd = listenFd;
    this.#perform = perform;
    this.#unwatch = watchReadable(listenFd, () => this.#accept());
  }

  close(): void {
    this.#unwatch();
    for (const fd of [...this.#links.keys()]) this.#end(fd);
  }

  #accept(): void {
    const fd = unixAccept(this.#listenFd);
    if (fd < 0) return;
    const [oldest] = this.#links.keys();
    if (this.#links.size === MAX_LINKS) this.#end(oldest);
    this.#watch(fd);
  }

  #watch(fd: number): void {
    this.#links.set(
      fd,
      watchReadable(fd, () => void this.#serve(fd)),
    );
  }

  /** Reads and answers one request; the next one waits in the socket meanwhile. */
  async #serve(fd: number): Promise<void> {
    try {
      const message = recvFds(fd);
      if (message === null) return;
      const endWatch = this.#links.get(fd);
      endWatch?.();
      if (message.isClosed) {
        this.#end(fd);
        return;
      }
      await this.#answer(fd, message);
      if (this.#links.get(fd) === endWatch) this.#watch(fd);
    } catch {
      this.#end(fd);
    }
  }

  async #answer(fd: number, { payload, fds }: { payload: Uint8Array; fds: readonly number[] }): Promise<void> {
    const { fields, fds: given = [] } = await this.#try(payload, fds);
    if (this.#links.has(fd)) sendFds(fd, given, Buffer.from(JSON.stringify(fields)), ANSWER_TIMEOUT_MS);
  }

  async #try(payload: Uint8Array, fds: readonly number[]): Promise<ControlAnswer> {
    try {
      const { fields, fds: given } = await this.#perform(parseRequest(payload), fds);
      return { fields: { ok: true, ...fields }, ...(given === undefined ? {} : { fds: given }) };
    } catch (error) {
      for (const fd of fds) closeFd(fd);
      return { fields: { ok: false, problem: (error as Error).message } };
    }
  }

  #end(fd: number): void {
    this.#links.get(fd)?.();
    if (this.#links.delete(fd)) closeFd(fd);
  }
}

/** @throws Error when there are not as many descriptors as described */
export function checkSockets(sockets: readonly SocketDescription[], fds: readonly number[]): void {
  if (sockets.length !== fds.length)
    throw new Error(`listen: found ${fds.length} descriptors, wanted ${sockets.length}, one for each socket described`);
}
