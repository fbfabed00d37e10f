/**
 * The structure of a kind that a CustomResourceDefinition brings, of its `openAPIV3Schema`. What a schema says of values (patterns, least
 * and most, rules in CEL) is not held to: types, required fields and enumerations are.
 */
import { isObject, type PlainObject } from '../patch/plain.ts';
import { DEDUCED, type Field, type ObjectStructure, type Structure } from './structure.ts';
import { tableStructure } from './structure-table.ts';

/** @param schema hostile; a part of it that is no schema stands for anything */
export function customStructure(schema: unknown): ObjectStructure {
  const structure = structureOf(schema, 0);
  const isKind = structure.kind === 'object';
  const fields = new Map(isKind ? structure.fields : []);
  const metadata = tableStructure('~meta.v1.ObjectMeta') ?? DEDUCED;
  const word = { structure: { kind: 'string' }, isRequired: false, strategies: [] } as const;
  for (const name of ['apiVersion', 'kind']) fields.set(name, { ...word, name });
  fields.set('metadata', { name: 'metadata', structure: metadata, isRequired: false, strategies: [] });
  return { kind: 'object', name: '', fields, isAtomic: false, isOpen: !isKind || structure.isOpen };
}

/** Schemas may not refer to others, so that they end; how deep they are is for storage to bound. */
function structureOf(schema: unknown, depth: number): Structure {
  if (!isObject(schema) || depth > 100) return DEDUCED;
  if (schema['x-kubernetes-int-or-string'] === true) return { kind: 'scalar', format: 'int-or-string' };
  switch (schema['type']) {
    case 'object':
      return objectOf(schema, depth);
    case 'array':
      return listOf(schema, depth);
    case 'string':
    case 'integer':
    case 'number':
    case 'boolean':
      return { kind: schema['type'], ...formatOf(schema), ...oneOf(schema) };
    default:
      return DEDUCED;
  }
}

function objectOf(schema: PlainObject, depth: number): Structure {
  const isAtomic = schema['x-kubernetes-map-type'] === 'atomic';
  const isOpen = schema['x-kubernetes-preserve-unknown-fields'] === true;
  const { properties, additionalProperties: additional, required } = schema;
  if (!isObject(properties)) {
    if (isObject(additional)) return { kind: 'map', of: structureOf(additional, depth + 1), isAtomic };
    if (additional === true || isOpen) return DEDUCED;
  }
  const fields = new Map<string, Field>();
  for (const [name, inner] of Object.entries(isObject(properties) ? properties : {})) {
    const { default: byDefault, description } = isObject(inner) ? inner : {};
    fields.set(name, {
      name,
      structure: structureOf(inner, depth + 1),
      isRequired: Array.isArray(required) && required.includes(name),
      strategies: [],
      ...(byDefault !== undefined && { byDefault }),
      ...(typeof description === 'string' && { description }),
    });
  }
  if (schema['x-kubernetes-embedded-resource'] === true) return embedded(fields, isAtomic, isOpen);
  return { kind: 'object', name: '', fields, isAtomic, isOpen };
}

/** An object in an object has what objects have. */
function embedded(fields: Map<string, Field>, isAtomic: boolean, isOpen: boolean): ObjectStructure {
  const object = customStructure(undefined);
  return { kind: 'object', name: '', fields: new Map([...object.fields, ...fields]), isAtomic, isOpen };
}

function listOf(schema: PlainObject, depth: number): Structure {
  const of = structureOf(schema['items'], depth + 1);
  const keys = schema['x-kubernetes-list-map-keys'];
  const type = schema['x-kubernetes-list-type'];
  const names = Array.isArray(keys) ? keys.filter((key) => typeof key === 'string') : [];
  const relation = type === 'map' && names.length > 0 ? 'map' : type === 'set' ? 'set' : 'atomic';
  return { kind: 'list', of, relation, keys: relation === 'map' ? names : [] };
}

const formatOf = ({ format }: PlainObject) => (typeof format === 'string' ? { format } : {});

function oneOf({ enum: values }: PlainObject): { oneOf?: readonly string[] } {
  const texts = Array.isArray(values) ? values.filter((value) => typeof value === 'string') : [];
  return texts.length > 0 ? { oneOf: texts } : {};
}
