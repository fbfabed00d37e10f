/** Services and what stands behind them, as kubectl prints them. */

type Fields = Readonly<Record<string, unknown>>;

const MOST_SHOWN = 3;

/** The first three of a list. @param none what stands for an empty one */
function shortList(all: readonly string[], none: string): string {
  if (all.length === 0) return none;
  const more = all.length > MOST_SHOWN ? ` + ${all.length - MOST_SHOWN} more...` : '';
  return all.slice(0, MOST_SHOWN).join(',') + more;
}

interface EndpointsSubset {
  readonly addresses?: readonly { readonly ip?: string }[];
  readonly ports?: readonly { readonly port?: number }[];
}

/** ENDPOINTS: `10.0.0.1:80,10.0.0.2:80 + 3 more...` */
export function endpointsText(object: Fields): string {
  const subsets = (object['subsets'] as EndpointsSubset[] | undefined) ?? [];
  const all = subsets.flatMap(({ addresses = [], ports = [] }) =>
    (ports.length > 0 ? ports : [{}]).flatMap(({ port }: { port?: number }) =>
      addresses.map(({ ip = '' }) => (port === undefined ? ip : `${ip.includes(':') ? `[${ip}]` : ip}:${port}`)),
    ),
  );
  return shortList(all, subsets.length === 0 ? '<none>' : '');
}

interface Slice {
  readonly endpoints?: readonly { readonly addresses?: readonly string[] }[] | null;
  readonly ports?: readonly { readonly name?: string; readonly port?: number }[] | null;
}

/** PORTS of a slice; `*` for all. */
export function slicePorts(object: Fields): string {
  const { ports } = object as Slice;
  return shortList(
    (ports ?? []).map(({ name, port }) => (port === undefined ? (name ?? '*') : String(port))),
    '<unset>',
  );
}

/** ENDPOINTS of a slice. */
export function sliceEndpoints(object: Fields): string {
  const { endpoints } = object as Slice;
  return shortList(
    (endpoints ?? []).flatMap(({ addresses = [] }) => addresses),
    '<unset>',
  );
}

interface ServiceFields {
  readonly type?: string;
  readonly externalIPs?: readonly string[];
  readonly externalName?: string;
  readonly ports?: readonly { readonly port?: number; readonly protocol?: string; readonly nodePort?: number }[];
}

interface ServiceStatus {
  readonly loadBalancer?: { readonly ingress?: readonly { readonly ip?: string; readonly hostname?: string }[] };
}

/** EXTERNAL-IP */
export function externalText(object: Fields): string {
  const { type, externalIPs = [], externalName } = (object['spec'] ?? {}) as ServiceFields;
  if (type === 'ExternalName') return externalName ?? '<none>';
  const status = object['status'] as ServiceStatus | undefined;
  const ingress = (status?.loadBalancer?.ingress ?? []).flatMap(({ ip, hostname }) => ip ?? hostname ?? []);
  const all = [...(type === 'LoadBalancer' ? ingress : []), ...externalIPs];
  if (all.length > 0) return all.join(',');
  return type === 'LoadBalancer' ? '<pending>' : '<none>';
}

/** PORT(S): `80:30080/TCP,53/UDP`. */
export function servicePorts(object: Fields): string {
  const { ports = [] } = (object['spec'] ?? {}) as ServiceFields;
  const all = ports.map(({ port, protocol = 'TCP', nodePort }) =>
    nodePort === undefined || nodePort === 0 ? `${port}/${protocol}` : `${port}:${nodePort}/${protocol}`,
  );
  return all.length === 0 ? '<none>' : all.join(',');
}
