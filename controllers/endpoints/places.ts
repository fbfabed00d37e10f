/** Who stands behind a Service: the addresses of the pods that it selects, each with the ports that the Service's ports mean there. */
import { isIP, isIPv6 } from 'node:net';
import type { KubeObject } from '../../apiserver/storage/kube-object.ts';
import { addressesOf, type Container, hasEnded, isGoing, isReady, podSpec } from '../pod-state.ts';
import { hasLabels } from '../selector.ts';

export type Family = 'IPv4' | 'IPv6';

interface ServiceSpec {
  readonly type?: string;
  readonly selector?: Readonly<Record<string, string>> | null;
  readonly clusterIP?: string;
  readonly clusterIPs?: readonly string[];
  readonly ipFamilies?: readonly string[];
  readonly ports?: readonly ServicePort[];
  readonly publishNotReadyAddresses?: boolean;
}

interface ServicePort {
  readonly name?: string;
  readonly protocol?: string;
  readonly port: number;
  readonly targetPort?: number | string;
  readonly appProtocol?: string;
}

export interface EndpointPort {
  readonly name: string;
  readonly protocol: string;
  readonly port: number;
  readonly appProtocol?: string;
}

export interface Place {
  readonly pod: KubeObject;
  readonly addresses: readonly string[];
  readonly ports: readonly EndpointPort[];
  /** Takes new connections. */
  readonly isReady: boolean;
  /** Answers, although it may be about to go. */
  readonly isServing: boolean;
  readonly isTerminating: boolean;
  /** Its name beneath that of the Service; '' = none of its own. */
  readonly hostname: string;
}

export const serviceSpec = (service: KubeObject): ServiceSpec => (service['spec'] ?? {}) as ServiceSpec;

/** Whether its endpoints follow from pods: else somebody writes them by hand. */
export function hasSelector(service: KubeObject): boolean {
  const { type, selector } = serviceSpec(service);
  return type !== 'ExternalName' && Object.keys(selector ?? {}).length > 0;
}

/** In the order of the pods' names. */
export function placesOf(service: KubeObject, pods: readonly KubeObject[]): Place[] {
  const { selector, ports = [], publishNotReadyAddresses = false } = serviceSpec(service);
  return pods.flatMap((pod) => {
    const addresses = addressesOf(pod).filter((address) => isIP(address) !== 0);
    if (addresses.length === 0 || hasEnded(pod) || !hasLabels(selector ?? {}, pod.metadata.labels)) return [];
    const isTerminating = isGoing(pod);
    const { hostname = '', subdomain = '' } = podSpec(pod);
    const place: Place = {
      ...{ pod, addresses, isTerminating },
      ports: ports.flatMap((port) => portIn(pod, port)),
      isReady: publishNotReadyAddresses || (isReady(pod) && !isTerminating),
      isServing: publishNotReadyAddresses || isReady(pod),
      hostname: subdomain === service.metadata.name ? hostname : '',
    };
    return [place];
  });
}

/** The port of a pod that a Service's port means; none when the pod has no port of that name. */
function portIn(pod: KubeObject, servicePort: ServicePort): EndpointPort[] {
  const { name = '', protocol = 'TCP', port, targetPort, appProtocol } = servicePort;
  const target = targetPort === undefined || targetPort === 0 || targetPort === '' ? port : targetPort;
  const number = typeof target === 'number' ? target : namedPort(pod, target, protocol);
  if (number === undefined) return [];
  return [{ name, protocol, port: number, ...(appProtocol !== undefined && { appProtocol }) }];
}

function namedPort(pod: KubeObject, wanted: string, protocol: string): number | undefined {
  const { containers = [], initContainers = [] } = podSpec(pod);
  const sidecars = initContainers.filter(({ restartPolicy }) => restartPolicy === 'Always');
  const running: readonly Container[] = [...containers, ...sidecars];
  const ports = running.flatMap((container) => container.ports ?? []);
  return ports.find((one) => one.name === wanted && (one.protocol ?? 'TCP') === protocol)?.containerPort;
}

/** The families of a Service's addresses, the first of which counts most; of one that has none yet, those of its pods. */
export function familiesOf(service: KubeObject, places: readonly Place[]): readonly Family[] {
  const { ipFamilies = [], clusterIPs = [] } = serviceSpec(service);
  if (ipFamilies.length > 0) return [...new Set(ipFamilies.map((one): Family => (one === 'IPv6' ? 'IPv6' : 'IPv4')))];
  const addresses = clusterIPs.filter((address) => isIP(address) !== 0);
  const told = addresses.length > 0 ? addresses : places.flatMap((place) => place.addresses);
  const families = [...new Set(told.map((address): Family => (isIPv6(address) ? 'IPv6' : 'IPv4')))].sort();
  return families.length === 0 ? ['IPv4'] : families;
}

export function addressOf({ addresses }: Place, family: Family): string | undefined {
  return addresses.find((address) => isIPv6(address) === (family === 'IPv6'));
}
