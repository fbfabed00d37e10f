/**
 * What clients address of a service: each of its addresses with each of its ports, and the backends behind it.
 *
 *     ClusterIP      its cluster addresses                     everyone inside
 *     ExternalIPs    spec.externalIPs                          inside and outside
 *     LoadBalancer   addresses of its status, or drawn         inside and outside, within loadBalancerSourceRanges
 *     NodePort       every address of this node, node port     inside and outside
 *
 * Where clients outside may reach other backends than those inside (exactly one of the two traffic policies is Local), a
 * frontend stands twice: in the scope for outside and in the one for inside.
 */
import { isIP } from 'node:net';
import type { Family, ServicePort, ServiceSpec } from '../policy/rule/service-spec.ts';
import { backendsOf, type ServiceBackend, type ServiceEndpoint } from './endpoints.ts';

export type FrontendKind = 'ClusterIP' | 'ExternalIPs' | 'LoadBalancer' | 'NodePort';
export type Scope = 'external' | 'internal';

/** An address and port that leads to a service. */
export interface Frontend {
  readonly address: string;
  readonly port: number;
  readonly protocol: number;
  readonly scope: Scope;
  readonly kind: FrontendKind;
  /** There is one of the other scope beside it. */
  readonly hasTwoScopes: boolean;
  /** Its backends are only those of this node. */
  readonly isLocal: boolean;
  readonly backends: readonly ServiceBackend[];
}

/** What was given to a service besides what its document says. */
export interface Assignment {
  readonly clusterIPs: readonly string[];
  readonly loadBalancerIPs: readonly string[];
  /** By place in `ports`; 0 = none. */
  readonly nodePorts: readonly number[];
  readonly families: readonly Family[];
}

export const NO_ASSIGNMENT: Assignment = { clusterIPs: [], loadBalancerIPs: [], nodePorts: [], families: [] };

export interface FrontendSources {
  readonly assignment: Assignment;
  readonly endpoints: readonly ServiceEndpoint[];
  readonly nodeAddresses: readonly string[];
}

/** Every frontend of a service; none of a headless one and of a name. */
export function frontendsOf(service: ServiceSpec, sources: FrontendSources): Frontend[] {
  if (service.isHeadless || service.type === 'ExternalName') return [];
  return service.ports.flatMap((port, i) =>
    frontendsOfPort(service, { port, nodePort: sources.assignment.nodePorts[i] ?? 0 }, sources),
  );
}

function frontendsOfPort(
  service: ServiceSpec,
  { port, nodePort }: { port: ServicePort; nodePort: number },
  { assignment, endpoints, nodeAddresses }: FrontendSources,
): Frontend[] {
  const behind = new Map(assignment.families.map((family) => [family, backendsOf(port, family, endpoints)]));
  const make = (kind: FrontendKind, addresses: readonly string[], number: number): Frontend[] =>
    [...new Set(addresses)].flatMap((address) => {
      const backends = behind.get(isIP(address) as Family);
      if (backends === undefined) return [];
      return scoped(service, { address, port: number, protocol: port.protocol, kind }, backends);
    });
  return [
    ...make('ClusterIP', assignment.clusterIPs, port.port),
    ...make('ExternalIPs', service.externalIPs, port.port),
    ...make('LoadBalancer', assignment.loadBalancerIPs, port.port),
    ...(nodePort === 0 ? [] : make('NodePort', nodeAddresses, nodePort)),
  ];
}

function scoped(
  { isExternalLocal, isInternalLocal }: ServiceSpec,
  what: Pick<Frontend, 'address' | 'port' | 'protocol' | 'kind'>,
  backends: readonly ServiceBackend[],
): Frontend[] {
  const make = (scope: Scope, isLocal: boolean, hasTwoScopes: boolean): Frontend => ({
    ...what,
    scope,
    hasTwoScopes,
    isLocal,
    backends: isLocal ? backends.filter((backend) => backend.isLocal) : backends,
  });
  if (what.kind === 'ClusterIP') return [make('external', isInternalLocal, false)];
  if (isExternalLocal === isInternalLocal) return [make('external', isExternalLocal, false)];
  return [make('external', isExternalLocal, true), make('internal', isInternalLocal, true)];
}

/** What tells frontends apart. */
export function frontendKey({
  address,
  port,
  protocol,
  scope,
}: Pick<Frontend, 'address' | 'port' | 'protocol' | 'scope'>): string {
  return `${address} ${port}/${protocol} ${scope}`;
}
