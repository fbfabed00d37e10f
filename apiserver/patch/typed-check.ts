/** Whether an object that is applied has the types of its structure; server-side apply cannot tell fields of what has not. */
import type { ListStructure, Structure } from '../openapi/structure.ts';
import { structureOfField } from '../openapi/structure.ts';
import { elementText, fieldElement, itemElement } from './path-element.ts';
import { isList, isObject, type Plain, type PlainObject } from './plain.ts';

/** @returns the first fault, as Kubernetes says it: `.spec.foo: field not declared in schema` */
export function typeFault(value: Plain, structure: Structure, path = ''): string | undefined {
  if (value === null || structure.kind === 'any') return undefined;
  if (structure.kind === 'object' || structure.kind === 'map') {
    if (!isObject(value)) return `${path}: expected map, got ${shown(value)}`;
    return fieldFault(value, structure, path);
  }
  if (structure.kind === 'list') {
    if (!isList(value)) return `${path}: expected list, got ${shown(value)}`;
    return itemFault(value, structure, path);
  }
  const wanted = SCALARS[structure.kind];
  return wanted.types.includes(typeof value) ? undefined : `${path}: expected ${wanted.name}, got ${shown(value)}`;
}

const SCALARS = {
  string: { name: 'string', types: ['string'] },
  integer: { name: 'numeric (int or float)', types: ['number'] },
  number: { name: 'numeric (int or float)', types: ['number'] },
  boolean: { name: 'boolean', types: ['boolean'] },
  scalar: { name: 'any scalar', types: ['string', 'number', 'boolean'] },
};

function fieldFault(object: PlainObject, structure: Structure, path: string): string | undefined {
  for (const [name, value] of Object.entries(object)) {
    const below = path + elementText(fieldElement(name));
    const inner = structureOfField(structure, name);
    if (inner === undefined) return `${below}: field not declared in schema`;
    const fault = typeFault(value, inner, below);
    if (fault !== undefined) return fault;
  }
  return undefined;
}

function itemFault(list: readonly Plain[], structure: ListStructure, path: string): string | undefined {
  const seen = new Set<string>();
  for (const [index, item] of list.entries()) {
    let place = `[${index}]`;
    if (structure.relation !== 'atomic') {
      const found = itemElement(item, structure);
      if ('fault' in found) return `${path}: element ${index}: ${found.fault}`;
      place = elementText(found.element);
      if (seen.has(found.element)) return `${path}: duplicate entries for key ${place}`;
      seen.add(found.element);
    }
    const fault = typeFault(item, structure.of, path + place);
    if (fault !== undefined) return fault;
  }
  return undefined;
}

const shown = (value: Plain) => JSON.stringify(value).slice(0, 100);
