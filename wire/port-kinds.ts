/**
 * The kinds of ports: what agent, dataplane and tools need to know of each. A new kind begins with a record here; what the
 * dataplane does to open it stands in dataplane/port/kinds.ts, and the compiler asks for it there.
 */

/** Who is behind a port. A pod's frames must carry its own addresses; host and uplink speak for many. */
export const ROLE_NONE = 0;
export const ROLE_POD = 1;
export const ROLE_HOST = 2;
export const ROLE_UPLINK = 3;

/** One kind of port. */
export interface PortKindFacts {
  /** In the pinned `ports` map, where 0 is a free row. A number is never given to another kind. */
  readonly number: number;
  /** ROLE_POD, ROLE_HOST or ROLE_UPLINK. */
  readonly role: number;
  /** Whether a Pod can ask for it (annotation `sluice.io/attach`). */
  readonly isForPods: boolean;
  /** Whether the dataplane opens an interface of the agent's network namespace; else the interface lies in the pod's. */
  readonly hasHostLink: boolean;
  /** Whether its frames come by a packet socket, which the agent opens and hands to the dataplane. */
  readonly hasSocket: boolean;
  /** Whether the pod must cut its segments and finish its checksums itself. */
  readonly needsPlainFrames: boolean;
}

const LINK = { hasHostLink: true, hasSocket: true, needsPlainFrames: false } as const;
const POD = { ...LINK, role: ROLE_POD, isForPods: true } as const;
const OTHER = { ...LINK, isForPods: false } as const;

/** By name, in the order in which they are offered to users. */
export const PORT_KINDS = {
  veth: { ...POD, number: 2 },
  tap: { ...POD, number: 1, hasHostLink: false, hasSocket: false },
  pcap: { ...POD, number: 3, hasSocket: false, needsPlainFrames: true },
  host: { ...OTHER, number: 4, role: ROLE_HOST },
  uplink: { ...OTHER, number: 5, role: ROLE_UPLINK },
} as const satisfies Readonly<Record<string, PortKindFacts>>;

export type PortKind = keyof typeof PORT_KINDS;

/** The kinds that a Pod can ask for. */
export type AttachMode = {
  [K in PortKind]: (typeof PORT_KINDS)[K]['isForPods'] extends true ? K : never;
}[PortKind];

const NAMES = Object.keys(PORT_KINDS) as PortKind[];

/** The kinds that a Pod can ask for, the default first. */
export const ATTACH_MODES = NAMES.filter((name): name is AttachMode => PORT_KINDS[name].isForPods);

/** The kind with this number in the pinned `ports` map; undefined when there is none. */
export function portKindOf(number: number): PortKind | undefined {
  return NAMES.find((name) => PORT_KINDS[name].number === number);
}

/** Name of the interface above the host side of a pair: no port has it, whose names end in digits or a to f. */
export function upperInterfaceName(hostInterface: string): string {
  return `${hostInterface}u`;
}
