/**
 * How a pod hangs on the dataplane: what is wanted (`AttachmentSpec`), what was made (`Attachment`), and the commands
 * that make it. Pure: attacher.ts runs what is composed here.
 *
 * The pod's side looks the same for every mode. Its addresses are /32 and /128, the way out is the router's address,
 * reached by a link-scope route, as Cilium has it: nothing is on the pod's link but the router, so every packet comes through
 * the dataplane. Duplicate address detection is off (the dataplane answers ND for all addresses, so a probe would never
 * end well), router advertisements are not asked for.
 */
import { createHash } from 'node:crypto';
import { isIP } from 'node:net';
import { type AttachMode, PORT_KINDS, upperInterfaceName } from '../wire/port-kinds.ts';

/** The interface in the pod's namespace, unless a container runtime names another. */
export const POD_INTERFACE = 'eth0';

export interface AttachmentSpec {
  /** The pod's `namespace/name`. */
  readonly owner: string;
  /** Index in the ports map. */
  readonly port: number;
  /**
   * `veth`: a pair of ours; `pcap`: the same, read through libpcap; `tap`: a TAP in the pod's namespace; `existing`: a
   * host-side interface that others made.
   */
  readonly mode: AttachMode | 'existing';
  /** Name or path of the pod's network namespace. */
  readonly netns: string;
  /** The interface that the dataplane opens in the agent's namespace; '' for a TAP. */
  readonly hostInterface: string;
  /** MAC of the pod ('' = to be found, mode `existing` only), and of the dataplane's side. */
  readonly mac: string;
  readonly routerMac: string;
  readonly addresses: readonly string[];
  /** Router addresses, at most one a family. */
  readonly gateways: readonly string[];
  readonly mtu: number;
  /** Frames are read from an interface above `hostInterface`, so that the kernel may forward some before (daemon/offload). */
  readonly hasUpper?: boolean;
  /** Name of the pod's end; POD_INTERFACE unless told. */
  readonly podInterface?: string;
}

/** The name of the interface in the pod's namespace. */
export function podInterfaceOf({ podInterface = POD_INTERFACE }: Pick<AttachmentSpec, 'podInterface'>): string {
  return podInterface;
}

export interface Attachment extends AttachmentSpec {
  /** `making` is noted before the first command of making and of removing: a crash half way leaves something to clean up by. */
  readonly state: 'making' | 'made';
  /** Tells the namespace from a later one of the same name. */
  readonly netnsIdentity: string;
  /** Of `hostInterface`; 0 for a TAP. */
  readonly ifindex: number;
  /** The pod's MAC where the spec leaves it open (mode `existing`), else ''. */
  readonly foundMac: string;
}

/** Whether the dataplane opens an interface of the agent's namespace for it, which is then kept from the host's stack. */
export function hasHostLink({ mode }: Pick<AttachmentSpec, 'mode'>): boolean {
  return mode === 'existing' || PORT_KINDS[mode].hasHostLink;
}

/** Whether what was made is what is wanted now. */
export function isSameSpec(made: AttachmentSpec, wanted: AttachmentSpec): boolean {
  return SPEC_KEYS.every((key) => JSON.stringify(made[key]) === JSON.stringify(wanted[key]));
}

const SPEC_KEYS = [
  'owner',
  'port',
  'mode',
  'netns',
  'hostInterface',
  'mac',
  'routerMac',
  'addresses',
  'gateways',
  'mtu',
  'podInterface',
  'hasUpper',
] as const;

/** Name of the host side of a pair: short enough for any port (IFNAMSIZ - 1 = 15), and plainly the instance's. */
export function hostInterfaceName(instance: string, port: number): string {
  return `${instance}_${port.toString(16)}`;
}

/**
 * The interface whose frames the host's stack is kept off. One that has another above it gives all frames to that, and a shield before
 * would leave nothing to give.
 */
export function shieldedInterface({ hostInterface, hasUpper }: AttachmentSpec): string {
  return hasUpper === true ? upperInterfaceName(hostInterface) : hostInterface;
}

/** The nft table by which the kernel forwards settled connections. */
export function fastTableName(instance: string): string {
  return `${instance}_fast`;
}

/** A locally administered unicast MAC that follows from the texts, so that it is the same after every restart. */
export function macOf(...texts: readonly string[]): string {
  const digest = createHash('sha256').update(texts.join('\0')).digest();
  digest[0] = (digest[0] & 0xfc) | 0x02;
  return [...digest.subarray(0, 6)].map((byte) => byte.toString(16).padStart(2, '0')).join(':');
}

/** The `ip -batch` line that makes the pair, its far end at once in the pod's namespace. */
export function pairLine(spec: AttachmentSpec): string {
  const near = `link add ${spec.hostInterface} mtu ${spec.mtu} address ${spec.routerMac}`;
  return `${near} type veth peer name ${podInterfaceOf(spec)} mtu ${spec.mtu} address ${spec.mac} netns ${spec.netns}`;
}

/** The shell script that sets up the pod's side, run in its namespace once the interface is there. */
export function podScript(spec: AttachmentSpec): string {
  const device = podInterfaceOf(spec);
  const lines = ['link set lo up', `link set ${device} mtu ${spec.mtu} address ${spec.mac}`, `link set ${device} up`];
  for (const address of spec.addresses) lines.push(...addressLines(address, spec));
  return `${podSysctlLines(device)}ip -batch - <<'END'\n${lines.join('\n')}\nEND\n`;
}

/** `ip` commands: the address itself, then the ways out by it. */
export function addressLines(
  address: string,
  { gateways, podInterface = POD_INTERFACE }: Pick<AttachmentSpec, 'gateways' | 'podInterface'>,
): string[] {
  const family = isIP(address);
  const gateway = gateways.find((candidate) => isIP(candidate) === family);
  const everything = family === 4 ? '0.0.0.0/0' : '::/0';
  const own =
    family === 4 ? `addr add ${address}/32 dev ${podInterface}` : `addr add ${address}/128 dev ${podInterface} nodad`;
  if (gateway === undefined) return [own, `route add ${everything} dev ${podInterface}`];
  const near = `route add ${gateway}/${family === 4 ? 32 : 128} dev ${podInterface}`;
  return [
    own,
    family === 4 ? `${near} scope link` : near,
    `route add ${everything} via ${gateway} dev ${podInterface}`,
  ];
}

const podSysctls = (device: string): readonly (readonly [string, string])[] => [
  [`ipv6/conf/${device}/disable_ipv6`, '0'],
  [`ipv6/conf/${device}/accept_dad`, '0'],
  [`ipv6/conf/${device}/accept_ra`, '0'],
  [`ipv6/conf/${device}/router_solicitations`, '0'],
  [`ipv4/conf/${device}/rp_filter`, '0'],
  ['ipv4/conf/all/rp_filter', '0'],
];

/** Shell lines that set what exists: a kernel without IPv6 has no ipv6 tree. */
function sysctlLines(settings: readonly (readonly [string, string])[]): string {
  const path = (name: string) => `/proc/sys/net/${name}`;
  return settings.map(([name, value]) => `[ ! -e ${path(name)} ] || echo ${value} > ${path(name)}\n`).join('');
}

/** Sets the sysctls of a pod's namespace, where there are such. */
export function podSysctlLines(device: string): string {
  return sysctlLines(podSysctls(device));
}

/**
 * What keeps the host's stack off the dataplane's side of a pair, beside the firewall and whatever becomes of it. No IPv6:
 * nothing is sent (ND, MLD, RS) and nothing is taken. IPv4: no address, so no source's way back leads there, and strict reverse
 * path filtering drops all; ARP is not answered.
 */
export function quietSysctls(device: string): readonly (readonly [string, string])[] {
  return [
    [`ipv6/conf/${device}/disable_ipv6`, '1'],
    [`ipv4/conf/${device}/rp_filter`, '1'],
    [`ipv4/conf/${device}/arp_ignore`, '8'],
    [`ipv4/conf/${device}/forwarding`, '0'],
    [`ipv4/conf/${device}/log_martians`, '0'],
  ];
}

/** The nft table by which what is for pods is taken from the interfaces of the host. */
export function returnTableName(instance: string): string {
  return `${instance}_out`;
}
