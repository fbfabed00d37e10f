/**
 * What a write does to who has which fields: the one rule that applying and updating share.
 *
 * A field that a write adds or changes, and that another manager has, is a conflict: who updates, and who forces, takes it away from the
 * other; who applies is refused. A field that a write removes is nobody's any more. What a write leaves as it is, stays shared.
 */
import type { Structure } from '../openapi/structure.ts';
import { type Conflict, ConflictError } from './conflict.ts';
import { EMPTY_SET, FieldSet } from './field-set.ts';
import type { Managed, Managers } from './managed-fields.ts';
import type { Plain } from './plain.ts';
import { type Comparison, compare } from './typed-compare.ts';

/** Of an object's metadata, what nobody has: the API fills it in, or it is the object's name. */
const OWNERLESS = FieldSet.fromJson({
  'f:apiVersion': {},
  'f:kind': {},
  'f:metadata': {
    '.': {},
    'f:name': {},
    'f:namespace': {},
    'f:creationTimestamp': {},
    'f:selfLink': {},
    'f:uid': {},
    'f:clusterName': {},
    'f:generation': {},
    'f:managedFields': {},
    'f:resourceVersion': {},
  },
});
const STATUS = FieldSet.fromJson({ 'f:status': {} });
const ALL_BUT_STATUS = FieldSet.fromJson({ 'f:spec': {}, 'f:metadata': { 'f:labels': {}, 'f:ownerReferences': {} } });

/** What a write by this way does not change, whatever it says. */
export function resetFields(subresource: string, isStatusSeparate: boolean): FieldSet {
  if (subresource === '') return isStatusSeparate ? STATUS : EMPTY_SET;
  return subresource === 'status' ? ALL_BUT_STATUS : EMPTY_SET;
}

export const withOwner = (fields: FieldSet) => fields.difference(OWNERLESS);

export interface Change {
  readonly before: Plain;
  readonly after: Plain;
  readonly structure: Structure;
  /** Fields that are not looked at. */
  readonly ignored: FieldSet;
  /** Who writes; it is no conflict with itself. */
  readonly key: string;
  readonly isForced: boolean;
}

/** @returns the others as they are afterwards, and what has changed. @throws StatusError 409 with the conflicts */
export function takeFields(
  managers: Managers,
  change: Change,
): { managers: Map<string, Managed>; changed: Comparison } {
  const { added, modified, removed } = compare(change.before, change.after, change.structure);
  const changed = {
    added: added.without(change.ignored),
    modified: modified.without(change.ignored),
    removed: removed.without(change.ignored),
  };
  const written = changed.modified.union(changed.added);
  const left = new Map<string, Managed>();
  const conflicts: Conflict[] = [];
  for (const [key, managed] of managers) {
    if (key === change.key) {
      left.set(key, managed);
      continue;
    }
    const taken = managed.fields.intersection(written);
    if (!taken.isEmpty) conflicts.push({ manager: managed, fields: taken });
    const fields = managed.fields.difference(taken).difference(changed.removed);
    if (!fields.isEmpty) left.set(key, { ...managed, fields });
  }
  if (!change.isForced && conflicts.length > 0) throw new ConflictError(conflicts);
  return { managers: left, changed };
}
