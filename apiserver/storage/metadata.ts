/** The metadata of objects, as far as it is the storage's and no writer's. */
import { createHash, randomUUID } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import { type KubeMeta, type KubeObject, type NewObject, timestamp } from './kube-object.ts';

/** The annotation that says where a mirrored object is held. */
export const SOURCE_ANNOTATION = 'sluice.io/source';

/** What no writer sets or changes. */
const OWN_FIELDS = [
  'name',
  'namespace',
  'uid',
  'resourceVersion',
  'creationTimestamp',
  'deletionTimestamp',
  'deletionGracePeriodSeconds',
  'generation',
] as const satisfies (keyof KubeMeta)[];

/** A new object, complete but for its version. @param nowMs since the epoch */
export function begun(object: NewObject, name: string, nowMs: number): KubeObject {
  const { namespace } = object.metadata ?? {};
  const metadata = {
    ...writable(object.metadata ?? {}),
    name,
    ...(namespace !== undefined && { namespace }),
    uid: randomUUID(),
    resourceVersion: '',
    creationTimestamp: timestamp(nowMs),
    ...(object['spec'] !== undefined && { generation: 1 }),
  };
  return { ...object, apiVersion: object.apiVersion ?? '', kind: object.kind ?? '', metadata };
}

/** An object of another source, complete but for its version. @param createdMs since the epoch */
export function begunMirror(
  object: NewObject & { readonly metadata: { readonly name: string } },
  before: KubeObject | undefined,
  id: string,
  createdMs: number,
): KubeObject {
  const { uid, resourceVersion, creationTimestamp } = before?.metadata ?? {};
  const metadata = {
    ...object.metadata,
    uid: uid ?? stableUid(`${id} ${createdMs}`),
    resourceVersion: resourceVersion ?? '',
    creationTimestamp: creationTimestamp ?? timestamp(createdMs),
  };
  return { ...object, apiVersion: object.apiVersion ?? '', kind: object.kind ?? '', metadata };
}

/**
 * What an update stores: what no writer may change is as it was, and the generation rises when more than metadata and status has changed.
 * @param isStatus only the status of `changed` counts, and who manages which field
 * @returns `before` when there is no change
 */
export function merged(before: KubeObject, changed: KubeObject, isStatus: boolean): KubeObject {
  if (changed === before) return before;
  const { managedFields } = changed.metadata;
  const body = isStatus ? { ...before, status: changed['status'] as unknown } : changed;
  const free = isStatus
    ? { ...writable(before.metadata), ...(managedFields !== undefined && { managedFields }) }
    : writable(changed.metadata);
  const metadata = { ...free, ...fixed(before.metadata) } as KubeMeta;
  const after: KubeObject = { ...body, metadata };
  if (isDeepStrictEqual(after, before)) return before;
  const { generation } = metadata;
  if (generation === undefined || isDeepStrictEqual(contentOf(after), contentOf(before))) return after;
  return { ...after, metadata: { ...metadata, generation: generation + 1 } };
}

/** Why a mirrored object cannot be written. */
export function whyMirrored({ metadata }: KubeObject): string {
  const place = metadata.annotations?.[SOURCE_ANNOTATION] ?? 'the agent';
  return `it is held by ${place}, not by this API: change it there, or with 'sluice apply' and 'sluice delete'`;
}

function writable(metadata: Partial<KubeMeta>): Partial<KubeMeta> {
  const copy: Record<string, unknown> = { ...metadata };
  for (const field of OWN_FIELDS) delete copy[field];
  return copy;
}

function fixed(metadata: KubeMeta): Partial<KubeMeta> {
  return Object.fromEntries(OWN_FIELDS.filter((field) => metadata[field] !== undefined).map((f) => [f, metadata[f]]));
}

/** All that is neither metadata nor status. */
function contentOf(object: KubeObject): object {
  return { ...object, metadata: undefined, status: undefined };
}

/** The same for the same text, in the form of a UUID. */
function stableUid(text: string): string {
  const hex = createHash('sha256').update(text).digest('hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-5${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}
