/**
 * The agent's end of the control socket (see control.ts). Sending never waits long: messages are 16 bytes and the
 * dataplane reads them many times a second; a link that cannot be written to is a dead link.
 */
import { closeFd, recvFds, sendFds, unixConnect } from '../../dataplane/native/index.ts';
import {
  CONTROL,
  decodeControl,
  decodeSockets,
  encodeControl,
  encodeSockets,
  MESSAGE_BYTES,
  type PacketSocket,
} from './control.ts';

const SEND_TIMEOUT_MS = 100;
const RETURN_TIMEOUT_MS = 10_000; // without them every TAP is made anew, so a busy machine gets its time
const POLL_MS = 5;

/** What a running dataplane gave back, by port. */
export interface Returned {
  readonly taps: Map<number, number>;
  readonly sockets: Map<number, PacketSocket>;
}

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

  /** Hands over packet sockets, as `givePort`. */
  giveSockets(sockets: Iterable<readonly [number, PacketSocket]>): boolean {
    for (const { bytes, fds } of encodeSockets(sockets)) if (!this.#sendBytes(bytes, fds)) return false;
    return this.#isOpen;
  }

  /** Asks the dataplane to read ports and policy now. @returns false when the link is dead */
  wake(): boolean {
    return this.#send(CONTROL.WAKE);
  }

  /** Says that answers may go on which wait for what they taught. @returns false when the link is dead */
  published(): boolean {
    return this.#send(CONTROL.PUBLISHED);
  }

  /** Asks the dataplane to end. @returns false when the link is dead */
  stop(): boolean {
    return this.#send(CONTROL.STOP);
  }

  /**
   * Asks a running dataplane for duplicates of the descriptors it holds. What has come within ten seconds is the answer; the
   * descriptors are the caller's.
   */
  async returnFds(): Promise<Returned> {
    const found: Returned = { taps: new Map(), sockets: new Map() };
    if (!this.#send(CONTROL.RETURN_FDS)) return found;
    for (let waited = 0; waited < RETURN_TIMEOUT_MS && this.#isOpen; ) {
      const message = this.#receive();
      if (message === null) {
        await new Promise((resolve) => setTimeout(resolve, POLL_MS));
        waited += POLL_MS;
        continue;
      }
      if (message.payload.length < MESSAGE_BYTES) continue;
      if (decodeControl(message.payload).kind === CONTROL.END) break;
      sortReturned(message, found);
    }
    return found;
  }

  close(): void {
    if (this.#isOpen) closeFd(this.#fd);
    this.#isOpen = false;
  }

  #send(kind: number, port = 0, value = 0, fds: readonly number[] = []): boolean {
    return this.#sendBytes(encodeControl(kind, port, value), fds);
  }

  #sendBytes(bytes: Uint8Array, fds: readonly number[]): boolean {
    if (!this.#isOpen) return false;
    try {
      sendFds(this.#fd, fds, bytes, SEND_TIMEOUT_MS);
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

/** Takes what a message brings; a second descriptor of a port, and what is not known here, is closed. */
function sortReturned({ payload, fds }: { payload: Uint8Array; fds: number[] }, found: Returned): void {
  const { kind, port } = decodeControl(payload);
  const sockets = kind === CONTROL.SOCKETS ? decodeSockets(payload, fds) : [];
  for (const [index, socket] of sockets) if (!found.sockets.has(index)) found.sockets.set(index, socket);
  if (kind === CONTROL.PORT_FD && fds.length === 1 && !found.taps.has(port)) found.taps.set(port, fds[0]);
  const kept = new Set([...found.taps.values(), ...[...found.sockets.values()].map(({ fd }) => fd)]);
  for (const fd of fds) if (!kept.has(fd)) closeFd(fd);
}
