/** The two ports that belong to no pod: the host's own, and the uplink to everything outside. */
import { networkInterfaces } from 'node:os';
import type { Attacher } from './attacher.ts';
import { macOf } from '../../linux/attachment.ts';
import type { Config } from '../config/config.ts';
import type { Firewall } from './firewall.ts';
import { type HostPortSpec, netSideName, raiseHostPort } from './host-port.ts';
import type { Journal } from '../../linux/journal.ts';
import { findLink, macText } from '../../linux/links.ts';
import { IDENTITY_HOST } from '../../wire/identities.ts';
import { HOST_ENDPOINT } from './numbering.ts';
import { macWords, type WantedPort, wordsOf } from './port-publisher.ts';

/** Owner of the uplink's attachment in the journal; a pod's has a slash. */
export const UPLINK_OWNER = 'uplink';

export interface FixedPortParts {
  readonly config: Config;
  readonly journal: Journal;
  readonly firewall: Firewall;
  readonly routerMac: string;
}

/** The router's addresses, and all that the host has itself: a frame to any of them goes to the host. */
export function hostAddresses({ router }: Config): string[] {
  const own = Object.values(networkInterfaces())
    .flatMap((addresses) => addresses ?? [])
    .filter(({ internal, address }) => !internal && !address.startsWith('fe80:'))
    .map(({ address }) => address);
  return [...new Set([router.ipv4, router.ipv6, ...own])].filter((address) => address !== '');
}

/** What the host reaches through its port. */
function hostRanges({ podCIDRs, uplink }: Config): HostPortSpec['routes'] {
  const own = [
    { range: podCIDRs.ipv4, option: 'podCIDRs.ipv4', isWhole: true },
    { range: podCIDRs.ipv6, option: 'podCIDRs.ipv6', isWhole: true },
  ].filter(({ range }) => range !== '');
  const outside = (uplink?.prefixes ?? []).map((range) => ({ range, option: 'uplink.prefixes', isWhole: false }));
  return [...own, ...outside];
}

/** Raises the host's pair. @param index in the ports map */
export async function hostPort(parts: FixedPortParts, index: number): Promise<WantedPort> {
  const { name, router, mtu } = parts.config;
  const hostMac = macOf(name, 'host');
  const spec = {
    instance: name,
    routerMac: parts.routerMac,
    hostMac,
    addresses: [router.ipv4, router.ipv6].filter((address) => address !== ''),
    routes: hostRanges(parts.config),
    mtu,
  };
  const ifindex = await raiseHostPort(spec, parts);
  const mac = macWords(hostMac);
  const identity = { endpointId: HOST_ENDPOINT, secId: IDENTITY_HOST, flags: 0 };
  return {
    index,
    port: { kind: 'host', ifname: netSideName(name), ifindex, mac, mtu, ...identity },
    addresses: [],
    isHost: true,
  };
}

/**
 * Takes over the configured interface.
 * @param index in the ports map
 * @throws Error when there is no such interface
 */
export async function uplinkPort(
  { config, routerMac }: FixedPortParts,
  attacher: Attacher,
  index: number,
): Promise<WantedPort> {
  const { interface: ifname = '', gateway4 = '', gateway6 = '' } = config.uplink ?? {};
  const link = findLink(ifname);
  if (link === undefined) throw new Error(`uplink.interface: there is no ${ifname}: see \`ip link\``);
  const { index: ifindex, mtu } = link;
  const mac = macText(link.mac);
  const none = { netns: '', addresses: [], gateways: [] };
  const owner = { owner: UPLINK_OWNER, port: index, mode: 'existing' as const };
  const spec = { ...owner, hostInterface: ifname, mac, routerMac, mtu, ...none };
  if (attacher.adopt(spec) === undefined) await attacher.attach(spec);
  const own = (networkInterfaces()[ifname] ?? []).filter(({ address }) => !address.startsWith('fe80:'));
  const address = own.find(({ family }) => family === 'IPv4')?.address;
  const address6 = own.find(({ family }) => family === 'IPv6')?.address;
  return {
    index,
    port: {
      ...{ kind: 'uplink' as const, ifname, ifindex, mac: macWords(mac), endpointId: 0, secId: 0, mtu, flags: 0 },
      ...(address !== undefined && { address: wordsOf(address) }),
      ...(address6 !== undefined && { address6: wordsOf(address6) }),
      ...(gateway4 !== '' && { gateway: wordsOf(gateway4) }),
      ...(gateway6 !== '' && { gateway6: wordsOf(gateway6) }),
    },
    addresses: [],
    isHost: false,
  };
}
