/**
 * Changing over to the template as it stands.
 *
 * RollingUpdate: never more than `replicas + maxSurge` pods are wanted, never fewer than `replicas - maxUnavailable` are available.
 * The new ReplicaSet grows as far as there is room; then the old ones shrink by as many as are available beyond the least, those
 * pods first that are not available anyway. Recreate: the old ReplicaSets shrink to nothing, and the new one is made when their pods
 * have ended.
 *
 * When only `replicas` has changed, every ReplicaSet that has pods changes in proportion, so that a change-over that is under way
 * stays as far as it is.
 */
import type { KubeObject } from '../../apiserver/storage/kube-object.ts';
import { sizesOf } from './annotations.ts';
import type { Sets } from './sets.ts';
import { availableOf, byAge, heldBy, isRolling, roomOf, sizeOf, specOf, sumOf } from './spec.ts';

/** How large the new ReplicaSet is to be now. @param sets all of them, it included */
export function newSize(deployment: KubeObject, sets: readonly KubeObject[], current: KubeObject | undefined): number {
  const spec = specOf(deployment);
  const { replicas = 1 } = spec;
  const has = current === undefined ? 0 : sizeOf(current);
  if (!isRolling(spec)) return replicas;
  if (has >= replicas) return replicas;
  const most = replicas + roomOf(spec).maxSurge;
  const total = sumOf(sets, heldBy);
  return total >= most ? has : has + Math.min(most - total, replicas - has);
}

/** Shrinks old ReplicaSets as far as they may. @returns whether any has */
export function shrinkOld(
  scale: Sets,
  deployment: KubeObject,
  { current, old }: { current: KubeObject; old: readonly KubeObject[] },
): boolean {
  const spec = specOf(deployment);
  const { replicas = 1 } = spec;
  if (sumOf(old, sizeOf) === 0) return false;
  const least = replicas - roomOf(spec).maxUnavailable;
  const newUnavailable = sizeOf(current) - availableOf(current);
  const mayGo = sumOf([current, ...old], sizeOf) - least - newUnavailable;
  if (mayGo <= 0) return false;
  const { sets, count } = shrink(scale, deployment, old, mayGo, (set) => sizeOf(set) - availableOf(set));
  const available = sumOf([current, ...old], availableOf);
  const more = shrink(scale, deployment, sets, Math.max(0, available - least), sizeOf);
  return count + more.count > 0;
}

/** The oldest first, each by as much as it may. */
function shrink(
  scale: Sets,
  deployment: KubeObject,
  sets: readonly KubeObject[],
  most: number,
  share: (set: KubeObject) => number,
): { sets: KubeObject[]; count: number } {
  let count = 0;
  const after = byAge(sets).map((set) => {
    const by = Math.max(0, Math.min(most - count, share(set), sizeOf(set)));
    if (by === 0) return set;
    count += by;
    return scale.scale(deployment, set, sizeOf(set) - by).set;
  });
  return { sets: after, count };
}

/** Whether `replicas` has changed since the ReplicaSets were scaled. */
export function isScaling(deployment: KubeObject, sets: readonly KubeObject[]): boolean {
  const { replicas = 1 } = specOf(deployment);
  return sets.some((set) => {
    const { desired } = sizesOf(set);
    return sizeOf(set) > 0 && desired !== undefined && desired !== replicas;
  });
}

/** Brings the ReplicaSets to the number of pods wanted, without going on with a change-over. */
export function rescale(
  scale: Sets,
  deployment: KubeObject,
  { current, old }: { current: KubeObject | undefined; old: readonly KubeObject[] },
): void {
  const spec = specOf(deployment);
  const { replicas = 1 } = spec;
  const all = current === undefined ? [...old] : [current, ...old];
  const active = all.filter((set) => sizeOf(set) > 0);
  if (active.length <= 1) {
    const one = active[0] ?? current ?? byAge(old).at(-1);
    if (one !== undefined) scale.scale(deployment, one, replicas);
    return;
  }
  if (current !== undefined && isSaturated(current, replicas)) {
    for (const set of old) scale.scale(deployment, set, 0);
    return;
  }
  if (isRolling(spec)) inProportion(scale, deployment, active);
}

function isSaturated(set: KubeObject, replicas: number): boolean {
  return sizeOf(set) === replicas && sizesOf(set).desired === replicas && availableOf(set) === replicas;
}

function inProportion(scale: Sets, deployment: KubeObject, active: readonly KubeObject[]): void {
  const spec = specOf(deployment);
  const { replicas = 1 } = spec;
  const most = replicas > 0 ? replicas + roomOf(spec).maxSurge : 0;
  const total = sumOf(active, sizeOf);
  const toAdd = most - total;
  // What grows is large or new first, what shrinks is large or old first.
  const aged = toAdd > 0 ? byAge(active).reverse() : byAge(active);
  const ordered = aged.sort((a, b) => sizeOf(b) - sizeOf(a));
  let added = 0;
  const sizes = ordered.map((set) => {
    const before = sizesOf(set).most ?? total;
    const part = before === 0 ? 0 : Math.round((sizeOf(set) * most) / before) - sizeOf(set);
    const by = toAdd > 0 ? Math.min(part, toAdd - added) : Math.max(part, toAdd - added);
    added += toAdd === 0 ? 0 : by;
    return toAdd === 0 ? sizeOf(set) : Math.max(0, sizeOf(set) + by);
  });
  if (sizes.length > 0) sizes[0] = Math.max(0, sizes[0] + (toAdd === 0 ? 0 : toAdd - added));
  for (const [i, set] of ordered.entries()) scale.scale(deployment, set, sizes[i]);
}
