/**
 * Strategic merge patch: a merge patch that knows which lists are sets and maps, and has words of its own in it.
 *
 *     $patch: replace | delete      of an object: it takes the place of what was there, or leaves it empty
 *                                   of an item: the list is replaced by the others, or the item with its key goes
 *     $deleteFromPrimitiveList/F    the values that go from the list of texts or numbers F
 *     $setElementOrder/F            the order in which the items of F are to stand; those that it does not name keep their places
 *     $retainKeys                   the only fields that the object may have afterwards
 *
 * Order, in an object: 1. `$patch` decides alone. 2. `$retainKeys` empties what was there. 3. Lists with `$setElementOrder/` are merged and
 * put in order. 4. The other fields are merged. Lists are merged when their structure says so (`patch=merge`), by the field it names
 * (`key=`), else replaced. A null removes a field.
 */
import { fieldsOf, OPAQUE, type Field, type Structure, structureOfField } from '../openapi/structure.ts';
import { StatusError } from '../storage/status-error.ts';
import { inOrder, keysOf } from './element-order.ts';
import {
  checkPlain,
  fieldOf,
  isList,
  isObject,
  type Plain,
  type PlainDraft,
  type PlainObject,
  without,
} from './plain.ts';

const DELETE_PREFIX = '$deleteFromPrimitiveList/';
const ORDER_PREFIX = '$setElementOrder/';

/**
 * @param document is left as it is
 * @param structure of its kind
 * @throws StatusError 400 for what is no patch, 422 for words at wrong places and items without their key
 */
export function applyStrategicMergePatch<T extends object>(document: T, patch: unknown, structure: Structure): T {
  checkPlain(patch, 'strategic merge patch');
  if (!isObject(patch))
    throw StatusError.badRequest('read strategic merge patch: found something else, wanted an object');
  return mergeObject(document as unknown as PlainObject, patch, structure) as unknown as T;
}

function mergeObject(original: PlainObject, patch: PlainObject, structure: Structure): PlainObject {
  if (Object.hasOwn(patch, '$patch')) return directed(patch);
  const retained = patch['$retainKeys'];
  let rest = without(patch, '$retainKeys');
  const merged: PlainDraft = { ...(retained === undefined ? original : retain(original, rest, retained)) };
  for (const [name, order] of Object.entries(rest)) {
    if (!name.startsWith(ORDER_PREFIX)) continue;
    const field = name.slice(ORDER_PREFIX.length);
    const list = orderedList(merged, rest, order, { field, structure });
    if (list !== undefined) merged[field] = list;
    rest = without(without(rest, name), field);
  }
  for (const [name, value] of Object.entries(rest)) {
    if (name.startsWith(DELETE_PREFIX)) deleteValues(merged, name.slice(DELETE_PREFIX.length), value);
    else mergeField(merged, name, value, structure);
  }
  return merged;
}

function directed(patch: PlainObject): PlainObject {
  if (patch['$patch'] === 'replace') return without(patch, '$patch');
  if (patch['$patch'] === 'delete') return {};
  throw wrong(`unknown patch type: ${JSON.stringify(patch['$patch'])} in map: ${JSON.stringify(patch).slice(0, 200)}`);
}

function mergeField(merged: PlainDraft, name: string, value: Plain, structure: Structure): void {
  const before = fieldOf(merged, name);
  if (value === null) {
    delete merged[name];
    return;
  }
  const field = fieldsOf(structure).get(name);
  const inner = structureOfField(structure, name) ?? OPAQUE;
  let after: Plain | undefined;
  if (isObject(before) && isObject(value))
    after = field?.strategies.includes('replace') ? value : mergeObject(before, value, inner);
  else if (isList(before) && isList(value)) after = mergeList(before, value, field, inner);
  else after = withoutDirectives(value);
  if (after === undefined) delete merged[name];
  else merged[name] = after;
}

function mergeList(before: readonly Plain[], patch: readonly Plain[], field: Field | undefined, structure: Structure) {
  if (!field?.strategies.includes('merge')) return patch;
  const { mergeKey } = field;
  if (before.length === 0 && patch.length === 0) return before;
  if (!isObject(before[0] ?? patch[0])) {
    const merged = [...new Set([...before, ...patch])];
    return inOrder(merged, { first: patch, server: before });
  }
  if (mergeKey === undefined) throw wrong(`cannot merge lists without merge key for ${field.name}`);
  return mergeItems(before, patch, mergeKey, structure);
}

function mergeItems(
  before: readonly Plain[],
  patch: readonly Plain[],
  mergeKey: string,
  structure: Structure,
): Plain[] {
  const items = objects(patch);
  const plain = items.filter((item) => !Object.hasOwn(item, '$patch'));
  const marked = items.filter((item) => Object.hasOwn(item, '$patch'));
  keysOf(
    items.filter((item) => item['$patch'] !== 'replace'),
    mergeKey,
  );
  const gone = new Set<Plain>();
  for (const item of marked) {
    if (item['$patch'] === 'delete') gone.add(item[mergeKey]);
    else if (item['$patch'] === 'merge') throw wrong('merging lists cannot yet be specified in the patch');
    else if (item['$patch'] !== 'replace') directed(item);
  }
  if (marked.some((item) => item['$patch'] === 'replace')) return plain.map(withoutNulls);
  const merged = objects(before).filter((item) => !gone.has(item[mergeKey]));
  const places = new Map(merged.map((item, index) => [item[mergeKey], index] as const).reverse());
  for (const item of plain) {
    const place = places.get(item[mergeKey]);
    if (place !== undefined) merged[place] = mergeObject(merged[place], item, itemOf(structure));
    else places.set(item[mergeKey], merged.push(withoutNulls(item)) - 1);
  }
  return inOrder(merged, { first: plain, server: before, mergeKey });
}

interface Place {
  readonly field: string;
  readonly structure: Structure;
}

/** @returns undefined when neither side has the list */
function orderedList(merged: PlainDraft, patch: PlainObject, order: Plain, { field, structure }: Place) {
  const [before, changes] = [fieldOf(merged, field), fieldOf(patch, field)];
  if (!isList(order) || (before !== undefined && !isList(before)) || (changes != null && !isList(changes)))
    throw wrong('invalid patch format of setElementOrder list');
  if (before === undefined && changes === undefined) return undefined;
  const description = fieldsOf(structure).get(field);
  const mergeKey = description?.mergeKey;
  checkOrder(changes ?? [], order, mergeKey);
  const inner = structureOfField(structure, field) ?? OPAQUE;
  let list: readonly Plain[];
  if (changes == null) list = before ?? [];
  else if (before === undefined) list = (withoutDirectives(changes) ?? []) as readonly Plain[];
  else list = mergeList(before, changes, description, inner);
  return inOrder(list, { first: order, server: before ?? [], ...(mergeKey !== undefined && { mergeKey }) });
}

/** Every item of a patch stands in the order that goes with it, and in that order. */
function checkOrder(patch: readonly Plain[], order: readonly Plain[], mergeKey: string | undefined): void {
  const isMarked = (item: Plain) => isObject(item) && Object.hasOwn(item, '$patch');
  const wanted = patch.filter((item) => !isMarked(item));
  if (wanted.length === 0 || order.length === 0) return;
  const keys = mergeKey === undefined ? wanted : keysOf(wanted, mergeKey);
  const places = mergeKey === undefined ? order : keysOf(order, mergeKey);
  let found = 0;
  for (const place of places) if (found < keys.length && keys[found] === place) found++;
  if (found < keys.length)
    throw wrong(
      `The order in patch list:\n${JSON.stringify(patch)}\n doesn't match $setElementOrder list:\n${JSON.stringify(order)}\n`,
    );
}

function retain(original: PlainObject, patch: PlainObject, retained: Plain): PlainObject {
  if (!isList(retained)) throw wrong('invalid patch format of retainKeys');
  const names = new Set(retained);
  const isWord = (name: string) => name.startsWith(DELETE_PREFIX) || name.startsWith(ORDER_PREFIX);
  for (const [name, value] of Object.entries(patch))
    if (value !== null && !isWord(name) && !names.has(name)) throw wrong('invalid patch format of retainKeys');
  return Object.fromEntries(Object.entries(original).filter(([name]) => names.has(name)));
}

function deleteValues(merged: PlainDraft, field: string, values: Plain): void {
  const list = fieldOf(merged, field);
  if (!isList(values)) throw wrong('invalid patch format of primitive list');
  const gone = new Set(values);
  if (isList(list)) merged[field] = list.filter((item) => !gone.has(item));
}

function itemOf(structure: Structure): Structure {
  return structure.kind === 'list' ? structure.of : OPAQUE;
}

/** What a patch adds has no words and nulls in it. @returns undefined when it is itself a word */
function withoutDirectives(value: Plain): Plain | undefined {
  if (isList(value)) return value.map(withoutDirectives).filter((item) => item !== undefined);
  if (!isObject(value)) return value;
  if (Object.hasOwn(value, '$patch')) return undefined;
  const kept: PlainDraft = {};
  for (const [name, inner] of Object.entries(value)) {
    const plain = inner === null ? undefined : withoutDirectives(inner);
    if (plain !== undefined) kept[name] = plain;
  }
  return kept;
}

const withoutNulls = (item: PlainObject) => withoutDirectives(item) as PlainObject;

function objects(list: readonly Plain[]): PlainObject[] {
  return list.map((item) => {
    if (isObject(item)) return item;
    throw wrong(`expected a map[string]interface {}, but received ${JSON.stringify(item)}`);
  });
}

const wrong = (message: string) => new StatusError(422, 'Invalid', message);
