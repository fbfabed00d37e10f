/**
 * The host end of a veth pair, or any other existing interface, as a port: an AF_PACKET socket, opened here by name or, in the
 * dataplane, by the agent.
 */
import type { Arena } from './arena.ts';
import * as native from '../native/index.ts';
import type { PortOptions } from './port.ts';
import { KernelPort } from './kernel.ts';

export interface VethPortOptions extends PortOptions {
  /** A socket whose ring has been mapped; without it the interface `name` is opened. The port closes it. */
  fd?: number;
  /** Namespace that has the interface `name`; default the caller's. */
  netns?: string;
  /** Memory of the receive ring; default native RING_BYTES. */
  ringBytes?: number;
  /** For a real network card: ask for frames to foreign MAC addresses too. */
  promiscuous?: boolean;
}

export class VethPort extends KernelPort {
  readonly kind = 'veth';

  /** @throws SystemError if the interface does not exist (ENODEV) or the process may not open it (EPERM). */
  constructor(arena: Arena, options: VethPortOptions) {
    super(arena, options, options.fd ?? native.openPacket(options.name, options), native.KIND_PACKET);
    native.sendBy(this.fd, options.sendIndex ?? 0);
  }

  override countDrops(): void {
    this.counters.receiveDrops += native.packetDrops(this.fd);
  }
}
