/**
 * The dataplane's end of the control socket (control.ts): accepts agents, takes the descriptors of ports, gives them back to
 * an agent that has lost its own, and hears WAKE and STOP. Everything happens between two bursts, in the forwarding thread.
 */
import { closeFd, type Poller, recvFds, sendFds, unixAccept } from '../../dataplane/native/index.ts';
import {
  CONTROL,
  decodeControl,
  decodeSockets,
  encodeControl,
  encodeSockets,
  MESSAGE_BYTES,
} from '../supervise/control.ts';
import type { ForwardingPorts } from './ports.ts';

/** Poller keys: ports have 0 and more, WAKE_KEY is -1. */
const LISTEN_KEY = -2;
const FIRST_CONNECTION_KEY = -100;
const MAX_CONNECTIONS = 16;
const SEND_TIMEOUT_MS = 50;

export class ForwardingControl {
  readonly #listenFd: number;
  readonly #poller: Poller;
  readonly #ports: ForwardingPorts;
  readonly #connections = new Map<number, number>();
  #nextKey = FIRST_CONNECTION_KEY;
  /** Set by STOP. */
  shouldStop = false;
  /** Set by WAKE: the maps have changed. */
  shouldRefresh = false;

  /** @param listenFd -1 for a dataplane without control */
  constructor(listenFd: number, poller: Poller, ports: ForwardingPorts) {
    this.#listenFd = listenFd;
    this.#poller = poller;
    this.#ports = ports;
    if (listenFd >= 0) poller.add(listenFd, LISTEN_KEY);
  }

  /** Serves one ready descriptor. @param key as reported by the poller, below -1 */
  serve(key: number): void {
    if (key === LISTEN_KEY) {
      this.#accept();
      return;
    }
    const fd = this.#connections.get(key);
    if (fd !== undefined) this.#read(key, fd);
  }

  close(): void {
    for (const key of [...this.#connections.keys()]) this.#drop(key);
    if (this.#listenFd >= 0) this.#poller.remove(this.#listenFd);
  }

  #accept(): void {
    for (let fd = unixAccept(this.#listenFd); fd >= 0; fd = unixAccept(this.#listenFd)) {
      if (this.#connections.size >= MAX_CONNECTIONS) this.#drop(this.#connections.keys().next().value as number);
      const key = this.#nextKey--;
      this.#connections.set(key, fd);
      this.#poller.add(fd, key);
      this.#read(key, fd); // what opens ports is there already after a restart: once round without it costs 500 rows
    }
  }

  #read(key: number, fd: number): void {
    try {
      for (let message = recvFds(fd); message !== null; message = recvFds(fd)) {
        if (message.isClosed) {
          this.#drop(key);
          return;
        }
        if (message.payload.length < MESSAGE_BYTES) {
          for (const stray of message.fds) closeFd(stray);
          this.#drop(key);
          return;
        }
        this.#obey(fd, message.payload, message.fds);
      }
    } catch {
      this.#drop(key); // a connection that fails is closed; its agent, if it lives, connects anew
    }
  }

  #obey(fd: number, payload: Uint8Array, fds: number[]): void {
    const { kind, port } = decodeControl(payload);
    const strays = new Set(fds);
    if (kind === CONTROL.PORT_FD && fds.length > 0) {
      strays.delete(fds[0]);
      this.#ports.giveTap(port, fds[0]);
      this.shouldRefresh = true;
    } else if (kind === CONTROL.SOCKETS) {
      for (const [index, socket] of decodeSockets(payload, fds)) {
        strays.delete(socket.fd);
        this.#ports.giveSocket(index, socket);
      }
      this.shouldRefresh = true;
    } else if (kind === CONTROL.RETURN_FDS) this.#giveBack(fd);
    else if (kind === CONTROL.WAKE) this.shouldRefresh = true;
    else if (kind === CONTROL.STOP) this.shouldStop = true;
    for (const stray of strays) closeFd(stray);
  }

  #giveBack(fd: number): void {
    const { taps, sockets } = this.#ports;
    for (const [index, tap] of taps) sendFds(fd, [tap], encodeControl(CONTROL.PORT_FD, index), SEND_TIMEOUT_MS);
    for (const { bytes, fds } of encodeSockets(sockets)) sendFds(fd, fds, bytes, SEND_TIMEOUT_MS);
    sendFds(fd, [], encodeControl(CONTROL.END, 0, taps.size + sockets.size), SEND_TIMEOUT_MS);
  }

  #drop(key: number): void {
    const fd = this.#connections.get(key);
    if (fd === undefined) return;
    this.#connections.delete(key);
    this.#poller.remove(fd);
    closeFd(fd);
  }
}
