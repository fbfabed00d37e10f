/**
 * The history of templates of StatefulSets and DaemonSets: a ControllerRevision for each, numbered as they were wanted. `kubectl rollout history`
 * reads them, `undo` applies one as a patch, and pods carry the name of theirs in the label `controller-revision-hash`.
 */
import { isDeepStrictEqual } from 'node:util';
import type { KubeObject } from '../apiserver/storage/kube-object.ts';
import { StatusError } from '../apiserver/storage/status-error.ts';
import type { Storage } from '../apiserver/storage/storage.ts';
import { controllerReference, isControlledBy } from './ownership.ts';
import type { PodTemplate } from './pods.ts';
import { DEFAULT_HISTORY, templateHash } from './template-hash.ts';

export const REVISION_LABEL = 'controller-revision-hash';
const REVISIONS = 'controllerrevisions.apps';
/** Names that may be another's before it gives up. */
const NAME_TRIES = 8;

interface Workload {
  readonly template?: PodTemplate;
  readonly revisionHistoryLimit?: number;
}

const specOf = (owner: KubeObject): Workload => (owner['spec'] ?? {}) as Workload;
const numberOf = (revision: KubeObject): number => (revision['revision'] as number | undefined) ?? 0;

/** The template of a revision. */
export function templateOf(revision: KubeObject): PodTemplate {
  const { template } = (revision['data'] as { spec: { template: PodTemplate & { $patch?: string } } }).spec;
  const { metadata, spec } = template;
  return { ...(metadata !== undefined && { metadata }), ...(spec !== undefined && { spec }) };
}

/** The revisions of a workload, the oldest first. */
export function revisionsOf(storage: Storage, owner: KubeObject): KubeObject[] {
  const { namespace = '' } = owner.metadata;
  const own = storage.list(REVISIONS, { namespace }).filter((one) => isControlledBy(one, owner));
  return own.sort((a, b) => numberOf(a) - numberOf(b));
}

/** The revision of the template as it stands, which is the newest; it is made when there is none. */
export function currentRevision(storage: Storage, owner: KubeObject): KubeObject {
  const { template = {} } = specOf(owner);
  const data = JSON.parse(JSON.stringify({ spec: { template: { ...template, $patch: 'replace' } } })) as object;
  const all = revisionsOf(storage, owner);
  const found = all.find((one) => isDeepStrictEqual(one['data'], data));
  const newest = all.at(-1);
  const next = (newest === undefined ? 0 : numberOf(newest)) + 1;
  if (found === undefined) return make(storage, owner, data, next);
  if (found === newest) return found;
  const { namespace = '', name } = found.metadata;
  return storage.update(REVISIONS, namespace, name, (one) => ({ ...one, revision: next }));
}

function make(storage: Storage, owner: KubeObject, data: object, revision: number): KubeObject {
  const { namespace = '', name } = owner.metadata;
  for (let tries = 0; ; tries++) {
    const hash = templateHash(data, tries);
    const labels = { ...specOf(owner).template?.metadata?.labels, [REVISION_LABEL]: hash };
    try {
      return storage.create(REVISIONS, {
        apiVersion: 'apps/v1',
        kind: 'ControllerRevision',
        metadata: { name: `${name}-${hash}`, namespace, labels, ownerReferences: [controllerReference(owner)] },
        data,
        revision,
      });
    } catch (error) {
      if (!(error instanceof StatusError) || error.reason !== 'AlreadyExists' || tries >= NAME_TRIES) throw error;
    }
  }
}

/** Takes old revisions away that are more than history is wanted of. @param used names of those that pods have */
export function pruneRevisions(storage: Storage, owner: KubeObject, used: ReadonlySet<string>): void {
  const { revisionHistoryLimit = DEFAULT_HISTORY } = specOf(owner);
  const idle = revisionsOf(storage, owner).filter(({ metadata }) => !used.has(metadata.name));
  for (const { metadata } of idle.slice(0, Math.max(0, idle.length - revisionHistoryLimit)))
    storage.delete(REVISIONS, metadata.namespace ?? '', metadata.name);
}
