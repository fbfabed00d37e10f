/** `metadata.managedFields`: who wrote which fields, read into sets and written back. */
import type { KubeObject } from '../storage/kube-object.ts';
import { FieldSet } from './field-set.ts';
import { checkPlain, isObject, type PlainObject, without } from './plain.ts';

export type Operation = 'Apply' | 'Update';

/** What a manager is known by. */
export interface ManagerName {
  readonly manager: string;
  readonly operation: Operation;
  readonly apiVersion: string;
  /** '' of the object itself. */
  readonly subresource: string;
}

export interface Managed extends ManagerName {
  readonly fields: FieldSet;
  /** RFC 3339; '' when it is not known. */
  readonly time: string;
}

/** Key -> what that manager has. */
export type Managers = ReadonlyMap<string, Managed>;

/** Managers that update, beyond which the oldest are put together. */
const MAX_UPDATERS = 10;
const ANCIENT = 'ancient-changes';

/** Who applies is the same in every version of an API: it gives up by one what it took by another. */
export function managerKey({ manager, operation, apiVersion, subresource }: ManagerName): string {
  return JSON.stringify([operation, manager, operation === 'Apply' ? '' : apiVersion, subresource]);
}

/** @returns undefined when an entry is none: then nothing in the list can be relied on */
export function readManagers(entries: readonly unknown[] | undefined): Managers | undefined {
  const managers = new Map<string, Managed>();
  for (const entry of entries ?? []) {
    const managed = readEntry(entry);
    if (managed === undefined) return undefined;
    const key = managerKey(managed);
    const same = managers.get(key);
    managers.set(key, same === undefined ? managed : { ...managed, fields: managed.fields.union(same.fields) });
  }
  return managers;
}

function readEntry(entry: unknown): Managed | undefined {
  if (!isObject(entry)) return undefined;
  const { manager = '', operation, apiVersion, subresource = '', time = '', fieldsType, fieldsV1 } = entry;
  if (operation !== 'Apply' && operation !== 'Update') return undefined;
  if (typeof apiVersion !== 'string' || typeof manager !== 'string' || typeof subresource !== 'string')
    return undefined;
  if (fieldsType !== 'FieldsV1') return undefined;
  checkPlain(fieldsV1, 'managed fields');
  const fields = FieldSet.fromJson(fieldsV1);
  return { manager, operation, apiVersion, subresource, time: typeof time === 'string' ? time : '', fields };
}

/** @returns the object with what its managers have; without any, it has no such list */
export function writeManagers<T extends object>(object: T, managers: Managers): T {
  const metadata = without(((object as Partial<KubeObject>).metadata ?? {}) as unknown as PlainObject, 'managedFields');
  const entries = [...managers.values()].filter(({ fields }) => !fields.isEmpty).sort(byOperationAndTime);
  const managedFields = entries.map(({ manager, operation, apiVersion, subresource, time, fields }) => ({
    manager,
    operation,
    apiVersion,
    ...(time !== '' && { time }),
    fieldsType: 'FieldsV1',
    fieldsV1: fields.toJson(),
    ...(subresource !== '' && { subresource }),
  }));
  return { ...object, metadata: { ...metadata, ...(managedFields.length > 0 && { managedFields }) } };
}

function byOperationAndTime(a: Managed, b: Managed): number {
  const rank = ({ operation, time, manager, apiVersion, subresource }: Managed) =>
    [operation, time, manager, apiVersion, subresource] as const;
  const [left, right] = [rank(a), rank(b)];
  for (const [at, value] of left.entries()) if (value !== right[at]) return value < right[at] ? -1 : 1;
  return 0;
}

/** The oldest of too many updaters become one for each version of the API. */
export function capUpdaters(managers: Managers): Managers {
  const updaters = [...managers.values()].filter(({ operation }) => operation === 'Update').sort(byOperationAndTime);
  const excess = updaters.length - MAX_UPDATERS;
  if (excess <= 0) return managers;
  const capped = new Map(managers);
  // Putting them together makes one more: so one more is taken.
  for (const managed of updaters.slice(0, excess + 1)) {
    const bucket: ManagerName = { ...managed, manager: ANCIENT, subresource: '' };
    const key = managerKey(bucket);
    const fields = capped.get(key)?.fields.union(managed.fields) ?? managed.fields;
    capped.delete(managerKey(managed));
    capped.set(key, { ...bucket, time: managed.time, fields });
  }
  return capped;
}
