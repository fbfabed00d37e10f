/** What the agent gave to a Service, written into its object: `spec.clusterIP`, node ports, the addresses of a load balancer. */
import type { ServiceDocument } from '../../api/shapes.ts';

interface ServiceObject {
  readonly spec?: Readonly<Record<string, unknown>>;
  readonly [field: string]: unknown;
}

/** The object with what it was given filled in; as it is when nothing is known of it. */
export function withAssignment<T extends ServiceObject>(object: T, service: ServiceDocument | undefined): T {
  if (service === undefined) return object;
  const spec = object.spec ?? {};
  const { clusterIPs, loadBalancerIPs } = service;
  const ports = ((spec['ports'] as object[] | undefined) ?? []).map((port, i) => {
    const nodePort = service.ports[i]?.nodePort ?? 0;
    return nodePort === 0 ? port : { ...port, nodePort };
  });
  const addresses = clusterIPs.length === 0 ? {} : { clusterIP: clusterIPs[0], clusterIPs };
  const ingress = loadBalancerIPs.map((ip) => ({ ip }));
  const status = ingress.length === 0 ? {} : { status: { ...(object['status'] as object), loadBalancer: { ingress } } };
  return { ...object, spec: { ...spec, ...addresses, ...(ports.length > 0 && { ports }) }, ...status };
}
