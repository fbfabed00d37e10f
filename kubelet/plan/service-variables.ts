/** Variables that tell a program of the Services of its namespace, as the kubelet has done since its beginnings. Pure. */
import type { KubeObject } from '../../apiserver/storage/kube-object.ts';

interface ServicePort {
  readonly name?: string;
  readonly port: number;
  readonly protocol?: string;
}

/** @param services those of the pod's namespace, and `kubernetes`; ones without an address say nothing */
export function serviceVariables(services: readonly KubeObject[]): Record<string, string> {
  const variables: Record<string, string> = {};
  for (const { metadata, spec } of services) {
    const { clusterIP = '', ports = [] } = (spec ?? {}) as { clusterIP?: string; ports?: readonly ServicePort[] };
    if (clusterIP === '' || clusterIP === 'None' || ports.length === 0) continue;
    const base = upper(metadata.name);
    variables[`${base}_SERVICE_HOST`] = clusterIP;
    variables[`${base}_SERVICE_PORT`] = String(ports[0].port);
    for (const { name = '', port } of ports)
      if (name !== '') variables[`${base}_SERVICE_PORT_${upper(name)}`] = String(port);
    const host = clusterIP.includes(':') ? `[${clusterIP}]` : clusterIP;
    ports.forEach(({ port, protocol = 'TCP' }, index) => {
      const kind = protocol.toLowerCase();
      const url = `${kind}://${host}:${port}`;
      if (index === 0) variables[`${base}_PORT`] = url;
      const one = `${base}_PORT_${port}_${protocol.toUpperCase()}`;
      Object.assign(variables, {
        [one]: url,
        [`${one}_PROTO`]: kind,
        [`${one}_PORT`]: String(port),
        [`${one}_ADDR`]: clusterIP,
      });
    });
  }
  return variables;
}

function upper(name: string): string {
  return name.toUpperCase().replaceAll('-', '_');
}
