/**
 * The host's own port: a veth pair `<name>_host` / `<name>_net` in the agent's namespace.
 *
 *     host stack -- sluice_host (router addresses, routes to the pod ranges) == sluice_net -- dataplane, identity host
 *
 * A range that this machine routes through another device is refused: the kernel would prefer one of the two routes, and
 * half of the pods, or half of somebody else's, would be out of reach.
 *
 * As with Cilium's cilium_host, the router's address belongs to the host: pods use it as their gateway, and what the host sends to
 * pods comes from it. The pod ranges are routed link-scope, so the host asks ARP or ND for each pod and the dataplane answers.
 */
import { isIP } from 'node:net';
import { quietSysctls } from '../../linux/attachment.ts';
import type { Firewall } from './firewall.ts';
import type { Journal } from '../../linux/journal.ts';
import { linkIndex, refuseForeignLink, removeLink, setSysctls } from '../../linux/links.ts';
import { ipBatch, ipJson } from '../../linux/netns.ts';

export interface HostPortSpec {
  readonly instance: string;
  readonly routerMac: string;
  readonly hostMac: string;
  /** Router addresses, at most one a family. */
  readonly addresses: readonly string[];
  /** What the host reaches through the port. */
  readonly routes: readonly {
    readonly range: string;
    /** The option that says so. */
    readonly option: string;
    /** All of it: no part may be routed elsewhere. */
    readonly isWhole: boolean;
  }[];
  readonly mtu: number;
}

/** The host's side, with the addresses. */
export function hostSideName(instance: string): string {
  return `${instance}_host`;
}

/** The dataplane's side. */
export function netSideName(instance: string): string {
  return `${instance}_net`;
}

/**
 * Makes the host port, or takes over the one that is there when it is as wanted.
 * @returns ifindex of the dataplane's side
 * @throws Error when one of its ranges is routed through another device; CommandError of the tools
 */
export async function raiseHostPort(
  spec: HostPortSpec,
  options: { journal: Journal; firewall: Firewall },
): Promise<number> {
  const { journal, firewall } = options;
  const near = netSideName(spec.instance);
  const wanted = JSON.stringify(spec);
  const made = journal.hostPort;
  if (made?.state === 'made' && made.spec === wanted && linkIndex(near) === made.ifindex) {
    await firewall.shield([near]);
    setSysctls(quietSysctls(near));
    return made.ifindex;
  }
  await lowerHostPort(spec.instance, journal);
  for (const name of [near, hostSideName(spec.instance)]) refuseForeignLink(name);
  for (const route of spec.routes) await refuseTakenRange(route);
  journal.setHostPort({ state: 'making', spec: wanted, ifindex: 0 });
  journal.setFirewall(true);
  await ipBatch([pairOf(spec)]);
  setSysctls([...quietSysctls(near), ...hostSysctls(hostSideName(spec.instance))]);
  await firewall.shield([near]);
  await ipBatch(hostPortLines(spec));
  const ifindex = linkIndex(near);
  journal.setHostPort({ state: 'made', spec: wanted, ifindex });
  return ifindex;
}

/** Removes the host port with its routes. */
export async function lowerHostPort(instance: string, journal: Journal): Promise<void> {
  const made = journal.hostPort;
  if (made === null) return;
  const near = netSideName(instance);
  if (made.ifindex === 0 || linkIndex(near) === made.ifindex) await removeLink(near); // 0: it was only begun
  journal.setHostPort(null);
}

/** A route of the main table as `ip -json route` shows it; one with several next hops, or to nowhere, has no device. */
interface Route {
  readonly dst: string;
  readonly dev?: string;
}

/** @throws Error when the range, or (if all of it must be ours) a part of it, is routed through another device */
async function refuseTakenRange({ range, option, isWhole }: HostPortSpec['routes'][number]): Promise<void> {
  const family = range.includes(':') ? '-6' : '-4';
  const routes = await ipJson<Route>('', [family, 'route', 'show', isWhole ? 'root' : 'exact', range]);
  const [taken] = routes;
  if (taken === undefined) return;
  const { dst, dev = 'several or none' } = taken;
  const what = dst === range ? range : `${range}, of which ${dst}`;
  throw new Error(
    `${option}: ${what} is routed through ${dev} here already, and two devices cannot share it: ` +
      `give another ${option}, or end what holds it (\`ip route show root ${range}\`)`,
  );
}

function pairOf(spec: HostPortSpec): string {
  const host = `link add ${hostSideName(spec.instance)} mtu ${spec.mtu} address ${spec.hostMac}`;
  return `${host} type veth peer name ${netSideName(spec.instance)} mtu ${spec.mtu} address ${spec.routerMac}`;
}

/** The `ip -batch` lines that follow the making of the pair: both ends up, addresses, routes. */
function hostPortLines(spec: HostPortSpec): string[] {
  const host = hostSideName(spec.instance);
  const lines = [`link set ${netSideName(spec.instance)} up`, `link set ${host} up`];
  for (const address of spec.addresses) {
    lines.push(
      isIP(address) === 4 ? `addr add ${address}/32 dev ${host}` : `addr add ${address}/128 dev ${host} nodad`,
    );
  }
  for (const { range } of spec.routes) {
    const family = range.includes(':') ? 6 : 4;
    const source = spec.addresses.find((address) => isIP(address) === family);
    const from = source === undefined ? '' : ` src ${source}`;
    lines.push(`route add ${range} dev ${host}${family === 4 ? ' scope link' : ''}${from}`);
  }
  return lines;
}

function hostSysctls(device: string): readonly (readonly [string, string])[] {
  return [
    [`ipv4/conf/${device}/rp_filter`, '0'],
    [`ipv6/conf/${device}/disable_ipv6`, '0'],
    [`ipv6/conf/${device}/accept_ra`, '0'],
    [`ipv6/conf/${device}/accept_dad`, '0'],
    [`ipv6/conf/${device}/router_solicitations`, '0'],
  ];
}
