/**
 * The schemas with which a real cluster holds Cilium's policies: of the same shapes that the agent reads (policy/document), for charts/sluice.
 *
 * A schema of a CustomResourceDefinition drops what it does not name, and an agent would enforce a policy without the part that it did not
 * understand. So every object keeps what is unknown, and the agent refuses it with a sentence. What is said here is what both hold to: types
 * and required fields. The words of a field (protocols, entities) are left to the agent, which takes some that only its messages leave out.
 */
import { METADATA, SELECTOR } from '../../policy/document/schema-kubernetes.ts';
import type { ObjectShape, Shape } from '../../policy/document/shape.ts';
import { CILIUM_COLUMNS, type PrinterColumn } from '../tables/printer-columns.ts';
import { POLICY_SHAPES } from './policy-structures.ts';
import type { Schema } from './schemas.ts';
import { kindSentence, policySentence } from './sentences.ts';

/** Takes anything, and keeps it. */
const ANYTHING: Schema = { 'x-kubernetes-preserve-unknown-fields': true };

/** What the definition of a kind has in its version. */
interface DefinedVersion {
  readonly schema: Schema;
  readonly columns: readonly PrinterColumn[];
}

/** By kind; for tests: that of this file writes them into the chart, templates/_schemas.tpl. */
export function definedVersions(): Readonly<Record<string, DefinedVersion>> {
  return Object.fromEntries(
    Object.entries(POLICY_SHAPES).map(([kind, shape]) => {
      const description = kindSentence(kind);
      return [
        kind,
        { schema: { ...(description && { description }), ...wholeOf(shape) }, columns: CILIUM_COLUMNS[kind] ?? [] },
      ];
    }),
  );
}

/** What every object has is the API server's to check; it is there before a schema is asked. */
function wholeOf(shape: ObjectShape): Schema {
  const { properties, ...rest } = objectOf(shape) as { properties: Record<string, Schema> };
  const named = Object.entries(properties).filter(([name]) => name !== 'metadata');
  const required = shape.required.filter((name) => !['apiVersion', 'kind', 'metadata'].includes(name));
  return {
    ...rest,
    required: required.length > 0 ? required : undefined,
    properties: { ...Object.fromEntries(named), metadata: { type: 'object' }, status: { type: 'object', ...ANYTHING } },
  };
}

function objectOf(shape: ObjectShape): Schema {
  const properties = Object.entries(shape.fields).map(([name, inner]) => {
    if (inner === METADATA) return [name, { type: 'object' }] as const;
    const description = policySentence(name);
    return [name, { ...(description !== undefined && { description }), ...schemaOf(inner) }] as const;
  });
  return {
    type: 'object',
    ...(shape.required.length > 0 && { required: shape.required }),
    properties: Object.fromEntries(properties) as Schema,
    ...(shape === SELECTOR && { 'x-kubernetes-map-type': 'atomic' }),
    ...ANYTHING,
  };
}

function schemaOf(shape: Shape): Schema {
  switch (shape.kind) {
    case 'object':
      return objectOf(shape);
    case 'list':
      return { type: 'array', items: schemaOf(shape.of) };
    case 'map':
      return { type: 'object', additionalProperties: schemaOf(shape.of) };
    case 'integer':
      return shape.orString === true ? { 'x-kubernetes-int-or-string': true } : { type: 'integer' };
    case 'string':
      return shape.pair === true ? ANYTHING : { type: 'string' };
    case 'boolean':
      return { type: 'boolean' };
    case 'any':
      return ANYTHING;
  }
}
