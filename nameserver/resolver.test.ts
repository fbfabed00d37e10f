/** Questions to other servers, which are sockets on loopback here: tries, what is believed, who shares, and what there is no room for. */
import t, { type Test } from 'tap';
import { address, answer } from '../test/dns-messages.ts';
import { startUpstream, type Upstream as Played } from '../test/dns-upstream.ts';
import { FLAG_RESPONSE } from '../wire/dns/message.ts';
import { AnswerCache, CACHE_BYTES } from './cache.ts';
import type { CachedMessage } from './cached-message.ts';
import { Counters } from './counters.ts';
import { Resolver, type ResolverLimits } from './resolver.ts';
import { Upstreams } from './upstreams.ts';
import { labelsOf, nameKey, wireName } from './wire-name.ts';

const FAST: Partial<ResolverLimits> = { tryMs: 60, deadlineMs: 400, staleAfterMs: 100 };
/** Where nothing is to be asked a second time, however busy the machine. */
const PATIENT: Partial<ResolverLimits> = { tryMs: 60_000, deadlineMs: 60_000, staleAfterMs: 60_000 };

interface Outcome {
  readonly found: CachedMessage | undefined;
  readonly isStale: boolean;
}

function resolving(test: Test, servers: readonly Played[], limits: Partial<ResolverLimits> = FAST) {
  const counters = new Counters();
  const cache = new AnswerCache(CACHE_BYTES);
  const upstreams = new Upstreams();
  upstreams.set(servers.map(({ port }) => ({ address: '127.0.0.1', port })));
  const resolver = new Resolver(cache, upstreams, counters, limits);
  test.teardown(() => resolver.close());
  const ask = (name: string, client = 'c'): Promise<Outcome> | undefined => {
    const wire = wireName(labelsOf(name));
    const question = { name: wire, type: 1, isSecure: false, isUnchecked: false };
    let tell: (outcome: Outcome) => void = () => {};
    const outcome = new Promise<Outcome>((resolve) => (tell = resolve));
    const isTaken = resolver.ask(nameKey(wire), question, client, (found, isStale) => tell({ found, isStale }));
    return isTaken ? outcome : undefined;
  };
  return { counters, cache, upstreams, resolver, ask };
}

const right = (name: string, id: number) => answer(name, [address(name, '192.0.2.1')], { id });

t.test('an answer goes to all who wait, into the cache, and was asked for once', async (t) => {
  const server = await startUpstream(t, (query) => [right('a.example', query.id)]);
  const { ask, cache, counters, resolver } = resolving(t, [server], PATIENT);
  const outcomes = await Promise.all([ask('a.example'), ask('a.example', 'd'), ask('a.example', 'e')]);
  for (const outcome of outcomes) t.match(outcome, { found: { answers: 1 }, isStale: false });
  t.equal(server.asked.length, 1);
  t.equal(cache.size, 1);
  t.match(counters, { upstreamQueries: 1 });
  t.strictSame(resolver.load, { inquiries: 0, waiting: 0 });
});

t.test('every question has an id and a port of its own', async (t) => {
  const server = await startUpstream(t, (query) => [right(query.name, query.id)]);
  const { ask } = resolving(t, [server], PATIENT);
  for (let i = 0; i < 40; i++) await ask(`n${i}.example`);
  t.ok(new Set(server.asked.map(({ id }) => id)).size > 35);
  t.ok(new Set(server.asked.map(({ fromPort }) => fromPort)).size > 35);
});

t.test('what is no answer to the question is waited past', async (t) => {
  const wrong: readonly [string, (name: string, id: number) => Buffer][] = [
    ['another id', (name, id) => right(name, id ^ 1)],
    ['another name', (_, id) => right('b.example', id)],
    ['another type', (name, id) => answer(name, [], { id, type: 28 })],
    ['a query', (name, id) => answer(name, [], { id, flags: 0x100 })],
    ['half of it', (name, id) => right(name, id).subarray(0, 20)],
    ['bytes behind it', (name, id) => Buffer.concat([right(name, id), Buffer.from('x')])],
    ['two questions', (name, id) => answer(name, [], { id, questions: [{ name }, { name }] })],
    ['half an address', (name, id) => answer(name, [{ name, type: 1, data: Buffer.alloc(3) }], { id })],
    ['an alias without a name', (name, id) => answer(name, [{ name, type: 5, data: Buffer.from([3, 97]) }], { id })],
    ['no question', (_, id) => answer('', [], { id, questions: [] })],
  ];
  for (const [what, make] of wrong) {
    const server = await startUpstream(t, (query) => [make('a.example', query.id), right('a.example', query.id)]);
    const { ask, counters } = resolving(t, [server], PATIENT);
    t.match(await ask('a.example'), { found: { answers: 1 } }, what);
    t.equal(counters.upstreamMismatches, 1, what);
  }
});

t.test('an answer in another case is one; from another port is none', async (t) => {
  const server = await startUpstream(t, (query) => [right('A.Example', query.id)]);
  t.match(await resolving(t, [server], PATIENT).ask('a.example'), { found: { answers: 1 } });
  const other = await startUpstream(t, () => []);
  const spoofed = await startUpstream(t, (query) => {
    other.send(right('a.example', query.id), query.fromPort);
    return [];
  });
  const { ask, counters } = resolving(t, [spoofed]);
  t.match(await ask('a.example'), { found: undefined });
  t.equal(counters.upstreamMismatches, 0, 'the kernel keeps it away');
});

t.test('who guesses at ids gets eight tries, then it is asked over TCP', async (t) => {
  const guesses = (id: number) => Array.from({ length: 20 }, (_, i) => right('a.example', id ^ (i + 1)));
  const server = await startUpstream(t, (query) =>
    query.isStream ? [right('a.example', query.id)] : guesses(query.id),
  );
  const { ask, counters } = resolving(t, [server], PATIENT);
  t.match(await ask('a.example'), { found: { answers: 1 } });
  t.match(counters, { upstreamMismatches: 8, upstreamStreams: 1 });
});

t.test('an answer that was cut is asked for over TCP, whole', async (t) => {
  const many = Array.from({ length: 1000 }, (_, i) => address('a.example', `10.0.${i >> 8}.${i & 255}`));
  const server = await startUpstream(t, (query) => [
    query.isStream
      ? answer('a.example', many, { id: query.id })
      : answer('a.example', [], { id: query.id, flags: 0x8380 }),
  ]);
  const { ask } = resolving(t, [server], PATIENT);
  t.match(await ask('a.example'), { found: { answers: 1000 } });
});

t.test('a server that says nothing is passed over, and tried last for a while', async (t) => {
  const silent = await startUpstream(t, () => []);
  const server = await startUpstream(t, (query) => [right(query.name, query.id)]);
  const { ask, counters, upstreams } = resolving(t, [silent, server], { ...PATIENT, tryMs: 1_000 });
  t.match(await ask('a.example'), { found: { answers: 1 } });
  t.equal(counters.upstreamTimeouts, 1);
  t.match(await ask('b.example'), { found: { answers: 1 } });
  t.equal(silent.asked.length, 1, 'not asked again at once');
  t.equal(upstreams.order(0)[0].upstream.port, server.port);
});

t.test('one that answers late is heard all the same', async (t) => {
  const late: (() => void)[] = [];
  const slow = await startUpstream(t, (query) => {
    late.push(() => slow.send(right('a.example', query.id), query.fromPort));
    return [];
  });
  const silent = await startUpstream(t, () => {
    late[0]?.();
    return [];
  });
  const { ask } = resolving(t, [slow, silent]);
  t.match(await ask('a.example'), { found: { answers: 1 } });
});

t.test('where nobody listens, or the server cannot, the next is asked at once', async (t) => {
  const server = await startUpstream(t, (query) => [right(query.name, query.id)]);
  const closed = await startUpstream(t, () => []);
  await closed.close();
  t.match(await resolving(t, [closed, server], PATIENT).ask('a.example'), { found: { answers: 1 } });
  for (const rcode of [2, 4, 5]) {
    const lame = await startUpstream(t, (query) => [
      answer(query.name, [], { id: query.id, flags: FLAG_RESPONSE | rcode }),
    ]);
    t.match(await resolving(t, [lame, server], PATIENT).ask('a.example'), { found: { answers: 1 } }, `rcode ${rcode}`);
    t.match(await resolving(t, [lame], PATIENT).ask('a.example'), { found: undefined }, `nobody else, rcode ${rcode}`);
  }
});

t.test('a server that does not know EDNS is asked without', async (t) => {
  const old = await startUpstream(t, (query) => [
    query.hasOpt ? answer(query.name, [], { id: query.id, flags: FLAG_RESPONSE | 1 }) : right(query.name, query.id),
  ]);
  t.match(await resolving(t, [old], PATIENT).ask('a.example'), { found: { answers: 1 } });
  t.strictSame(
    old.asked.map(({ hasOpt }) => hasOpt),
    [true, false],
  );
});

t.test('when all are silent: nothing, and not asked again for a while', async (t) => {
  const silent = await startUpstream(t, () => []);
  const { ask } = resolving(t, [silent], { ...FAST, deadlineMs: 3_000 });
  t.match(await ask('a.example'), { found: undefined });
  t.equal(silent.asked.length, 4);
  t.match(await ask('a.example'), { found: undefined });
  t.equal(silent.asked.length, 4);
  t.match(await resolving(t, []).ask('a.example'), { found: undefined }, 'no servers at all');
});

t.test('when all are silent, what was true is told soon, and at once when that is known', async (t) => {
  const server = await startUpstream(t, (query) => [right(query.name, query.id)]);
  const { ask, cache, upstreams } = resolving(t, [server], { ...FAST, deadlineMs: 60_000, tryMs: 60_000 });
  await ask('a.example');
  const silent = await startUpstream(t, () => []);
  upstreams.set([{ address: '127.0.0.1', port: silent.port }]);
  t.match(await ask('a.example'), { found: { answers: 1 }, isStale: true });
  t.equal(silent.asked.length, 1, 'it was asked for all the same');
  t.match(await ask('a.example'), { isStale: true }, 'whoever comes later does not wait');
  upstreams.states[0].fail(performance.now());
  cache.delete('x');
});

t.test('no more is under way than there is room for', async (t) => {
  const silent = await startUpstream(t, () => []);
  const limits = { maxInquiries: 3, maxWaiting: 6, maxOfClient: 4, tryMs: 60_000, deadlineMs: 60_000 };
  const { ask, resolver } = resolving(t, [silent], limits);
  for (const name of ['a', 'b']) t.ok(ask(name));
  t.ok(ask('c', 'other'));
  t.notOk(ask('d', 'third'), 'another question');
  t.ok(ask('a') && ask('a'));
  t.notOk(ask('a'), 'the fifth of one client');
  t.ok(ask('a', 'other'));
  t.notOk(ask('c', 'third'), 'the seventh of all');
  t.strictSame(resolver.load, { inquiries: 3, waiting: 6 });
});

t.test('a TTL of 0 is told and not kept', async (t) => {
  const server = await startUpstream(t, (query) => [
    answer('a.example', [address('a.example', '192.0.2.1', 0)], query),
  ]);
  const { ask, cache } = resolving(t, [server], PATIENT);
  t.match(await ask('a.example'), { found: { answers: 1 } });
  t.equal(cache.size, 0);
  await ask('a.example');
  t.equal(server.asked.length, 2);
});

t.test('whoever asks most leaves room for others', async (t) => {
  const server = await startUpstream(t, () => []);
  const { ask, resolver } = resolving(t, [server], { ...PATIENT, maxInquiries: 32, maxOfClient: 32 });
  let taken = 0;
  for (const client of ['a', 'b', 'c'])
    for (let i = 0; i < 40; i++) if (ask(`${client}${i}.example`, client) !== undefined) taken++;
  t.equal(taken, 16 + 8 + 4);
  t.ok(ask('d.example', 'd'), 'one who comes late');
  t.equal(resolver.load.inquiries, 29);
  t.ok(ask('d.example', 'a'), 'what is asked already costs nothing');
});
