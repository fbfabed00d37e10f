import t, { type Test } from 'tap';
import { agent, type AgentError } from './agent.ts';

/** Answers every fetch of a test. */
function answering(t: Test, answer: (path: string, init: RequestInit) => Response | Promise<Response>) {
  const original = globalThis.fetch;
  t.teardown(() => (globalThis.fetch = original));
  globalThis.fetch = async (input, init) => answer(input as string, init ?? {});
}

t.test('get() asks with its query, judge() with JSON, apply() with the manifests as they are', async (t) => {
  const asked: unknown[] = [];
  answering(t, (path, { method, body, headers }) => {
    asked.push([method, path, body, headers]);
    return Response.json({});
  });
  await agent.get('/v1/objects', { query: { kind: 'Pod', name: 'a&b' } });
  await agent.judge('explain', { flow: 1 });
  await agent.apply('kind: Pod', { query: { dryRun: 'true' } });
  t.same(asked, [
    ['GET', '/v1/objects?kind=Pod&name=a%26b', undefined, {}],
    ['POST', '/ui/v1/explain', '{"flow":1}', { 'content-type': 'application/json' }],
    ['POST', '/v1/apply?dryRun=true', 'kind: Pod', { 'content-type': 'application/yaml' }],
  ]);
});

t.test('a failure is one sentence', async (t) => {
  const cases: [Response | Error, Partial<AgentError>][] = [
    [new TypeError('Failed to fetch'), { message: 'the agent does not answer', status: 0 }],
    [Response.json({ error: 'no such object' }, { status: 404 }), { message: 'no such object', status: 404 }],
    [new Response('<html>', { status: 502 }), { message: 'the agent answered with status 502', status: 502 }],
    [Response.json({}, { status: 401 }), { message: 'the agent wants its token', status: 401 }],
    [new Response('{"a'), { message: "the agent's answer to /v1/status is no JSON" }],
    [
      Response.json({ applied: [], problems: [{ message: 'found x' }] }, { status: 400 }),
      { message: 'found x', problems: [{ message: 'found x' }] as never },
    ],
  ];
  for (const [answer, wanted] of cases) {
    answering(t, () => (answer instanceof Error ? Promise.reject(answer) : answer));
    await t.rejects(agent.get('/v1/status'), { name: 'AgentError', ...wanted });
  }
});

t.test('a question that is given up fails as such, not as an agent that is away', async (t) => {
  const gaveUp = new AbortController();
  answering(t, () => {
    gaveUp.abort();
    return Promise.reject(new DOMException('', 'AbortError'));
  });
  await t.rejects(agent.get('/v1/status', { signal: gaveUp.signal }), { name: 'AbortError' });
});
