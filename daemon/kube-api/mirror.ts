/** What of the agent's objects the Kubernetes API shows, read-only: all that did not come from it. */
import type { Document } from '../../policy/document/document.ts';
import { expandWorkload, isWorkload } from '../../policy/document/workload.ts';
import type { ObjectStore, StoreChanges } from '../source/store.ts';
import { nameOf, type Reference, referenceOf } from '../source/text.ts';
import { manifestName, type MirroredObject, type ToKubeApi } from './messages.ts';
import type { Told } from './told.ts';

type Mirror = NonNullable<ToKubeApi['mirror']>;
type Store = Pick<ObjectStore, 'get' | 'createdMs' | 'documents'>;

/** What objects of the API are called as a file. */
export const API_FILE = 'kubernetes';

/** Everything. */
export function allMirrored(store: Store, told: Told, nodeName: string): Mirror {
  const put = [...store.documents()].filter((one) => isShown(one, nodeName)).flatMap((one) => mirrored(one, store));
  for (const one of put) told.mirrored(one);
  return { put: withoutClashes(put), removed: [], isAll: true };
}

/** @returns undefined when nothing of it is to be shown */
export function mirrorChanges(
  { put, removed }: StoreChanges,
  told: Told,
  { store, config }: { readonly store: Store; readonly config: { readonly nodeName: string } },
): Mirror | undefined {
  const gone = new Map<string, Reference>();
  const shown: MirroredObject[] = [];
  const drop = (reference: Reference): void => {
    for (const one of told.unmirrored(reference)) gone.set(referenceOf(one), one);
  };
  for (const reference of removed) drop(reference);
  for (const document of put) {
    // It may have been another source's before, or have stood for other pods.
    drop(nameOf(document));
    if (!isShown(document, config.nodeName)) continue;
    const objects = mirrored(document, store);
    for (const one of objects) told.mirrored(one);
    shown.push(...objects);
  }
  const all = withoutClashes(shown);
  for (const { object } of all) gone.delete(referenceOf(manifestName(object)));
  return all.length === 0 && gone.size === 0 ? undefined : { put: all, removed: [...gone.values()] };
}

/** An object and the pods that it stands for. A pod that has a document of its own is that one. */
function mirrored(document: Document, store: Store): MirroredObject[] {
  const source = `${document.file}:${document.line}`;
  const createdMs = store.createdMs(document) ?? Date.now();
  const self: MirroredObject = { object: document.object, createdMs, source };
  if (!isWorkload(document.kind)) return [self];
  const owner = nameOf(document);
  const pods = expandWorkload(document).filter((pod) => store.get(pod) === undefined);
  return [self, ...pods.map(({ object }): MirroredObject => ({ object, createdMs, source, owner }))];
}

/** This machine's Node is an object of the API, which is told of the labels that others give it. */
function isShown({ file, kind, name }: Document, nodeName: string): boolean {
  return file !== API_FILE && !(kind === 'Node' && name === nodeName);
}

/** Two workloads may stand for pods of one name; the first has it. */
function withoutClashes(objects: readonly MirroredObject[]): MirroredObject[] {
  const found = new Map<string, MirroredObject>();
  for (const one of objects) {
    const key = referenceOf(manifestName(one.object));
    if (!found.has(key)) found.set(key, one);
  }
  return [...found.values()];
}
