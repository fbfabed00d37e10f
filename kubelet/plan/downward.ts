/** What a pod may read of itself: `fieldRef` and `resourceFieldRef`, in variables and in files. Pure. */
import type { ContainerSpec, FieldReference, Pod, ResourceReference } from '../pod-spec.ts';
import { parseQuantity } from './quantity.ts';

/** What a pod is told of its place. */
export interface PodPlace {
  readonly nodeName: string;
  readonly hostIps: readonly string[];
  readonly podIps: readonly string[];
  /** Of the node, for containers without limits. */
  readonly cpus: number;
  readonly memoryBytes: number;
}

/** @returns undefined for a field that there is not */
export function fieldValue(pod: Pod, { fieldPath = '' }: FieldReference, place: PodPlace): string | undefined {
  const { metadata, spec = {} } = pod;
  const of = /^metadata\.(labels|annotations)\['(.+)'\]$/.exec(fieldPath);
  if (of !== null) return metadata[of[1] as 'labels' | 'annotations']?.[of[2]] ?? '';
  const values: Readonly<Record<string, string | undefined>> = {
    'metadata.name': metadata.name,
    'metadata.namespace': metadata.namespace,
    'metadata.uid': metadata.uid,
    'metadata.labels': lines(metadata.labels),
    'metadata.annotations': lines(metadata.annotations),
    'spec.nodeName': place.nodeName,
    'spec.serviceAccountName': spec.serviceAccountName ?? 'default',
    'spec.restartPolicy': spec.restartPolicy ?? 'Always',
    'status.hostIP': place.hostIps[0] ?? '',
    'status.hostIPs': place.hostIps.join(','),
    'status.podIP': place.podIps[0] ?? '',
    'status.podIPs': place.podIps.join(','),
  };
  return Object.hasOwn(values, fieldPath) ? values[fieldPath] : undefined;
}

function lines(map: Readonly<Record<string, string>> = {}): string {
  return Object.keys(map)
    .sort()
    .map((key) => `${key}=${JSON.stringify(map[key])}`)
    .join('\n');
}

/** @returns undefined for a resource that there is not */
export function resourceValue(
  own: ContainerSpec,
  all: readonly ContainerSpec[],
  reference: ResourceReference,
  place: PodPlace,
): string | undefined {
  const { containerName, resource = '', divisor = '1' } = reference;
  const container = containerName === undefined ? own : all.find(({ name }) => name === containerName);
  const [kind, name = ''] = resource.split('.', 2);
  if (container === undefined || (kind !== 'limits' && kind !== 'requests') || name === '') return undefined;
  const whole: Readonly<Record<string, number>> = { cpu: place.cpus, memory: place.memoryBytes };
  const found = container.resources?.[kind]?.[resource.slice(kind.length + 1)];
  const value = parseQuantity(found) ?? (kind === 'limits' ? whole[name] : 0);
  const part = parseQuantity(divisor) ?? 1;
  return value === undefined ? undefined : String(Math.ceil(value / (part > 0 ? part : 1)));
}
