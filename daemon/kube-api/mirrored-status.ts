/**
 * The status of mirrored pods and workloads. Nobody runs their containers here, so a pod runs when its endpoint is attached, and is ready when that
 * is, whatever a document says that was written elsewhere; one that has ended, or has no endpoint here, is as its document says.
 */
import type { EndpointDocument } from '../../api/shapes.ts';
import type { Manifest } from '../../policy/document/manifest.ts';

interface Container {
  readonly name?: string;
  readonly image?: string;
}

const ENDED = new Set(['Succeeded', 'Failed']);
/** What runs in the network namespace is there, whether or not it is reached. */
const ATTACHED = new Set<EndpointDocument['state']>(['ready', 'unreachable', 'closed']);

/** @param endpoint undefined of a pod that is not attached */
export function podStatus(pod: Manifest, endpoint: EndpointDocument | undefined): object {
  const { status, spec = {} } = pod as { status?: { phase?: string }; spec?: { containers?: readonly Container[] } };
  const { phase = '' } = status ?? {};
  if (status !== undefined && (ENDED.has(phase) || (endpoint === undefined && phase !== ''))) return status;
  const isAttached = endpoint !== undefined && ATTACHED.has(endpoint.state);
  const isReady = endpoint?.state === 'ready';
  const ips = [endpoint?.ipv4, endpoint?.ipv6].filter((ip) => ip !== undefined);
  const condition = (type: string, isSo: boolean) => ({ type, status: isSo ? 'True' : 'False' });
  const state = isAttached ? { running: {} } : { waiting: { reason: 'ContainerCreating' } };
  return {
    phase: isAttached ? 'Running' : 'Pending',
    conditions: [
      { type: 'PodScheduled', status: 'True' },
      condition('Initialized', isAttached),
      ...['ContainersReady', 'Ready'].map((type) => condition(type, isReady)),
    ],
    ...(endpoint?.problem !== undefined && { message: endpoint.problem }),
    ...(ips.length > 0 && { podIP: ips[0], podIPs: ips.map((ip) => ({ ip })) }),
    containerStatuses: (spec.containers ?? []).map(({ name = '', image = '' }) => ({
      ...{ name, image, imageID: '', restartCount: 0, ready: isReady, started: isAttached, state },
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
