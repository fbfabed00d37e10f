/**
 * The descriptors that the agent has handed over, by port: of TAPs, and of packet sockets with their receive rings.
 *
 * The agent holds each of them too. So a dataplane that dies takes no socket with it, the next one reads on where it left off,
 * and nothing is opened or closed for good by the thread that forwards: what is given up here is closed beside it. A
 * descriptor stays while its port has a row, open or not.
 */
import { fstatSync } from 'node:fs';
import { boundIndex, closeFdBeside, interfaceInfo, mapRing } from '../../dataplane/native/index.ts';
import { type PortEntry, readInterface } from '../../policy-maps/port-map.ts';
import { PORT_KINDS } from '../../wire/port-kinds.ts';
import type { PacketSocket } from '../supervise/control.ts';

/** Frames that waited longer for a reader are not worth forwarding: a TCP sender has sent them again by now. */
const MAX_AGE_MS = 1000;

export class HandedOver {
  readonly #taps = new Map<number, number>();
  readonly #sockets = new Map<number, PacketSocket>();

  get taps(): ReadonlyMap<number, number> {
    return this.#taps;
  }

  get sockets(): ReadonlyMap<number, PacketSocket> {
    return this.#sockets;
  }

  /** Preconditions: the port is closed. */
  takeTap(index: number, fd: number): void {
    this.#drop(index);
    this.#taps.set(index, fd);
  }

  /** Whether it is the very socket that is held already: an agent that connects anew hands everything over again. */
  isSame(index: number, { fd }: PacketSocket): boolean {
    const held = this.#sockets.get(index);
    return held !== undefined && fstatSync(held.fd).ino === fstatSync(fd).ino;
  }

  /** Preconditions: the port is closed. @throws SystemError when the ring cannot be mapped */
  takeSocket(index: number, socket: PacketSocket): void {
    this.#drop(index);
    try {
      mapRing(socket.fd, socket.ringBytes, MAX_AGE_MS);
    } catch (error) {
      closeFdBeside(socket.fd);
      throw error;
    }
    this.#sockets.set(index, socket);
  }

  /**
   * The descriptor for a row; undefined while there is none for it.
   * @throws Error when the interface is down, gone, or another than the socket's
   */
  fdOf(entry: PortEntry): number | undefined {
    const { index, kind } = entry;
    if (!PORT_KINDS[kind].hasSocket) return this.#taps.get(index);
    const socket = this.#sockets.get(index);
    if (socket === undefined) return undefined;
    const link = interfaceInfo(readInterface(entry));
    if (boundIndex(socket.fd) !== link.index) return undefined; // the agent sees it too, and hands over another
    if (!link.isUp) throw new Error('the interface is down');
    return socket.fd;
  }

  /** Gives up the descriptors of ports that have no row any more. */
  keepOnly(indexes: ReadonlySet<number>): void {
    for (const index of [...this.#taps.keys(), ...this.#sockets.keys()]) if (!indexes.has(index)) this.#drop(index);
  }

  #drop(index: number): void {
    for (const fd of [this.#taps.get(index), this.#sockets.get(index)?.fd]) if (fd !== undefined) closeFdBeside(fd);
    this.#taps.delete(index);
    this.#sockets.delete(index);
  }
}
