/** Who a container runs as: what pod and container say, then what its image says. Pure. */
import type { ContainerSpec, Pod } from '../pod-spec.ts';
import type { ImageIds, SpecLines } from '../runtime/launcher.ts';
import { ContainerProblem } from './environment.ts';

const NOBODY = 65_534;
const MOST_ID = 4_294_967_294;
const MOST_GROUPS = 32;

export type ContainerIds = ImageIds;

/**
 * The user to look for in an image's files: `runAsUser` of the pod, else the image's own.
 * @param imageUser `bob`, `1000:1000`; '' for root
 */
export function userInImage(pod: Pod, spec: ContainerSpec, imageUser: string): string {
  const user = spec.securityContext?.runAsUser ?? pod.spec?.securityContext?.runAsUser;
  if (user !== undefined) return String(checkedId(user));
  return imageUser === '' ? '0' : imageUser;
}

/**
 * @param found what the image says of that user; undefined without an image
 * @throws ContainerProblem for ids that are none, and for root where it must not be
 */
export function idsOf(pod: Pod, spec: ContainerSpec, found?: ImageIds): ContainerIds {
  const own = spec.securityContext ?? {};
  const ofPod = pod.spec?.securityContext ?? {};
  const isNotRoot = own.runAsNonRoot ?? ofPod.runAsNonRoot ?? false;
  const wanted = own.runAsUser ?? ofPod.runAsUser;
  const uid = found?.uid ?? wanted ?? (isNotRoot ? NOBODY : 0);
  if (uid === 0 && isNotRoot)
    throw configProblem(
      wanted === undefined
        ? 'container has runAsNonRoot and image will run as root'
        : "container's runAsUser breaks non-root policy",
    );
  const gid = own.runAsGroup ?? ofPod.runAsGroup ?? found?.gid ?? (uid === NOBODY ? NOBODY : 0);
  const ofPodGroups = [...(ofPod.supplementalGroups ?? []), ...(ofPod.fsGroup === undefined ? [] : [ofPod.fsGroup])];
  const groups = [...new Set([...ofPodGroups, ...(found?.groups ?? [])])];
  for (const id of [uid, gid, ...groups]) checkedId(id);
  if (ofPodGroups.length > MOST_GROUPS)
    throw configProblem(`securityContext: found ${ofPodGroups.length} groups, wanted at most ${MOST_GROUPS}`);
  return { uid, gid, groups, home: found?.home ?? (uid === 0 ? '/root' : '/') };
}

function checkedId(id: number): number {
  if (Number.isInteger(id) && id >= 0 && id <= MOST_ID) return id;
  throw configProblem(`securityContext: found id ${id}, wanted 0 to ${MOST_ID}`);
}

/** As the launcher reads them. */
export function idLines({ uid, gid, groups }: ContainerIds): SpecLines {
  return [['uid', uid], ['gid', gid], ...groups.map((group) => ['group', group] as const)];
}

/** What is wrong in a pod's words. */
export function configProblem(message: string): ContainerProblem {
  return new ContainerProblem('CreateContainerConfigError', message);
}
