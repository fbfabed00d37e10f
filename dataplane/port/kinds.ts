/**
 * How the dataplane opens each kind of port of wire/port-kinds.ts. A kind without an entry here does not compile.
 */
import type { PortKind } from '../../wire/port-kinds.ts';
import type { Arena } from './arena.ts';
import type { Port, PortOptions } from './port.ts';
import { TapPort } from './tap.ts';
import { VethPort } from './veth.ts';

/** What opening a port may need beside its options. */
export interface PortMeans {
  readonly arena: Arena;
  /** The descriptor that was handed over for a port, its ring mapped if it has one; undefined while there is none. */
  readonly fdOf: (index: number) => number | undefined;
  /** Opens a port in another process, through libpcap. */
  readonly openElsewhere: (options: PortOptions) => Port;
}

/** One kind of port, as the dataplane deals with it. */
export interface PortOpening {
  /** @returns null when it cannot be opened yet. @throws SystemError when it cannot be opened. */
  open(options: PortOptions, means: PortMeans): Port | null;
  /** Whether frames flow as soon as `open` has returned; else its opener says when. */
  readonly isOpenAtOnce: boolean;
  /** Whether its descriptor was handed over: it stays open when the port is closed, for the next time it is opened. */
  readonly isHandedOver: boolean;
}

const PACKET: PortOpening = {
  open(options, { arena, fdOf }) {
    const fd = fdOf(options.index);
    return fd === undefined ? null : new VethPort(arena, { ...options, fd });
  },
  isOpenAtOnce: true,
  isHandedOver: true,
};

/** By kind. */
export const PORT_OPENINGS: Readonly<Record<PortKind, PortOpening>> = {
  veth: PACKET,
  tap: {
    open(options, { arena, fdOf }) {
      const fd = fdOf(options.index);
      return fd === undefined ? null : new TapPort(arena, { ...options, fd });
    },
    isOpenAtOnce: true,
    isHandedOver: true,
  },
  pcap: { open: (options, { openElsewhere }) => openElsewhere(options), isOpenAtOnce: false, isHandedOver: false },
  host: PACKET,
  uplink: PACKET,
};
