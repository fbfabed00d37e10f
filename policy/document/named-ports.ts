/** The named ports of a pod's containers. */
import type { NamedPort } from '../rule/spec.ts';
import { protocolNumbers } from '../../wire/protocols.ts';

interface Container {
  readonly ports?: readonly { readonly name?: string; readonly containerPort: number; readonly protocol?: string }[];
}

/** The first container that gives a name (and protocol) a number wins. @param spec of a pod, checked */
export function namedPortsOf(spec: { readonly containers?: unknown }): NamedPort[] {
  const ports = new Map<string, NamedPort>();
  const containers = (spec.containers ?? []) as readonly Container[];
  for (const { name, containerPort, protocol = 'TCP' } of containers.flatMap((container) => container.ports ?? [])) {
    if (name === undefined) continue;
    const [number] = protocolNumbers(protocol);
    const key = `${number}/${name.toLowerCase()}`;
    if (!ports.has(key)) ports.set(key, { name: name.toLowerCase(), protocol: number, port: containerPort });
  }
  return [...ports.values()];
}
