/** `sluice policy replay`. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { folder, policy } from '../../test/policy/offline.ts';
import { flowsOf, podEnd, worldEnd } from '../../test/recorded-flows.ts';

const web = podEnd('shop/web-0', { app: 'web' }, { workload: 'web', namespaceLabels: { team: 'red' } });
const api = podEnd('shop/api-0', { app: 'api' }, { id: 2, ip: '10.0.0.2' });
const http = (url: string) => ({ http: { method: 'GET', url } });
const FLOWS = [
  { from: web, to: api, port: 80 },
  { from: web, to: api, port: 81 },
  { from: web, to: api, port: 82, droppedBy: 'ingress' },
  { from: web, to: api, port: 80, request: http('http://api/x') },
  { from: web, to: api, port: 80, request: http('http://api/y') },
  { from: worldEnd('192.0.2.1'), to: api, port: 80 },
] as const;
const flows = join(folder, 'flows.json');
const text = FLOWS.flatMap(flowsOf)
  .map((flow) => `${JSON.stringify({ flow, node_name: 'n', time: flow.time })}\n`)
  .join('');
writeFileSync(flows, text);

function policyFile(name: string, ingress: string): string {
  const path = join(folder, 'replay', `${name}.yaml`);
  mkdirSync(join(folder, 'replay'), { recursive: true });
  writeFileSync(
    path,
    `apiVersion: cilium.io/v2
kind: CiliumNetworkPolicy
metadata: { name: ${name}, namespace: shop }
spec: { endpointSelector: { matchLabels: { app: api } }, ingress: [${ingress}] }
`,
  );
  return path;
}

const narrow = policyFile(
  'narrow',
  '{ fromEndpoints: [{ matchLabels: { app: web } }], toPorts: [{ ports: [{ port: "80", protocol: TCP }], rules: { http: [{ path: /x }] } }] }',
);
const wide = policyFile('wide', '{ fromEndpoints: [{}] }');
const team = policyFile(
  'team',
  '{ fromEndpoints: [{ matchLabels: { "k8s:io.cilium.k8s.namespace.labels.team": red } }] }',
);

t.test('policy replay tells what would be denied that passed, by which policy, and ends with 1', async (t) => {
  const { stdout, code } = await policy(['replay', '--flows', flows, '--policies', narrow]);
  const by = 'CiliumNetworkPolicy/shop/narrow';
  t.match(stdout, new RegExp(`allowed -> denied +3 +shop/web +shop/api +81/TCP +${by}\n`));
  t.match(stdout, new RegExp(`allowed -> denied +1 +shop/web +shop/api +80/TCP +GET /y +${by}\n`));
  t.match(stdout, new RegExp(`allowed -> denied +2 +192.0.2.1 +shop/api +80/TCP +${by}\n`));
  t.notMatch(stdout, 'GET /x');
  t.match(stdout, '6 would be denied that were allowed, 0 allowed that were denied; 10 stay allowed, 2 denied\n');
  t.match(stdout, 'not judged: 5 a reply\n');
  t.equal(code, 1);
});

t.test('policy replay against other policies compares the two, not what was recorded', async (t) => {
  const { stdout, code } = await policy(['replay', '--flows', flows, '--policies', wide, '--against', narrow]);
  t.match(stdout, /denied -> allowed +3 +shop\/web +shop\/api +81\/TCP +CiliumNetworkPolicy\/shop\/wide\n/);
  t.match(stdout, /denied -> allowed +2 +shop\/web +shop\/api +82\/TCP/);
  t.match(stdout, '0 would be denied that were allowed, 6 allowed that were denied; 10 stay allowed, 2 denied\n');
  t.equal(code, 0);
  const strict = ['replay', '--flows', flows, '--policies', wide, '--against', narrow, '--fail-on', 'any'];
  t.equal((await policy(strict)).code, 1);
  const lax = await policy(['replay', '--flows', '-', '--policies', narrow, '--fail-on', 'never'], text);
  t.equal(lax.code, 0);
});

t.test('labels of namespaces are those of the flows', async (t) => {
  const { stdout } = await policy(['replay', '--flows', flows, '--policies', team, '-o', 'json']);
  const answer = JSON.parse(stdout);
  t.same(answer.counts, { 'allowed -> allowed': 14, 'denied -> allowed': 2, 'allowed -> denied': 2 });
  t.match(
    answer.changed.map((one: { from: unknown; after: string }) => [one.after, one.from]),
    [
      ['denied', { ip: '192.0.2.1' }],
      ['allowed', { labels: [/app=web/, /serviceaccount/], namespace: 'shop' }],
    ],
  );
  t.same(answer.unjudged, { 'a reply': 5 });
});

t.test('two pods of the same labels are judged, unlike one that talks to itself', async (t) => {
  const other = podEnd('shop/api-1', { app: 'api' }, { id: 3, ip: '10.0.0.3' });
  const talk = flowsOf({ from: api, to: other, port: 9 }).map((flow) => JSON.stringify({ flow }));
  const { stdout } = await policy(['replay', '--flows', '-', '--policies', narrow], talk.join('\n'));
  t.match(stdout, /allowed -> denied +3 +shop\/api +shop\/api +9\/TCP/);
});

t.test('what cannot be read is told', async (t) => {
  const broken = await policy(['replay', '--flows', '-', '--policies', narrow], `${text}{"flow":\n`);
  t.match(broken.stderr, 'warning: read flows of -: found 1 line without a flow, the first at 24: left out');
  const empty = await policy(['replay', '--flows', '-', '--policies', narrow], '\n');
  t.match(empty, { code: 1, stderr: /read flows of -: found none, wanted at least one/ });
  const lost = JSON.stringify({ lost_events: { source: 'HUBBLE_RING_BUFFER', num_events_lost: '9' } });
  const gaps = await policy(['replay', '--flows', '-', '--policies', narrow], `${lost}\n${text}`);
  t.match(gaps.stderr, 'warning: the recording has gaps: 9 events lost');
  const bad = policyFile('bad', '{ fromNobody: [{}] }');
  t.match(await policy(['replay', '--flows', flows, '--policies', bad]), {
    code: 1,
    stderr: /the manifests are invalid/,
  });
  t.match(await policy(['replay', '--flows', '/nowhere', '--policies', wide]), { code: 1, stderr: /ENOENT/ });
  const since = await policy(['replay', '--flows', flows, '--since', '1h', '--policies', wide]);
  t.match(since, { code: 2, stderr: /found --since or --until with a file/ });
});
