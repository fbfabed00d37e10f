/** Which fields an object has, by its structure; and which of them are named ones. */
import { DEDUCED, fieldsOf, type ListStructure, type Structure, structureOfField } from '../openapi/structure.ts';
import { FieldSet, FieldSetDraft } from './field-set.ts';
import { fieldElement, itemElement } from './path-element.ts';
import { isList, isObject, type Plain, type PlainObject } from './plain.ts';

/** How a value is looked at: as one, field by field, or item by item. */
export type Grain = 'whole' | 'fields' | ListStructure;

/** @param value one that has the type of its structure, or null */
export function grainOf(value: Plain | undefined, structure: Structure): Grain {
  if (structure.kind === 'object' || structure.kind === 'map') return structure.isAtomic ? 'whole' : 'fields';
  if (structure.kind === 'list') return structure.relation === 'atomic' ? 'whole' : structure;
  return structure.kind === 'any' && structure.isDeduced && (isObject(value) || value === null) ? 'fields' : 'whole';
}

/** What a value whose structure does not know a field is: it has been refused before, or came with an older structure. */
export const inner = (structure: Structure, name: string): Structure => structureOfField(structure, name) ?? DEDUCED;

export function toFieldSet(object: Plain, structure: Structure): FieldSet {
  const draft = new FieldSetDraft();
  collect(object, structure, draft, []);
  return draft.toSet();
}

function collect(value: Plain, structure: Structure, draft: FieldSetDraft, path: readonly string[]): void {
  const grain = grainOf(value, structure);
  if (grain === 'whole') draft.insert(path);
  else if (grain === 'fields') {
    if (isObject(value)) collectFields(value, structure, draft, path);
  } else if (isList(value)) collectItems(value, grain, draft, path);
}

function collectFields(object: PlainObject, structure: Structure, draft: FieldSetDraft, path: readonly string[]): void {
  const named = fieldsOf(structure);
  for (const [name, value] of Object.entries(object)) {
    const below = [...path, fieldElement(name)];
    collect(value, inner(structure, name), draft, below);
    const isEmpty = value === null || (isObject(value) && Object.keys(value).length === 0);
    if (isEmpty || !named.has(name)) draft.insert(below);
  }
}

function collectItems(
  list: readonly Plain[],
  structure: ListStructure,
  draft: FieldSetDraft,
  path: readonly string[],
): void {
  const { single, repeated } = byElement(list, structure);
  for (const element of repeated.keys()) draft.insert([...path, element]);
  for (const [element, item] of single) {
    collect(item, structure.of, draft, [...path, element]);
    draft.insert([...path, element]);
  }
}

interface Items {
  /** Element -> the one item that has it, in the list's order. */
  readonly single: ReadonlyMap<string, Plain>;
  /** Element -> those that share it: they are owned together. */
  readonly repeated: ReadonlyMap<string, readonly Plain[]>;
}

export function byElement(list: readonly Plain[], structure: ListStructure): Items {
  const all = new Map<string, Plain[]>();
  for (const item of list) {
    const found = itemElement(item, structure);
    if (!('element' in found)) continue;
    const same = all.get(found.element);
    if (same === undefined) all.set(found.element, [item]);
    else same.push(item);
  }
  const single = [...all].filter(([, items]) => items.length === 1);
  return {
    single: new Map(single.map(([element, [item]]) => [element, item])),
    repeated: new Map([...all].filter(([, items]) => items.length > 1)),
  };
}

/** The set with each named field above a member as a member too; fields of maps and items are not named. */
export function withNamedFields(set: FieldSet, structure: Structure): FieldSet {
  const members = new Set(set.members);
  const children = new Map<string, FieldSet>();
  for (const [element, below] of set.children) {
    const name = element.slice(2);
    if (element.startsWith('f:') && fieldsOf(structure).has(name)) members.add(element);
    children.set(element, withNamedFields(below, structureOfElement(structure, element)));
  }
  return new FieldSet(members, children);
}

function structureOfElement(structure: Structure, element: string): Structure {
  if (element.startsWith('f:')) return inner(structure, element.slice(2));
  return structure.kind === 'list' ? structure.of : DEDUCED;
}
