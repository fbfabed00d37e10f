/** What of the host's network the way out depends on: its interfaces with addresses, and which address it has to those outside. */
import { isIP } from 'node:net';
import type { EgressNetwork } from '../../policy/egress-table.ts';
import { parsePrefix } from '../../wire/prefix.ts';
import { ipJson } from '../../linux/netns.ts';

/** As `ip -json addr show` has it. */
export interface Link {
  readonly ifindex: number;
  readonly ifname: string;
  readonly link_type: string;
  /** Its MAC, if it is Ethernet. */
  readonly address: string;
  readonly addr_info: readonly {
    readonly local?: string;
    readonly scope: string;
    readonly temporary?: boolean;
    readonly deprecated?: boolean;
    readonly tentative?: boolean;
  }[];
}

/** As `ip -json route show default` has it. */
export interface DefaultRoute {
  readonly dev?: string;
  readonly prefsrc?: string;
  readonly nexthops?: readonly { readonly dev: string }[];
}

export interface HostNetwork {
  readonly links: readonly Link[];
  readonly routes: { readonly 4: readonly DefaultRoute[]; readonly 6: readonly DefaultRoute[] };
}

/** All that the types above name. */
const FIELDS = [
  ...['links', 'ifindex', 'ifname', 'link_type', 'address', 'addr_info'],
  ...['local', 'scope', 'temporary', 'deprecated', 'tentative'],
  ...['routes', '4', '6', 'dev', 'prefsrc', 'nexthops'],
];

/** @throws CommandError of `ip` */
export async function readHostNetwork(): Promise<HostNetwork> {
  const show = (family: string) => ipJson<DefaultRoute>('', [family, 'route', 'show', 'default']);
  const links = await ipJson<Link>('', ['addr', 'show']);
  return { links, routes: { 4: await show('-4'), 6: await show('-6').catch(() => []) } };
}

/**
 * A text that is another when the network is. The kernel tells lifetimes besides, of leased addresses and advertised routes,
 * which are others at each reading.
 */
export function textOfNetwork(network: HostNetwork | undefined): string | undefined {
  return JSON.stringify(network, FIELDS);
}

/** Interfaces by which outsiders reach the host: with an address, lo and the instance's own left out. */
export function outerLinks(links: readonly Link[], instance: string): Link[] {
  return links.filter(
    ({ ifname, addr_info }) =>
      ifname !== 'lo' && !ifname.startsWith(`${instance}_`) && addr_info.some(({ scope }) => scope === 'global'),
  );
}

/**
 * The address that the host has to those outside: the source of its default route, else the first address of that
 * route's interface, else the first of any. Temporary ones are passed over: connections outlive these.
 * @returns '' when it has none
 */
export function outerAddress({ links, routes }: HostNetwork, instance: string, family: 4 | 6): string {
  const [route] = routes[family];
  const outer = outerLinks(links, instance);
  const near = outer.find(({ ifname }) => ifname === deviceOf(route));
  return (
    route?.prefsrc ??
    [...(near === undefined ? [] : [near]), ...outer].flatMap(lastingAddresses).find((text) => isIP(text) === family) ??
    ''
  );
}

/**
 * The addresses that egress gateway policies may choose, by interface.
 * @param uplink the interface that pods leave by; '' when the host routes them, and any will do
 */
export function egressNetwork({ links, routes }: HostNetwork, instance: string, uplink: string): EgressNetwork {
  const some = links.filter(({ ifname }) => (uplink === '' ? !ifname.startsWith(`${instance}_`) : ifname === uplink));
  const defaults = ([4, 6] as const).map((family) => [family, uplink || (deviceOf(routes[family][0]) ?? '')] as const);
  return {
    links: some.map((link) => ({
      name: link.ifname,
      addresses: lastingAddresses(link).map((text) => parsePrefix(text, 'host')),
    })),
    defaults: new Map(defaults),
  };
}

function deviceOf(route: DefaultRoute | undefined): string | undefined {
  return route?.dev ?? route?.nexthops?.[0]?.dev;
}

function lastingAddresses({ addr_info }: Link): string[] {
  return addr_info
    .filter((one) => one.scope === 'global' && !one.temporary && !one.deprecated && !one.tentative)
    .map(({ local = '' }) => local)
    .filter((local) => isIP(local) !== 0);
}
