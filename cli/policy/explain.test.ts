/** `sluice policy explain`. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { POLICIES, folder, world, policy } from '../../test/policy/offline.ts';

t.test('policy explain shows candidates, the winner, the rules, and a remedy that works', async (t) => {
  const flow = ['--from', 'shop/web-0', '--to', 'batch/job-0', '--port', '80'];
  const { stdout } = await policy(['explain', '-m', world, ...flow]);
  t.match(
    stdout,
    /egress of shop\/web-0: .*\n {2}no entry matches\n {2}egress is closed by NetworkPolicy\/shop\/web spec \(.*policies\.yaml:\d+\)/,
  );
  t.match(
    stdout,
    /to allow it, add to spec\.egress of NetworkPolicy\/shop\/web .*:\n {4}- to:\n {8}- namespaceSelector/,
  );

  // The remedy, put where it says, makes the flow pass.
  const remedy = /- to:[\s\S]*$/.exec(stdout)?.[0] ?? '';
  const mended = join(folder, 'mended.yaml');
  writeFileSync(
    mended,
    POLICIES.replace('  egress:\n    - to: [{', `  egress:\n    ${remedy.trimEnd()}\n    - to: [{`),
  );
  const { stdout: after } = await policy(['verdict', '-m', join(world, 'pods.yaml'), '-m', mended, ...flow]);
  t.match(after, 'verdict: allowed');

  const denied = await policy([
    'explain',
    '-m',
    world,
    '--from',
    '203.0.113.200',
    '--to',
    'shop/api-0',
    '--port',
    '80',
  ]);
  t.match(denied.stdout, /\* {3}Deny .*the only entry that matches/);
  t.match(denied.stdout, 'replace the deny rule CiliumNetworkPolicy/shop/api spec.ingressDeny[0]');

  const request = ['--from', 'shop/web-0', '--to', 'shop/api-0', '--port', '8080', '--http-path', '/x.y'];
  const document = JSON.parse((await policy(['explain', '-m', world, ...request, '-o', 'json'])).stdout);
  t.match(document, {
    verdict: 'denied',
    explanation: [{ direction: 'egress' }, { candidates: [{ isWinner: true }] }],
  });
  const allowed = await policy(['explain', '-m', world, ...request.slice(0, -1), '/offers']);
  t.match(allowed.stdout, /request: allowed by the L7 rules of CiliumNetworkPolicy\/shop\/api spec\.ingress\[0\]/);
  const open = await policy(['explain', '-m', world, '--from', 'world', '--to', 'batch/job-0', '--port', '80']);

  t.match(open.stdout, /\* {3}Allow +0 any .*allow-any-ingress/, 'what the compiler adds has a name');
  t.match(document.remedies, [
    /add to spec\.ingress\[0\]\.toPorts\[0\]\.rules\.http of CiliumNetworkPolicy\/shop\/api .*\n.*method: GET\n.*path: \/x\\\.y/,
  ]);
});

t.test('policy explain tells a port that TLS interception closes from one that a rule denies', async (t) => {
  const file = join(folder, 'tls.yaml');
  writeFileSync(
    file,
    `apiVersion: cilium.io/v2
kind: CiliumNetworkPolicy
metadata: { name: tls, namespace: batch }
spec:
  endpointSelector: { matchLabels: { app: job } }
  egress:
    - toEntities: [world]
      toPorts: [{ ports: [{ port: "8443", protocol: TCP }], terminatingTLS: { secret: { name: s } }, rules: { http: [{}] } }]
`,
  );
  const flow = ['--from', 'batch/job-0', '--to', 'world', '--port', '8443'];
  const { stdout } = await policy(['explain', '-m', world, '-m', file, ...flow]);
  t.match(
    stdout,
    'to allow it, take terminatingTLS and originatingTLS out of CiliumNetworkPolicy/batch/tls spec.egress[0]',
  );
});

t.test('policy explain takes a recorded flow', async (t) => {
  const flow = {
    flow: {
      time: '2026-01-31T00:00:00Z',
      verdict: 'DROPPED',
      IP: { source: '10.1.0.1', destination: '9.9.9.9', ipVersion: 'IPv4' },
      l4: { TCP: { source_port: 4000, destination_port: 443 } },
      source: { namespace: 'shop', pod_name: 'web-0' },
      destination: { labels: ['reserved:world'] },
    },
  };
  const { code, stdout } = await policy(['explain', '-m', world, '--flow', '-'], JSON.stringify(flow));
  t.equal(code, 0);
  t.match(stdout, /egress of shop\/web-0: shop\/web-0 \(identity \d+\) -> 9\.9\.9\.9/);
  t.match(stdout, 'verdict: denied');
  t.match(await policy(['explain', '-m', world, '--flow', '-'], 'x'), { code: 1, stderr: /read flow/ });
});

t.test('policy explain keeps to the width of a terminal, and loses no word by it', async (t) => {
  const flow = ['explain', '-m', world, '--from', '203.0.113.200', '--to', 'shop/api-0', '--port', '8080'];
  const wide = (await policy(flow)).stdout;
  const narrow = (await policy(flow, '', 80)).stdout;
  t.ok(wide.split('\n').some((line) => line.length > 80));
  const table = narrow.split('\n').filter((line) => /^ {2}/.test(line) && !line.includes(folder));
  t.strictSame(
    table.filter((line) => line.length > 80),
    [],
  );
  t.match(narrow, /\n {2}\* {3}Deny [^\n]*\n {8}the only entry that matches/);
  const words = (text: string) =>
    text
      .split(/\s+/)
      .filter((word) => word !== 'WHY' && word !== 'RULES')
      .toSorted();
  t.strictSame(words(narrow), words(wide));
});
