/** Puts what is applied into what is there: fields into fields, items into the items with the same keys; atomic parts are replaced. */
import type { ListStructure, Structure } from '../openapi/structure.ts';
import { itemElement } from './path-element.ts';
import { fieldOf, isList, isObject, type Plain, type PlainDraft } from './plain.ts';
import { grainOf, inner } from './typed-fields.ts';

export function merge(live: Plain | undefined, applied: Plain | undefined, structure: Structure): Plain | undefined {
  if (applied === undefined) return live;
  if (live === undefined) return applied;
  const grain = grainOf(applied, structure);
  if (grain === 'whole') return applied;
  if (grain === 'fields') {
    const [before, added] = [isObject(live) ? live : {}, isObject(applied) ? applied : {}];
    // Two empty ones: what is applied keeps being empty, or null.
    if (Object.keys(before).length === 0 && Object.keys(added).length === 0) return applied;
    const merged: PlainDraft = { ...before };
    for (const [name, value] of Object.entries(added))
      merged[name] = merge(fieldOf(before, name), value, inner(structure, name)) ?? null;
    return merged;
  }
  const [before, added] = [isList(live) ? live : [], isList(applied) ? applied : []];
  return before.length === 0 && added.length === 0 ? applied : mergeItems(before, added, grain);
}

/**
 * Items of both stand in the order of what is applied; those that only the live list has keep their places between them.
 *
 *     live    a b c d      applied  c x a      ->  b c d x a
 */
function mergeItems(live: readonly Plain[], applied: readonly Plain[], structure: ListStructure): Plain[] {
  const elementOf = (item: Plain) => {
    const found = itemElement(item, structure);
    return 'element' in found ? found.element : '';
  };
  const [liveElements, appliedElements] = [live.map(elementOf), applied.map(elementOf)];
  const [inLive, inApplied] = [new Map<string, Plain | undefined>(), new Set(appliedElements)];
  // Of items with the same key none is the one to be merged: what is applied takes their place.
  for (const [index, element] of liveElements.entries())
    inLive.set(element, inLive.has(element) ? undefined : live[index]);
  const shared = appliedElements.filter((element) => inLive.has(element));
  const merged: Plain[] = [];
  const done = new Set<string>();
  let next = 0; // of `shared`
  const take = (at: number) => {
    const element = appliedElements[at];
    done.add(element);
    merged.push(merge(inLive.get(element), applied[at], structure.of) ?? null);
    if (shared[next] === element) next++;
  };
  for (let [left, right] = [0, 0]; left < live.length || right < applied.length; ) {
    const element = liveElements[left];
    if (left < live.length && right < applied.length) {
      if (element === appliedElements[right]) {
        take(right++);
        left++;
        continue;
      }
      if (inApplied.has(element) && next < shared.length && shared[next] !== element) {
        left++; // its turn comes with what is applied
        continue;
      }
    }
    if (left < live.length) {
      if (!inApplied.has(element)) {
        merged.push(live[left++]);
        continue;
      }
      if (done.has(element)) left++;
    }
    if (right < applied.length) take(right++);
  }
  return merged;
}
