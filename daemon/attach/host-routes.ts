/**
 * Routes of the host by its port that come and go: to pods whose addresses lie outside the pod ranges (their manifests named
 * them), and to services. The pod ranges themselves are routed when the host port is made (host-port.ts); all go with the interface.
 *
 * Pods are asked for on the link. Services have no neighbour that would answer for them: they are reached through the dataplane, which
 * has a permanent entry as one. A prefix of services that somebody else routes exactly so is left to him: another instance with
 * the same serviceCIDRs may be here.
 */
import { isIP } from 'node:net';
import { type Config, podRanges, routerAddresses } from '../config/config.ts';
import { hostSideName } from './host-port.ts';
import { ipBatch, ipJson } from '../../linux/netns.ts';
import { hostPrefix, isInside, parseAddress, parseRange } from './range.ts';
import { NEXT_HOP } from './return-table.ts';

interface Route {
  readonly dst: string;
  readonly dev?: string;
  readonly protocol?: string;
}

export class HostRoutes {
  readonly #device: string;
  readonly #routerMac: string;
  readonly #ranges: readonly ReturnType<typeof parseRange>[];
  readonly #sources: ReadonlyMap<4 | 6, string>;
  readonly #permanent: ReadonlySet<string>;
  /** Prefixes of pods; undefined while they are not known: those that an earlier agent left stay meanwhile. */
  #pods: readonly string[] | undefined;
  #services: readonly string[] = [];
  /** Prefixes of services that others route. */
  #foreign = new Set<string>();
  #there: Set<string> | undefined;
  #queue: Promise<void> = Promise.resolve();

  constructor(config: Config, routerMac: string) {
    const ranges = podRanges(config);
    this.#device = hostSideName(config.name);
    this.#routerMac = routerMac;
    this.#ranges = ranges.map(parseRange);
    this.#permanent = new Set([...ranges, ...(config.uplink?.prefixes ?? [])]);
    this.#sources = new Map(routerAddresses(config).map((address) => [isIP(address) as 4 | 6, address]));
  }

  /**
   * Makes the host reach exactly these pod addresses beside the ranges.
   * @returns when it is so; calls are worked on one after the other
   * @throws CommandError when a route is refused
   */
  sync(addresses: readonly string[]): Promise<void> {
    const outside = addresses.map(parseAddress).filter((one) => !this.#ranges.some((range) => isInside(range, one)));
    this.#pods = outside.map(hostPrefix);
    return this.#inTurn();
  }

  /** The same of prefixes of services, of families that the router has an address of. Before the first `sync` nothing is done. */
  setServices(prefixes: readonly string[]): Promise<void> {
    this.#services = prefixes.filter((prefix) => this.#sources.has(familyOf(prefix)));
    this.#foreign = new Set();
    return this.#inTurn();
  }

  #inTurn(): Promise<void> {
    const work = this.#queue.then(() => this.#apply());
    this.#queue = work.catch(() => {});
    return work;
  }

  async #apply(): Promise<void> {
    if (this.#pods === undefined) return;
    this.#there ??= await this.#found();
    const there = this.#there;
    const services = new Set(this.#services);
    const wanted = new Set([...this.#pods, ...services]);
    const fresh = [...wanted].filter((prefix) => !there.has(prefix) && !this.#foreign.has(prefix));
    if (fresh.some((prefix) => services.has(prefix))) await this.#lookForForeign();
    const added = fresh.filter((prefix) => !this.#foreign.has(prefix));
    const gone = [...there].filter((prefix) => !wanted.has(prefix));
    if (added.length + gone.length === 0) return;
    const hops = [...new Set(added.filter((prefix) => services.has(prefix)).map(familyOf))];
    await ipBatch([
      ...gone.map((prefix) => `route del ${prefix} dev ${this.#device}`),
      ...hops.map(
        (family) => `neigh replace ${NEXT_HOP[family]} lladdr ${this.#routerMac} dev ${this.#device} nud permanent`,
      ),
      ...added.map((prefix) => this.#line(prefix, services.has(prefix))),
    ]);
    this.#there = new Set([...there, ...added].filter((prefix) => wanted.has(prefix)));
  }

  #line(prefix: string, isService: boolean): string {
    const family = familyOf(prefix);
    const source = this.#sources.get(family);
    const from = source === undefined ? '' : ` src ${source}`;
    const onLink = family === 4 ? ' scope link' : '';
    const way = isService ? ` via ${NEXT_HOP[family]} dev ${this.#device} onlink` : ` dev ${this.#device}${onLink}`;
    return `route replace ${prefix}${way}${from}`;
  }

  async #lookForForeign(): Promise<void> {
    const others = (await this.#routes([])).filter(({ dev }) => dev !== this.#device);
    const taken = new Set(others.map(({ dst }) => (isIP(dst) === 0 ? dst : hostPrefix(parseAddress(dst)))));
    for (const prefix of this.#services) if (taken.has(prefix)) this.#foreign.add(prefix);
  }

  /** Routes that an earlier agent left. */
  async #found(): Promise<Set<string>> {
    const routes = await this.#routes(['dev', this.#device]);
    const known = new Set(this.#services);
    const own = routes
      .filter(({ protocol }) => protocol !== 'kernel')
      .map(({ dst }) => (isIP(dst) === 0 ? dst : hostPrefix(parseAddress(dst))))
      .filter((prefix) => isIP(prefix.replace(/\/(32|128)$/, '')) !== 0 || known.has(prefix));
    return new Set(own.filter((prefix) => !this.#permanent.has(prefix)));
  }

  async #routes(filter: readonly string[]): Promise<Route[]> {
    const show = (flag: string) => ipJson<Route>('', [flag, 'route', 'show', ...filter]);
    return [...(await show('-4')), ...(await show('-6'))];
  }
}

function familyOf(prefix: string): 4 | 6 {
  return prefix.includes(':') ? 6 : 4;
}
