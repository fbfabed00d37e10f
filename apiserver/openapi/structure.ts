/** What an object of a kind is made of: fields, types, how lists and maps are merged. */
import type { Plain, PlainObject } from '../patch/plain.ts';

export type Structure = ScalarStructure | AnyStructure | ListStructure | MapStructure | ObjectStructure;

export interface ScalarStructure {
  readonly kind: 'string' | 'integer' | 'number' | 'boolean' | 'scalar';
  /** `int32`, `byte`, `date-time`; of a `scalar`: `quantity` or `int-or-string`. */
  readonly format?: string;
  readonly oneOf?: readonly string[];
}

/** Anything. Its whole is one value to server-side apply, unless it is `deduced`: then each field of it is one. */
export interface AnyStructure {
  readonly kind: 'any';
  readonly isDeduced: boolean;
}

export interface ListStructure {
  readonly kind: 'list';
  readonly of: Structure;
  /** An atomic list has one owner; the items of a set own themselves, those of a map are known by `keys`. */
  readonly relation: 'atomic' | 'set' | 'map';
  readonly keys: readonly string[];
}

export interface MapStructure {
  readonly kind: 'map';
  readonly of: Structure;
  readonly isAtomic: boolean;
}

export interface ObjectStructure {
  readonly kind: 'object';
  /** Where one was given: `core.v1.PodSpec`. */
  readonly name: string;
  readonly fields: ReadonlyMap<string, Field>;
  readonly isAtomic: boolean;
  /** Fields that are not among `fields` are kept. */
  readonly isOpen: boolean;
}

export interface Field {
  readonly name: string;
  readonly structure: Structure;
  readonly isRequired: boolean;
  readonly byDefault?: unknown;
  /** An object that is there in every one of the kind, empty or not: nobody adds it. */
  readonly isAlways?: boolean;
  /** What a strategic merge patch does with a list or an object; without it, lists are replaced and objects merged. */
  readonly strategies: readonly string[];
  /** By what field a strategic merge patch knows the items of a list. */
  readonly mergeKey?: string;
  /** Of kinds that were defined with sentences of their own. */
  readonly description?: string;
}

/** Anything, each field of which has an owner: what is not known. */
export const DEDUCED: AnyStructure = { kind: 'any', isDeduced: true };
/** Anything, as one value. */
export const OPAQUE: AnyStructure = { kind: 'any', isDeduced: false };

const NO_FIELDS: ReadonlyMap<string, Field> = new Map();

/** What `value` is an item or field of; for what is not known, `DEDUCED`. @returns undefined when there can be no such field */
export function structureOfField(structure: Structure, name: string): Structure | undefined {
  if (structure.kind === 'map') return structure.of;
  if (structure.kind === 'any') return structure;
  if (structure.kind !== 'object') return undefined;
  return structure.fields.get(name)?.structure ?? (structure.isOpen ? DEDUCED : undefined);
}

/** The fields of an object; of everything else none. */
export function fieldsOf(structure: Structure): ReadonlyMap<string, Field> {
  return structure.kind === 'object' ? structure.fields : NO_FIELDS;
}

/** What every object of a kind has before anybody wrote anything: its objects that are always there, and lists that are null. */
export function emptyOf(structure: Structure): PlainObject {
  const empty: Record<string, Plain> = {};
  for (const { name, structure: inner, isAlways, isRequired } of fieldsOf(structure).values()) {
    if (isAlways === true) empty[name] = emptyOf(inner);
    else if (isRequired && (inner.kind === 'list' || inner.kind === 'map')) empty[name] = null;
  }
  return empty;
}
