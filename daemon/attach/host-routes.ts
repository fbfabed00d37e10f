/**
 * Routes of the host to pods whose addresses lie outside the pod ranges: their manifests named them. The ranges themselves
 * are routed when the host port is made (host-port.ts); these come and go with their pods, and all go with the interface.
 */
import { isIP } from 'node:net';
import { type Config, podRanges, routerAddresses } from '../config/config.ts';
import { hostSideName } from './host-port.ts';
import { ipBatch, ipJson } from '../../linux/netns.ts';
import { hostPrefix, isInside, parseAddress, parseRange } from './range.ts';

export class HostRoutes {
  readonly #device: string;
  readonly #ranges: readonly ReturnType<typeof parseRange>[];
  readonly #sources: ReadonlyMap<4 | 6, string>;
  readonly #permanent: ReadonlySet<string>;
  #there: Set<string> | undefined;
  #queue: Promise<void> = Promise.resolve();

  constructor(config: Config) {
    const ranges = podRanges(config);
    this.#device = hostSideName(config.name);
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
    const wanted = new Set(outside.map(hostPrefix));
    const work = this.#queue.then(() => this.#apply(wanted));
    this.#queue = work.catch(() => {});
    return work;
  }

  async #apply(wanted: ReadonlySet<string>): Promise<void> {
    this.#there ??= await this.#found();
    const there = this.#there;
    const added = [...wanted].filter((prefix) => !there.has(prefix));
    const gone = [...there].filter((prefix) => !wanted.has(prefix));
    if (added.length + gone.length === 0) return;
    await ipBatch([
      ...gone.map((prefix) => `route del ${prefix} dev ${this.#device}`),
      ...added.map((one) => this.#line(one)),
    ]);
    this.#there = new Set(wanted);
  }

  #line(prefix: string): string {
    const family = prefix.includes(':') ? 6 : 4;
    const source = this.#sources.get(family);
    const from = source === undefined ? '' : ` src ${source}`;
    return `route replace ${prefix} dev ${this.#device}${family === 4 ? ' scope link' : ''}${from}`;
  }

  /** Host routes that an earlier agent left. */
  async #found(): Promise<Set<string>> {
    const show = (flag: string) =>
      ipJson<{ dst: string; protocol?: string }>('', [flag, 'route', 'show', 'dev', this.#device]);
    const routes = [...(await show('-4')), ...(await show('-6'))].filter(({ protocol }) => protocol !== 'kernel');
    const singles = routes.map(({ dst }) => dst).filter((dst) => isIP(dst) !== 0);
    return new Set(
      singles.map((dst) => hostPrefix(parseAddress(dst))).filter((prefix) => !this.#permanent.has(prefix)),
    );
  }
}
