/**
 * Plain values against a shape, for objects that a program wrote: a value that fits is taken as it is, and nothing is said of one
 * that does not. Whoever wants to know why reads the object as text, which takes thirty times as long.
 *
 * Fields that are null are left out, as they are of a text. A value that the text reader would only warn of does not fit.
 *
 * Limits: those of reader.ts.
 */
import { MAX_DEPTH, MAX_NODES } from './reader.ts';
import { any, type IntegerShape, type ObjectShape, openObject, type Shape, type StringShape } from './shape.ts';

/** What is not an object of the shape. */
export const MISFIT = Symbol('misfit');

/** @returns the value, fields that are null left out, or `MISFIT` */
export function fitted(value: unknown, shape: Shape): unknown {
  return new Fitting().fit(value, shape);
}

class Fitting {
  #nodes = 0;
  #depth = 0;

  fit(value: unknown, shape: Shape): unknown {
    if (++this.#nodes > MAX_NODES || this.#depth >= MAX_DEPTH) return MISFIT;
    this.#depth++;
    const found = this.#fitAs(value, shape);
    this.#depth--;
    return found;
  }

  #fitAs(value: unknown, shape: Shape): unknown {
    switch (shape.kind) {
      case 'any':
        return this.#any(value);
      case 'string':
        return isString(value, shape) ? value : MISFIT;
      case 'integer':
        return isInteger(value, shape) ? value : MISFIT;
      case 'boolean':
        return typeof value === 'boolean' ? value : MISFIT;
      case 'list':
        return this.#list(value, shape.of);
      case 'map':
        return this.#map(value, shape.of);
      case 'object':
        return this.#object(value, shape);
    }
  }

  #any(value: unknown): unknown {
    if (typeof value !== 'object' || value === null) return value;
    return Array.isArray(value) ? this.#list(value, any) : this.#object(value, ANY_MAP);
  }

  #list(value: unknown, of: Shape): unknown {
    if (!Array.isArray(value)) return MISFIT;
    let found: unknown[] = value;
    for (let i = 0; i < value.length; i++) {
      const item = this.fit(value[i], of);
      if (item === MISFIT) return MISFIT;
      if (item === value[i]) continue;
      if (found === value) found = [...(value as unknown[])];
      found[i] = item;
    }
    return found;
  }

  #map(value: unknown, of: Shape): unknown {
    if (!isMap(value)) return MISFIT;
    let found = value;
    for (const key of Object.keys(value)) {
      const item = this.fit(value[key], of);
      if (item === MISFIT) return MISFIT;
      if (item !== value[key]) found = withField(found, value, key, item);
    }
    return found;
  }

  #object(value: unknown, shape: ObjectShape): unknown {
    if (!isMap(value)) return MISFIT;
    let found = value;
    for (const key of Object.keys(value)) {
      const field = Object.hasOwn(shape.fields, key) ? shape.fields[key] : shape.open ? any : undefined;
      if (field === undefined) return MISFIT;
      const before = value[key];
      const item = before === null || before === undefined ? undefined : this.fit(before, field);
      if (item === MISFIT) return MISFIT;
      if (item !== before) found = withField(found, value, key, item);
    }
    for (const name of shape.required) if (found[name] === undefined) return MISFIT;
    return found;
  }
}

const ANY_MAP = openObject({});

type Values = Record<string, unknown>;

function isMap(value: unknown): value is Values {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Of a copy, made when the first field of it is another one than before. */
function withField(found: Values, original: Values, key: string, item: unknown): Values {
  const copy = found === original ? Object.fromEntries(Object.entries(original)) : found;
  if (item === undefined) Reflect.deleteProperty(copy, key);
  else Object.defineProperty(copy, key, { value: item, enumerable: true, configurable: true, writable: true });
  return copy;
}

function isString(value: unknown, { oneOf }: StringShape): boolean {
  return typeof value === 'string' && (oneOf === undefined || oneOf.includes(value));
}

function isInteger(value: unknown, { min, max, orString }: IntegerShape): boolean {
  if (typeof value === 'string') return orString === true;
  if (typeof value !== 'number' || !Number.isInteger(value)) return false;
  return (min === undefined || value >= min) && (max === undefined || value <= max);
}
