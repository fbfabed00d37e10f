/** Services that are there beside the one that is measured: each with its cluster address, one port and ten backends elsewhere. */
export const CROWD = 10_000;
const CROWD_BACKENDS = 10;
export const CROWD_PORT = 80;

export const crowdClusterIp = (index: number) => `10.96.${1 + (index >> 8)}.${index & 255}`;

/** @param round another backend in each, when one changes */
export function crowdBackends(index: number, round = 0): string[] {
  const addressOf = (member: number) => `10.${112 + member}.${index >> 8}.${index & 255}`;
  const rest = Array.from({ length: CROWD_BACKENDS - 1 }, (_, member) => addressOf(member));
  return [...rest, addressOf(CROWD_BACKENDS - 1 + (round % 2))];
}

const labels = (index: number) => ({ 'kubernetes.io/service-name': `s${index}` });

/** The backends of a service, in one slice. */
export function crowdSlice(index: number, round = 0): object {
  return {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { name: `s${index}-1`, namespace: 'crowd', labels: labels(index) },
    addressType: 'IPv4',
    ports: [{ port: 8080, protocol: 'TCP' }],
    endpoints: crowdBackends(index, round).map((address) => ({ addresses: [address] })),
  };
}

/** All of them, as one list in JSON. */
export function crowdManifest(count = CROWD): string {
  const items = Array.from({ length: count }, (_, index) => [
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: `s${index}`, namespace: 'crowd' },
      spec: { clusterIP: crowdClusterIp(index), ports: [{ port: CROWD_PORT, targetPort: 8080 }] },
    },
    crowdSlice(index),
  ]);
  return JSON.stringify({ apiVersion: 'v1', kind: 'List', items: items.flat() });
}
