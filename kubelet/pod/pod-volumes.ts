/** The volumes of a pod: limits of those that it fills itself, files of those that it reads, kept as the storage has them. */
import { join } from 'node:path';
import type { ProcessId } from '../../linux/process-id.ts';
import { ContainerProblem, type PodSources } from '../plan/environment.ts';
import { planVolume, type VolumePlan } from '../plan/volumes.ts';
import { containersOf, type Pod } from '../pod-spec.ts';
import type { PodRuntime, Scratch } from '../runtime/pod-runtime.ts';
import { writeVolume } from '../runtime/volume-files.ts';

const MOST_VOLUMES = 100;

/** @throws ContainerProblem for one that cannot be had */
export function planVolumes(pod: Pod, sources: PodSources): VolumePlan[] {
  const volumes = pod.spec?.volumes ?? [];
  if (volumes.length > MOST_VOLUMES)
    throw new ContainerProblem('FailedMount', `found ${volumes.length} volumes, wanted at most ${MOST_VOLUMES}`);
  const plans = volumes.map((volume) => planVolume(pod, volume, sources));
  const names = new Set(plans.map(({ name }) => name));
  for (const { spec, name: container } of containersOf(pod)) {
    const unknown = (spec.volumeMounts ?? []).find(({ name }) => !names.has(name));
    if (unknown !== undefined) {
      const message = `container ${container} mounts volume ${unknown.name}, which the pod has not`;
      throw new ContainerProblem('FailedMount', message);
    }
  }
  return plans;
}

/** Those that the launcher makes. */
export function scratchOf(pod: Pod, plans: readonly VolumePlan[]): Scratch[] {
  const gid = pod.spec?.securityContext?.fsGroup;
  return plans.flatMap((plan) =>
    plan.kind === 'scratch'
      ? [{ name: plan.name, bytes: plan.bytes, mode: gid === undefined ? '777' : '2777', gid: gid ?? 0 }]
      : [],
  );
}

/** Writes those that hold files, in the mount namespace of the pod's first process. @throws Error of the file system */
export function writeVolumes(
  pod: Pod,
  plans: readonly VolumePlan[],
  { runtime, sandbox }: { readonly runtime: PodRuntime; readonly sandbox: ProcessId },
): void {
  const gid = pod.spec?.securityContext?.fsGroup;
  const folder = runtime.volumesFolder(sandbox);
  for (const plan of plans) if (plan.kind === 'files') writeVolume(join(folder, plan.name), plan.files, gid);
}
