/** Reflectors against what Kubernetes' own API server has answered: every kind, pieces of a list, what is too old, who may not, what is not there. */
import t from 'tap';
import { waitFor } from '../test/command.ts';
import { type Recording, readRecordings, RecordedApi } from '../test/kubernetes/recorded-api.ts';
import { reflected } from '../test/reflected.ts';
import { KubeClient } from './client.ts';
import { type ApiObject, keyOf, type Resource } from './resource.ts';

const RECORDINGS = readRecordings();
const PODS = '/api/v1/pods';
const ON_NODE = { name: 'pods', paths: [PODS], fieldSelector: 'spec.nodeName=node1' };
type Tap = typeof t;

/** A reflector against a choice of the recordings. */
async function world(test: Tap, resource: Resource, recordings: readonly Recording[], token = 'admin') {
  const server = new RecordedApi(recordings);
  const client = new KubeClient(
    { name: 'test', server: await server.listen(), isInsecure: true, user: { token: { text: token } } },
    'test',
  );
  return { server, ...reflected(test, server, client, resource) };
}

const isStream = ({ path }: Recording): boolean => path.includes('sendInitialEvents');
const isList = ({ path, whom, accept }: Recording): boolean =>
  path.includes('limit=500') && !path.includes('continue') && whom === 'admin' && accept === 'application/json';
const keysIn = (body: string): string[] => (JSON.parse(body).items as ApiObject[]).map(keyOf).sort();

function resourceOf(path: string): Resource {
  const { pathname, searchParams } = new URL(path, 'http://x');
  const selectors = Object.fromEntries([...searchParams].filter(([name]) => name.endsWith('Selector')));
  return { name: pathname.split('/').at(-1) ?? '', paths: [pathname], ...selectors };
}

const LISTS = RECORDINGS.filter(isList);
t.equal(LISTS.length, 10, 'every kind that an agent follows was recorded');

for (const { path, body } of LISTS) {
  const resource = resourceOf(path);
  t.test(`${resource.name}: what is streamed is what is listed`, async (t) => {
    const { copy, server } = await world(t as Tap, resource, RECORDINGS);
    await waitFor('the list', () => copy.syncs > 0);
    t.strictSame([...copy.objects.keys()].sort(), keysIn(body));
    t.match(server.asked[0], /sendInitialEvents=true/);
    t.notOk(
      server.asked.some((one) => one.includes('?') && !one.includes('watch=1')),
      'no pages were asked for',
    );
  });
  t.test(`${resource.name}: and so are pages, where streams are refused`, async (t) => {
    const refused = RECORDINGS.filter(isStream).map((one) => ({ ...one, status: 422, body: '{}' }));
    const { copy } = await world(t as Tap, resource, [
      ...RECORDINGS.filter((one) => !one.path.includes('limit=2')),
      ...refused,
    ]);
    await waitFor('the list', () => copy.syncs > 0);
    t.strictSame([...copy.objects.keys()].sort(), keysIn(body));
  });
}

/** As a server has said it in a watch: these two were seen, and cannot be had of a cluster that has just begun. */
const errorEvent = (code: number, reason: string, message: string): string =>
  `${JSON.stringify({ type: 'ERROR', object: { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Failure', message, reason, code } })}\n`;
const TOO_OLD_ETCD = errorEvent(
  500,
  'InternalError',
  'a watch stream was requested by the client but the required storage feature RequestWatchProgress is disabled',
);
const TOO_OLD_VERSION = errorEvent(410, 'Expired', 'too old resource version: 1 (3392)');
const NO_STREAMS = RECORDINGS.filter(isStream).map((one) => ({ ...one, body: TOO_OLD_ETCD }));

t.test('a server whose etcd is too old for streams says so in an event, and is asked for pages', async (t) => {
  const namespaces = { name: 'namespaces', paths: ['/api/v1/namespaces'] };
  const { copy, server } = await world(t as Tap, namespaces, [...RECORDINGS, ...NO_STREAMS]);
  await waitFor('the list', () => copy.syncs > 0);
  t.ok(copy.objects.has('kube-system'));
  t.equal(server.asked.filter((one) => one.includes('sendInitialEvents')).length, 1, 'it is asked once');
});

const PIECES = RECORDINGS.filter(({ path }) => path.includes('limit=2&')).map((one) => ({
  ...one,
  path: one.path.replace('limit=2&', 'limit=500&'),
}));

t.test('a list in pieces is whole', async (t) => {
  t.ok(PIECES.length > 1, 'there are several');
  const { copy } = await world(t as Tap, ON_NODE, [...RECORDINGS, ...NO_STREAMS, ...PIECES]);
  await waitFor('the list', () => copy.syncs > 0);
  t.strictSame([...copy.objects.keys()].sort(), PIECES.flatMap(({ body }) => keysIn(body)).sort());
});

t.test('what changes is told', async (t) => {
  const { copy } = await world(t as Tap, ON_NODE, RECORDINGS);
  const isSeen = () => [...copy.objects.values()].some((one) => JSON.stringify(one).includes('"seen":"yes"'));
  await waitFor('the label', isSeen);
  t.pass();
});

t.test('a version that is too old has everything listed again', async (t) => {
  const watches = RECORDINGS.filter(({ path }) => /watch=1.*resourceVersion=\d/.test(path));
  const gone = watches.map((one) => ({ ...one, body: TOO_OLD_VERSION }));
  const { copy, reflector } = await world(t as Tap, ON_NODE, [...RECORDINGS, ...NO_STREAMS, ...gone]);
  await waitFor('a second list', () => copy.syncs > 1);
  t.ok(reflector.counts.expired > 0);
});

for (const [whom, message] of [
  ['powerless', /pods is forbidden: User \\?"system:serviceaccount:recorded:default\\?" cannot/],
  ['nobody', /Unauthorized/],
] as const) {
  t.test(`who may not is told so in the server's words: ${whom}`, async (t) => {
    const { copy } = await world(t as Tap, { name: 'pods', paths: [PODS] }, RECORDINGS, whom);
    await waitFor('a problem', () => copy.problems.length > 0);
    t.match(copy.problems[0], message);
    t.equal(copy.syncs, 0);
  });
}

t.test('a kind is looked for where the table of contents has it, and is absent where it has not', async (t) => {
  const group = '/apis/cilium.io';
  const paths = [`${group}/v2alpha1/ciliumcidrgroups`, `${group}/v2/ciliumcidrgroups`];
  const old = RECORDINGS.find(({ path }) => path === paths[0]) as Recording;
  t.equal(old.status, 404);
  const missing = RECORDINGS.filter(isStream).map((one) => ({ ...old, path: one.path.replace(/^[^?]*/, paths[0]) }));
  const { copy } = await world(t as Tap, { name: 'CIDR groups', paths }, [...RECORDINGS, ...missing]);
  await waitFor('the list', () => copy.syncs > 0);
  t.strictSame([...copy.objects.keys()], ['world']);
  const nowhere = '/apis/nobody.example/v1/things';
  const nothing = RECORDINGS.filter(isStream).map((one) => ({ ...old, path: one.path.replace(/^[^?]*/, nowhere) }));
  const other = await world(t as Tap, { name: 'things', paths: [nowhere] }, [...RECORDINGS, ...nothing]);
  await waitFor('what is not there', () => other.copy.isAbsent);
  t.equal(other.copy.objects.size, 0);
});
