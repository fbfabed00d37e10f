/** The functions of Go's templates and of Helm that charts/sluice uses; results are those that Helm gives. */
import { createHash } from 'node:crypto';
import { stringify } from 'yaml';

/** A chart that refuses a value: the message is for whoever gave it. */
export class RefusedValue extends Error {
  override readonly name = 'RefusedValue';
}

type Table = Readonly<Record<string, unknown>>;

const isTable = (value: unknown): value is Table =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** What `if` takes for true. */
export function isTrue(value: unknown): boolean {
  if (Array.isArray(value)) return value.length > 0;
  if (isTable(value)) return Object.keys(value).length > 0;
  return value !== undefined && value !== null && value !== false && value !== 0 && value !== '';
}

/** As it is printed. */
export function textOf(value: unknown): string {
  if (value === undefined || value === null) return '';
  return typeof value === 'string' ? value : JSON.stringify(value);
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (!isTable(value)) return value ?? null;
  const entries = Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(entries.map(([name, one]) => [name, sorted(one)]));
}

/** Go's JSON: names in order, and what HTML would take for its own escaped. */
function toJson(value: unknown): string {
  return JSON.stringify(sorted(value)).replace(
    /[<>&\u2028\u2029]/g,
    (sign) => `\\u${sign.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

const indented = (width: number, text: string): string => text.replace(/^/gm, ' '.repeat(width));
const isSame = (a: unknown, b: unknown): boolean => a === b || (isTrue(a) && toJson(a) === toJson(b));

export const FUNCTIONS: Readonly<Record<string, (...args: never[]) => unknown>> = {
  and: (...values: unknown[]) =>
    values.find((value) => !isTrue(value)) ?? (values.every(isTrue) ? values.at(-1) : false),
  or: (...values: unknown[]) => values.find(isTrue) ?? values.at(-1),
  not: (value: unknown) => !isTrue(value),
  eq: (value: unknown, ...others: unknown[]) => others.some((other) => isSame(value, other)),
  ne: (a: unknown, b: unknown) => !isSame(a, b),
  gt: (a: number, b: number) => a > b,
  len: (value: string | readonly unknown[] | Table) =>
    typeof value === 'string' || Array.isArray(value) ? value.length : Object.keys(value).length,
  has: (value: unknown, list: readonly unknown[]) => list.some((one) => isSame(one, value)),
  kindIs: (kind: string, value: unknown) => kind === 'map' && isTable(value),
  list: (...values: unknown[]) => values,
  dict: (...pairs: unknown[]) =>
    Object.fromEntries(Array.from({ length: pairs.length / 2 }, (_, at) => [textOf(pairs[2 * at]), pairs[2 * at + 1]])),
  set: (table: Record<string, unknown>, name: string, value: unknown) => {
    table[name] = value;
    return table;
  },
  index: (value: Readonly<Record<string | number, unknown>>, key: string | number) => value[key],
  last: (list: readonly unknown[]) => list.at(-1),
  default: (fallback: unknown, value: unknown) => (isTrue(value) ? value : fallback),
  splitList: (separator: string, text: string) => text.split(separator),
  lower: (text: string) => text.toLowerCase(),
  quote: (value: unknown) => JSON.stringify(textOf(value)),
  toString: textOf,
  int: (value: unknown) => Math.trunc(Number(value)) || 0,
  printf: (form: string, ...values: unknown[]) =>
    form.replace(/%[sdvq]/g, (verb) =>
      verb === '%q' ? JSON.stringify(textOf(values.shift())) : textOf(values.shift()),
    ),
  indent: indented,
  nindent: (width: number, text: string) => `\n${indented(width, text)}`,
  sha256sum: (text: string) => createHash('sha256').update(text).digest('hex'),
  toJson,
  toYaml: (value: unknown) => stringify(sorted(value), { indentSeq: false, lineWidth: 0 }).trimEnd(),
  fail: (message: string) => {
    throw new RefusedValue(message);
  },
};
