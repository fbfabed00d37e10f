/**
 * Which addresses this machine answers for on its links, as if they were its own: those of load balancers (option `announce`), and
 * on an uplink of the dataplane's those that pods leave with.
 *
 *     services, egress addresses, links -> rows of l2_responder (who asks is told the MAC of his link)
 *                                       -> rules of the return table (his question reaches the dataplane)
 *                                       -> groups of the links (IPv6: his question reaches this machine)
 *
 * Solicitations go to a group that the interface must listen to (RFC 4291, 2.7.1): a socket joins it and ends with the agent. With the
 * agent dead neighbours who know an address go on, for they ask its MAC.
 */
import { createSocket, type Socket } from 'node:dgram';
import { isIP } from 'node:net';
import type { L2Map } from '../../policy-maps/service/l2-map.ts';
import { addressWords, macWords } from '../../wire/address.ts';
import type { Config } from '../config/config.ts';
import type { Link } from './host-network.ts';
import { isInside, parseAddress, parseRange, type Range } from './range.ts';
import type { ServicePlace } from './return-table.ts';

/** A link that addresses are announced on. */
export type AnnouncedLink = Pick<Link, 'ifname' | 'address'>;

export class Announcements {
  readonly #map: L2Map;
  readonly #mode: Config['announce'];
  readonly #pool: readonly Range[];
  #socket: Socket | undefined;
  readonly #joined = new Set<string>();
  /** Why something is not announced; '' when all is. */
  problem = '';

  constructor(config: Config, map: L2Map) {
    const { ipv4, ipv6 } = config.loadBalancerCIDRs;
    this.#map = map;
    this.#mode = config.announce;
    this.#pool = [ipv4, ipv6].filter((text) => text !== '').map(parseRange);
  }

  /** Addresses of services that are this machine's to announce. @param own addresses that it has anyway */
  of(places: readonly ServicePlace[], own: ReadonlySet<string>): string[] {
    if (this.#mode === 'none') return [];
    const all = new Set(places.filter((place) => place.isAnnounceable).map(({ address }) => address));
    return [...all].filter((address) => !own.has(address) && (this.#mode === 'all' || this.#isInPool(address)));
  }

  /** Answers for these addresses on these links, and for no others. */
  set(addresses: readonly string[], links: readonly AnnouncedLink[]): void {
    this.problem = '';
    const rows = addresses.flatMap((address) =>
      links.map((link) => ({ address: addressWords(address), mac: macWords(link.address) })),
    );
    this.#try(() => this.#map.set(rows));
    const groups = addresses.filter((address) => isIP(address) === 6).map(solicitedNode);
    const wanted = new Set(groups.flatMap((group) => links.map(({ ifname }) => `${group} ::%${ifname}`)));
    for (const name of this.#joined) if (!wanted.has(name)) this.#leave(name);
    for (const name of wanted) if (!this.#joined.has(name)) this.#join(name);
  }

  /** Answers for nothing on any link any more. */
  close(): void {
    this.#socket?.close();
    this.#socket = undefined;
    this.#joined.clear();
  }

  #isInPool(text: string): boolean {
    const address = parseAddress(text);
    return this.#pool.some((range) => isInside(range, address));
  }

  #join(name: string): void {
    const [group, link] = name.split(' ');
    this.#socket ??= createSocket({ type: 'udp6', ipv6Only: true }).unref();
    const socket = this.#socket;
    this.#try(() => {
      socket.addMembership(group, link);
      this.#joined.add(name);
    });
  }

  #leave(name: string): void {
    const [group, link] = name.split(' ');
    this.#joined.delete(name);
    try {
      this.#socket?.dropMembership(group, link);
    } catch {
      // The link has gone, and its groups with it.
    }
  }

  #try(work: () => void): void {
    try {
      work();
    } catch (error) {
      this.problem = `announce: ${(error as Error).message}`;
    }
  }
}

/** The group that an address is asked for in. */
function solicitedNode(address: string): string {
  const low = addressWords(address)[3] & 0xffffff;
  return `ff02::1:ff${(low >>> 16).toString(16).padStart(2, '0')}:${(low & 0xffff).toString(16)}`;
}
