/** The status of mirrored pods and workloads: nobody runs their containers here, so a pod runs when its endpoint is ready. */
import type { EndpointDocument } from '../../api/shapes.ts';
import type { Manifest } from '../../policy/document/manifest.ts';

interface Container {
  readonly name?: string;
  readonly image?: string;
}

/** @param endpoint undefined of a pod that is not attached */
export function podStatus(pod: Manifest, endpoint: EndpointDocument | undefined): object {
  const { status, spec = {} } = pod as { status?: { phase?: string }; spec?: { containers?: readonly Container[] } };
  if (status?.phase !== undefined && status.phase !== 'Running') return status;
  const isReady = endpoint?.state === 'ready';
  const ips = [endpoint?.ipv4, endpoint?.ipv6].filter((ip) => ip !== undefined);
  const condition = (type: string) => ({ type, status: isReady ? 'True' : 'False' });
  const state = isReady ? { running: {} } : { waiting: { reason: 'ContainerCreating' } };
  return {
    phase: isReady ? 'Running' : 'Pending',
    conditions: [
      { type: 'PodScheduled', status: 'True' },
      ...['Initialized', 'ContainersReady', 'Ready'].map(condition),
    ],
    ...(endpoint?.problem !== undefined && { message: endpoint.problem }),
    ...(ips.length > 0 && { podIP: ips[0], podIPs: ips.map((ip) => ({ ip })) }),
    containerStatuses: (spec.containers ?? []).map(({ name = '', image = '' }) => ({
      ...{ name, image, imageID: '', restartCount: 0, ready: isReady, started: isReady, state },
    })),
  };
}

export function workloadStatus({ kind }: Manifest, total: number, ready: number): object {
  if (kind === 'DaemonSet')
    return {
      currentNumberScheduled: total,
      desiredNumberScheduled: total,
      updatedNumberScheduled: total,
      numberReady: ready,
      numberAvailable: ready,
      numberMisscheduled: 0,
    };
  if (kind === 'Job' || kind === 'CronJob') return { active: total, ready };
  return {
    replicas: total,
    updatedReplicas: total,
    currentReplicas: total,
    readyReplicas: ready,
    availableReplicas: ready,
  };
}
