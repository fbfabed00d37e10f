/**
 * Structures as schemas of OpenAPI, of version 2 or 3: those with a name as definitions that others refer to, others where they stand. A
 * document has what its kinds lead to, and nothing else.
 */
import { wordsOf } from './enumerations.ts';
import { kindSentence, sentenceOf } from './sentences.ts';
import { type Field, fieldsOf, type ObjectStructure, type Structure } from './structure.ts';
import type { Kind } from './structures.ts';

export type Schema = Record<string, unknown>;

/** Values that have a name: `Quantity` says more than `string`. */
const MACHINERY = 'io.k8s.apimachinery.pkg';
const VALUES: Readonly<Record<string, { readonly name: string; readonly schema: Schema }>> = {
  'date-time': { name: `${MACHINERY}.apis.meta.v1.Time`, schema: { type: 'string', format: 'date-time' } },
  quantity: { name: `${MACHINERY}.api.resource.Quantity`, schema: { type: 'string' } },
  'int-or-string': {
    name: `${MACHINERY}.util.intstr.IntOrString`,
    schema: { type: 'string', format: 'int-or-string' },
  },
};
const EITHER = [{ type: 'integer' }, { type: 'string' }];
const PREFIXES: readonly (readonly [string, string])[] = [
  ['~', `${MACHINERY}.apis.`],
  ['^', 'io.k8s.apiextensions-apiserver.pkg.apis.'],
  ['cilium.', 'io.cilium.'],
  ['', 'io.k8s.api.'],
];

/** The definitions of one document. */
export class Schemas {
  readonly #version: 2 | 3;
  readonly #definitions = new Map<string, Schema>();
  /** Names of which the definition is still to be made. */
  readonly #wanted: { name: string; structure: ObjectStructure }[] = [];

  constructor(version: 2 | 3) {
    this.#version = version;
  }

  /** @returns the definition's name */
  addKind(kind: Kind, structure: ObjectStructure): string {
    const name = structure.name === '' ? customName(kind) : definitionName(structure.name);
    if (this.#definitions.get(name)?.['x-kubernetes-group-version-kind'] !== undefined) return name;
    const description = kindSentence(kind.kind);
    this.#definitions.set(name, {
      ...(description !== undefined && { description }),
      ...this.#object(structure),
      'x-kubernetes-group-version-kind': [groupVersionKind(kind)],
    });
    return name;
  }

  /** The list of a kind. @returns its name */
  addList(kind: Kind, listKind: string, item: string, listMeta: ObjectStructure): string {
    const name = item.slice(0, item.lastIndexOf('.') + 1) + listKind;
    this.#definitions.set(name, {
      type: 'object',
      description: `${listKind} is a list of ${kind.kind}.`,
      required: ['items'],
      properties: {
        apiVersion: { type: 'string' },
        items: { type: 'array', items: { $ref: this.ref(item) } },
        kind: { type: 'string' },
        metadata: this.#schema(listMeta),
      },
      'x-kubernetes-group-version-kind': [groupVersionKind({ apiVersion: kind.apiVersion, kind: listKind })],
    });
    return name;
  }

  ref(name: string): string {
    return this.#version === 2 ? `#/definitions/${name}` : `#/components/schemas/${name}`;
  }

  /** Every definition, by name. */
  all(): Record<string, Schema> {
    for (let next = this.#wanted.pop(); next !== undefined; next = this.#wanted.pop()) {
      const description = sentenceOf(next.structure.name);
      const schema = this.#object(next.structure);
      this.#definitions.set(next.name, { ...(description !== undefined && { description }), ...schema });
    }
    return Object.fromEntries([...this.#definitions].sort(([a], [b]) => (a < b ? -1 : 1)));
  }

  #object(structure: ObjectStructure): Schema {
    const required = [...structure.fields.values()].filter(({ isRequired }) => isRequired).map(({ name }) => name);
    const properties = [...fieldsOf(structure).values()].map((field) => [field.name, this.#field(field, structure)]);
    return {
      type: 'object',
      ...(properties.length > 0 && { properties: Object.fromEntries(properties) as Schema }),
      ...(required.length > 0 && { required }),
      ...(structure.isAtomic && { 'x-kubernetes-map-type': 'atomic' }),
      ...(structure.isOpen && { 'x-kubernetes-preserve-unknown-fields': true }),
    };
  }

  #field(field: Field, { name: of }: ObjectStructure): Schema {
    const { name, structure, strategies, mergeKey, byDefault, isAlways } = field;
    const description = field.description ?? sentenceOf(of, name);
    const schema = this.#schema(structure, wordsOf(of, name));
    const marks = {
      ...(description !== undefined && { description }),
      ...(this.#version === 3 && byDefault !== undefined && { default: byDefault }),
      ...(this.#version === 3 && isAlways === true && { default: {} }),
      ...(mergeKey !== undefined && { 'x-kubernetes-patch-merge-key': mergeKey }),
      ...(strategies.length > 0 && { 'x-kubernetes-patch-strategy': strategies.join(',') }),
    };
    if (Object.keys(marks).length === 0) return schema;
    // Beside a reference, version 3 takes no word.
    const isAlone = this.#version === 3 && '$ref' in schema;
    return { ...(isAlone ? { allOf: [schema] } : schema), ...marks };
  }

  #schema(structure: Structure, words?: readonly string[]): Schema {
    switch (structure.kind) {
      case 'object':
        return this.#reference(structure);
      case 'list':
        return {
          type: 'array',
          items: this.#schema(structure.of, words),
          'x-kubernetes-list-type': structure.relation,
          ...(structure.keys.length > 0 && { 'x-kubernetes-list-map-keys': structure.keys }),
        };
      case 'map':
        return {
          type: 'object',
          additionalProperties: this.#schema(structure.of),
          ...(structure.isAtomic && { 'x-kubernetes-map-type': 'atomic' }),
        };
      case 'any':
        return { type: 'object', ...(structure.isDeduced && { 'x-kubernetes-preserve-unknown-fields': true }) };
      default:
        return this.#scalar(structure.kind, structure.format, words ?? structure.oneOf);
    }
  }

  #scalar(type: string, format: string | undefined, words: readonly string[] | undefined): Schema {
    const value = format === undefined ? undefined : VALUES[format];
    if (value === undefined)
      return { type, ...(format !== undefined && { format }), ...(words && { enum: [...words].sort() }) };
    if (!this.#definitions.has(value.name)) {
      const isEither = this.#version === 3 && format !== 'date-time';
      this.#definitions.set(value.name, isEither ? { format: value.schema['format'], oneOf: EITHER } : value.schema);
    }
    return { $ref: this.ref(value.name) };
  }

  #reference(structure: ObjectStructure): Schema {
    if (structure.name === '') return this.#object(structure);
    const name = definitionName(structure.name);
    if (!this.#definitions.has(name)) {
      this.#definitions.set(name, {});
      this.#wanted.push({ name, structure });
    }
    return { $ref: this.ref(name) };
  }
}

function definitionName(name: string): string {
  const [prefix, by] = PREFIXES.find(([short]) => name.startsWith(short)) ?? PREFIXES[PREFIXES.length - 1];
  return by + name.slice(prefix.length);
}

/** `io.cilium.v2.CiliumNetworkPolicy`, as the names of definitions go. */
function customName(kind: Kind): string {
  const { group, version } = groupVersionKind(kind);
  return [...group.split('.').reverse(), version, kind.kind].filter((part) => part !== '').join('.');
}

export function groupVersionKind({ apiVersion, kind }: Kind): { group: string; version: string; kind: string } {
  const slash = apiVersion.indexOf('/');
  return { group: slash < 0 ? '' : apiVersion.slice(0, slash), kind, version: apiVersion.slice(slash + 1) };
}
