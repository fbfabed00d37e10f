/**
 * Numbers and addresses of pods: endpoint id, port index, IPs. A pod keeps them as long as it is known, over restarts
 * of the agent too: they are in maps that outlive it.
 */
import { join } from 'node:path';
import { type Config, podRanges, routerAddresses } from '../config/config.ts';
import { interfaceAddresses } from '../../linux/addresses.ts';
import { type Holdings, Ipam } from './ipam.ts';
import { NumberPool } from './number-pool.ts';
import type { PodPlan } from '../source/pod-plan.ts';
import { StateFile } from '../../linux/state-file.ts';
import { type Address, parseAddress, parseRange } from './range.ts';

/** Endpoint id of the host itself, as Cilium gives it one. */
export const HOST_ENDPOINT = 1;
const MAX_ENDPOINT = 65535;
const MAX_PORT = 4095;

interface Saved {
  readonly endpoints: Record<string, number>;
  readonly ports: Record<string, number>;
  readonly addresses: Holdings;
}

export interface Numbers {
  readonly endpointId: number;
  readonly port: number;
  readonly addresses: readonly Address[];
}

export class Numbering {
  readonly #file: StateFile<Saved>;
  readonly #endpoints: NumberPool;
  readonly #ports: NumberPool;
  readonly #ipam: Ipam;
  readonly #families: readonly (4 | 6)[];
  #ofHost: readonly string[] | undefined;

  constructor(stateDir: string, config: Config) {
    this.#file = new StateFile(join(stateDir, 'numbers.json'), 1);
    const saved = this.#file.load({ endpoints: {}, ports: {}, addresses: {} });
    this.#endpoints = new NumberPool(HOST_ENDPOINT + 1, MAX_ENDPOINT, 'round', saved.endpoints);
    this.#ports = new NumberPool(0, MAX_PORT, 'lowest', saved.ports);
    const ranges = podRanges(config).map(parseRange);
    const routers = routerAddresses(config);
    this.#families = ranges.map(({ family }) => family);
    this.#ipam = new Ipam(
      ranges,
      routers.map(parseAddress),
      () => (this.#ofHost ??= this.#hostNow(routers)),
      saved.addresses,
    );
  }

  /** Asked of the kernel once for all pods of one turn, for it is slow to say. */
  #hostNow(routers: readonly string[]): readonly string[] {
    queueMicrotask(() => (this.#ofHost = undefined));
    return [...routers, ...interfaceAddresses()];
  }

  /** Why the numbers found at start were put aside, when they were. */
  get problem(): string | undefined {
    return this.#file.problem;
  }

  /**
   * Everything a pod needs. Addresses that its document names are claimed; a family it names none of is drawn from.
   * @throws RangeError when an address is another's, or numbers are used up
   */
  take(plan: PodPlan): Numbers {
    for (const text of plan.addresses) this.#ipam.claim(plan.key, text);
    const named = plan.addresses.map(parseAddress);
    const isOutside = plan.place === 'external';
    const drawn = this.#families
      .filter(
        (family) =>
          !isOutside && plan.runtime?.hasOwnAddresses !== true && !named.some((address) => address.family === family),
      )
      .map((family) => this.#ipam.allocate(plan.key, family))
      .filter((address) => address !== undefined);
    const endpointId = isOutside ? 0 : this.#endpoints.allocate(plan.key);
    return { endpointId, port: this.#ports.allocate(plan.key), addresses: [...named, ...drawn] };
  }

  /** A port that belongs to no pod: the host's, the uplink's. */
  portOf(name: string): number {
    return this.#ports.allocate(name);
  }

  /** Why no further pod can be taken; '' when one can. */
  fullness(): string {
    if (!this.#endpoints.hasRoom || !this.#ports.hasRoom) return 'endpoint ids or ports are used up';
    return this.#ipam.fullness();
  }

  release(key: string): void {
    this.#endpoints.release(key);
    this.#ports.release(key);
    this.#ipam.release(key);
  }

  /** Forgets the pods that were known before and are not among `keys`. */
  keepOnly(keys: ReadonlySet<string>): void {
    const known = [this.#endpoints.numbers(), this.#ports.numbers(), this.#ipam.holdings()].flatMap(Object.keys);
    for (const key of known) if (key.includes('/') && !keys.has(key)) this.release(key);
  }

  save(): void {
    const addresses = this.#ipam.holdings();
    this.#file.save({ endpoints: this.#endpoints.numbers(), ports: this.#ports.numbers(), addresses });
  }
}
