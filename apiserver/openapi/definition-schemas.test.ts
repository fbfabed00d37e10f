/** The definitions of Cilium's policies that the chart brings: made of the agent's shapes, kept in the chart, and nothing is dropped by them. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { PACKAGE_ROOT } from '../../linux/package-root.ts';
import { definedVersions } from './definition-schemas.ts';

const TEMPLATE = join(PACKAGE_ROOT, 'charts/sluice/templates/_schemas.tpl');
/** An apply by kubectl keeps the whole of it in an annotation. */
const MOST_BYTES = 200_000;
const versions = Object.entries(definedVersions());

t.test('the chart has the schemas of the shapes (UPDATE=1 writes them)', (t) => {
  const defines = versions.map(([kind, { schema, columns }]) => {
    const printed = columns.length === 0 ? '' : `additionalPrinterColumns: ${JSON.stringify(columns)}\n`;
    const whole = `${printed}schema: ${JSON.stringify({ openAPIV3Schema: schema })}`;
    t.ok(whole.length < MOST_BYTES, `${kind}: ${whole.length} bytes`);
    return `{{- define "sluice.version.${kind}" -}}\n${whole}\n{{- end }}\n`;
  });
  const about = '{{/* Made by apiserver/openapi/definition-schemas.test.ts of the shapes that the agent reads. */}}\n';
  const text = about + defines.join('');
  if (process.env['UPDATE'] === '1') writeFileSync(TEMPLATE, text);
  t.equal(readFileSync(TEMPLATE, 'utf8'), text);
  t.end();
});

t.test('every object of them keeps what it does not name, for the agent to refuse', (t) => {
  const open = 'x-kubernetes-preserve-unknown-fields';
  const walk = (schema: any, path: string): void => {
    if (path.endsWith('.metadata')) return;
    if (schema.properties !== undefined) t.equal(schema[open], true, path);
    // Rules of Kubernetes for schemas: a type, or one of the two that stand for several; properties or others, not both.
    t.ok(schema.type !== undefined || schema[open] === true || schema['x-kubernetes-int-or-string'] === true, path);
    t.notOk(schema.properties !== undefined && schema.additionalProperties !== undefined, path);
    for (const [name, inner] of Object.entries(schema.properties ?? {})) walk(inner, `${path}.${name}`);
    for (const inner of [schema.items, schema.additionalProperties]) if (inner !== undefined) walk(inner, `${path}[]`);
  };
  for (const [kind, { schema }] of versions) walk(schema, kind);
  t.same(versions.map(([kind]) => kind).sort(), [
    'CiliumCIDRGroup',
    'CiliumClusterwideNetworkPolicy',
    'CiliumEgressGatewayPolicy',
    'CiliumNetworkPolicy',
  ]);
  t.end();
});
