/** Who updated what: each write that is no apply makes its manager the owner of the fields that it changed. */
import { emptyOf, type Structure } from '../openapi/structure.ts';
import type { KubeObject } from '../storage/kube-object.ts';
import { EMPTY_SET } from './field-set.ts';
import {
  capUpdaters,
  type ManagerName,
  type Managers,
  managerKey,
  readManagers,
  writeManagers,
} from './managed-fields.ts';
import { resetFields, takeFields, withOwner } from './ownership.ts';
import { isObject, type Plain, without } from './plain.ts';

export interface Update {
  /** Undefined of an object that is created. */
  readonly before: Partial<KubeObject> | undefined;
  /** As it is to be stored, with its defaults. */
  readonly after: Partial<KubeObject>;
  /** '' becomes `unknown`. */
  readonly manager: string;
  /** '' of the object itself. */
  readonly subresource: string;
  /** RFC 3339. */
  readonly time: string;
  readonly structure: Structure;
  /** Whether the status has a way of writing of its own; so it is unless told. */
  readonly isStatusSeparate?: boolean;
}

/**
 * @returns `after` with its managed fields. A list of them that it has itself counts (kubectl moves ownership in this way), an empty one ends the
 *   tracking; one that cannot be read is as none
 */
export function trackUpdate(update: Update): Partial<KubeObject> {
  const { before, after, manager, subresource } = update;
  const managers = managersBefore(before, after, subresource);
  // An object of before managed fields were kept is not tracked until somebody applies it.
  if (before !== undefined && managers.size === 0) return writeManagers(after, managers);
  const name: ManagerName = {
    manager: manager === '' ? 'unknown' : manager,
    operation: 'Update',
    apiVersion: after.apiVersion ?? '',
    subresource,
  };
  return writeManagers(after, updatedManagers(managers, { ...update, name }));
}

interface NamedUpdate extends Pick<Update, 'before' | 'after' | 'time' | 'structure' | 'isStatusSeparate'> {
  readonly name: ManagerName;
}

/** @returns the managers after an update, which takes what it wants */
export function updatedManagers(managers: Managers, update: NamedUpdate): Managers {
  const { before, after, name, time, structure, isStatusSeparate = true } = update;
  const key = managerKey(name);
  const taken = takeFields(managers, {
    before: before === undefined ? emptyOf(structure) : unmanaged(before),
    after: unmanaged(after),
    structure,
    ignored: resetFields(name.subresource, isStatusSeparate),
    key: '', // what this manager has is taken as from another, and given back with what is new
    isForced: true,
  });
  const { added, modified } = taken.changed;
  const fields = withOwner(added.union(modified));
  if (fields.isEmpty) return taken.managers;
  const previous = taken.managers.get(key)?.fields ?? EMPTY_SET;
  taken.managers.set(key, { ...name, time, fields: previous.union(fields) });
  return capUpdaters(taken.managers);
}

function managersBefore(before: Update['before'], after: Update['after'], subresource: string): Managers {
  const given = after.metadata?.managedFields;
  const kept = () => readManagers(before?.metadata?.managedFields) ?? new Map();
  if (subresource !== '' || given === undefined) return kept();
  const isReset = given.length === 0 || (given.length === 1 && Object.keys(given[0] as object).length === 0);
  if (isReset) return new Map();
  const managers = readManagers(given);
  return managers === undefined || managers.size === 0 ? kept() : managers;
}

/** The object without its managed fields. */
export function unmanaged(object: object): Plain {
  const plain = object as Record<string, Plain>;
  const { metadata } = plain;
  return isObject(metadata) ? { ...plain, metadata: without(metadata, 'managedFields') } : plain;
}
