/**
 * The packet sockets of all ports that have one: opened here and kept, for the dataplane to have duplicates.
 *
 *     row wanted -> opening (a thread of libuv's, 10 to 20 ms) -> held -> handed over (ports.ts)
 *                                                                  |
 *                            interface gone, or row given up -> closed (a thread beside)
 *
 * So neither a change of one pod nor the death of a dataplane makes anybody who forwards wait for the kernel, and the next
 * dataplane finds all sockets open. While no dataplane reads, a socket keeps at most a ring of frames, and what has
 * waited for more than a second is not read any more (packet-ring.c).
 *
 * An interface that goes takes its socket along for ever; one that comes back under the same name gets another. That is
 * looked for every CHECK_MS, with what failed before.
 */
import { boundIndex, closeFdBeside, openSocket } from '../../dataplane/native/index.ts';
import { linkIndex } from '../../linux/links.ts';
import type { PacketSocket } from '../supervise/control.ts';

const CHECK_MS = 500;
/** All receive rings together; each socket has a share of it, within these bounds. */
const RINGS_BYTES = 20 << 20;
const MIN_RING_BYTES = 128 << 10; // 75 frames: more than a burst
const MAX_RING_BYTES = 512 << 10;

interface PacketSocketsOptions {
  /** A socket has been opened. */
  readonly onOpened: () => void;
  /** Sentences about those that cannot be opened. */
  readonly onProblems: (problems: string[]) => void;
  /** Whether the dataplane forwards what comes in at a port. */
  readonly isOpen: (port: number) => boolean;
}

export class PacketSockets {
  readonly #options: PacketSocketsOptions;
  readonly #held = new Map<number, PacketSocket>();
  /** Interface by port. */
  #wanted: ReadonlyMap<number, string> = new Map();
  readonly #opening = new Set<number>();
  readonly #problems = new Map<number, string>();
  #timer: NodeJS.Timeout | undefined;

  constructor(options: PacketSocketsOptions) {
    this.#options = options;
  }

  /** By port; the descriptors stay ours. */
  get held(): ReadonlyMap<number, PacketSocket> {
    return this.#held;
  }

  /** Whether a port has none yet that it should have. */
  isMissing(port: number): boolean {
    return this.#wanted.has(port) && !this.#held.has(port);
  }

  /** Keeps sockets that a running dataplane gave back, until `want` says which ports there are. */
  keep(sockets: Iterable<readonly [number, PacketSocket]>): void {
    for (const [port, socket] of sockets) {
      this.#drop(port);
      this.#held.set(port, socket);
    }
  }

  /** Takes the ports that there should be, by index, and the interface of each. */
  want(wanted: ReadonlyMap<number, string>): void {
    this.#timer ??= setInterval(() => this.#check(), CHECK_MS);
    const before = this.#wanted;
    this.#wanted = wanted;
    for (const port of [...this.#held.keys(), ...this.#problems.keys()]) if (!wanted.has(port)) this.#drop(port);
    // A row that goes and comes back between two checks may have another interface of the same name.
    for (const [port, ifname] of wanted) if (before.get(port) !== ifname) this.#renew(port);
    this.#openMissing();
  }

  /** Opens nothing more; what is held stays open. */
  leave(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.#wanted = new Map();
  }

  /** Closes all. */
  close(): void {
    this.leave();
    for (const port of [...this.#held.keys()]) this.#drop(port);
  }

  #check(): void {
    for (const [port, { fd }] of this.#held) {
      if (boundIndex(fd) === 0 || !this.#options.isOpen(port)) this.#renew(port);
    }
    this.#openMissing();
  }

  /** Drops a socket that is not that of the interface which has the name now. */
  #renew(port: number): void {
    const socket = this.#held.get(port);
    const ifname = this.#wanted.get(port);
    if (socket !== undefined && ifname !== undefined && boundIndex(socket.fd) !== linkIndex(ifname)) this.#drop(port);
  }

  #openMissing(): void {
    for (const [port, ifname] of this.#wanted) {
      if (!this.#held.has(port) && !this.#opening.has(port)) void this.#open(port, ifname);
    }
  }

  async #open(port: number, ifname: string): Promise<void> {
    this.#opening.add(port);
    const ringBytes = shareOfRings(this.#wanted.size);
    try {
      const fd = await openSocket(ifname, 0, ringBytes);
      if (this.#wanted.get(port) !== ifname) {
        closeFdBeside(fd);
        return;
      }
      this.#held.set(port, { fd, ringBytes });
      this.#tell(port, '');
      this.#options.onOpened();
    } catch (error) {
      if (this.#wanted.get(port) === ifname) this.#tell(port, (error as Error).message);
    } finally {
      this.#opening.delete(port);
    }
  }

  #tell(port: number, problem: string): void {
    if ((this.#problems.get(port) ?? '') === problem) return;
    if (problem === '') this.#problems.delete(port);
    else this.#problems.set(port, problem);
    this.#options.onProblems([...this.#problems.values()]);
  }

  #drop(port: number): void {
    const socket = this.#held.get(port);
    if (socket !== undefined) closeFdBeside(socket.fd);
    this.#held.delete(port);
    this.#tell(port, '');
  }
}

/** A socket opened among few keeps its large ring when more come; what matters is that hundreds do not cost hundreds of MB. */
function shareOfRings(ports: number): number {
  return Math.min(MAX_RING_BYTES, Math.max(MIN_RING_BYTES, Math.floor(RINGS_BYTES / ports)));
}
