/** The structures of Cilium's policies: policy/document's shapes, which are what is read and enforced, as structures. */
import { CIDR_GROUP, CILIUM_POLICY, EGRESS_GATEWAY_POLICY } from '../../policy/document/schema-cilium.ts';
import { METADATA, SELECTOR } from '../../policy/document/schema-kubernetes.ts';
import type { ObjectShape, Shape } from '../../policy/document/shape.ts';
import { policySentence } from './sentences.ts';
import { DEDUCED, type Field, type ObjectStructure, type Structure } from './structure.ts';
import { tableStructure } from './structure-table.ts';

/** By kind. */
export const POLICY_SHAPES: Readonly<Record<string, ObjectShape>> = {
  CiliumNetworkPolicy: CILIUM_POLICY,
  CiliumClusterwideNetworkPolicy: CILIUM_POLICY,
  CiliumCIDRGroup: CIDR_GROUP,
  CiliumEgressGatewayPolicy: EGRESS_GATEWAY_POLICY,
};

const made = new Map<Shape, ObjectStructure>();

/** @returns undefined for kinds that are none of Cilium's policies */
export function policyStructure(kind: string): ObjectStructure | undefined {
  const shape = Object.hasOwn(POLICY_SHAPES, kind) ? POLICY_SHAPES[kind] : undefined;
  return shape && objectOf(shape);
}

/** A status says how policies fared: written by agents of a real cluster, each condition by its own. */
const STATUS: ObjectStructure = {
  kind: 'object',
  name: '',
  isAtomic: false,
  isOpen: true,
  fields: fieldMap([
    [
      'conditions',
      { kind: 'list', of: tableStructure('~meta.v1.Condition') ?? DEDUCED, relation: 'map', keys: ['type'] },
    ],
  ]),
};

function objectOf(shape: ObjectShape): ObjectStructure {
  const found = made.get(shape);
  if (found !== undefined) return found;
  const fields = Object.entries(shape.fields).map(([name, inner]) => {
    if (inner === METADATA) return [name, metadata(), false] as const;
    return [name, name === 'status' ? STATUS : structureOf(inner), shape.required.includes(name)] as const;
  });
  const structure: ObjectStructure = {
    kind: 'object',
    name: '',
    isAtomic: shape === SELECTOR,
    isOpen: shape.open,
    fields: fieldMap(fields),
  };
  made.set(shape, structure);
  return structure;
}

function structureOf(shape: Shape): Structure {
  switch (shape.kind) {
    case 'object':
      return objectOf(shape);
    case 'list':
      return { kind: 'list', of: structureOf(shape.of), relation: 'atomic', keys: [] };
    case 'map':
      return { kind: 'map', of: structureOf(shape.of), isAtomic: false };
    case 'integer':
      return shape.orString === true
        ? { kind: 'scalar', format: 'int-or-string' }
        : { kind: 'integer', format: 'int64' };
    case 'string':
      return { kind: 'string', ...(shape.oneOf && { oneOf: shape.told ?? shape.oneOf }) };
    case 'boolean':
      return { kind: 'boolean' };
    case 'any':
      return DEDUCED;
  }
}

function metadata(): Structure {
  return tableStructure('~meta.v1.ObjectMeta') ?? DEDUCED;
}

function fieldMap(fields: readonly (readonly [string, Structure, boolean?])[]): ReadonlyMap<string, Field> {
  return new Map(
    fields.map(([name, structure, isRequired = false]) => {
      const description = policySentence(name);
      return [name, { name, structure, isRequired, strategies: [], ...(description !== undefined && { description }) }];
    }),
  );
}
