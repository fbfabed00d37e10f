/**
 * The nft table `netdev <instance>_fast`: the way that settled connections take in the kernel, from pod to pod.
 *
 *     pod -- eth0 == host end --[ingress: a settled connection of this pod's?]-- yes --> host end of the other == eth0 -- pod
 *                                            +--------- no --> the interface above (macvlan), whose packet socket we read
 *
 * Packet sockets see a frame before the ingress hook does, so the dataplane reads these pods' frames one floor above the host end
 * (`upperInterfaceName`), which gets what the hook leaves. A frame takes one of the two ways, never both, and without the table
 * all of them come to the dataplane.
 *
 * A chain for each port says who may speak there: the pod's MAC, to ours. Then all of it holds together: an IP packet without VLAN
 * tag, options, extension headers or fragments, with hops to spare; of TCP, ACK alone or with PSH; and the interface, addresses
 * and ports of an element. The element says where it leaves, and counts. `fwd ip to` takes a hop off and writes the MACs: the
 * pod's, from a permanent neighbour entry on its host end, and the host end's own, which is the dataplane's.
 *
 * `gate` has what is let through at all: nothing passes while it is empty, whatever the maps say.
 */
import { isIP } from 'node:net';
import { run } from '../../linux/command.ts';
import { setSysctls } from '../../linux/links.ts';
import { ipBatch } from '../../linux/netns.ts';
import { PORT_FLAG_AUDIT, PORT_FLAG_UPPER } from '../../policy-maps/port-map.ts';
import { formatMac } from '../../wire/address.ts';
import type { WantedPort } from '../attach/port-publisher.ts';

/** By protocol and family. */
export const FLOW_MAPS = ['tcp4', 'tcp6', 'udp4', 'udp6'] as const;
export type FlowMap = (typeof FLOW_MAPS)[number];
export const GATE = 'gate';
/** What the gate lets through when it is open: ethertypes as they lie in the frame. */
export const GATE_KEYS = [Buffer.from([0x08, 0x00]), Buffer.from([0x86, 0xdd])];

/** A port whose frames may take the way. */
export interface FastPort {
  readonly index: number;
  readonly ifname: string;
  readonly ifindex: number;
  /** Of the pod, as text. */
  readonly mac: string;
  readonly addresses: readonly string[];
  readonly mtu: number;
}

/** Makes the table without any port, and an open gate; what was there of it goes. @throws CommandError */
export async function makeTable(table: string, capacity: number): Promise<void> {
  const maps = FLOW_MAPS.map((name) => {
    const ip = name.endsWith('4') ? 'ip' : 'ip6';
    const l4 = name.slice(0, 3);
    const key = `iif . ${ip} saddr . ${ip} daddr . ${l4} sport . ${l4} dport`;
    return `map ${name} {\ntypeof ${key} : meta oif\nsize ${2 * capacity}\ncounter\n}`;
  });
  await nft([
    `add table netdev ${table}`,
    `delete table netdev ${table}`,
    `table netdev ${table} {`,
    ...maps,
    `set ${GATE} {\ntype ether_type\nelements = { ip, ip6 }\n}`,
    `chain settled {\n${FLOW_MAPS.map(ruleOf).join('\n')}\n}`,
    '}',
  ]);
}

const PLAIN = {
  4: 'ip version 4 ip hdrlength 5 ip frag-off & 0x3fff == 0 ip ttl > 1',
  6: 'ip6 version 6 ip6 hoplimit > 1',
};

function ruleOf(map: FlowMap): string {
  const family = map.endsWith('4') ? 4 : 6;
  const ip = family === 4 ? 'ip' : 'ip6';
  const l4 = map.slice(0, 3);
  const protocol = family === 4 ? `ip protocol ${l4}` : `ip6 nexthdr ${l4}`;
  const flags = l4 === 'tcp' ? 'tcp flags & (fin|syn|rst|urg|ack) == ack' : '';
  const key = `iif . ${ip} saddr . ${ip} daddr . ${l4} sport . ${l4} dport`;
  const ether = `ether type ${family === 4 ? 'ip' : 'ip6'}`;
  return `${ether} ${protocol} ${PLAIN[family]} ${flags} fwd ${ip} to ${ip} daddr device ${key} map @${map}`;
}

/** Lets a port take part, or lets it do so anew: its chain, and how its pod is reached. @throws CommandError */
export async function admitPorts(table: string, ports: readonly FastPort[], routerMac: string): Promise<void> {
  const chains = ports.flatMap((port) => {
    const name = chainOf(port);
    const hook = `type filter hook ingress device "${port.ifname}" priority -501; policy accept;`;
    const rule = `ether type @${GATE} ether saddr ${port.mac} ether daddr ${routerMac} jump settled`;
    return [
      `add chain netdev ${table} ${name}`,
      `delete chain netdev ${table} ${name}`,
      `add chain netdev ${table} ${name} { ${hook} }`,
      `add rule netdev ${table} ${name} ${rule}`,
    ];
  });
  for (const port of ports) if (port.addresses.some((text) => isIP(text) === 6)) setSysctls(neighbourSysctls(port));
  await ipBatch(
    ports.flatMap(({ ifname, mac, addresses }) =>
      addresses.map((address) => `neigh replace ${address} lladdr ${mac} dev ${ifname} nud permanent`),
    ),
  );
  await nft(chains);
}

/** Takes the chains of ports away; those of interfaces that are gone went with them. @throws CommandError */
export async function expelPorts(table: string, ports: readonly FastPort[]): Promise<void> {
  const chains = ports.map(chainOf);
  await nft(chains.flatMap((name) => [`add chain netdev ${table} ${name}`, `delete chain netdev ${table} ${name}`]));
}

function chainOf({ index }: FastPort): string {
  return `in_${index}`;
}

/**
 * A neighbour of IPv6 needs IPv6 on its interface: without an address of its own, and without anything that would come of having it.
 * The host's stack has none of the pod's frames all the same: the interface above takes them all.
 */
function neighbourSysctls({ ifname }: FastPort): readonly (readonly [string, string])[] {
  return [
    [`ipv6/conf/${ifname}/addr_gen_mode`, '1'],
    [`ipv6/conf/${ifname}/accept_ra`, '0'],
    [`ipv6/conf/${ifname}/forwarding`, '0'],
    [`ipv6/conf/${ifname}/disable_ipv6`, '0'],
  ];
}

async function nft(lines: readonly string[]): Promise<void> {
  if (lines.length > 0) await run('nft', ['-f', '-'], `${lines.join('\n')}\n`);
}

/** Of the ports that there are, those that may take part: pods whose frames are read above, with no faults, traces or audit. */
export function fastPorts(wanted: readonly WantedPort[]): FastPort[] {
  const fit = wanted.filter(
    ({ port, conditions }) =>
      (port.flags & (PORT_FLAG_UPPER | PORT_FLAG_AUDIT)) === PORT_FLAG_UPPER &&
      conditions.faults === null &&
      !conditions.isTraced,
  );
  return fit.map(({ index, port: { ifname, ifindex, mac, mtu }, addresses }) => ({
    ...{ index, ifname, ifindex, addresses, mtu },
    mac: formatMac(mac.high, mac.low),
  }));
}
