import { type IncomingMessage, createServer, request as httpRequest, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import t, { type Test } from 'tap';
import { Resources } from '../resources/resources.ts';
import { Storage } from '../storage/storage.ts';
import type { Admission } from './admission.ts';
import { KubeServer } from './kube-server.ts';
import { OpenApi } from '../openapi/openapi.ts';
import { Structures } from '../openapi/structures.ts';
import { Writes } from '../patch/writes.ts';

const VERSION = { major: '1', minor: '0', gitVersion: 'v1.0.0' };
const BUILT = { gitCommit: '', gitTreeState: '', buildDate: '', goVersion: '', compiler: '' };
/** Warns of everything, and refuses what is labelled so. */
const ADMISSION: Admission = {
  concerns: (resource) => resource === 'networkpolicies.networking.k8s.io',
  check: (object) =>
    Promise.resolve({
      warnings: ['a "quoted" warning, and "ß"'],
      causes:
        object.metadata.labels?.['bad'] === 'yes'
          ? [{ field: 'spec.x', reason: 'FieldValueInvalid', message: 'no' }]
          : [],
    }),
  published: () => Promise.resolve('not yet'),
};

interface Answer {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  readonly text: string;
  // eslint-disable-next-line @typescript-eslint/no-explicit-any -- documents of many shapes
  readonly document: any;
}

interface Asking {
  readonly method?: string;
  readonly body?: unknown;
  readonly headers?: Record<string, string>;
}

class World {
  readonly storage = new Storage();
  readonly #kube: KubeServer;
  readonly #http: Server;

  constructor(test: Test) {
    const [resources, structures] = [new Resources(), new Structures()];
    resources.follow(this.storage);
    this.#kube = new KubeServer({
      storage: this.storage,
      resources,
      writes: new Writes(structures),
      openApi: new OpenApi(resources, structures, VERSION.gitVersion),
      admission: ADMISSION,
      connections: { serve: (_request, socket) => socket.destroy(), logs: () => Promise.reject(new Error('none')) },
      version: { ...VERSION, ...BUILT },
      address: '127.0.0.1:1',
    });
    this.#http = createServer((request, response) => this.#kube.serve(request, response));
    test.teardown(async () => {
      this.#kube.stop();
      this.#http.closeAllConnections();
      await new Promise((resolve) => this.#http.close(resolve));
    });
    this.storage.create('namespaces', { kind: 'Namespace', metadata: { name: 'shop' } });
  }

  async open(): Promise<this> {
    await new Promise<void>((resolve) => this.#http.listen(0, '127.0.0.1', resolve));
    return this;
  }

  async ask(path: string, { method = 'GET', body, headers = {} }: Asking = {}): Promise<Answer> {
    const response = await this.begin(path, { method, body, headers });
    let text = '';
    for await (const chunk of response.setEncoding('utf8')) text += chunk as string;
    const isJson = response.headers['content-type']?.includes('json') === true;
    return {
      status: response.statusCode ?? 0,
      headers: response.headers,
      text,
      document: isJson ? JSON.parse(text) : undefined,
    };
  }

  begin(path: string, { method = 'GET', body, headers = {} }: Asking = {}): Promise<IncomingMessage> {
    const { port } = this.#http.address() as AddressInfo;
    const text = typeof body === 'string' ? body : JSON.stringify(body);
    return new Promise((resolve, reject) => {
      const asked = httpRequest({ host: '127.0.0.1', port, path, method, headers, agent: false }, resolve);
      asked.on('error', reject);
      asked.end(body === undefined ? undefined : text);
    });
  }
}

const config = (name: string, more: object = {}) => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name, ...more },
  data: { a: 'b' },
});
const CONFIGS = '/api/v1/namespaces/shop/configmaps';

/** The lines of a watch, one document each, as they come. */
async function* events(
  response: IncomingMessage,
): AsyncGenerator<{ type: string; object: { metadata: { name: string } } }> {
  let rest = '';
  for await (const chunk of response.setEncoding('utf8')) {
    const lines = (rest + (chunk as string)).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) yield JSON.parse(line);
  }
}

t.test('objects are created, read, replaced and deleted by their paths', async (t) => {
  const world = await new World(t).open();
  const made = await world.ask(CONFIGS, { method: 'POST', body: config('one') });
  t.match(made, { status: 201, document: { kind: 'ConfigMap', metadata: { name: 'one', namespace: 'shop' } } });
  t.match(await world.ask(CONFIGS, { method: 'POST', body: config('one') }), { status: 409 });
  t.match(await world.ask(`${CONFIGS}/one`), { status: 200, document: { data: { a: 'b' } } });
  t.match(await world.ask(`${CONFIGS}/two`), {
    status: 404,
    document: { kind: 'Status', reason: 'NotFound', details: { name: 'two', kind: 'configmaps' } },
  });
  const { resourceVersion } = made.document.metadata;
  const put = (version: string, data: object) =>
    world.ask(`${CONFIGS}/one`, { method: 'PUT', body: { ...config('one', { resourceVersion: version }), data } });
  t.match(await put(resourceVersion, { a: 'c' }), { status: 200, document: { data: { a: 'c' } } });
  t.match(await put(resourceVersion, { a: 'd' }), { status: 409, document: { reason: 'Conflict' } });
  t.match(await world.ask(`${CONFIGS}/one?dryRun=All`, { method: 'DELETE' }), { status: 200 });
  t.ok(world.storage.get('configmaps', 'shop', 'one'), 'a trial changes nothing');
  t.match(await world.ask(`${CONFIGS}/one`, { method: 'DELETE' }), { document: { status: 'Success' } });
  t.equal(world.storage.get('configmaps', 'shop', 'one'), undefined);
});

t.test('what a body says must fit its path', async (t) => {
  const world = await new World(t).open();
  const post = (body: unknown, path = CONFIGS, headers = {}) => world.ask(path, { method: 'POST', body, headers });
  for (const [why, body] of Object.entries({
    'another kind': { ...config('one'), kind: 'Secret' },
    'another version': { ...config('one'), apiVersion: 'apps/v1' },
    'another namespace': config('one', { namespace: 'other' }),
    'labels that are none': config('one', { labels: { a: 1 } }),
    'no object': '[]',
    'no JSON': '{',
    'a prototype': '{"metadata":{"name":"one"},"__proto__":{"x":1}}',
    'a thousand levels': `{"metadata":{"name":"one"},"data":${'['.repeat(1000)}${']'.repeat(1000)}}`,
  }))
    t.match(await post(body), { status: 400, document: { reason: 'BadRequest' } }, why);
  t.match(await post('x'.repeat(3 * 1024 * 1024 + 1)), { status: 413 });
  t.match(await post('a: b', CONFIGS, { 'content-type': 'text/plain' }), { status: 415 });
  t.match(await post(config('../../x')), { status: 422, document: { reason: 'Invalid' } });
  t.match(await post(config('one'), '/api/v1/namespaces/nowhere/configmaps'), { status: 404 });
  t.match(await post('metadata: {name: yaml}', CONFIGS, { 'content-type': 'application/yaml' }), { status: 201 });
  const bomb = `a: &a [x,x]\n${'bcdefghij'.replace(/./g, (c, i) => `${c}: &${c} [*${'abcdefghi'[i]},*${'abcdefghi'[i]}]\n`)}`;
  t.match(await post(bomb, CONFIGS, { 'content-type': 'application/yaml' }), { status: 400 });
  t.equal(world.storage.list('configmaps').length, 1);
});

t.test('paths that are none are refused, whatever they hold', async (t) => {
  const world = await new World(t).open();
  for (const path of [
    '/',
    '/api/v2',
    '/apis/none.io/v1/things',
    '/api/v1/namespaces/shop/nodes',
    '/api/v1/pods/%2e%2e/log',
  ])
    t.ok([400, 404].includes((await world.ask(path)).status), path);
  t.equal((await world.ask(`${CONFIGS}/a%2Fb`)).status, 400);
  t.equal((await world.ask('/apis/cilium.io/v2/ciliumidentities', { method: 'POST', body: {} })).status, 405);
  t.equal((await world.ask('/healthz')).text, 'ok');
  t.match((await world.ask('/version')).document, { gitVersion: 'v1.0.0' });
});

t.test('lists are cut, selected and shown as tables', async (t) => {
  const world = await new World(t).open();
  for (let i = 0; i < 25; i++)
    world.storage.create('configmaps', { ...config(`c${i}`, { namespace: 'shop', labels: { n: String(i % 5) } }) });
  const first = (await world.ask(`${CONFIGS}?limit=10`)).document;
  t.match(first, { kind: 'ConfigMapList', metadata: { remainingItemCount: 15 } });
  world.storage.delete('configmaps', 'shop', 'c9');
  const names = first.items.map((one: { metadata: { name: string } }) => one.metadata.name);
  for (let token = first.metadata.continue as string; token !== undefined; ) {
    const { items, metadata } = (await world.ask(`${CONFIGS}?limit=10&continue=${token}`)).document;
    names.push(...items.map((one: { metadata: { name: string } }) => one.metadata.name));
    t.equal(metadata.resourceVersion, first.metadata.resourceVersion, 'pages are of one moment');
    token = metadata.continue;
  }
  t.same(names, [...names].sort());
  t.equal(new Set(names).size, 25, 'with the one that went meanwhile');
  t.match(await world.ask(`${CONFIGS}?continue=nonsense`), { status: 410 });
  const count = async (query: string) => (await world.ask(`${CONFIGS}?${query}`)).document.items.length as number;
  t.equal(await count('labelSelector=n%3D3'), 5);
  t.equal(await count('labelSelector=n%20in%20(1,%202),n!%3D2'), 5);
  t.equal(await count('labelSelector=!n'), 0);
  t.equal(await count('fieldSelector=metadata.name%3Dc3'), 1);
  t.match(await world.ask(`${CONFIGS}?fieldSelector=data.a%3Db`), { status: 400 });
  t.match(await world.ask(`${CONFIGS}?labelSelector=a%3Db%3Dc`), { status: 400 });
  const accept = 'application/json;as=Table;v=v1;g=meta.k8s.io,application/json';
  const table = (await world.ask(CONFIGS, { headers: { accept } })).document;
  t.match(table, { kind: 'Table', columnDefinitions: [{ name: 'Name' }, { name: 'Data' }, { name: 'Age' }] });
  t.equal(table.rows.length, 24);
  t.match(
    (
      await world.ask(CONFIGS, {
        headers: { accept: 'application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io' },
      })
    ).document,
    {
      kind: 'PartialObjectMetadataList',
      items: [{ kind: 'PartialObjectMetadata' }],
    },
  );
  t.equal((await world.ask(CONFIGS, { headers: { accept: 'application/vnd.kubernetes.protobuf' } })).status, 406);
});

t.test('a watch goes on where a list ended, and tells what its selector sees', async (t) => {
  const world = await new World(t).open();
  const labelled = (app: string) => config('one', { namespace: 'shop', labels: { app } });
  const relabel = (app: string) =>
    world.storage.update('configmaps', 'shop', 'one', (one) => ({
      ...one,
      metadata: { ...one.metadata, labels: { app } },
    }));
  const { resourceVersion } = (await world.ask(CONFIGS)).document.metadata;
  world.storage.create('configmaps', labelled('web'));
  relabel('db');
  relabel('web');
  const query = `watch=true&resourceVersion=${resourceVersion}&labelSelector=app%3Dweb`;
  const told: string[] = [];
  for await (const { type } of events(await world.begin(`${CONFIGS}?${query}`))) {
    told.push(type);
    if (told.length === 3) world.storage.delete('configmaps', 'shop', 'one');
    if (told.length === 4) break;
  }
  t.same(told, ['ADDED', 'DELETED', 'ADDED', 'DELETED']);
  t.match(await world.ask(`${CONFIGS}?watch=true&resourceVersion=99999999`), { status: 504 });
});

t.test('a watch begins with all objects and a bookmark when it is asked to', async (t) => {
  const world = await new World(t).open();
  world.storage.create('configmaps', { ...config('one', { namespace: 'shop' }) });
  const query = 'watch=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true';
  const told: string[] = [];
  for await (const { type, object } of events(await world.begin(`${CONFIGS}?${query}`))) {
    told.push(type);
    if (type !== 'BOOKMARK') continue;
    t.match(object, { kind: 'ConfigMap', metadata: { annotations: { 'k8s.io/initial-events-end': 'true' } } });
    break;
  }
  t.same(told, ['ADDED', 'BOOKMARK']);
});

t.test('a watch that nobody reads is cut off, and keeps no memory', async (t) => {
  const world = await new World(t).open();
  const response = await world.begin(`${CONFIGS}?watch=true`);
  response.pause();
  const cut = new Promise((resolve) => response.once('error', resolve).once('close', resolve));
  world.storage.create('configmaps', { ...config('one', { namespace: 'shop' }), data: { text: 'x'.repeat(100_000) } });
  for (let i = 0; i < 9000; i++)
    world.storage.update('configmaps', 'shop', 'one', (one) => ({ ...one, data: { ...one['data'], i: String(i) } }));
  response.resume();
  await cut;
  t.notOk(response.complete, 'it was broken off');
});

t.test('what admission says is told: causes refuse, warnings are headers', async (t) => {
  const world = await new World(t).open();
  const path = '/apis/networking.k8s.io/v1/namespaces/shop/networkpolicies';
  const policy = (labels: object) => ({ kind: 'NetworkPolicy', metadata: { name: 'np', labels }, spec: {} });
  t.match(await world.ask(path, { method: 'POST', body: policy({ bad: 'yes' }) }), {
    status: 422,
    document: { message: 'NetworkPolicy.networking.k8s.io "np" is invalid: spec.x: no', details: { causes: [{}] } },
  });
  const { status, headers } = await world.ask(path, { method: 'POST', body: policy({}) });
  t.equal(status, 201);
  t.equal(headers['warning'], '299 - "a \\"quoted\\" warning, and \\"?\\"", 299 - "not yet"');
});

t.test('discovery says the same in both of its forms', async (t) => {
  const world = await new World(t).open();
  const groups = (await world.ask('/apis')).document.groups as {
    name: string;
    preferredVersion: { groupVersion: string };
  }[];
  const plain: string[] = [];
  for (const path of ['/api/v1', ...groups.map(({ preferredVersion }) => `/apis/${preferredVersion.groupVersion}`)]) {
    const { groupVersion, resources } = (await world.ask(path)).document;
    plain.push(...resources.map(({ name, kind }: { name: string; kind: string }) => `${groupVersion} ${name} ${kind}`));
  }
  const accept = 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json';
  const all: string[] = [];
  for (const path of ['/api', '/apis']) {
    const { headers, document } = await world.ask(path, { headers: { accept } });
    t.match(headers['content-type'], 'as=APIGroupDiscoveryList');
    for (const { metadata, versions } of document.items) {
      const [{ version, resources }] = versions;
      const groupVersion = metadata.name === undefined ? version : `${metadata.name}/${version}`;
      for (const { resource, responseKind, subresources = [] } of resources) {
        all.push(`${groupVersion} ${resource} ${responseKind.kind}`);
        for (const { subresource, responseKind: of } of subresources)
          all.push(`${groupVersion} ${resource}/${subresource} ${of.kind}`);
      }
    }
  }
  t.same(all.sort(), plain.sort());
  t.ok(all.length > 60);
});

t.test('events are shown in the form of either group', async (t) => {
  const world = await new World(t).open();
  const event = {
    kind: 'Event',
    metadata: { name: 'e' },
    message: 'hello',
    involvedObject: { kind: 'Pod', name: 'web' },
  };
  await world.ask('/api/v1/namespaces/shop/events', { method: 'POST', body: event });
  t.match((await world.ask('/apis/events.k8s.io/v1/namespaces/shop/events/e')).document, {
    apiVersion: 'events.k8s.io/v1',
    note: 'hello',
    regarding: { name: 'web' },
  });
  const found = await world.ask('/api/v1/events?fieldSelector=involvedObject.name%3Dweb,involvedObject.kind%3DPod');
  t.equal(found.document.items.length, 1);
});

t.test('the API describes itself, and says when that has not changed', async (t) => {
  const world = await new World(t).open();
  const whole = await world.ask('/openapi/v2');
  t.equal(whole.document.swagger, '2.0');
  const again = await world.ask('/openapi/v2', { headers: { 'if-none-match': whole.headers.etag ?? '' } });
  t.match(again, { status: 304, text: '' });
  const accept = 'application/com.github.proto-openapi.spec.v2@v1.0+protobuf';
  t.equal((await world.ask('/openapi/v2', { headers: { accept } })).headers['content-type'], accept.replace('@', '.'));
  const { paths } = (await world.ask('/openapi/v3')).document;
  const { serverRelativeURL } = paths['apis/apps/v1'];
  const apps = await world.ask(serverRelativeURL);
  t.match(apps.headers['cache-control'], /immutable/);
  t.ok(apps.document.components.schemas['io.k8s.api.apps.v1.Deployment']);
  t.match((await world.ask('/openapi/v3/apis/apps/v1?hash=old')).headers['cache-control'], /no-cache/);
  t.equal((await world.ask('/openapi/v3/apis/none/v1')).status, 404);
});

t.test('a client may do everything, and is told so', async (t) => {
  const world = await new World(t).open();
  const path = '/apis/authorization.k8s.io/v1/selfsubjectaccessreviews';
  const body = { kind: 'SelfSubjectAccessReview', spec: { resourceAttributes: { verb: 'delete', resource: 'pods' } } };
  t.match(await world.ask(path, { method: 'POST', body }), { status: 201, document: { status: { allowed: true } } });
});

t.test('ephemeral containers are added to a pod by their own path, and stay', async (t) => {
  const at = await new World(t).open();
  const pods = '/api/v1/namespaces/shop/pods';
  const own = { name: 'app', image: 'nginx' };
  const pod = { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'web' }, spec: { containers: [own] } };
  const debug = { name: 'debugger', image: 'busybox', targetContainerName: 'app' };
  const early = { ...pod, spec: { ...pod.spec, ephemeralContainers: [debug] } };
  t.equal((await at.ask(pods, { method: 'POST', body: early })).status, 422, 'not with the pod itself');
  t.equal((await at.ask(pods, { method: 'POST', body: pod })).status, 201);
  const path = `${pods}/web/ephemeralcontainers`;
  const headers = { 'content-type': 'application/strategic-merge-patch+json' };
  const add = async (...ephemeralContainers: object[]) =>
    await at.ask(path, { method: 'PATCH', headers, body: { spec: { ephemeralContainers } } });
  const names = async () =>
    ((await at.ask(path)).document.spec.ephemeralContainers ?? []).map(({ name }: { name: string }) => name);

  t.match(await add(debug), { status: 200, document: { kind: 'Pod', spec: { ephemeralContainers: [debug] } } });
  t.equal((await add({ name: 'second', image: 'busybox' })).status, 200);
  t.same((await names()).sort(), ['debugger', 'second']);
  const refused: Readonly<Record<string, object>> = {
    'may not be changed': { name: 'debugger', image: 'alpine' },
    'may not be removed': { name: 'debugger', $patch: 'delete' },
    'Duplicate value': { name: 'app', image: 'busybox' },
    'cannot be set for an Ephemeral Container': { name: 'third', image: 'busybox', ports: [{ containerPort: 80 }] },
    'Not found': { name: 'third', image: 'busybox', targetContainerName: 'nobody' },
  };
  for (const [why, container] of Object.entries(refused))
    t.match(await add(container), { status: 422, document: { message: new RegExp(why) } });
  t.same((await names()).sort(), ['debugger', 'second']);

  const live = (await at.ask(path)).document;
  const more = [...live.spec.ephemeralContainers, { name: 'third', image: 'busybox' }];
  const spec = { ...live.spec, containers: [{ ...own, image: 'httpd' }], ephemeralContainers: more };
  const put = await at.ask(path, {
    method: 'PUT',
    body: { ...live, metadata: { ...live.metadata, labels: { a: 'b' } }, spec },
  });
  t.match(put, { status: 200, document: { spec: { containers: [{ image: 'nginx' }] } } }, 'and nothing else changes');
  t.equal(put.document.metadata.labels, undefined);
  t.equal((await names()).length, 3);
  const stale = await at.ask(path, { method: 'PUT', body: { ...live, spec } });
  t.equal(stale.status, 409);
  const whole = { ...put.document, spec: { ...put.document.spec, ephemeralContainers: [] } };
  t.equal((await at.ask(`${pods}/web`, { method: 'PUT', body: whole })).status, 422, 'not by the path of the pod');
  t.match((await at.ask('/api/v1')).text, /"pods\/ephemeralcontainers"/);
});
