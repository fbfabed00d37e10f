/** A reflector against a small API server: everything that goes wrong between the two. */
import t from 'tap';
import { waitFor } from '../test/command.ts';
import { type FakeObject, KubeApiServer } from '../test/kube-api-server.ts';
import { type Copy, reflected } from '../test/reflected.ts';
import { KubeClient } from './client.ts';
import { Reflector } from './reflector.ts';
import type { Resource } from './resource.ts';

const PODS = '/api/v1/pods';
const CNP = '/apis/cilium.io/v2/ciliumnetworkpolicies';
type Tap = typeof t;

const pod = (name: string, label = 'a'): FakeObject => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, namespace: 'shop', labels: { app: label } },
  spec: { nodeName: 'n1' },
});

const names = (count: number): string[] => Array.from({ length: count }, (_, i) => `p${i}`);

interface World {
  readonly server: KubeApiServer;
  readonly copy: Copy;
  readonly reflector: Reflector;
  /** Until the copy has these. */
  readonly has: (...names: string[]) => Promise<void>;
}

async function world(
  test: Tap,
  prepare: (server: KubeApiServer) => void,
  given: Partial<Resource> = {},
): Promise<World> {
  const server = new KubeApiServer();
  server.serve(PODS);
  prepare(server);
  const url = await server.listen();
  const client = new KubeClient({ name: 'test', server: url, isInsecure: true, user: {} }, 'test');
  const { copy, reflector } = reflected(test, server, client, { name: 'pods', paths: [PODS], ...given });
  const has = (...wanted: string[]): Promise<void> => {
    const sorted = wanted
      .map((name) => `shop/${name}`)
      .sort()
      .join();
    return waitFor(sorted, () => copy.syncs > 0 && [...copy.objects.keys()].sort().join() === sorted);
  };
  return { server, copy, reflector, has };
}

t.test('a list that is streamed, then what changes', async (t) => {
  const { server, copy, has } = await world(t as Tap, (server) => {
    server.put(PODS, pod('a'));
    server.put(PODS, pod('b'));
  });
  await has('a', 'b');
  server.put(PODS, pod('c'));
  server.remove(PODS, 'shop/a');
  await has('b', 'c');
  server.put(PODS, pod('b', 'other'));
  await waitFor('the label', () => JSON.stringify(copy.objects.get('shop/b')).includes('other'));
  t.strictSame(server.verbs(PODS), ['stream']);
  t.equal(copy.syncs, 1);
});

for (const streaming of ['refused', 'unknown', 'broken'] as const) {
  t.test(`a server to which streamed lists are ${streaming} is asked for pages`, async (t) => {
    const { server, has, copy } = await world(t as Tap, (server) => {
      server.faults.streaming = streaming;
      for (const name of names(1200)) server.put(PODS, pod(name));
    });
    await has(...names(1200));
    server.remove(PODS, 'shop/p0');
    await has(...names(1200).slice(1));
    const verbs = server.verbs(PODS).filter((verb) => verb !== 'stream');
    t.strictSame(verbs, ['list', 'list', 'list', 'watch']);
    t.equal(copy.told.filter((one) => one === '+shop/p7').length, 1, 'what is known already is not told again');
  });
}

t.test('a server that knows no pages gives all at once', async (t) => {
  const { server, has } = await world(t as Tap, (server) => {
    server.faults.streaming = 'refused';
    server.faults.ignoresLimit = true;
    for (const name of names(1200)) server.put(PODS, pod(name));
  });
  await has(...names(1200));
  await waitFor('the watch', () => server.watches === 1);
  t.strictSame(server.verbs(PODS), ['stream', 'list', 'watch']);
});

t.test('a token of the next page that has run out begins the list anew, and the last time without pages', async (t) => {
  const { server, has, copy } = await world(t as Tap, (server) => {
    server.faults.streaming = 'refused';
    server.faults.goneToken = 3;
    for (const name of names(600)) server.put(PODS, pod(name));
  });
  await has(...names(600));
  t.equal(server.verbs(PODS).filter((verb) => verb === 'list').length, 7);
  t.strictSame(copy.problems, []);
});

for (const how of ['status', 'event'] as const) {
  t.test(`a version that is too old, told as ${how}, lists again: what was missed goes and comes`, async (t) => {
    const { server, copy, has, reflector } = await world(t as Tap, (server) => {
      for (const name of ['a', 'b', 'c']) server.put(PODS, pod(name));
    });
    await has('a', 'b', 'c');
    copy.told.length = 0;
    server.faults.isSilent = true;
    server.remove(PODS, 'shop/a');
    server.put(PODS, pod('d'));
    server.put(PODS, pod('b', 'other'));
    server.faults.isSilent = false;
    server.faults.gone = { how, times: 1 };
    server.dropWatches();
    await has('b', 'c', 'd');
    t.strictSame([...copy.told].sort(), ['+shop/b', '+shop/d', '-shop/a'], 'and nothing else');
    t.equal(reflector.counts.expired, 1);
    t.strictSame(server.verbs(PODS), ['stream', 'watch', 'stream']);
  });
}

t.test('a watch that breaks goes on from the last version, of a bookmark too', async (t) => {
  const { server, copy, has, reflector } = await world(t as Tap, (server) => server.put(PODS, pod('a')));
  await has('a');
  server.bookmark();
  await waitFor('the bookmark', () => reflector.counts.events === 3);
  server.putUnheard(PODS, pod('b'));
  server.dropWatches();
  await has('a', 'b');
  const watches = server.requests.filter(({ query }) => query.get('resourceVersion') !== null);
  t.equal(watches[0]?.query.get('resourceVersion'), '102', 'that of the bookmark');
  t.strictSame(copy.told, ['+shop/a', '+shop/b']);
});

t.test('an answer that ends in the middle of an object takes nothing away, and is asked for again', async (t) => {
  const { server, copy, has } = await world(t as Tap, (server) => {
    server.faults.cuts = 3;
    for (const name of names(40)) server.put(PODS, pod(name));
  });
  await has(...names(40));
  t.ok(copy.problems.length >= 2, copy.problems.join());
  server.write(PODS, '{"type":"ADDED","object":{"metadata":{"name":"x"');
  server.dropWatches();
  server.put(PODS, pod('new'));
  await has(...names(40), 'new');
  await waitFor('the watch', () => server.watches === 1);
  server.write(PODS, 'nonsense\n');
  await waitFor('the next watch', () => server.watches === 0);
  await waitFor('the next watch', () => server.watches === 1);
  server.write(PODS, '{"type":"ADDED","object":{"metadata":{"resourceVersion":"7"}}}\n');
  server.put(PODS, pod('newer'));
  await has(...names(40), 'new', 'newer');
  t.notOk(copy.told.some((one) => one.startsWith('-')));
});

t.test('a server that is away, busy or forbids is told of, and asked again', async (t) => {
  const { server, copy, has } = await world(t as Tap, (server) => {
    server.put(PODS, pod('a'));
    server.faults.refuse = { status: 429, times: 1, retryAfter: '1' };
  });
  const from = performance.now();
  await has('a');
  t.ok(performance.now() - from > 15, 'not before it wants');
  t.match(copy.problems, [/watch pods: found 429 Refused \(Refused it is\)/]);
  server.faults.refuse = { status: 403, times: 2 };
  server.putUnheard(PODS, pod('b'));
  server.dropWatches();
  await has('a', 'b');
  t.match(copy.problems.at(-1), /403/);
  t.equal(copy.syncs, 1, 'it went on where it was');
});

t.test('a watch on which nothing comes is ended from here', async (t) => {
  const { server, has } = await world(t as Tap, (server) => server.put(PODS, pod('a')));
  await has('a');
  server.bookmark();
  server.faults.isSilent = true;
  server.put(PODS, pod('b'));
  await waitFor('the next watch', () => server.verbs(PODS).length > 1, 20_000);
  await has('a', 'b');
  t.strictSame(server.verbs(PODS).slice(0, 2), ['stream', 'watch']);
});

t.test('a server that ends every watch at once is not asked without a pause', async (t) => {
  const { server, has, reflector } = await world(t as Tap, (server) => server.put(PODS, pod('a')));
  await has('a');
  const ending = setInterval(() => server.dropWatches(), 1);
  const from = performance.now();
  await waitFor('some watches', () => reflector.counts.watches > 5);
  clearInterval(ending);
  t.ok(performance.now() - from > 100, 'five pauses of half a second and more, each a fiftieth of it here');
});

t.test('a kind that the server does not have is looked for again', async (t) => {
  const places = { paths: [CNP, '/apis/cilium.io/v2alpha1/ciliumnetworkpolicies'] };
  const { server, copy } = await world(t as Tap, () => undefined, places);
  await waitFor('its absence', () => copy.isAbsent);
  t.equal(copy.syncs, 1, 'nobody waits for it');
  server.put(places.paths[1], { ...pod('p'), apiVersion: 'cilium.io/v2alpha1' });
  await waitFor('the policy', () => copy.objects.size === 1, 10_000);
  await waitFor('its presence', () => !copy.isAbsent);
  server.withdraw(places.paths[1]);
  await waitFor('its absence', () => copy.isAbsent && copy.objects.size === 0, 10_000);
});

t.test('a proxy that answers 404 to everything takes nothing away', async (t) => {
  const { server, copy } = await world(t as Tap, (server) => server.put(CNP, pod('p')), { paths: [CNP] });
  await waitFor('the policy', () => copy.objects.size === 1);
  server.faults.isLost = true;
  server.dropWatches();
  await waitFor('attempts', () => server.requests.filter(({ path }) => path === CNP).length > 4, 20_000);
  t.equal(copy.objects.size, 1);
  t.notOk(copy.isAbsent);
  t.match(copy.problems.at(-1), /404/);
});

t.test('whoever is told has the time that it wants: no more is read meanwhile', async (t) => {
  const { server, copy, has } = await world(t as Tap, (server) => server.put(PODS, pod('a')));
  await has('a');
  let release = (): void => undefined;
  copy.wait = () => new Promise((resolve) => (release = resolve));
  for (const name of names(300)) server.put(PODS, { ...pod(name), note: 'x'.repeat(20_000) });
  await waitFor('the first', () => copy.told.length > 1);
  const told = copy.told.length;
  await new Promise((resolve) => setTimeout(resolve, 200)); // of which the patience with a silent server is a fifteenth
  t.equal(copy.told.length, told, 'it waits');
  copy.wait = undefined;
  release();
  await has('a', ...names(300));
  t.strictSame(server.verbs(PODS), ['stream'], 'on the same watch');
});

t.test('what is asked for is what is wanted of the resource', async (t) => {
  const prepare = (server: KubeApiServer): void => {
    server.put(PODS, pod('a'));
    server.put(PODS, { ...pod('b'), spec: { nodeName: 'n2' } });
  };
  const wanted = { fieldSelector: 'spec.nodeName=n1', labelSelector: '!x' };
  const { server, has } = await world(t as Tap, prepare, wanted);
  await has('a');
  const { query, headers } = server.requests[0];
  t.strictSame([query.get('fieldSelector'), query.get('labelSelector')], ['spec.nodeName=n1', '!x']);
  t.equal(headers['user-agent'], 'test');
});
