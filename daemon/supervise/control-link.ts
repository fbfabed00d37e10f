/**
 * The agent's end of the control socket (see control.ts). Sending never waits long: messages are 16 bytes and the
 * dataplane reads them many times a second; a link that cannot be written to is a dead link.
 */
import { closeFd, recvFds, sendFds, unixConnect } from '../../dataplane/native/index.ts';
import { CONTROL, decodeControl, encodeControl } from './control.ts';

const SEND_TIMEOUT_MS = 100;
const RETURN_TIMEOUT_MS = 10_000; // without them every TAP is made anew, so a busy machine gets its time
const POLL_MS = 5;

/** One connection to a dataplane. */
export class ControlLink {
  readonly #fd: number;
  #isOpen = true;

  /** @throws SystemError when nobody listens there */
  constructor(path: string) {
    this.#fd = unixConnect(path);
    this.#send(CONTROL.HELLO, 0, process.pid);
  }

  /** Whether the other side still holds its end. Reads and discards what came in. */
  get isOpen(): boolean {
    while (this.#isOpen) {
      const message = this.#receive();
      if (message === null) break;
      for (const fd of message.fds) closeFd(fd);
    }
    return this.#isOpen;
  }

  /** Hands over the descriptor of a TAP port; the dataplane gets a duplicate. @returns false when the link is dead */
  givePort(port: number, fd: number): boolean {
    return this.#send(CONTROL.PORT_FD, port, 0, [fd]);
  }

  /** Asks the dataplane to read ports and policy now. @returns false when the link is dead */
  wake(): boolean {
    return this.#send(CONTROL.WAKE);
  }

  /** Asks the dataplane to end. @returns false when the link is dead */
  stop(): boolean {
    return this.#send(CONTROL.STOP);
  }

  /**
   * Asks a running dataplane for duplicates of the TAP descriptors it holds, port index -> descriptor. What has come within
   * ten seconds is the answer; the descriptors are the caller's.
   */
  async returnFds(): Promise<Map<number, number>> {
    const found = new Map<number, number>();
    if (!this.#send(CONTROL.RETURN_FDS)) return found;
    for (let waited = 0; waited < RETURN_TIMEOUT_MS && this.#isOpen; ) {
      const message = this.#receive();
      if (message === null) {
        await new Promise((resolve) => setTimeout(resolve, POLL_MS));
        waited += POLL_MS;
        continue;
      }
      if (message.payload.length === 0) continue;
      const { kind, port } = decodeControl(message.payload);
      if (kind === CONTROL.END) break;
      for (const fd of message.fds) {
        if (kind === CONTROL.PORT_FD && !found.has(port)) found.set(port, fd);
        else closeFd(fd);
      }
    }
    return found;
  }

  close(): void {
    if (this.#isOpen) closeFd(this.#fd);
    this.#isOpen = false;
  }

  #send(kind: number, port = 0, value = 0, fds: readonly number[] = []): boolean {
    if (!this.#isOpen) return false;
    try {
      sendFds(this.#fd, fds, encodeControl(kind, port, value), SEND_TIMEOUT_MS);
    } catch {
      this.close();
    }
    return this.#isOpen;
  }

  #receive(): { fds: number[]; payload: Uint8Array } | null {
    try {
      const message = recvFds(this.#fd);
      if (message?.isClosed) this.close();
      return message;
    } catch {
      this.close();
      return null;
    }
  }
}
