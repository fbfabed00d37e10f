/**
 * Server-side apply: an object that says which fields its writer wants, and nothing else. What results is what was there, with these fields
 * put in; what the same manager applied before, wants no longer, and nobody else has, goes.
 *
 *     1. The applied object is put into the live one (typed-merge.ts).
 *     2. Of what this manager had, all that is not applied again goes, unless another manager has it, too. Items and fields that were put
 *        there by nobody in particular stay, where nothing that goes held them.
 *     3. A field that changes and that another manager has is a conflict (ownership.ts), unless it is forced.
 *     4. The manager has exactly what it applied.
 *
 * An object that has no managed fields yet is taken to be of `before-first-apply`. kubectl's own last-applied annotation counts as its say:
 * fields that it holds, and that nobody has changed since, are no conflicts for the manager `kubectl`; and it is kept true.
 *
 * Defaults are nobody's: who stores the result puts them in afterwards.
 */
import type { ObjectStructure, Structure } from '../openapi/structure.ts';
import type { KubeObject } from '../storage/kube-object.ts';
import { StatusError } from '../storage/status-error.ts';
import { ConflictError } from './conflict.ts';
import { EMPTY_SET, type FieldSet } from './field-set.ts';
import { keepLastApplied, lastAppliedFields } from './last-applied.ts';
import {
  type Managed,
  type ManagerName,
  type Managers,
  managerKey,
  readManagers,
  writeManagers,
} from './managed-fields.ts';
import { resetFields, takeFields, withOwner } from './ownership.ts';
import { checkPlain, isEqual, isObject, type Plain, type PlainObject, textOf } from './plain.ts';
import { unmanaged, updatedManagers } from './track-update.ts';
import { typeFault } from './typed-check.ts';
import { toFieldSet, withNamedFields } from './typed-fields.ts';
import { merge } from './typed-merge.ts';
import { removeFields } from './typed-remove.ts';

export interface Application {
  /** Undefined when there is no such object yet. */
  readonly live: KubeObject | undefined;
  /** The body of the request. */
  readonly applied: unknown;
  readonly manager: string;
  readonly isForced: boolean;
  /** '' of the object itself. */
  readonly subresource: string;
  /** RFC 3339. */
  readonly time: string;
  readonly structure: ObjectStructure;
  /** Whether the status has a way of writing of its own; so it is unless told. */
  readonly isStatusSeparate?: boolean;
}

const BEFORE = 'before-first-apply';

/**
 * @returns the object to be, with managed fields and without defaults
 * @throws StatusError 400 for what is no such object, 409 with a cause for each conflict
 */
export function applyServerSide(application: Application): Partial<KubeObject> {
  const { live, manager, subresource } = application;
  const applied = checkApplied(application);
  const before = live === undefined ? unnamed(applied) : (unmanaged(live) as PlainObject);
  const apiVersion = textOf(applied['apiVersion']);
  const name: ManagerName = { manager, operation: 'Apply', apiVersion, subresource };
  const managers = managersOf(live, before, application, apiVersion);
  const result = applyWith(managers, { application, before, applied, name });
  const isChanged = live === undefined || !isEqual(result.object, before);
  const key = managerKey(name);
  const own = result.managers.get(key);
  if (own !== undefined) {
    const time = isChanged ? application.time : managers.get(key)?.time || application.time;
    result.managers.set(key, { ...own, time });
  }
  const object = manager === 'kubectl' ? keepLastApplied(result.object, applied) : result.object;
  return writeManagers(object, result.managers);
}

function checkApplied({ applied, structure, live }: Application): PlainObject {
  checkPlain(applied, 'applied object');
  if (!isObject(applied)) throw StatusError.badRequest('read applied object: found something else, wanted an object');
  const { metadata, kind, apiVersion } = applied;
  if (isObject(metadata) && metadata['managedFields'] != null)
    throw StatusError.badRequest('metadata.managedFields must be nil');
  const fault = typeFault(applied, structure);
  if (fault === undefined) return applied;
  const { name = '', namespace = '' } = (isObject(metadata) ? metadata : (live?.metadata ?? {})) as Record<
    string,
    string
  >;
  const version = textOf(apiVersion);
  const object = `${namespace}/${name}; ${version.includes('/') ? '' : '/'}${version}, Kind=${textOf(kind)}`;
  throw StatusError.badRequest(`failed to create typed patch object (${object}): ${fault}`);
}

const unnamed = ({ apiVersion, kind }: PlainObject): PlainObject => ({
  apiVersion: apiVersion ?? '',
  kind: kind ?? '',
});

function managersOf(
  live: KubeObject | undefined,
  before: PlainObject,
  { time, structure }: Application,
  apiVersion: string,
): Managers {
  const managers = readManagers(live?.metadata.managedFields) ?? new Map<string, Managed>();
  if (live === undefined || managers.size > 0) return managers;
  const name: ManagerName = { manager: BEFORE, operation: 'Update', apiVersion, subresource: '' };
  return updatedManagers(managers, { before: undefined, after: before, name, time, structure });
}

interface Step {
  readonly application: Application;
  readonly before: PlainObject;
  readonly applied: PlainObject;
  readonly name: ManagerName;
}

function applyWith(managers: Managers, { application, before, applied, name }: Step) {
  const { structure, subresource, manager, live, isStatusSeparate = true } = application;
  const key = managerKey(name);
  const ignored = resetFields(subresource, isStatusSeparate);
  const fields = toFieldSet(applied, structure).without(ignored);
  const all = new Map(managers).set(key, { ...name, time: '', fields });
  const merged = (merge(before, applied, structure) ?? {}) as PlainObject;
  const last = managers.get(key)?.fields;
  const object = last === undefined || last.isEmpty ? merged : prune(merged, last, all, structure);
  const take = (isForced: boolean) =>
    takeFields(all, { before, after: object, structure, ignored, key, isForced }).managers;
  let taken: Map<string, Managed>;
  if (manager === 'kubectl' && !application.isForced && live !== undefined)
    taken = takeOver(take, lastAppliedFields(live, structure));
  else taken = take(application.isForced);
  const own = withOwner(fields);
  if (own.isEmpty) taken.delete(key);
  else taken.set(key, { ...name, time: '', fields: own });
  return { object: withoutNulls(object), managers: taken };
}

/** A conflict about fields that the last-applied annotation holds is none. */
function takeOver(take: (isForced: boolean) => Map<string, Managed>, allowed: FieldSet | undefined) {
  try {
    return take(false);
  } catch (error) {
    if (!(error instanceof ConflictError) || allowed === undefined) throw error;
    const conflicts = error.conflicts.map((conflict) => ({ ...conflict, fields: conflict.fields.difference(allowed) }));
    const left = conflicts.filter(({ fields }) => !fields.isEmpty);
    if (left.length > 0) throw new ConflictError(left);
    return take(true);
  }
}

/** What the manager had and no longer wants goes, where nobody else has it. */
function prune(merged: PlainObject, last: FieldSet, managers: Managers, structure: Structure): PlainObject {
  const named = (set: FieldSet) => withNamedFields(set, structure);
  const ofObject = (object: Plain) => named(toFieldSet(object, structure));
  const lastNamed = named(last);
  let pruned: Plain = removeFields(merged, lastNamed, structure) ?? {};
  // What any manager has comes back.
  const managed = named([...managers.values()].reduce((set, { fields }) => set.union(fields), EMPTY_SET));
  const all = ofObject(merged);
  pruned = removeFields(merged, all.difference(ofObject(pruned).union(managed)), structure) ?? {};
  // What nobody has, and what was not this manager's, comes back too.
  return (removeFields(merged, all.difference(ofObject(pruned)).intersection(lastNamed), structure) ??
    {}) as PlainObject;
}

/** A null that was applied has done its work. */
function withoutNulls(value: PlainObject): PlainObject {
  const walk = (inner: Plain): Plain => {
    if (Array.isArray(inner)) return inner.map(walk);
    if (!isObject(inner)) return inner;
    return Object.fromEntries(
      Object.entries(inner).flatMap(([name, part]) => (part === null ? [] : [[name, walk(part)]])),
    );
  };
  return walk(value) as PlainObject;
}
