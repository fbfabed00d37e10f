/** What environment and volumes of a pod are made from, as the storage has it now. */
import { availableParallelism, totalmem } from 'node:os';
import type { PodSources } from '../plan/environment.ts';
import type { Pod } from '../pod-spec.ts';
import { endpointOf, type KubeletParts } from './parts.ts';

export function sourcesOf(pod: Pod, parts: KubeletParts): PodSources {
  const { storage, nodeName, hostIps } = parts;
  const { namespace = 'default' } = pod.metadata;
  const master = namespace === 'default' ? [] : [storage.get('services', 'default', 'kubernetes')];
  return {
    nodeName,
    hostIps: hostIps(),
    podIps: endpointOf(parts, pod)?.addresses ?? [],
    cpus: availableParallelism(),
    memoryBytes: totalmem(),
    services: [...storage.list('services', { namespace }), ...master].filter((one) => one !== undefined),
    configMap: (key) => storage.get('configmaps', namespace, key),
    secret: (key) => storage.get('secrets', namespace, key),
  };
}
