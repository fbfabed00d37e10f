/** Plain values of JSON: what patches are made of and work on. They are hostile until `checkPlain` has walked them. */
import { isDeepStrictEqual } from 'node:util';
import { StatusError } from '../storage/status-error.ts';

export type Plain = null | boolean | number | string | readonly Plain[] | PlainObject;
export type PlainObject = { readonly [name: string]: Plain };
/** While it is being made. */
export type PlainDraft = Record<string, Plain>;

/** Levels of objects and lists in each other. A CustomResourceDefinition has 60, and V8's own JSON stops at some thousands. */
const MAX_DEPTH = 250;

/**
 * Walks a value without recursion.
 * @param what names the value in the refusal
 * @throws StatusError 400: it is too deep, or has a field that JavaScript takes for an object's prototype
 */
export function checkPlain(value: unknown, what: string): void {
  const stack: { value: unknown; depth: number }[] = [{ value, depth: 0 }];
  for (let next = stack.pop(); next !== undefined; next = stack.pop()) {
    if (typeof next.value !== 'object' || next.value === null) continue;
    const depth = next.depth + 1;
    if (depth > MAX_DEPTH) throw StatusError.badRequest(`read ${what}: found more than ${MAX_DEPTH} levels`);
    if (Object.hasOwn(next.value, '__proto__')) throw reservedName(what);
    for (const inner of Object.values(next.value)) stack.push({ value: inner, depth });
  }
}

export function reservedName(what: string): StatusError {
  return StatusError.badRequest(`read ${what}: found a field "__proto__", wanted another name`);
}

export function isObject(value: unknown): value is PlainObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export function isList(value: unknown): value is readonly Plain[] {
  return Array.isArray(value);
}

/** Equality of JSON: the order of fields does not matter. */
export function isEqual(a: unknown, b: unknown): boolean {
  return a === b || isDeepStrictEqual(a, b);
}

/** A field of its own: every object has inherited a `constructor`, which may be a label's name too. */
export function fieldOf(object: PlainObject, name: string): Plain | undefined {
  return Object.hasOwn(object, name) ? object[name] : undefined;
}

export function without(object: PlainObject, name: string): PlainObject {
  if (!Object.hasOwn(object, name)) return object;
  return Object.fromEntries(Object.entries(object).filter(([other]) => other !== name));
}

/** A text, or a number or boolean as one; '' of everything else. */
export function textOf(value: Plain | undefined): string {
  return typeof value === 'string'
    ? value
    : typeof value === 'number' || typeof value === 'boolean'
      ? String(value)
      : '';
}
