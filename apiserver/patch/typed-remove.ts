/** Takes fields out of an object. */
import type { Structure } from '../openapi/structure.ts';
import type { FieldSet } from './field-set.ts';
import { fieldElement, itemElement } from './path-element.ts';
import { isList, isObject, type Plain, type PlainDraft } from './plain.ts';
import { grainOf, inner } from './typed-fields.ts';

/** @returns undefined when nothing is left */
export function removeFields(value: Plain, gone: FieldSet, structure: Structure): Plain | undefined {
  if (gone.isEmpty) return value;
  const grain = grainOf(value, structure);
  if (grain === 'fields' && isObject(value)) {
    const kept: PlainDraft = {};
    for (const [name, inside] of Object.entries(value)) {
      const element = fieldElement(name);
      const left = gone.members.has(element)
        ? undefined
        : removeFields(inside, gone.below(element), inner(structure, name));
      if (left !== undefined) kept[name] = left;
    }
    return Object.keys(kept).length > 0 ? kept : undefined;
  }
  if (grain === 'whole' || grain === 'fields' || !isList(value)) return value;
  const items = value.flatMap((item) => {
    const found = itemElement(item, grain);
    if (!('element' in found)) return [item];
    if (gone.members.has(found.element)) return [];
    return removeFields(item, gone.below(found.element), grain.of) ?? [];
  });
  return items.length > 0 ? items : undefined;
}
