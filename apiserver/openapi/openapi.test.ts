import t from 'tap';
import { Resources } from '../resources/resources.ts';
import { Storage } from '../storage/storage.ts';
import { OpenApi } from './openapi.ts';
import { FIELDS, POLICIES } from './sentences.ts';
import { fieldsOf, type Structure } from './structure.ts';
import { tableStructure } from './structure-table.ts';
import { Structures } from './structures.ts';

const PROTOBUF = 'application/com.github.proto-openapi.spec.v2@v1.0+protobuf';
const DEFINITIONS = 'customresourcedefinitions.apiextensions.k8s.io';

function world() {
  const [storage, resources, structures] = [new Storage(), new Resources(), new Structures()];
  resources.follow(storage);
  return { storage, resources, structures, api: new OpenApi(resources, structures, 'v1.37.2') };
}
const read = ({ body }: { body: Uint8Array }) => JSON.parse(Buffer.from(body).toString());

/** Every reference of a document, and the names that it defines. */
function references(document: any, root: string): { all: Set<string>; defined: Record<string, any> } {
  const all = new Set<string>();
  const stack: unknown[] = [document];
  for (let next = stack.pop(); next !== undefined; next = stack.pop()) {
    if (typeof next !== 'object' || next === null) continue;
    const { $ref } = next as { $ref?: unknown };
    if (typeof $ref === 'string') all.add($ref);
    stack.push(...Object.values(next));
  }
  return { all, defined: root === '#/definitions/' ? document.definitions : document.components.schemas };
}

t.test('every reference of every document leads somewhere, and every kind is there', (t) => {
  const { api, resources } = world();
  const documents: [any, string][] = [[read(api.v2('')), '#/definitions/']];
  for (const path of Object.keys((api.v3Index() as any).paths))
    documents.push([read(api.v3(path)!), '#/components/schemas/']);
  for (const [document, root] of documents) {
    const { all, defined } = references(document, root);
    t.same(
      [...all].filter((ref) => !Object.hasOwn(defined, ref.slice(root.length))),
      [],
    );
    t.same(
      Object.keys(defined).filter((name) => Object.keys(defined[name]).length === 0),
      [],
      'none is empty',
    );
  }
  const kinds = Object.values(documents[0][0].definitions).flatMap(
    (one: any) => one['x-kubernetes-group-version-kind'] ?? [],
  );
  const said = new Set(kinds.map(({ group, version, kind }: any) => `${group}/${version} ${kind}`));
  for (const { group, versions, kind } of resources.all())
    for (const version of versions) t.ok(said.has(`${group}/${version} ${kind}`), `${group}/${version} ${kind}`);
  t.end();
});

t.test('kubectl finds that each kind takes dryRun and fieldValidation, and how lists are merged', (t) => {
  const { api, resources } = world();
  const { paths, definitions } = read(api.v2(''));
  const patches = Object.values(paths).flatMap(({ patch }: any) => patch ?? []);
  for (const { kind, group } of resources.all().filter(({ verbs }) => verbs.includes('patch'))) {
    const patch = patches.find(
      ({ 'x-kubernetes-group-version-kind': gvk }: any) => gvk.kind === kind && gvk.group === group,
    );
    const names = patch?.parameters.map(({ name }: any) => name) ?? [];
    t.ok(
      ['dryRun', 'fieldValidation', 'fieldManager', 'force'].every((name) => names.includes(name)),
      kind,
    );
  }
  t.match(definitions['io.k8s.api.core.v1.PodSpec'].properties.containers, {
    items: { $ref: '#/definitions/io.k8s.api.core.v1.Container' },
    'x-kubernetes-patch-merge-key': 'name',
    'x-kubernetes-patch-strategy': 'merge',
    'x-kubernetes-list-map-keys': ['name'],
  });
  const three = read(api.v3('api/v1')!).components.schemas['io.k8s.api.core.v1.ContainerPort'].properties;
  t.match(three.protocol, { type: 'string', default: 'TCP', enum: ['SCTP', 'TCP', 'UDP'] });
  t.equal(api.v3('apis/none/v1'), undefined);
  t.end();
});

/** Fields of a message: number -> contents, in order. */
function decode(bytes: Uint8Array): Map<number, Uint8Array[]> {
  const fields = new Map<number, Uint8Array[]>();
  let at = 0;
  const varint = () => {
    for (let [value, shift] = [0, 0]; ; shift += 7) {
      value |= (bytes[at] & 0x7f) << shift;
      if ((bytes[at++] & 0x80) === 0) return value;
    }
  };
  while (at < bytes.length) {
    const key = varint();
    const length = (key & 7) === 2 ? varint() : 1;
    fields.set(key >> 3, [...(fields.get(key >> 3) ?? []), bytes.subarray(at, (at += length))]);
  }
  return fields;
}
const text = (bytes: Uint8Array | undefined) => Buffer.from(bytes ?? []).toString();
const field = (bytes: Uint8Array | undefined, ...numbers: number[]) =>
  numbers.reduce<Uint8Array | undefined>((inner, number) => inner && decode(inner).get(number)?.[0], bytes);

t.test('the protobuf says what the JSON says', (t) => {
  const { api } = world();
  const json = read(api.v2(''));
  const { type, body } = api.v2(`${PROTOBUF},application/json`);
  t.equal(type, PROTOBUF.replace('@', '.'));
  const document = decode(body);
  t.equal(text(document.get(1)?.[0]), '2.0');
  const definitions = decode(document.get(9)![0]).get(1)!;
  t.same(
    definitions.map((one) => text(field(one, 1))),
    Object.keys(json.definitions),
  );
  const properties = (name: string) => {
    const found = definitions.find((one) => text(field(one, 1)) === name);
    return decode(field(found, 2, 25)!).get(1)!;
  };
  const spec = 'io.k8s.api.core.v1.ServiceSpec';
  t.same(
    properties(spec).map((one) => text(field(one, 1))),
    Object.keys(json.definitions[spec].properties),
  );
  const ports = properties(spec).find((one) => text(field(one, 1)) === 'ports');
  t.equal(text(field(ports, 2, 22, 1)), 'array');
  t.equal(text(field(ports, 2, 23, 1, 1)), '#/definitions/io.k8s.api.core.v1.ServicePort');
  const marks = decode(field(ports, 2)!)
    .get(31)!
    .map((one) => [text(field(one, 1)), text(field(one, 2, 2))]);
  t.same(Object.fromEntries(marks)['x-kubernetes-patch-merge-key'], '"port"');
  const paths = decode(document.get(8)![0]).get(2)!;
  const deployment = paths.find((one) => text(field(one, 1)).endsWith('/deployments/{name}'));
  const queries = decode(field(deployment, 2, 8)!)
    .get(8)!
    .map((one) => text(field(one, 1, 2, 3, 4)));
  t.ok(queries.includes('dryRun') && queries.includes('force'));
  const gvk = decode(field(deployment, 2, 8)!)
    .get(13)!
    .map((one) => text(field(one, 2, 2)));
  t.same(JSON.parse(gvk[1]), { group: 'apps', kind: 'Deployment', version: 'v1' });
  t.end();
});

t.test('a CustomResourceDefinition is described while it is there', (t) => {
  const { api, storage, structures } = world();
  const before = api.v2('').etag;
  const schema = {
    type: 'object',
    properties: { spec: { type: 'object', properties: { size: { type: 'integer', description: 'How big.' } } } },
  };
  const definition = storage.create(DEFINITIONS, {
    metadata: { name: 'widgets.example.com' },
    spec: {
      group: 'example.com',
      scope: 'Namespaced',
      names: { plural: 'widgets', kind: 'Widget' },
      versions: [{ name: 'v1', served: true, storage: true, schema: { openAPIV3Schema: schema } }],
    },
  });
  structures.define(definition);
  t.not(api.v2('').etag, before);
  t.match(read(api.v3('apis/example.com/v1')!).components.schemas['com.example.v1.Widget'].properties.spec.properties, {
    size: { type: 'integer', description: 'How big.' },
  });
  storage.delete(DEFINITIONS, '', 'widgets.example.com');
  structures.forget(definition);
  t.equal(api.v2('').etag, before);
  t.equal(api.v3('apis/example.com/v1'), undefined);
  t.end();
});

t.test('every sentence is of a field that there is', (t) => {
  for (const name of Object.keys(FIELDS)) {
    const dot = name.lastIndexOf('.');
    const whole = tableStructure(name);
    t.ok(whole ?? tableStructure(name.slice(0, dot))?.fields.has(name.slice(dot + 1)), name);
  }
  const names = new Set<string>();
  const seen = new Set<Structure>();
  const structures = new Structures();
  const walk = (structure: Structure) => {
    if (seen.has(structure)) return;
    seen.add(structure);
    if (structure.kind === 'list' || structure.kind === 'map') walk(structure.of);
    for (const { name, structure: inner } of fieldsOf(structure).values()) {
      names.add(name);
      walk(inner);
    }
  };
  for (const kind of ['CiliumNetworkPolicy', 'CiliumCIDRGroup', 'CiliumEgressGatewayPolicy'])
    walk(structures.of({ apiVersion: 'cilium.io/v2', kind }));
  t.same(
    Object.keys(POLICIES).filter((name) => !names.has(name)),
    [],
  );
  t.end();
});

t.test('the table reads as a whole, and every type in it is one', (t) => {
  const { api } = world();
  const seen = new Set<Structure>();
  const structures = new Structures();
  const walk = (structure: Structure) => {
    if (seen.has(structure)) return;
    seen.add(structure);
    if (structure.kind === 'list' || structure.kind === 'map') walk(structure.of);
    if (structure.kind === 'list' && structure.relation === 'map')
      t.ok(
        structure.keys.every((key) => fieldsOf(structure.of).has(key)),
        structure.keys.join(),
      );
    for (const { structure: inner } of fieldsOf(structure).values()) walk(inner);
  };
  const { definitions } = read(api.v2('')) as { definitions: Record<string, any> };
  for (const { 'x-kubernetes-group-version-kind': kinds } of Object.values(definitions))
    for (const { group, version, kind } of kinds ?? [])
      walk(structures.of({ apiVersion: group === '' ? version : `${group}/${version}`, kind }));
  t.ok(seen.size > 500, `${seen.size} structures`);
  t.end();
});
