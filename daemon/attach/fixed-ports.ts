/** The two ports that belong to no pod: the host's own, and the uplink to everything outside. */
import { NO_CONDITIONS } from '../../policy-maps/condition-map.ts';
import type { Attacher } from './attacher.ts';
import { addressesOf, linkLocalOf } from '../../linux/addresses.ts';
import { macOf } from '../../linux/attachment.ts';
import { type Config, routerAddresses } from '../config/config.ts';
import type { Firewall } from './firewall.ts';
import { type HostPortSpec, netSideName, raiseHostPort } from './host-port.ts';
import type { Journal } from '../../linux/journal.ts';
import { findLink, macText } from '../../linux/links.ts';
import { IDENTITY_HOST } from '../../wire/identities.ts';
import { HOST_ENDPOINT } from './numbering.ts';
import type { Port } from '../../policy-maps/port-map.ts';
import type { WantedPort } from './port-publisher.ts';
import { addressWords, macWords } from '../../wire/address.ts';

/** Owner of the uplink's attachment in the journal; a pod's has a slash. */
export const UPLINK_OWNER = 'uplink';

export interface FixedPortParts {
  readonly config: Config;
  readonly journal: Journal;
  readonly firewall: Firewall;
  readonly routerMac: string;
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
  const { name, mtu } = parts.config;
  const hostMac = macOf(name, 'host');
  const spec = {
    instance: name,
    routerMac: parts.routerMac,
    hostMac,
    addresses: routerAddresses(parts.config),
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
    conditions: NO_CONDITIONS,
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
  return {
    index,
    port: {
      ...{ kind: 'uplink' as const, ifname, ifindex, mac: macWords(mac), endpointId: 0, secId: 0, mtu, flags: 0 },
      ...linkFacts(ifname),
      ...(gateway4 !== '' && { gateway: addressWords(gateway4) }),
      ...(gateway6 !== '' && { gateway6: addressWords(gateway6) }),
    },
    addresses: [],
    isHost: false,
    conditions: NO_CONDITIONS,
  };
}

/** What of an uplink's row may change while it is in use. @returns undefined when there is no such interface */
export function linkFacts(ifname: string): Required<Pick<Port, 'mtu' | 'address' | 'address6'>> | undefined {
  const mtu = findLink(ifname)?.mtu;
  if (mtu === undefined) return undefined;
  const own = addressesOf(ifname);
  const address = own.find(({ family }) => family === 'IPv4')?.address;
  const address6 = own.find(({ family }) => family === 'IPv6')?.address ?? linkLocalOf(ifname);
  return {
    mtu,
    address: address === undefined ? [0, 0, 0, 0] : addressWords(address),
    address6: address6 === undefined ? [0, 0, 0, 0] : addressWords(address6),
  };
}
