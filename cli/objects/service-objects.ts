/**
 * The Endpoints and EndpointSlices that nobody wrote: those that Kubernetes would make
 * for a Service with a selector. For `sluice get`.
 */
import type { ServiceDocument, ServiceEndpointDocument } from '../../api/shapes.ts';
import type { Manifest } from '../../policy/document/manifest.ts';

/** The EndpointSlices of what was not listed by hand: one for each family and set of ports. */
export function slicesOf({ namespace, name, type, endpoints }: ServiceDocument): Manifest[] {
  if (type === 'ExternalName') return [];
  const groups = new Map<string, ServiceEndpointDocument[]>();
  for (const endpoint of endpoints) {
    if (endpoint.pod === '') continue;
    const key = `${endpoint.address.includes(':') ? 'IPv6' : 'IPv4'} ${JSON.stringify(endpoint.ports)}`;
    groups.set(key, [...(groups.get(key) ?? []), endpoint]);
  }
  return [...groups].map(([key, members], i) => ({
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: {
      name: `${name}-sluice-${i + 1}`,
      namespace,
      labels: { 'kubernetes.io/service-name': name, 'endpointslice.kubernetes.io/managed-by': 'sluiced' },
    },
    addressType: key.slice(0, 4),
    ports: members[0].ports,
    endpoints: members.map(({ address, pod, hostname, nodeName, ready, serving, terminating }) => ({
      addresses: [address],
      conditions: { ready, serving, terminating },
      ...(hostname !== '' && { hostname }),
      ...(nodeName !== '' && { nodeName }),
      targetRef: { kind: 'Pod', namespace, name: pod },
    })),
  }));
}

/** The Endpoints of a Service, as the endpoints controller would write it. */
export function endpointsOf({ namespace, name, endpoints }: ServiceDocument): Manifest {
  const groups = new Map<string, ServiceEndpointDocument[]>();
  for (const endpoint of endpoints) {
    const key = JSON.stringify(endpoint.ports);
    groups.set(key, [...(groups.get(key) ?? []), endpoint]);
  }
  const subsets = [...groups.values()].map((members) => {
    const addressOf = ({ address, pod, hostname, nodeName }: ServiceEndpointDocument) => ({
      ip: address,
      ...(hostname !== '' && { hostname }),
      ...(nodeName !== '' && { nodeName }),
      ...(pod !== '' && { targetRef: { kind: 'Pod', namespace, name: pod } }),
    });
    const ready = members.filter((one) => one.ready).map(addressOf);
    const others = members.filter((one) => !one.ready).map(addressOf);
    const lists = {
      ...(ready.length > 0 && { addresses: ready }),
      ...(others.length > 0 && { notReadyAddresses: others }),
    };
    return { ...lists, ports: members[0].ports };
  });
  return { apiVersion: 'v1', kind: 'Endpoints', metadata: { name, namespace }, subsets };
}
