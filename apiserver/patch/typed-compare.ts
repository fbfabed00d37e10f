/** What differs between two objects, as sets of fields. */
import type { ListStructure, Structure } from '../openapi/structure.ts';
import { type FieldSet, FieldSetDraft } from './field-set.ts';
import { fieldElement } from './path-element.ts';
import { fieldOf, isEqual, isList, isObject, type Plain } from './plain.ts';
import { byElement, grainOf, inner } from './typed-fields.ts';

export interface Comparison {
  readonly added: FieldSet;
  readonly modified: FieldSet;
  readonly removed: FieldSet;
}

export function compare(before: Plain, after: Plain, structure: Structure): Comparison {
  const drafts: Drafts = { added: new FieldSetDraft(), modified: new FieldSetDraft(), removed: new FieldSetDraft() };
  compareValues(before, after, structure, { drafts, path: [] });
  return { added: drafts.added.toSet(), modified: drafts.modified.toSet(), removed: drafts.removed.toSet() };
}

interface Drafts {
  readonly added: FieldSetDraft;
  readonly modified: FieldSetDraft;
  readonly removed: FieldSetDraft;
}

interface Place {
  readonly drafts: Drafts;
  readonly path: readonly string[];
}

const below = ({ drafts, path }: Place, element: string): Place => ({ drafts, path: [...path, element] });

function compareValues(before: Plain | undefined, after: Plain | undefined, structure: Structure, place: Place): void {
  if (before === after) return;
  const { drafts, path } = place;
  const grain = grainOf(after ?? before, structure);
  if (grain !== 'whole' && !(isEmpty(before) && isEmpty(after))) {
    if (grain === 'fields') compareFields(before, after, structure, place);
    else compareItems(before, after, grain, place);
    if (before === undefined) drafts.added.insert(path);
    if (after === undefined) drafts.removed.insert(path);
  } else if (before === undefined) drafts.added.insert(path);
  else if (after === undefined) drafts.removed.insert(path);
  else if (!isEqual(before, after)) drafts.modified.insert(path);
}

function isEmpty(value: Plain | undefined): boolean {
  if (isObject(value)) return Object.keys(value).length === 0;
  return value === undefined || value === null || (isList(value) && value.length === 0);
}

function compareFields(before: Plain | undefined, after: Plain | undefined, structure: Structure, place: Place): void {
  const [left, right] = [isObject(before) ? before : {}, isObject(after) ? after : {}];
  for (const name of new Set([...Object.keys(left), ...Object.keys(right)]))
    compareValues(fieldOf(left, name), fieldOf(right, name), inner(structure, name), below(place, fieldElement(name)));
}

/** Items with the same key, of which a faulty list has several, are compared as one. */
function compareItems(
  before: Plain | undefined,
  after: Plain | undefined,
  structure: ListStructure,
  place: Place,
): void {
  const left = byElement(isList(before) ? before : [], structure);
  const right = byElement(isList(after) ? after : [], structure);
  for (const element of new Set([...left.single.keys(), ...right.single.keys()]))
    compareValues(left.single.get(element), right.single.get(element), structure.of, below(place, element));
  for (const element of new Set([...left.repeated.keys(), ...right.repeated.keys()])) {
    const [were, are] = [left.repeated.get(element), right.repeated.get(element)];
    const { drafts, path } = below(place, element);
    if (were === undefined) drafts.added.insert(path);
    else if (are === undefined) drafts.removed.insert(path);
    else if (!isEqual(were, are)) drafts.modified.insert(path);
  }
}
