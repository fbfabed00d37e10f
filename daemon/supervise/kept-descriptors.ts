/**
 * TAPs and packet sockets that systemd keeps, for the case that agent and dataplane die together: else each of the two has duplicates
 * for the other. With them the next agent need not open a socket for each port, which takes 10 to 20 ms each, and what came in
 * meanwhile lies in the rings.
 *
 *     hold -- sync --> kept by systemd -- both die, the unit starts anew --> handed -- take --> ports.ts
 *                          |
 *                          +-- port given up, or another descriptor for it: letGo
 *
 * A name says all that is to be known: `tap-PORT`, `socket-PORT-RINGBYTES`. What has another name is closed. systemd takes some
 * hundred words at once: what it did not take is said again by the next `sync`.
 */
import { boundIndex, closeFd, closeFdBeside, isTapThere } from '../../dataplane/native/index.ts';
import type { Returned } from './control-link.ts';
import type { PacketSocket } from './control.ts';
import type { ServiceManager } from './service-manager.ts';

/** As many as the unit lets it keep (FileDescriptorStoreMax): every port has one. */
const MAX_KEPT = 4096;
const NAME = /^(?:tap-(\d{1,5})|socket-(\d{1,5})-(\d{1,10}))$/;

/** A descriptor with its identity: another object is another descriptor, whatever its number. */
type Held = { readonly fd: number };
/** In the place of what an earlier process had kept. */
const STALE: Held = { fd: -1 };

export class KeptDescriptors {
  readonly #manager: Pick<ServiceManager, 'handed' | 'isThere' | 'keep' | 'letGo'>;
  /** By name: what systemd has, as far as it has been told. */
  readonly #kept = new Map<string, Held>();
  #held: ReadonlyMap<string, Held> = new Map();

  constructor(manager: Pick<ServiceManager, 'handed' | 'isThere' | 'keep' | 'letGo'>) {
    this.#manager = manager;
    for (const { name } of manager.handed) this.#kept.set(name, STALE);
  }

  /** What was handed over at the start, by port; the descriptors are the caller's. Once. */
  take(): Returned {
    const found = { taps: new Map<number, number>(), sockets: new Map<number, PacketSocket>() };
    for (const { name, fd } of this.#manager.handed) {
      const [, tap, socket, ringBytes] = NAME.exec(name) ?? [];
      if (tap !== undefined && !found.taps.has(Number(tap)) && isTapThere(fd)) found.taps.set(Number(tap), fd);
      else if (socket !== undefined && !found.sockets.has(Number(socket)) && boundIndex(fd) !== 0)
        found.sockets.set(Number(socket), { fd, ringBytes: Number(ringBytes) });
      else closeFd(fd); // a name that is not ours, or an interface that is gone
    }
    return found;
  }

  /** Takes what is held now, by port: systemd gets what is new, and lets go of the rest. */
  hold(taps: Iterable<readonly [number, Held]>, sockets: Iterable<readonly [number, PacketSocket]>): void {
    if (!this.#manager.isThere) return;
    const held = new Map<string, Held>();
    for (const [port, tap] of taps) held.set(`tap-${port}`, tap);
    for (const [port, socket] of sockets) held.set(`socket-${port}-${socket.ringBytes}`, socket);
    this.#held = held;
    this.sync();
  }

  /** Says again what was not taken. */
  sync(): void {
    for (const [name, one] of this.#kept)
      if (this.#held.get(name) !== one && this.#manager.letGo(name)) this.#kept.delete(name);
    for (const [name, one] of this.#held) {
      if (this.#kept.has(name) || this.#kept.size >= MAX_KEPT) continue;
      if (!this.#manager.keep(name, one.fd)) return;
      this.#kept.set(name, one);
    }
  }
}

/** Closes what was handed over in vain: the dataplane lived, and gave back its own. */
export function closeReturned({ taps, sockets }: Returned): void {
  for (const fd of taps.values()) closeFdBeside(fd);
  for (const { fd } of sockets.values()) closeFdBeside(fd);
}
