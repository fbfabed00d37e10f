/** What a Deployment and its ReplicaSets remember in annotations; kubectl's `rollout` reads them. */
import type { KubeObject } from '../../apiserver/storage/kube-object.ts';

export const REVISION = 'deployment.kubernetes.io/revision';
const REVISION_HISTORY = 'deployment.kubernetes.io/revision-history';
const DESIRED = 'deployment.kubernetes.io/desired-replicas';
const MOST = 'deployment.kubernetes.io/max-replicas';

/** A ReplicaSet has all annotations of its Deployment but for these. */
const NOT_TAKEN_OVER: ReadonlySet<string> = new Set([
  'kubectl.kubernetes.io/last-applied-configuration',
  REVISION,
  REVISION_HISTORY,
  DESIRED,
  MOST,
  'deprecated.deployment.rollback.to',
]);

type Annotations = Readonly<Record<string, string>>;

const HISTORY_CHARACTERS = 2000;

export function revisionOf({ metadata }: KubeObject): number {
  const revision = Number(metadata.annotations?.[REVISION] ?? 0);
  return Number.isSafeInteger(revision) ? revision : 0;
}

/** The annotations of the ReplicaSet that has the template as it stands, at a revision. */
export function newSetAnnotations(deployment: KubeObject, set: Annotations, revision: number): Annotations {
  const taken = Object.entries(deployment.metadata.annotations ?? {}).filter(([key]) => !NOT_TAKEN_OVER.has(key));
  const before = set[REVISION];
  const next = { ...set, ...Object.fromEntries(taken) };
  if (Number(before ?? 0) >= revision) return next;
  if (before === undefined) return { ...next, [REVISION]: String(revision) };
  // A template that was wanted before is wanted again: the numbers it had are its history.
  const history = [set[REVISION_HISTORY], before].filter((one) => one !== undefined && one !== '').join(',');
  return { ...next, [REVISION]: String(revision), [REVISION_HISTORY]: history.slice(-HISTORY_CHARACTERS) };
}

export interface Sizes {
  readonly desired: number;
  readonly most: number;
}

export function withSizes(annotations: Annotations, { desired, most }: Sizes): Annotations {
  return { ...annotations, [DESIRED]: String(desired), [MOST]: String(most) };
}

/** What a ReplicaSet was scaled for. */
export function sizesOf({ metadata: { annotations = {} } }: KubeObject): Partial<Sizes> {
  const [desired, most] = [annotations[DESIRED], annotations[MOST]].map((text) =>
    text === undefined || !/^\d{1,10}$/.test(text) ? undefined : Number(text),
  );
  return { ...(desired !== undefined && { desired }), ...(most !== undefined && { most }) };
}
