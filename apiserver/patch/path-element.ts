/** Names of the parts of an object: `f:spec`, `k:{"name":"web"}`, `v:"a"`, and how people read them. */
import { fieldsOf, type ListStructure } from '../openapi/structure.ts';
import { isObject, type Plain, type PlainDraft } from './plain.ts';

export const fieldElement = (name: string) => `f:${name}`;

/** @returns the element of a list's item; a fault as a sentence for an item that has none */
export function itemElement(
  item: Plain,
  { relation, keys, of }: ListStructure,
): { element: string } | { fault: string } {
  if (relation === 'set') {
    if (item === null) return { fault: "associative list without keys has an element that's an explicit null" };
    if (typeof item === 'object') return { fault: "associative list without keys has an element that's a map type" };
    return { element: `v:${JSON.stringify(item)}` };
  }
  if (!isObject(item)) return { fault: 'associative list with keys may not have non-map elements' };
  const found: PlainDraft = {};
  for (const key of [...keys].sort()) {
    const field = fieldsOf(of).get(key);
    // A text that must be there, and is not, is empty.
    const byDefault = field?.byDefault ?? (field?.isRequired && field.structure.kind === 'string' ? '' : undefined);
    const value = item[key] ?? (byDefault as Plain | undefined);
    if (value !== undefined && value !== null) found[key] = value;
  }
  if (Object.keys(found).length === 0)
    return {
      fault: `associative list with keys has an element that omits all key fields ${JSON.stringify(keys)} (and doesn't have default values for any key fields)`,
    };
  return { element: `k:${JSON.stringify(found)}` };
}

/** `.spec.containers[name="web"].image` */
export function pathText(path: readonly string[]): string {
  return path.map(elementText).join('');
}

export function elementText(element: string): string {
  const text = element.slice(2);
  if (element.startsWith('f:')) return `.${text}`;
  if (element.startsWith('v:')) return `[=${text}]`;
  if (element.startsWith('i:')) return `[${text}]`;
  return `[${keyTexts(text).join(',')}]`;
}

/** Of managed fields that somebody wrote by hand, it may be no JSON. */
function keyTexts(text: string): string[] {
  try {
    return Object.entries(JSON.parse(text) as object).map(([name, value]) => `${name}=${JSON.stringify(value)}`);
  } catch {
    return [text];
  }
}
