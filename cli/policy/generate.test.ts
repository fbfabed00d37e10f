/** `sluice policy generate`: what it prints, and that what it prints does what it should. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { folder, policy } from '../../test/policy/offline.ts';
import { flowsOf, podEnd, worldEnd } from '../../test/recorded-flows.ts';

const web = podEnd('shop/web-0', { app: 'web' }, { workload: 'web' });
const api = podEnd('shop/api-0', { app: 'api' }, { id: 2, ip: '10.0.0.2' });
const TALKS = [
  { from: web, to: api, port: 80, request: { http: { method: 'GET', url: 'http://api/offers' } } },
  { from: web, to: api, port: 5432, droppedBy: 'ingress' },
  { from: web, to: worldEnd('192.0.2.1'), port: 443 },
  { from: web, to: api, port: 8, protocol: 'ICMPv4' },
] as const;
const flows = join(folder, 'generate.json');
writeFileSync(
  flows,
  TALKS.flatMap(flowsOf)
    .map((flow) => `${JSON.stringify({ flow, node_name: 'n', time: flow.time })}\n`)
    .join(''),
);

t.test('policy generate prints policies that validate, and says what it made of the flows', async (t) => {
  const { stdout, stderr, code } = await policy(['generate', '--from-flows', flows]);
  t.equal(code, 0);
  t.equal(
    stderr,
    '2 policies, 5 rules\n' +
      'judged again: 9 flows of 4 connections, 0 denied\n' +
      'left out: 3 a reply, 2 dropped by policy\n',
  );
  t.match(
    stdout,
    /^# Out of recorded flows of shop\/api\n# Allowed besides what was recorded:\n#   HTTP requests pass by method/,
  );
  const file = join(folder, 'generated.yaml');
  writeFileSync(file, stdout);
  t.match((await policy(['validate', file])).stdout, 'valid: 2 documents in 1 file: 0 errors, 0 warnings');
  const replayed = await policy(['replay', '--flows', flows, '--policies', file, '--fail-on', 'any']);
  t.match(replayed, {
    code: 0,
    stdout: /0 would be denied that were allowed, 0 allowed that were denied; 9 stay allowed, 2 denied/,
  });
});

t.test('policy generate ends with 1 when a kind of policy cannot say what was recorded', async (t) => {
  const { stdout, stderr, code } = await policy(['generate', '--from-flows', flows, '--kind', 'NetworkPolicy']);
  t.equal(code, 1);
  t.match(stdout, '# Recorded, and not allowed, since a NetworkPolicy cannot say it:\n#   ICMP\n');
  t.match(stderr, 'error: not allowed: shop/web to shop/api ICMP type 8\n');
});

t.test('policy generate -o json is a list that apply takes, and flags narrow it', async (t) => {
  const only = ['-n', 'shop', '--direction', 'ingress', '--include-denied', '-o', 'json'];
  const { stdout } = await policy(['generate', '--from-flows', flows, ...only]);
  const { kind, items } = JSON.parse(stdout);
  t.equal(kind, 'List');
  t.same(
    items.map((item: { metadata: { name: string } }) => item.metadata.name),
    ['recorded-api', 'recorded-web'],
  );
  t.match(stdout, '"5432"');
  const none = await policy(['generate', '--from-flows', flows, '-n', 'bank']);
  t.match(none, { code: 1, stderr: /found nothing to make them of/ });
});
