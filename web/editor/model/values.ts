/** Plain values of documents, which may have any shape: reading them with care, and changing them without touching the old ones. */

/** Keys and indices from the root of a document. */
export type Path = readonly (string | number)[];

export type Fields = Readonly<Record<string, unknown>>;

export function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The fields of a map; none of anything else. */
export function fieldsOf(value: unknown): Fields {
  return isFields(value) ? value : {};
}

/** The items of a list; none of anything else. */
export function itemsOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? (value as unknown[]) : [];
}

/** A field of its own: not what every object inherits. */
export function fieldOf(value: unknown, key: string): unknown {
  return isFields(value) && Object.hasOwn(value, key) ? value[key] : undefined;
}

/** A text or number as text; '' for anything else. */
export function textOf(value: unknown): string {
  return typeof value === 'string' ? value : typeof value === 'number' || typeof value === 'boolean' ? `${value}` : '';
}

/** What stands at a path; undefined when nothing does. */
export function valueAt(root: unknown, path: Path): unknown {
  let value = root;
  for (const step of path) {
    value = typeof step === 'number' ? itemsOf(value)[step] : fieldOf(value, step);
    if (value === undefined) return undefined;
  }
  return value;
}

/**
 * A copy in which one value is another; what lies on the way is made where it is missing.
 * @param change gets the old value; undefined takes the field or item out
 */
export function withValueAt(root: unknown, path: Path, change: (old: unknown) => unknown): unknown {
  if (path.length === 0) return change(root);
  const [step, ...rest] = path;
  if (typeof step === 'number') {
    const items = [...itemsOf(root)];
    const item = withValueAt(items[step], rest, change);
    if (item === undefined) items.splice(step, 1);
    else items[step] = item;
    return items;
  }
  const field = withValueAt(fieldOf(root, step), rest, change);
  if (field !== undefined) return { ...fieldsOf(root), [step]: field };
  return without(fieldsOf(root), step);
}

export function without(fields: Fields, ...keys: string[]): Fields {
  return Object.fromEntries(Object.entries(fields).filter(([key]) => !keys.includes(key)));
}

/** Equal as documents: the order of keys does not count. */
export function isSame(one: unknown, other: unknown): boolean {
  if (Object.is(one, other)) return true;
  if (Array.isArray(one) && Array.isArray(other))
    return one.length === other.length && one.every((item, i) => isSame(item, other[i]));
  if (!isFields(one) || !isFields(other)) return false;
  const keys = Object.keys(one);
  return (
    keys.length === Object.keys(other).length &&
    keys.every((key) => Object.hasOwn(other, key) && isSame(one[key], other[key]))
  );
}
