/** Services and their backends, as far as toServices needs them: peers made of selectors or of addresses. */
import { parsePrefix } from './cidr.ts';
import { CLUSTER, LabelSet, POD_NAMESPACE, formatLabel } from './labels.ts';
import type { PolicyOptions } from './options.ts';
import { cidrPeer, endpointsPeer, type Peer, type ServicePeer } from './peer.ts';
import { equals, selectorFrom, selects } from './selector.ts';

export interface ServiceSpec {
  readonly namespace: string;
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  /** Empty = the backends are listed by hand, in endpoint slices. */
  readonly selector: Readonly<Record<string, string>>;
}

export interface EndpointSliceSpec {
  readonly namespace: string;
  readonly name: string;
  readonly service: string;
  readonly addresses: readonly string[];
}

export class ServiceTable {
  private readonly services = new Map<string, ServiceSpec>();
  private readonly slices = new Map<string, EndpointSliceSpec>();

  private readonly options: PolicyOptions;

  constructor(options: PolicyOptions) {
    this.options = options;
  }

  set(service: ServiceSpec): void {
    this.services.set(`${service.namespace}/${service.name}`, service);
  }

  remove(namespace: string, name: string): void {
    this.services.delete(`${namespace}/${name}`);
  }

  setSlice(slice: EndpointSliceSpec): void {
    this.slices.set(`${slice.namespace}/${slice.name}`, slice);
  }

  /** @returns the service it belonged to */
  removeSlice(namespace: string, name: string): string | undefined {
    const key = `${namespace}/${name}`;
    const service = this.slices.get(key)?.service;
    this.slices.delete(key);
    return service;
  }

  /** Every peer that the services named by `wanted` stand for: pods by selector, or addresses for those without one. */
  peersOf(wanted: ServicePeer): Peer[] {
    return [...this.services.values()]
      .filter((service) => isWanted(service, wanted))
      .flatMap((service) => this.peersOfService(service));
  }

  private peersOfService(service: ServiceSpec): Peer[] {
    if (Object.keys(service.selector).length === 0) {
      return this.backends(service).map((address) =>
        cidrPeer(parsePrefix(address, 'host'), [], { nodes: false, pods: false }),
      );
    }
    const selector = [
      ...selectorFrom({ matchLabels: service.selector }, 'k8s'),
      equals({ source: 'k8s', key: POD_NAMESPACE }, service.namespace),
      equals({ source: 'k8s', key: CLUSTER }, this.options['cluster-name']),
    ];
    return [endpointsPeer(selector)];
  }

  backends({ namespace, name }: { namespace: string; name: string }): string[] {
    const slices = [...this.slices.values()].filter((slice) => slice.namespace === namespace && slice.service === name);
    return [...new Set(slices.flatMap(({ addresses }) => addresses))];
  }
}

function isWanted(service: ServiceSpec, wanted: ServicePeer): boolean {
  if (wanted.namespace !== '' && wanted.namespace !== service.namespace) return false;
  if (wanted.name !== undefined) return wanted.name === service.name;
  const labels = Object.entries(service.labels).map(([key, value]) => formatLabel('k8s', key, value));
  return selects(wanted.selector ?? [], new LabelSet(labels));
}
