/** Shapes: what a document may contain, as data. `Reader` reads documents against them. */

export type Shape =
  | StringShape
  | IntegerShape
  | { readonly kind: 'boolean' }
  | { readonly kind: 'any' }
  | ListShape
  | MapShape
  | ObjectShape;

export interface StringShape {
  readonly kind: 'string';
  readonly oneOf?: readonly string[];
  /** Those of `oneOf` that a message names; all unless told. */
  readonly told?: readonly string[];
  /** What to say of values that people write and that are none of `oneOf`. */
  readonly hints?: Readonly<Record<string, string>>;
  /** May be written as a map of one pair: `- "Name": "value"` reads as `Name: value`. */
  readonly pair?: boolean;
  /** A number or boolean is refused, where otherwise it is taken as text, with a warning. */
  readonly strict?: boolean;
}

export interface IntegerShape {
  readonly kind: 'integer';
  readonly min?: number;
  readonly max?: number;
  /** A string will do as well. */
  readonly orString?: boolean;
}

export interface ListShape {
  readonly kind: 'list';
  readonly of: Shape;
}

export interface MapShape {
  readonly kind: 'map';
  readonly of: Shape;
}

export interface ObjectShape {
  readonly kind: 'object';
  readonly fields: Readonly<Record<string, Shape>>;
  readonly required: readonly string[];
  /** Unknown fields are kept as they are instead of being refused. */
  readonly open: boolean;
}

export const string: Shape = { kind: 'string' };
/** For our own files: nobody's tutorials write these without quotes. */
export const strictString: Shape = { kind: 'string', strict: true };
export const boolean: Shape = { kind: 'boolean' };
export const any: Shape = { kind: 'any' };
export const integer = (min?: number, max?: number): Shape => ({
  kind: 'integer',
  ...(min !== undefined && { min }),
  ...(max !== undefined && { max }),
});
export const integerOrString: Shape = { kind: 'integer', orString: true };
export const stringOrPair: Shape = { kind: 'string', pair: true };
export const oneOf = (...values: string[]): Shape => ({ kind: 'string', oneOf: values });
export const list = (of: Shape): Shape => ({ kind: 'list', of });
export const map = (of: Shape): Shape => ({ kind: 'map', of });
export const object = (fields: Record<string, Shape>, required: string[] = []): ObjectShape => ({
  kind: 'object',
  fields,
  required,
  open: false,
});
export const openObject = (fields: Record<string, Shape>, required: string[] = []): ObjectShape => ({
  ...object(fields, required),
  open: true,
});

const SEARCH_DEPTH = 5; // objects inside objects

/** The shortest way down from a shape to an object that has the field, e.g. `toPorts[]`; undefined when there is none. */
export function wayTo(shape: ObjectShape, field: string): string | undefined {
  const queue: { at: Shape; path: string; depth: number }[] = [{ at: shape, path: '', depth: 0 }];
  const seen = new Set<Shape>();
  for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
    const { at, path, depth } = next;
    if (at.kind === 'list') queue.push({ at: at.of, path: `${path}[]`, depth });
    if (at.kind !== 'object' || seen.has(at) || depth >= SEARCH_DEPTH) continue;
    seen.add(at);
    if (path !== '' && Object.hasOwn(at.fields, field)) return path;
    for (const [name, inner] of Object.entries(at.fields)) {
      queue.push({ at: inner, path: path === '' ? name : `${path}.${name}`, depth: depth + 1 });
    }
  }
  return undefined;
}
