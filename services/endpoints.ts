/**
 * Who stands behind a service: the pods that it selects, and what slices list besides. A pod that is known here counts as it
 * is, whatever a slice says of its address.
 */
import { isIP } from 'node:net';
import {
  DEFAULT_WEIGHT,
  type EndpointPort,
  type EndpointSliceSpec,
  type Family,
  type ServicePort,
  type ServiceSpec,
} from '../policy/rule/service-spec.ts';
import type { ServicePod } from './pod-index.ts';

/** One address behind a service. */
export interface ServiceEndpoint {
  readonly address: string;
  readonly family: Family;
  readonly isReady: boolean;
  /** Answers, although it may be about to go. */
  readonly isServing: boolean;
  readonly isTerminating: boolean;
  readonly isLocal: boolean;
  readonly nodeName: string;
  /** Name of the pod; '' = only listed. */
  readonly pod: string;
  /** Its name beneath that of a headless service; '' = none of its own. */
  readonly hostname: string;
  readonly weight: number;
  readonly ports: readonly EndpointPort[];
}

/** Where a connection to a port of a service may go. */
export interface ServiceBackend {
  readonly address: string;
  readonly port: number;
  readonly protocol: number;
  readonly isTerminating: boolean;
  readonly isLocal: boolean;
  readonly weight: number;
}

/** What the endpoints of a service are made from. */
export interface EndpointSources {
  readonly pods: readonly ServicePod[];
  readonly slices: Iterable<EndpointSliceSpec>;
  readonly nodeName: string;
}

/** All endpoints of a service, those of pods first; each address once for each set of ports. */
export function endpointsOf(service: ServiceSpec, { pods, slices, nodeName }: EndpointSources): ServiceEndpoint[] {
  if (service.type === 'ExternalName') return [];
  const endpoints = pods.flatMap((pod) => podEndpoints(service, pod));
  const known = new Set(endpoints.map(({ address }) => address));
  for (const slice of slices) {
    for (const { endpoints: listed, ports } of slice.subsets) {
      for (const one of listed) {
        for (const address of one.addresses) {
          if (known.has(address)) continue;
          const { isReady, isServing, isTerminating } = one;
          const isLocal = one.nodeName !== '' && one.nodeName === nodeName;
          const state = { isReady: isReady || service.publishesNotReady, isServing, isTerminating, isLocal };
          const what = { nodeName: one.nodeName, pod: '', hostname: one.hostname, weight: slice.weight, ports };
          endpoints.push({ address, family: isIP(address) as Family, ...state, ...what });
        }
      }
    }
  }
  return endpoints;
}

function podEndpoints(service: ServiceSpec, pod: ServicePod): ServiceEndpoint[] {
  const { isReady, isTerminating, isLocal, nodeName, name } = pod;
  const hostname = pod.subdomain === service.name ? pod.hostname : '';
  const ports = service.ports.flatMap((port) => podPort(port, pod));
  const state = {
    isReady: (isReady && !isTerminating) || service.publishesNotReady,
    isServing: isReady,
    isTerminating,
    isLocal,
  };
  return pod.ips.map((address) => ({
    address,
    family: isIP(address) as Family,
    ...state,
    nodeName,
    pod: name,
    hostname,
    weight: DEFAULT_WEIGHT,
    ports,
  }));
}

/** The port of a pod that a service's port means; none when the pod has no port of that name. */
function podPort({ name, protocol, target }: ServicePort, pod: ServicePod): EndpointPort[] {
  if (typeof target === 'number') return [{ name, protocol, port: target }];
  const found = pod.ports.find((one) => one.name === target.toLowerCase() && one.protocol === protocol);
  return found === undefined ? [] : [{ name, protocol, port: found.port }];
}

/** Where connections to a port may go, of one family: each address and port once. */
export function backendsOf(port: ServicePort, family: Family, endpoints: readonly ServiceEndpoint[]): ServiceBackend[] {
  const found = new Map<string, ServiceBackend>();
  for (const endpoint of endpoints) {
    const { address, isLocal, weight, isReady, isServing, isTerminating } = endpoint;
    if (endpoint.family !== family || (!isReady && !(isServing && isTerminating))) continue;
    for (const { name, protocol, port: number } of endpoint.ports) {
      if (name !== port.name || protocol !== port.protocol) continue;
      const target = number === 0 ? targetOf(port) : number;
      const key = `${address} ${target}`;
      const backend = { address, port: target, protocol, isTerminating: !isReady, isLocal, weight };
      if (!found.has(key)) found.set(key, backend);
    }
  }
  return [...found.values()];
}

/** The port behind, of an endpoint that has every port. */
function targetOf({ port, target }: ServicePort): number {
  return typeof target === 'number' ? target : port;
}
