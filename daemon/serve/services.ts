/** Services as documents: what `sluice get services,endpoints,endpointslices` shows. */
import type { ServiceDocument, ServiceEndpointDocument } from '../../api/shapes.ts';
import type { ServiceEndpoint } from '../../services/endpoints.ts';
import type { ServiceState } from '../../services/service-book.ts';
import { protocolName } from '../../wire/protocols.ts';
import type { Agent } from '../agent.ts';

/** `GET /v1/services`. */
export function serviceDocuments({ services }: Agent): ServiceDocument[] {
  const all = [...services.book.entries()].map(([key, state]) => serviceDocument(state, services.problemsOf(key)));
  return all.sort((a, b) => (`${a.namespace}/${a.name}` < `${b.namespace}/${b.name}` ? -1 : 1));
}

/** Of one. */
export function serviceDocument(
  { spec, assignment, endpoints, frontends }: ServiceState,
  problems: readonly string[],
): ServiceDocument {
  return {
    namespace: spec.namespace,
    name: spec.name,
    type: spec.type,
    clusterIPs: assignment.clusterIPs,
    loadBalancerIPs: assignment.loadBalancerIPs,
    ports: spec.ports.map(({ name, protocol, port }, i) => ({
      name,
      protocol: protocolName(protocol),
      port,
      nodePort: assignment.nodePorts[i] ?? 0,
    })),
    endpoints: endpoints.map(endpointDocument),
    frontends: frontends.map(({ kind, address, port, protocol, scope, backends }) => ({
      kind,
      address,
      port,
      protocol: protocolName(protocol),
      scope,
      backends: backends.filter(({ isTerminating }) => !isTerminating).length,
    })),
    problems,
  };
}

function endpointDocument({
  address,
  isReady,
  isServing,
  isTerminating,
  nodeName,
  pod,
  hostname,
  ports,
}: ServiceEndpoint): ServiceEndpointDocument {
  return {
    address,
    ready: isReady,
    serving: isServing,
    terminating: isTerminating,
    nodeName,
    pod,
    hostname,
    ports: ports.map(({ name, protocol, port }) => ({ name, protocol: protocolName(protocol), port })),
  };
}
