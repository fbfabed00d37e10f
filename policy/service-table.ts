/** Services and their backends, as far as toServices needs them: peers made of selectors or of addresses. */
import { parsePrefix } from './rule/cidr.ts';
import { CLUSTER, LabelSet, POD_NAMESPACE, formatLabel } from './rule/labels.ts';
import type { PolicyOptions } from './rule/options.ts';
import type { EndpointSliceSpec, ServiceSpec } from './rule/spec.ts';
import { cidrPeer, endpointsPeer, type Peer, type ServicePeer } from './rule/peer.ts';
import { equals, selectorFrom, selects } from './rule/selector.ts';

/** A service with its labels as selectors want them. */
interface Held {
  readonly service: ServiceSpec;
  readonly labels: LabelSet;
}

export class ServiceTable {
  readonly #services = new Map<string, Held>();
  /** By name alone: a few, one a namespace. */
  readonly #byName = new Map<string, Map<string, Held>>();
  readonly #slices = new Map<string, EndpointSliceSpec>();
  /** By the service they belong to. */
  readonly #slicesOf = new Map<string, Map<string, EndpointSliceSpec>>();

  readonly #options: PolicyOptions;

  constructor(options: PolicyOptions) {
    this.#options = options;
  }

  set(service: ServiceSpec): void {
    const key = keyOf(service);
    const labels = Object.entries(service.labels).map(([name, value]) => formatLabel('k8s', name, value));
    const held = { service, labels: new LabelSet(labels) };
    this.#services.set(key, held);
    file(this.#byName, service.name, key, held);
  }

  remove(namespace: string, name: string): void {
    const key = keyOf({ namespace, name });
    this.#services.delete(key);
    unfile(this.#byName, name, key);
  }

  setSlice(slice: EndpointSliceSpec): void {
    this.removeSlice(slice.namespace, slice.name);
    const key = keyOf(slice);
    this.#slices.set(key, slice);
    file(this.#slicesOf, serviceOf(slice), key, slice);
  }

  /** @returns the service it belonged to */
  removeSlice(namespace: string, name: string): string | undefined {
    const key = keyOf({ namespace, name });
    const slice = this.#slices.get(key);
    if (slice === undefined) return undefined;
    this.#slices.delete(key);
    unfile(this.#slicesOf, serviceOf(slice), key);
    return slice.service;
  }

  /** Every peer that the services named by `wanted` stand for: pods by selector, or addresses for those without one. */
  peersOf(wanted: ServicePeer): Peer[] {
    const candidates = wanted.name === undefined ? this.#services : this.#byName.get(wanted.name);
    return [...(candidates?.values() ?? [])]
      .filter((held) => isWanted(held, wanted))
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
    const slices = this.#slicesOf.get(keyOf({ namespace, name }))?.values() ?? [];
    return [...new Set([...slices].flatMap(({ addresses }) => addresses))];
  }
}

function isWanted({ service, labels }: Held, wanted: ServicePeer): boolean {
  if (wanted.namespace !== '' && wanted.namespace !== service.namespace) return false;
  return wanted.name !== undefined || selects(wanted.selector ?? [], labels);
}

function keyOf({ namespace, name }: { namespace: string; name: string }): string {
  return `${namespace}/${name}`;
}

function serviceOf({ namespace, service }: EndpointSliceSpec): string {
  return keyOf({ namespace, name: service });
}

function file<V>(table: Map<string, Map<string, V>>, place: string, key: string, value: V): void {
  const values = table.get(place) ?? new Map<string, V>();
  table.set(place, values.set(key, value));
}

function unfile<V>(table: Map<string, Map<string, V>>, place: string, key: string): void {
  const values = table.get(place);
  if (values?.delete(key) && values.size === 0) table.delete(place);
}
