/**
 * Services and the endpoints that are listed for them: the one place where both are kept. Policies ask it who is behind a
 * `toServices`; `services/` makes frontends and backends of it, and is told by name what has changed.
 */
import { CLUSTER, LabelSet, POD_NAMESPACE, formatLabel } from './rule/labels.ts';
import { MultiMap } from './rule/multi-map.ts';
import type { PolicyOptions } from './rule/options.ts';
import { cidrPeer, endpointsPeer, type Peer, type ServicePeer } from './rule/peer.ts';
import { equals, selectorFrom, selects } from './rule/selector.ts';
import { type EndpointSliceSpec, serviceKey, type ServiceSpec } from './rule/service-spec.ts';
import { parsePrefix } from '../wire/prefix.ts';

/** A service with its labels as selectors want them. */
interface LabelledService {
  readonly service: ServiceSpec;
  readonly labels: LabelSet;
}

export class ServiceTable {
  readonly #services = new Map<string, LabelledService>();
  /** Keys by name alone: a few, one a namespace. */
  readonly #keysByName = new MultiMap<string, string>();
  readonly #slices = new Map<string, EndpointSliceSpec>();
  /** Slices by the service they belong to. */
  readonly #slicesOf = new MultiMap<string, EndpointSliceSpec>();
  readonly #touched = new Set<string>();

  readonly #options: PolicyOptions;

  constructor(options: PolicyOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#services.size;
  }

  set(service: ServiceSpec): void {
    const key = serviceKey(service);
    const labels = Object.entries(service.labels).map(([name, value]) => formatLabel('k8s', name, value));
    this.#services.set(key, { service, labels: new LabelSet(labels) });
    this.#keysByName.add(service.name, key);
    this.#touched.add(key);
  }

  remove(namespace: string, name: string): void {
    const key = serviceKey({ namespace, name });
    this.#services.delete(key);
    this.#keysByName.remove(name, key);
    this.#touched.add(key);
  }

  setSlice(slice: EndpointSliceSpec): void {
    this.removeSlice(slice.namespace, slice.name);
    this.#slices.set(serviceKey(slice), slice);
    this.#slicesOf.add(serviceOf(slice), slice);
    this.#touched.add(serviceOf(slice));
  }

  /** @returns the name of the service it belonged to */
  removeSlice(namespace: string, name: string): string | undefined {
    const key = serviceKey({ namespace, name });
    const slice = this.#slices.get(key);
    if (slice === undefined) return undefined;
    this.#slices.delete(key);
    this.#slicesOf.remove(serviceOf(slice), slice);
    this.#touched.add(serviceOf(slice));
    return slice.service;
  }

  /** @param key `namespace/name` */
  get(key: string): ServiceSpec | undefined {
    return this.#services.get(key)?.service;
  }

  /** Keys of all services. */
  keys(): Iterable<string> {
    return this.#services.keys();
  }

  slicesOf(key: string): ReadonlySet<EndpointSliceSpec> {
    return this.#slicesOf.get(key);
  }

  /** Is it one whose addresses are listed by hand, or not known? */
  isListed(key: string): boolean {
    return Object.keys(this.get(key)?.selector ?? {}).length === 0;
  }

  /** May one of these services be among those that a peer names? */
  concerns({ namespace, name }: ServicePeer, keys: ReadonlySet<string>): boolean {
    if (name !== undefined && namespace !== '') return keys.has(serviceKey({ namespace, name }));
    const [begin, end] = [namespace === '' ? '' : `${namespace}/`, name === undefined ? '' : `/${name}`];
    return [...keys].some((key) => key.startsWith(begin) && key.endsWith(end));
  }

  /** Keys of services that came, went or changed since the last call, or whose slices did. */
  takeTouched(): string[] {
    const touched = [...this.#touched];
    this.#touched.clear();
    return touched;
  }

  /** Every peer that the services named by `wanted` stand for: pods by selector, or addresses for those without one. */
  peersOf(wanted: ServicePeer): Peer[] {
    const keys = wanted.name === undefined ? this.#services.keys() : this.#keysByName.get(wanted.name);
    return [...keys]
      .map((key) => this.#services.get(key) as LabelledService)
      .filter((service) => isWanted(service, wanted))
      .flatMap(({ service }) => this.#peersOfService(service));
  }

  #peersOfService(service: ServiceSpec): Peer[] {
    if (this.isListed(serviceKey(service))) {
      return this.backends(service).map((address) =>
        cidrPeer(parsePrefix(address, 'host'), [], { nodes: false, pods: false }),
      );
    }
    const selector = [
      ...selectorFrom({ matchLabels: service.selector }, 'k8s'),
      equals({ source: 'k8s', key: POD_NAMESPACE }, service.namespace),
      equals({ source: 'k8s', key: CLUSTER }, this.#options['cluster-name']),
    ];
    return [endpointsPeer(selector)];
  }

  /** Addresses listed for a service that answer, or may be asked all the same. An ExternalName has none. */
  backends(service: { readonly namespace: string; readonly name: string }): string[] {
    const key = serviceKey(service);
    const spec = this.get(key);
    if (spec?.type === 'ExternalName') return [];
    const endpoints = [...this.slicesOf(key)].flatMap(({ subsets }) => subsets.flatMap((subset) => subset.endpoints));
    const asked = endpoints.filter((one) => one.isReady || one.isServing || spec?.publishesNotReady === true);
    return [...new Set(asked.flatMap(({ addresses }) => addresses))];
  }
}

function isWanted({ service, labels }: LabelledService, wanted: ServicePeer): boolean {
  if (wanted.namespace !== '' && wanted.namespace !== service.namespace) return false;
  return wanted.name !== undefined || selects(wanted.selector ?? [], labels);
}

function serviceOf({ namespace, service }: EndpointSliceSpec): string {
  return serviceKey({ namespace, name: service });
}
