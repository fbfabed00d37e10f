/** Services get what the agent gave them: cluster addresses, node ports, addresses of a load balancer (services/ decides on these). */
import { isIPv6 } from 'node:net';
import type { ServiceDocument } from '../api/shapes.ts';
import { withAssignment } from '../apiserver/resources/service-assignment.ts';
import type { KubeObject } from '../apiserver/storage/kube-object.ts';
import type { Storage } from '../apiserver/storage/storage.ts';
import { SERVICES } from './endpoints/endpoints.ts';

/** Writes what the agent tells into the Services of this API. Those that are gone meanwhile are left out. */
export function assignServices(storage: Storage, documents: readonly ServiceDocument[]): void {
  for (const document of documents) {
    const { namespace, name } = document;
    if (storage.get(SERVICES, namespace, name) === undefined || storage.isMirrored(SERVICES, namespace, name)) continue;
    storage.update(SERVICES, namespace, name, (service) => withFamilies(withAssignment(service, document), document));
  }
}

function withFamilies(service: KubeObject, { type, clusterIPs }: ServiceDocument): KubeObject {
  const spec = (service['spec'] ?? {}) as { clusterIP?: string; ipFamilyPolicy?: string };
  if (type === 'ExternalName') return service;
  if (spec.clusterIP === 'None') return { ...service, spec: { ...spec, clusterIPs: ['None'] } };
  if (clusterIPs.length === 0) return service;
  const ipFamilies = clusterIPs.map((address) => (isIPv6(address) ? 'IPv6' : 'IPv4'));
  const ipFamilyPolicy = spec.ipFamilyPolicy ?? (ipFamilies.length > 1 ? 'PreferDualStack' : 'SingleStack');
  return { ...service, spec: { ...spec, ipFamilies, ipFamilyPolicy } };
}
