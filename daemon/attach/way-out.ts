/**
 * The way out by the host: what pods send outside leaves by `<name>_host` with an address of the host and a port of the
 * masquerade range, and is routed on as the host routes; answers are taken from its interfaces (return-table.ts).
 *
 *     pod -- dataplane (masquerades) -- <name>_net == <name>_host -- [forwarding of this one interface] -- eth0 -- outside
 *
 * Of the host's settings only those of `<name>_host` change: it forwards, and takes frames whose source is the host's own. IPv6 needs
 * `force_forwarding` for that (Linux 6.17); an older kernel forwards by all interfaces or none, which is left to its owner.
 *
 * Followed every few seconds: interfaces, addresses and default routes of the host. Without an address of a family nothing
 * of that family leaves (169). An answer to an address that was given up is nobody's.
 */
import { existsSync, readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import type { AddressFilter } from '../../policy-maps/service/address-filter.ts';
import type { ConfigMap } from '../../policy-maps/config-map.ts';
import type { L2Map } from '../../policy-maps/service/l2-map.ts';
import { TranslationSettings } from '../../policy-maps/service/translation-settings.ts';
import { addressWords } from '../../wire/address.ts';
import { addressesOf } from '../../linux/addresses.ts';
import { setSysctls } from '../../linux/links.ts';
import { ipBatch } from '../../linux/netns.ts';
import { type Config, isMasquerading, masqueradePorts } from '../config/config.ts';
import {
  egressNetwork,
  type HostNetwork,
  type Link,
  outerAddress,
  outerLinks,
  readHostNetwork,
  textOfNetwork,
} from './host-network.ts';
import type { EgressNetwork } from '../../policy/egress-table.ts';
import { hostSideName } from './host-port.ts';
import { Announcements } from './announcements.ts';
import { NEXT_HOP, ReturnTable, type ServicePlace } from './return-table.ts';

export interface WayOutOptions {
  readonly config: Config;
  readonly routerMac: string;
  readonly maps: { readonly config: ConfigMap; readonly addressFilter: AddressFilter; readonly l2: L2Map };
  /** Takes what is wrong now. */
  readonly tell: (problems: readonly string[]) => void;
  /** `answered` is another than before. */
  readonly onAnswered: () => void;
}

const FAMILIES = [4, 6] as const;
const NO_WORDS = [0, 0, 0, 0] as const;

export class WayOut {
  readonly #options: WayOutOptions;
  readonly #table: ReturnTable;
  readonly #device: string;
  readonly #addresses = new Map<4 | 6, string>();
  #network: HostNetwork | undefined;
  /** Undefined until they are known: the table that an earlier agent left stays as it is meanwhile. */
  #services: readonly ServicePlace[] | undefined;
  /** Addresses of egress gateway policies, and those of them that answers are taken for. */
  #egress: readonly string[] = [];
  #answered: ReadonlySet<string> | undefined;
  readonly #announcements: Announcements;
  /** With what it was made of: each address costs a look at the ranges, and most changes of services are about none. */
  #announced: {
    readonly services?: readonly ServicePlace[] | undefined;
    readonly network?: HostNetwork | undefined;
    readonly addresses: readonly string[];
  } = { addresses: [] };

  constructor(options: WayOutOptions) {
    this.#options = options;
    this.#table = new ReturnTable(options.config.name);
    this.#device = hostSideName(options.config.name);
    this.#announcements = new Announcements(options.config, options.maps.l2);
  }

  /** Addresses that egress gateway policies may choose; undefined while they are not known, and where pods do not leave. */
  get network(): EgressNetwork | undefined {
    const { config } = this.#options;
    if (this.#network === undefined) return undefined;
    return egressNetwork(this.#network, config.name, config.uplink?.interface ?? '');
  }

  /** Addresses of such policies that answers come to the dataplane for; undefined until it has been seen to. */
  get answered(): ReadonlySet<string> | undefined {
    return this.#answered;
  }

  /**
   * Follows the host's network. Preconditions: the host's port is there, if there is to be one
   * @returns whether interfaces or their addresses are others than before
   */
  async look(): Promise<boolean> {
    const { config, tell } = this.#options;
    if (config.uplinkMode === 'none') return false;
    let isOther = false;
    try {
      const network = await readHostNetwork();
      isOther = textOfNetwork(network) !== textOfNetwork(this.#network);
      if (isOther) this.#network = network;
      if (config.uplinkMode === 'interface') this.#lookAtUplink();
      else await this.#lookAtHost();
      this.#announce();
      tell(this.#problems());
    } catch (error) {
      tell([`uplink: ${(error as Error).message}`]);
    }
    return isOther;
  }

  async #lookAtHost(): Promise<void> {
    setSysctls(forwardingOf(this.#device));
    await ipBatch(this.#neighbors());
    const chosen = FAMILIES.map((family) => [family, this.#chosen(family)] as const);
    // Answers are taken before the first frame asks for one; those to the address before, until the next look.
    const now = chosen.map(([, address]) => address).filter((address) => address !== '');
    await this.#apply([...this.#addresses.values(), ...now]);
    for (const [family, address] of chosen) this.#masquerade(family, address);
  }

  /** What is to be taken from the host's interfaces: for services, and answers to addresses that policies choose. */
  setOuter(services: readonly ServicePlace[], egress: readonly string[]): void {
    const isSame = services === this.#services && egress.join() === this.#egress.join();
    if (isSame) return;
    this.#services = services;
    this.#egress = egress;
    if (this.#options.config.uplinkMode !== 'host') {
      this.#answered = new Set(egress); // whatever comes in by the interface is the dataplane's
      this.#announce();
      return;
    }
    this.#apply([...this.#addresses.values()]).catch((error: unknown) =>
      this.#options.tell([`uplink: ${(error as Error).message}`]),
    );
  }

  /** Puts back what others removed. @returns what was lost */
  async restore(): Promise<string[]> {
    return (await this.#table.restore()) ? ['answers to pods'] : [];
  }

  /** Addresses of services that this machine answers for: the same array while services and network are the same. */
  get announced(): readonly string[] {
    const [services, network] = [this.#services, this.#network];
    const isSame = this.#announced.services === services && this.#announced.network === network;
    if (!isSame) {
      const own = new Set((network?.links ?? []).flatMap(({ addr_info }) => addr_info.map(({ local = '' }) => local)));
      this.#announced = { services, network, addresses: this.#announcements.of(services ?? [], own) };
    }
    return this.#announced.addresses;
  }

  /** Links of the host keep no groups. */
  close(): void {
    this.#announcements.close();
  }

  /** Takes the table away. */
  remove(): Promise<void> {
    return this.#table.remove();
  }

  /** What frames come in by on which addresses are answered for. */
  #links(): Link[] {
    const { name, uplink, uplinkMode } = this.#options.config;
    const links = this.#network?.links ?? [];
    const some =
      uplinkMode === 'interface' ? links.filter(({ ifname }) => ifname === uplink?.interface) : outerLinks(links, name);
    return some.filter(({ link_type }) => link_type === 'ether');
  }

  /** On an uplink the host's stack answers for nothing, so addresses that pods leave with are answered for too. */
  #announce(): void {
    if (this.#network === undefined || this.#services === undefined) return;
    const isUplink = this.#options.config.uplinkMode === 'interface';
    const more = isUplink ? [...this.#egress, ...this.#addresses.values()] : [];
    this.#announcements.set([...new Set([...this.announced, ...more])], this.#links());
  }

  /** @param addresses that pods are masqueraded with */
  async #apply(addresses: readonly string[]): Promise<void> {
    const { config, routerMac, onAnswered } = this.#options;
    if (this.#network === undefined || this.#services === undefined) return;
    const { ethernet, egress } = { ethernet: new Set(this.#links().map(({ ifname }) => ifname)), egress: this.#egress };
    await this.#table.set({
      device: this.#device,
      mac: routerMac,
      interfaces: outerLinks(this.#network.links, config.name).map(({ ifname, ifindex, address }) => ({
        name: ifname,
        index: ifindex,
        mac: ethernet.has(ifname) ? address : '',
      })),
      announced: this.announced,
      addresses: [...new Set([...addresses, ...egress])],
      ports: masqueradePorts(config),
      services: this.#services,
    });
    const isSame = egress.join() === [...(this.#answered ?? [])].join();
    this.#announce();
    this.#answered = new Set(egress);
    if (!isSame) onAnswered();
  }

  #chosen(family: 4 | 6): string {
    const { config } = this.#options;
    if (!isMasquerading(config) || this.#network === undefined) return '';
    return this.#given(family) || outerAddress(this.#network, config.name, family);
  }

  #given(family: 4 | 6): string {
    const { ipv4, ipv6 } = this.#options.config.masquerade;
    return family === 4 ? ipv4 : ipv6;
  }

  /** The interface that was taken has the addresses itself. */
  #lookAtUplink(): void {
    const { config } = this.#options;
    if (!isMasquerading(config)) return;
    const own = addressesOf(config.uplink?.interface ?? '').map(({ address }) => address);
    for (const family of FAMILIES)
      this.#masquerade(family, this.#given(family) || (own.find((text) => isIP(text) === family) ?? ''));
  }

  /** Takes an address up, and gives up the one before. */
  #masquerade(family: 4 | 6, address: string): void {
    const { config, addressFilter } = this.#options.maps;
    const before = this.#addresses.get(family) ?? '';
    if (before === address) return;
    if (address !== '') addressFilter.add(addressWords(address));
    new TranslationSettings(config).setMasquerade(family, address === '' ? NO_WORDS : addressWords(address));
    if (before !== '') addressFilter.remove(addressWords(before));
    if (address === '') this.#addresses.delete(family);
    else this.#addresses.set(family, address);
  }

  /** Lines of `ip -batch`: a link that was down has forgotten them. */
  #neighbors(): string[] {
    const { config, routerMac } = this.#options;
    const families = [config.router.ipv4, config.router.ipv6].filter((text) => text !== '').map((text) => isIP(text));
    return families.map(
      (family) => `neigh replace ${NEXT_HOP[family as 4 | 6]} lladdr ${routerMac} dev ${this.#device} nud permanent`,
    );
  }

  #problems(): string[] {
    const { config } = this.#options;
    const lines = [this.#announcements.problem].filter((text) => text !== '');
    if (config.uplinkMode !== 'host') return lines;
    if (setting('ipv4/conf/all/rp_filter') === '1')
      lines.push('uplink: net.ipv4.conf.all.rp_filter is 1: the host drops what pods send outside; set it to 0 or 2');
    const cannotForward = !existsSync(`/proc/sys/net/${FORCE_FORWARDING(this.#device)}`);
    if (config.podCIDRs.ipv6 !== '' && cannotForward && setting('ipv6/conf/all/forwarding') === '0')
      lines.push(
        'uplink: this kernel forwards IPv6 only with net.ipv6.conf.all.forwarding=1: without, pods have IPv4 outside',
      );
    const { first, last } = masqueradePorts(config);
    const [low, high] = setting('ipv4/ip_local_port_range').split(/\s+/).map(Number);
    if (isMasquerading(config) && low <= last && high >= first)
      lines.push(
        `uplink: the host gives its own connections ports of masquerade.ports (net.ipv4.ip_local_port_range is ${low} ${high}): part them`,
      );
    return lines;
  }
}

const FORCE_FORWARDING = (device: string) => `ipv6/conf/${device}/force_forwarding`;

function forwardingOf(device: string): readonly (readonly [string, string])[] {
  return [
    [`ipv4/conf/${device}/accept_local`, '1'],
    [`ipv4/conf/${device}/forwarding`, '1'],
    [FORCE_FORWARDING(device), '1'],
  ];
}

/** A setting under /proc/sys/net; '' when there is none. */
function setting(name: string): string {
  const path = `/proc/sys/net/${name}`;
  return existsSync(path) ? readFileSync(path, 'utf8').trim() : '';
}
