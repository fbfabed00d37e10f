/**
 * Holds an object to the structure of its kind: fields that it does not have, values of another type, what must be there and is not, words
 * that are none of those which may be. In Kubernetes' words, and what it would drop is dropped: fields that are not known, and nulls.
 */
import { fieldOf, isList, isObject, type Plain, type PlainDraft, type PlainObject } from '../patch/plain.ts';
import type { StatusCause } from '../storage/status-error.ts';
import { wordsOf } from './enumerations.ts';
import { type Field, fieldsOf, type ListStructure, type ObjectStructure, type Structure } from './structure.ts';

export interface CheckedFields {
  /** Without nulls and fields that are not known. */
  readonly object: PlainObject;
  /** Paths of the latter: `spec.template.spec.containers[0].imagee`. */
  readonly unknown: readonly string[];
  /** Values that cannot be what they are to be; an object with any is not looked at further. */
  readonly mistyped: readonly string[];
  readonly causes: readonly StatusCause[];
}

/** Faults of one object that are told; somebody who makes more has an idea of them by then. */
const MAX_FAULTS = 30;

/** @param isCustom of a kind that a definition brings: what it says of types is a fault like any other */
export function checkFields(object: PlainObject, structure: ObjectStructure, isCustom: boolean): CheckedFields {
  const check = new FieldCheck(isCustom);
  const kept = check.object(object, structure, '');
  return { object: kept, unknown: check.unknown, mistyped: check.mistyped, causes: check.causes };
}

/** Where a value stands, and how Go calls its place. */
interface Place {
  readonly path: string;
  readonly name: string;
}

class FieldCheck {
  readonly unknown: string[] = [];
  readonly mistyped: string[] = [];
  readonly causes: StatusCause[] = [];
  readonly #isCustom: boolean;

  constructor(isCustom: boolean) {
    this.#isCustom = isCustom;
  }

  object(value: PlainObject, structure: ObjectStructure, path: string): PlainObject {
    const kept: PlainDraft = {};
    for (const [name, inner] of Object.entries(value)) {
      const field = structure.fields.get(name);
      const at = path === '' ? name : `${path}.${name}`;
      if (field === undefined && !structure.isOpen) add(this.unknown, at);
      else if (field === undefined) kept[name] = inner;
      else if (inner != null) {
        kept[name] = this.#value(inner, field.structure, { path: at, name: `${lastName(structure)}.${at}` });
        this.#word(inner, field, structure, at);
      }
    }
    // Of metadata and status the API itself fills in what there must be.
    if (path.startsWith('spec') || this.#isCustom || path === '') this.#required(kept, structure, path);
    return kept;
  }

  #value(value: Plain, structure: Structure, place: Place): Plain {
    switch (structure.kind) {
      case 'any':
        return value;
      case 'object':
        return isObject(value) ? this.object(value, structure, place.path) : this.#wrong(value, structure, place);
      case 'map':
        return isObject(value) ? this.#map(value, structure.of, place) : this.#wrong(value, structure, place);
      case 'list':
        return isList(value) ? this.#list(value, structure, place) : this.#wrong(value, structure, place);
      default:
        return isScalar(value, structure.kind) ? value : this.#wrong(value, structure, place);
    }
  }

  #map(map: PlainObject, of: Structure, { path, name }: Place): PlainObject {
    const entries = Object.entries(map).filter(([, value]) => value !== null);
    return Object.fromEntries(
      entries.map(([key, value]) => [key, this.#value(value, of, { path: `${path}.${key}`, name })]),
    );
  }

  #list(list: readonly Plain[], { of }: ListStructure, { path, name }: Place): Plain[] {
    return list.map((item, index) =>
      item === null ? item : this.#value(item, of, { path: `${path}[${index}]`, name }),
    );
  }

  #wrong(value: Plain, structure: Structure, { path, name }: Place): Plain {
    const found = foundType(value);
    if (this.#isCustom) {
      const message = `Invalid value: "${found}": ${path} in body must be of type ${CUSTOM_TYPES[structure.kind]}: "${found}"`;
      add(this.causes, { field: path, reason: 'FieldValueTypeInvalid', message });
    } else
      add(this.mistyped, `json: cannot unmarshal ${found} into Go struct field ${name} of type ${goType(structure)}`);
    return value;
  }

  #word(value: Plain, { name, structure }: Field, { name: of }: ObjectStructure, path: string): void {
    const words = wordsOf(of, name) ?? ('oneOf' in structure ? structure.oneOf : undefined);
    if (words === undefined) return;
    for (const [index, word] of (isList(value) ? value : [value]).entries()) {
      if (typeof word !== 'string' || words.includes(word)) continue;
      const field = isList(value) ? `${path}[${index}]` : path;
      const wanted = [...words].sort().map((one) => JSON.stringify(one));
      const message = `Unsupported value: ${JSON.stringify(word)}: supported values: ${wanted.join(', ')}`;
      add(this.causes, { field, reason: 'FieldValueNotSupported', message });
    }
  }

  #required(object: PlainObject, structure: ObjectStructure, path: string): void {
    for (const { name, structure: inner, isRequired, isAlways } of fieldsOf(structure).values()) {
      if (!isRequired || isAlways === true || !(this.#isCustom || mayNotBeEmpty(name, inner))) continue;
      const value = fieldOf(object, name);
      const isEmpty = value === '' || (isList(value) && value.length === 0);
      if (value !== undefined && (this.#isCustom || !isEmpty)) continue;
      const field = path === '' ? name : `${path}.${name}`;
      add(this.causes, { field, reason: 'FieldValueRequired', message: 'Required value' });
    }
  }
}

function add<T>(faults: T[], fault: T): void {
  if (faults.length < MAX_FAULTS) faults.push(fault);
}

/** What has no useful zero: a number that is missing is 0, and a list is empty, but for these. */
const NEEDED_LISTS = new Set(['containers', 'versions', 'nodeSelectorTerms']);
function mayNotBeEmpty(name: string, { kind }: Structure): boolean {
  return kind === 'list' ? NEEDED_LISTS.has(name) : kind === 'string' || kind === 'object' || kind === 'scalar';
}

function isScalar(value: Plain, kind: 'string' | 'integer' | 'number' | 'boolean' | 'scalar'): boolean {
  if (kind === 'integer') return Number.isSafeInteger(value);
  return kind === 'scalar' ? typeof value === 'string' || typeof value === 'number' : typeof value === kind;
}

function foundType(value: Plain): string {
  if (isList(value)) return 'array';
  return typeof value === 'boolean' ? 'bool' : typeof value;
}

const lastName = ({ name }: ObjectStructure) => name.slice(name.lastIndexOf('.') + 1);

const CUSTOM_TYPES: Readonly<Record<Structure['kind'], string>> = {
  string: 'string',
  integer: 'integer',
  number: 'number',
  boolean: 'boolean',
  scalar: 'integer or string',
  any: 'object',
  list: 'array',
  map: 'object',
  object: 'object',
};

/** As Go calls it. */
function goType(structure: Structure): string {
  switch (structure.kind) {
    case 'integer':
      return structure.format === 'int64' ? 'int64' : 'int32';
    case 'boolean':
      return 'bool';
    case 'number':
      return 'float64';
    case 'list':
      return `[]${goType(structure.of)}`;
    case 'map':
      return `map[string]${goType(structure.of)}`;
    case 'object':
      return structure.name.split('.').slice(-2).join('.');
    case 'scalar':
      return structure.format === 'quantity' ? 'resource.Quantity' : 'intstr.IntOrString';
    case 'string':
    case 'any':
      return 'string';
  }
}
