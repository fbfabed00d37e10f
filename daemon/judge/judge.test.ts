/** The judge as the page has it: the program in dist/bin, behind its desk, and an agent of this test's own. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type Server, type ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { agentSocket, hubbleSocket } from '../../api/sockets.ts';
import type { Flow } from '../../hubble/flow.ts';
import { readDocuments } from '../../policy/document/document.ts';
import { placedObject } from '../../policy/document/placed.ts';
import { waitFor } from '../../test/command.ts';
import { flowsOf, podEnd } from '../../test/recorded-flows.ts';
import { type Judged, JudgeDesk } from '../page/judge-desk.ts';
import type { JudgeAnswers } from '../../explain/judge-answers.ts';
import type { Question } from './questions.ts';

const pod = (name: string, ip: string): string =>
  `{ apiVersion: v1, kind: Pod, metadata: { name: ${name}-0, namespace: shop, labels: { app: ${name} } }, spec: { nodeName: n }, status: { podIP: ${ip}, podIPs: [{ ip: ${ip} }] } }`;
const CLOSED =
  'apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: { name: api, namespace: shop }\nspec:\n  podSelector: { matchLabels: { app: api } }\n';
const MANIFESTS = [
  '{ apiVersion: v1, kind: Namespace, metadata: { name: shop } }',
  pod('web', '10.0.0.1'),
  pod('api', '10.0.0.2'),
  CLOSED,
].join('\n---\n');
const OPEN = `${CLOSED}  ingress:\n    - from: [{ podSelector: { matchLabels: { app: web } } }]\n`;
const web = podEnd('shop/web-0', { app: 'web' });
const api = podEnd('shop/api-0', { app: 'api' }, { id: 2, ip: '10.0.0.2' });
const DENIED = flowsOf({ from: web, to: api, port: 80, droppedBy: 'ingress' });

interface Rig {
  readonly desk: JudgeDesk;
  readonly deaths: string[];
  /** Requests that the agent had. */
  readonly asked: string[];
  readonly ask: <Q extends Question>(question: Q, body: unknown, gone?: AbortSignal) => Promise<JudgeAnswers[Q]>;
  readonly raw: (question: string, body: string, gone?: AbortSignal) => Promise<Judged>;
}

async function rig(t: Test, limits: { heapMib?: number; quickMs?: number; slowMs?: number } = {}): Promise<Rig> {
  const runDir = mkdtempSync(join(tmpdir(), 'sluice-judge-'));
  const asked: string[] = [];
  const { documents } = readDocuments(MANIFESTS, 'shop.yaml');
  const world = [
    { tag: '1.1' },
    { options: { 'cluster-name': 'default', 'node-name': 'n' } },
    { node: { name: 'n', labels: {}, ips: ['10.0.0.254'] } },
    ...documents.map((document) => ({ object: placedObject(document) })),
    { end: true },
  ];
  const lines = (all: readonly object[]): string => all.map((one) => `${JSON.stringify(one)}\n`).join('');
  const answers: Readonly<Record<string, string>> = {
    '/v1/world': lines(world),
    '/v1/world?unless=1.1': lines([{ unchanged: true }]),
    '/v1/fqdn/cache': '[]',
  };
  const serve = (path: string, answer: (url: string, response: ServerResponse) => void): Server =>
    createServer(({ url = '' }, response) => {
      asked.push(url);
      answer(url, response);
    }).listen(path);
  const servers = [
    serve(agentSocket(runDir), (url, response) => void response.end(answers[url])),
    serve(hubbleSocket(runDir), (_, response) => void response.end(lines(DENIED.map((flow: Flow) => ({ flow }))))),
  ];
  const deaths: string[] = [];
  const desk = new JudgeDesk({ runDir, onDeath: (reason) => deaths.push(reason), ...limits });
  t.teardown(() => {
    desk.stop();
    for (const server of servers) server.close();
    rmSync(runDir, { recursive: true });
  });
  const raw: Rig['raw'] = (question, body, gone = new AbortController().signal) =>
    desk.ask(question, Buffer.from(body), gone);
  const ask: Rig['ask'] = async (question, body, gone) => {
    const { status, text } = await raw(question, JSON.stringify(body), gone);
    if (status !== 200) throw new Error(`${status} ${text}`);
    return JSON.parse(text) as never;
  };
  return { desk, deaths, asked, ask, raw };
}

t.test('each question is answered by the world and the flows of the agent', async (t) => {
  const { ask, raw, asked } = await rig(t);
  const query = { from: { pod: 'shop/web-0' }, to: { pod: 'shop/api-0' }, port: 80 };
  const why = await ask('explain', { query });
  t.match(why, { verdict: 'denied', ingress: { policies: ['NetworkPolicy/shop/api'] } });
  t.match(why.explanation[1].decidedBy, [{ file: 'shop.yaml', name: 'api' }]);
  t.match(why.patch, [{ name: 'NetworkPolicy/shop/api', diff: /^\+ +app: web$/m }]);
  const flow = DENIED.find(({ verdict }) => verdict === 'DROPPED');
  const told = await ask('explain', { flow: { flow, node_name: 'n' } });
  t.match(told, { verdict: 'denied', flow: { verdict: 'DROPPED' }, patch: [{ diff: /app: web/ }] });
  t.equal((await ask('explain', { query, manifests: OPEN })).verdict, 'allowed', 'with another policy laid over it');
  t.equal(
    (await ask('explain', { query, remove: [{ kind: 'NetworkPolicy', namespace: 'shop', name: 'api' }] })).verdict,
    'allowed',
  );
  t.same(
    asked.filter((url) => url.startsWith('/v1/world')),
    ['/v1/world', ...Array<string>(3).fill('/v1/world?unless=1.1')],
  );

  t.match(await ask('validate', { manifests: OPEN }), {
    valid: true,
    problems: [],
    documents: [{ document: 'NetworkPolicy/shop/api' }],
  });
  const wrong = await ask('validate', { manifests: OPEN.replace('podSelector: {', 'podSelecter: {'), file: 'editor' });
  t.match(
    wrong.problems.find(({ severity }) => severity === 'error'),
    { file: 'editor', line: 5, column: 3, hint: 'did you mean "podSelector"?' },
  );
  const lonely = await ask('validate', { manifests: CLOSED.replace('app: api', 'app: nobody') });
  t.match(lonely, { valid: true, problems: [{ code: 'selects-nothing', file: 'manifests' }] });
  t.match(await ask('validate', { manifests: 'a: [' }), { valid: false });

  const replayed = await ask('replay', { manifests: OPEN, since: '1h' });
  t.match(replayed, {
    counts: { 'denied -> allowed': 2 },
    changed: [{ before: 'denied', after: 'allowed', port: 80 }],
    isCut: false,
  });
  t.match(await ask('replay', { since: '1h' }), { changed: [] }, 'as the agent has it, nothing changes');
  t.equal(asked.filter((url) => url.startsWith('/v1/flows')).length, 1, 'the flows are read once for both');
  t.match(
    asked.find((url) => url.startsWith('/v1/flows')),
    /since=20.*last=500000/,
  );

  const made = await ask('generate', { since: '1h', includeDenied: true, kind: 'NetworkPolicy', direction: 'ingress' });
  t.match(made, { yaml: /kind: NetworkPolicy/, proof: { denied: [], connections: 1 }, policies: [{}] });
  const { rows } = await ask('matrix', { port: ['80'], from: ['shop/web-0'], to: ['app=api'] });
  t.same(rows, [{ from: 'shop/web-0', to: 'shop/api-0', port: 80, protocol: 'TCP', verdict: 'deny' }]);
  t.match(await ask('lint', {}), { problems: [] });
  t.match(await ask('selected', {}), { policies: [{ name: 'api', pods: ['shop/api-0'] }], selectors: [{}] });

  const bad: [question: string, body: string, wanted: RegExp][] = [
    ['nosuch', '{}', /no such question/],
    ['constructor', '{}', /no such question/],
    ['explain', '', /JSON/],
    ['explain', '[]', /wanted an object/],
    ['explain', '{"__proto__":{"query":1}}', /found '__proto__'/],
    ['explain', '{"query":{"from":{"pod":"a/b"},"to":{"pod":"c/d"},"port":1}}', /no such pod/],
    ['explain', '{"flow":{"verdict":1}}', /found|wanted/],
    ['explain', '{"manifests":1}', /wanted a text/],
    ['replay', '{"since":"yesterday"}', /yesterday/],
    ['replay', '{"manifests":"kind: NetworkPolicy"}', /the manifests are invalid/],
    ['replay', '{"remove":[{"kind":1}]}', /wanted \{"kind"/],
    ['matrix', '{"by":"colour"}', /wanted pod, workload or identity/],
    ['matrix', '{"to":["app in ("]}', /parse label selector/],
    ['generate', '{"kind":"Secret"}', /wanted CiliumNetworkPolicy, NetworkPolicy/],
  ];
  for (const [question, body, wanted] of bad) {
    const { status, text } = await raw(question, body);
    t.ok(status === 400 || status === 404, `${question} ${body}: ${status}`);
    t.match((JSON.parse(text) as { error: string }).error, wanted, `${question} ${body}`);
  }
});

t.test('hostile manifests cost a question, and the next one is answered', async (t) => {
  const { ask, raw, deaths } = await rig(t, { heapMib: 160, quickMs: 3000 });
  await ask('lint', {});
  const names = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j'];
  const tenfold = names.slice(1).map((name, i) => `${name}: &${name} [${Array(9).fill(`*${names[i]}`).join()}]`);
  const bomb = ['a: &a [x, x, x, x, x, x, x, x]', ...tenfold, ''].join('\n');
  const many = (one: string): string => CLOSED + '  ingress:\n' + one.repeat(Math.floor(3_900_000 / one.length));
  const texts: Readonly<Record<string, string>> = {
    'a bomb of aliases': bomb,
    'deep lists': '['.repeat(1_000_000),
    'a million rules': many('  - {}\n'),
    'keys of objects': '{__proto__: {a: 1}, constructor: {prototype: 1}}',
    'a pattern that never ends': `apiVersion: cilium.io/v2\nkind: CiliumNetworkPolicy\nmetadata: {name: a, namespace: shop}\nspec: {endpointSelector: {}, ingress: [{toPorts: [{ports: [{port: "80", protocol: TCP}], rules: {http: [{path: "(${'(a*)*'.repeat(2000)})*b"}]}}]}]}\n`,
  };
  for (const [name, manifests] of Object.entries(texts)) {
    const { status, text } = await raw('validate', JSON.stringify({ manifests }));
    t.ok([200, 503].includes(status), `${name}: ${status} ${text.slice(0, 150)}`);
    t.match(await ask('validate', { manifests: OPEN }), { valid: true }, `after ${name}`);
  }
  t.comment(`judges that died: ${deaths.join('; ')}`);
});

t.test('a late answer, and one that needs too much memory, end the judge and nothing else', async (t) => {
  const heavy = { manifests: CLOSED + '  ingress:\n' + '  - {ports: [{port: 1}]}\n'.repeat(150_000) };
  const late = await rig(t, { quickMs: 300 });
  t.match(await late.raw('validate', JSON.stringify(heavy)), { status: 503, text: /no answer within 0.3 s/ });
  t.same(late.deaths, ['no answer within 0.3 s']);
  const large = await rig(t, { heapMib: 24, quickMs: 120_000 }); // collecting garbage in vain takes a while
  t.match(await large.raw('validate', JSON.stringify(heavy)), {
    status: 503,
    text: /died of this question: out of memory/,
  });
  t.equal(large.desk.counts.deaths, 1);
});

t.test('the queue has an end, quick questions go first, and nobody answers who has gone', async (t) => {
  const { ask, raw, desk } = await rig(t);
  await ask('lint', {});
  const order: string[] = [];
  const gone = new AbortController();
  const heavy = JSON.stringify({ manifests: CLOSED + '  ingress:\n' + '  - {}\n'.repeat(20_000) });
  const first = raw('lint', heavy).then(() => order.push('first'));
  const slow = raw('lint', '{}').then(() => order.push('slow'));
  void raw('validate', heavy, gone.signal).then(() => order.push('gone'));
  const quick = raw('validate', '{}').then(() => order.push('quick'));
  gone.abort();
  t.equal(desk.counts.waiting, 2);
  await Promise.all([first, slow, quick]);
  t.same(order, ['first', 'quick', 'slow']);
  const many = Array.from({ length: 20 }, () => raw('lint', '{}'));
  const statuses = (await Promise.all(many)).map(({ status }) => status);
  t.same(statuses.filter((one) => one === 503).length, 3, 'one is asked, 16 wait');
});

t.test('a judge goes with whoever started it', async (t) => {
  const { ask, desk } = await rig(t);
  await ask('lint', {});
  const children = (): string => readFileSync(`/proc/self/task/${process.pid}/children`, 'utf8').trim();
  const pid = children();
  t.match(pid, /^\d+$/);
  t.match(readFileSync(`/proc/${pid}/oom_score_adj`, 'utf8'), '900');
  desk.stop();
  await waitFor('the end of the judge', () => children() === '');
});
