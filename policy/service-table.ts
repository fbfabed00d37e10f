/** Services and their backends, as far as toServices needs them: peers made of selectors or of addresses. */
import { CLUSTER, LabelSet, POD_NAMESPACE, formatLabel } from './rule/labels.ts';
import { MultiMap } from './rule/multi-map.ts';
import type { PolicyOptions } from './rule/options.ts';
import type { EndpointSliceSpec, ServiceSpec } from './rule/spec.ts';
import { cidrPeer, endpointsPeer, type Peer, type ServicePeer } from './rule/peer.ts';
import { equals, selectorFrom, selects } from './rule/selector.ts';
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
  /** Keys of slices by the service they belong to. */
  readonly #slicesOf = new MultiMap<string, string>();

  readonly #options: PolicyOptions;

  constructor(options: PolicyOptions) {
    this.#options = options;
  }

  set(service: ServiceSpec): void {
    const key = keyOf(service);
    const labels = Object.entries(service.labels).map(([name, value]) => formatLabel('k8s', name, value));
    this.#services.set(key, { service, labels: new LabelSet(labels) });
    this.#keysByName.add(service.name, key);
  }

  remove(namespace: string, name: string): void {
    const key = keyOf({ namespace, name });
    this.#services.delete(key);
    this.#keysByName.remove(name, key);
  }

  setSlice(slice: EndpointSliceSpec): void {
    this.removeSlice(slice.namespace, slice.name);
    const key = keyOf(slice);
    this.#slices.set(key, slice);
    this.#slicesOf.add(serviceOf(slice), key);
  }

  /** @returns the service it belonged to */
  removeSlice(namespace: string, name: string): string | undefined {
    const key = keyOf({ namespace, name });
    const slice = this.#slices.get(key);
    if (slice === undefined) return undefined;
    this.#slices.delete(key);
    this.#slicesOf.remove(serviceOf(slice), key);
    return slice.service;
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
    if (Object.keys(service.selector).length === 0) {
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

  backends({ namespace, name }: { namespace: string; name: string }): string[] {
    const keys = this.#slicesOf.get(keyOf({ namespace, name }));
    return [...new Set([...keys].flatMap((key) => this.#slices.get(key)?.addresses ?? []))];
  }
}

function isWanted({ service, labels }: LabelledService, wanted: ServicePeer): boolean {
  if (wanted.namespace !== '' && wanted.namespace !== service.namespace) return false;
  return wanted.name !== undefined || selects(wanted.selector ?? [], labels);
}

function keyOf({ namespace, name }: { namespace: string; name: string }): string {
  return `${namespace}/${name}`;
}

function serviceOf({ namespace, service }: EndpointSliceSpec): string {
  return keyOf({ namespace, name: service });
}
