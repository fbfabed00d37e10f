// Makes apiserver/openapi/kubernetes-structures.ts: `node scripts/structures.mjs KUBERNETES CILIUM`, with the folders of the two projects'
// sources (as `go mod download` leaves them). What it takes are facts of the API: names of fields, their types, which are required, list
// kinds and merge keys, defaults. No sentence is copied; ours are in apiserver/openapi/sentences.ts. Run when a newer API is to be served.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';

const [, , kubernetes, cilium] = process.argv;
const TARGET = join(import.meta.dirname, '../apiserver/openapi/kubernetes-structures.ts');

/** Definitions from which the others are reached. */
const ROOTS = [
  ...[
    'Namespace',
    'Pod',
    'Service',
    'Endpoints',
    'Node',
    'ConfigMap',
    'Secret',
    'ServiceAccount',
    'Event',
    'Binding',
  ].map((kind) => `core.v1.${kind}`),
  ...['ReplicationController', 'PersistentVolumeClaim'].map((kind) => `core.v1.${kind}`),
  ...['Deployment', 'ReplicaSet', 'StatefulSet', 'DaemonSet', 'ControllerRevision'].map((kind) => `apps.v1.${kind}`),
  ...['batch.v1.Job', 'batch.v1.CronJob', 'autoscaling.v1.Scale', 'discovery.v1.EndpointSlice', 'events.v1.Event'],
  ...['networking.v1.NetworkPolicy', 'coordination.v1.Lease'],
  ...['policy.v1.Eviction', 'authorization.v1.SelfSubjectAccessReview', 'authorization.v1.SelfSubjectRulesReview'],
  ...['authorization.v1.SubjectAccessReview', 'authentication.v1.TokenRequest', 'authentication.v1.SelfSubjectReview'],
  '^apiextensions.v1.CustomResourceDefinition',
  ...[
    '~meta.v1.Status',
    '~meta.v1.DeleteOptions',
    '~meta.v1.APIResourceList',
    '~meta.v1.APIGroupList',
    '~meta.v1.ListMeta',
  ],
];
const PREFIXES = [
  ['io.k8s.api.', ''],
  ['io.k8s.apimachinery.pkg.apis.', '~'],
  ['io.k8s.apiextensions-apiserver.pkg.apis.', '^'],
];
/** Definitions that are values. */
const VALUES = {
  'io.k8s.apimachinery.pkg.apis.meta.v1.Time': 't',
  'io.k8s.apimachinery.pkg.apis.meta.v1.MicroTime': 't',
  'io.k8s.apimachinery.pkg.api.resource.Quantity': 'q',
  'io.k8s.apimachinery.pkg.util.intstr.IntOrString': 'o',
  'io.k8s.apimachinery.pkg.apis.meta.v1.FieldsV1': 'x',
  'io.k8s.apimachinery.pkg.runtime.RawExtension': 'x',
};
const OPEN = /\.(JSON|JSONSchemaPropsOr\w+)$/;

const spec = join(kubernetes, 'api/openapi-spec');
const { definitions } = JSON.parse(readFileSync(join(spec, 'swagger.json'), 'utf8'));
const defaults = {};
for (const file of readdirSync(join(spec, 'v3')))
  Object.assign(defaults, JSON.parse(readFileSync(join(spec, 'v3', file), 'utf8')).components?.schemas);

const short = (name) => {
  const [prefix, by] = PREFIXES.find(([prefix]) => name.startsWith(prefix));
  return by + name.slice(prefix.length);
};
const long = (name) => {
  const [prefix, by] = [...PREFIXES].reverse().find(([, by]) => name.startsWith(by));
  return prefix + name.slice(by.length);
};

const wanted = new Set();
const queue = ROOTS.map(long);
const lines = [];

function typeOf(schema) {
  if (schema.$ref !== undefined) {
    const name = schema.$ref.replace('#/definitions/', '');
    if (VALUES[name] !== undefined) return VALUES[name];
    if (OPEN.test(name)) return 'x';
    queue.push(name);
    return short(name);
  }
  if (schema['x-kubernetes-int-or-string']) return 'o';
  if (schema.type === 'array') return `[${typeOf(schema.items)}]`;
  if (schema.type === 'object') return schema.additionalProperties ? `{${typeOf(schema.additionalProperties)}}` : 'x';
  if (schema.type === 'string') return schema.format === 'byte' ? 'y' : schema.format === 'date-time' ? 't' : 's';
  if (schema.type === 'integer') return schema.format === 'int64' ? 'l' : 'i';
  return { boolean: 'b', number: 'd' }[schema.type] ?? 'x';
}

function marksOf(schema, byDefault) {
  const marks = [];
  const kind = schema['x-kubernetes-list-type'];
  if (kind === 'map') marks.push(`map=${schema['x-kubernetes-list-map-keys'].join()}`);
  if (kind === 'set') marks.push('set');
  if (schema['x-kubernetes-map-type'] === 'atomic') marks.push('atomic');
  const strategy = schema['x-kubernetes-patch-strategy'];
  if (strategy !== undefined) marks.push(`patch=${strategy.replace(',', '+')}`);
  if (schema['x-kubernetes-patch-merge-key'] !== undefined) marks.push(`key=${schema['x-kubernetes-patch-merge-key']}`);
  if (byDefault && typeof byDefault !== 'object') marks.push(`=${byDefault}`);
  if (JSON.stringify(byDefault) === '{}') marks.push('always');
  return marks;
}

function lineOf(name, schema, type, defaultsOf = {}) {
  const fields = Object.entries(schema.properties ?? {}).map(([field, property]) => {
    const isRequired = schema.required?.includes(field) ? '!' : '';
    return [`${field}${isRequired}`, type(property, field), ...marksOf(property, defaultsOf[field]?.default)].join(' ');
  });
  const head = schema['x-kubernetes-map-type'] === 'atomic' ? `${name} atomic` : name;
  return [head, ...fields].join('|');
}

for (let name = queue.shift(); name !== undefined; name = queue.shift()) {
  if (wanted.has(name)) continue;
  wanted.add(name);
  if (definitions[name] === undefined) throw new Error(`read ${name}: no such definition`);
  lines.push(lineOf(short(name), definitions[name], typeOf, defaults[name]?.properties));
}

/** Structures without a name get that of the way to them. */
const named = new Map();
function ciliumType(schema, path) {
  if (schema.type === 'array') return `[${ciliumType(schema.items, path)}]`;
  if (schema.type !== 'object' || schema.properties === undefined)
    return schema.additionalProperties ? `{${ciliumType(schema.additionalProperties, path)}}` : typeOf(schema);
  const body = lineOf('', schema, (inner, field) =>
    ciliumType(inner, `${path}${field[0].toUpperCase()}${field.slice(1)}`),
  );
  if (!named.has(body)) {
    named.set(body, path);
    lines.push(path + body);
  }
  return named.get(body);
}
for (const kind of ['CiliumEndpoint', 'CiliumIdentity', 'CiliumNode']) {
  const plural = kind.toLowerCase().replace(/y$/, 'ie');
  const file = join(cilium, `pkg/k8s/apis/cilium.io/client/crds/v2/${plural}s.yaml`);
  const { schema } = parse(readFileSync(file, 'utf8')).spec.versions[0];
  const { openAPIV3Schema } = schema;
  openAPIV3Schema.properties.metadata = { $ref: '#/definitions/io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta' };
  ciliumType(openAPIV3Schema, `cilium.v2.${kind}`);
}

lines.sort();
writeFileSync(
  TARGET,
  `// Made by scripts/structures.mjs: every structure of the API, a line each. structure-table.ts has the notation.
export const KUBERNETES_STRUCTURES = \`
${lines.join('\n')}
\`;
`,
);
