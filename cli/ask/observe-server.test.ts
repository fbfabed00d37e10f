/** `sluice observe --server`: flows of whoever answers as Hubble's server does. */
import { join } from 'node:path';
import t from 'tap';
import { FlowServer } from '../../daemon/observe/flow-server.ts';
import { ObserverApi } from '../../daemon/observe/serve/observer-api.ts';
import { observeFilters } from '../../hubble/filter/observe-filter.ts';
import { FakeSource } from '../../test/hubble/observer-source.ts';
import { flowsOfServer, type ServerRequest } from './observe-server.ts';

const source = new FakeSource();
source.fill(100);
const server = new FlowServer([new ObserverApi(source)]);
const path = join(t.testdir(), 'hubble.sock');
await server.listen({ path, groupId: undefined });
const port = await server.listen({ host: '127.0.0.1', port: 0 });
t.teardown(() => server.stop());

const ALL: ServerRequest = {
  filters: { allow: [], deny: [] },
  number: Number.POSITIVE_INFINITY,
  isFirst: false,
  isFollowing: false,
  sinceMs: undefined,
  untilMs: undefined,
};

async function flowsOf(address: string, request: Partial<ServerRequest> = {}): Promise<(string | undefined)[]> {
  const got: (string | undefined)[] = [];
  for await (const { flow } of flowsOfServer(address, {}, { ...ALL, ...request }, new AbortController().signal)) {
    got.push(flow?.uuid);
  }
  return got;
}

t.test('flows of a socket and of a port, as they are asked for', async (t) => {
  const unix = `unix://${path}`;
  t.equal((await flowsOf(unix)).length, 100);
  t.same(await flowsOf(`127.0.0.1:${port}`, { number: 2 }), ['98', '99']);
  t.same(await flowsOf(unix, { number: 2, isFirst: true }), ['0', '1']);
  t.same(await flowsOf(unix, { number: 0 }), []);
  t.same(await flowsOf(unix, { sinceMs: source.startedMs + 99 }), ['98', '99']);
  t.same(await flowsOf(unix, { untilMs: source.startedMs + 2 }), ['0', '1']);
  const dropped = observeFilters([
    ['verdict', 'DROPPED'],
    ['not', ''],
    ['type', 'drop'],
  ]);
  const some = await flowsOf(unix, { filters: dropped });
  t.ok(some.length > 0 && some.length < 50, `${some.length} verdicts`);
});

t.test('what is wrong is told', async (t) => {
  await t.rejects(flowsOf('unix:///nosuch'), /observe unix:\/\/\/nosuch: .*ENOENT/);
  for (const address of ['localhost', 'http://x:1', 'x:y', 'a/b:1', 'unix://x']) {
    await t.rejects(flowsOf(address), /wanted host:port, tls:\/\/host:port or unix:\/\/\/path/, address);
  }
  const unknown = { allow: [{ drop_reason_desc: ['SLUICE_L7_DENIED'] }], deny: [] };
  await t.rejects(flowsOf(`unix://${path}`, { filters: unknown }), /a filter that Hubble's API does not have/);
  const end = new AbortController();
  const following = flowsOfServer(`unix://${path}`, {}, { ...ALL, isFollowing: true, number: 1 }, end.signal);
  t.equal((await following.next()).value?.flow?.uuid, '99');
  const more = following.next();
  end.abort();
  t.equal((await more).done, true, 'an interrupt is no error');
});
