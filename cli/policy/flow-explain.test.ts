/** `sluice flows explain`. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { stringify } from 'yaml';
import { run } from '../program.ts';
import { testHost } from '../../test/cli-host.ts';
import { type Outcome, policy, world } from '../../test/policy/offline.ts';
import { flowsOf, podEnd, worldEnd } from '../../test/recorded-flows.ts';

const namespaceLabels = { team: 'a' };
const web = podEnd('shop/web-0', { app: 'web' }, { namespaceLabels });
const api = podEnd('shop/api-0', { app: 'api' }, { id: 2, ip: '10.0.0.2' });
const job = podEnd('batch/job-0', { app: 'job' }, { id: 3, ip: '10.0.0.3' });
const [denied] = flowsOf({ from: web, to: job, port: 80, droppedBy: 'egress' });
const dropped = {
  ...denied,
  uuid: 'b0000000-0000-4000-8000-000000000001',
  egress_denied_by: [{ kind: 'NetworkPolicy', namespace: 'shop', name: 'web' }],
};

async function flows(argv: readonly string[], stdin = ''): Promise<Outcome> {
  const { host, stdout, stderr } = testHost(stdin);
  const code = await run(['flows', 'explain', ...argv], host);
  return { code, stdout: stdout(), stderr: stderr() };
}

const folder = mkdtempSync(join(tmpdir(), 'sluice-flows-'));
t.teardown(() => rmSync(folder, { recursive: true }));
const file = join(folder, 'flows.json');
const lines = [...flowsOf({ from: web, to: api, port: 8080 }), dropped].map((flow) => JSON.stringify({ flow }));
writeFileSync(file, lines.join('\n'));

t.test('a flow is looked up by its UUID and explained, with a patch that patch(1) and apply take', async (t) => {
  const { stdout, code } = await flows([dropped.uuid, '--input-file', file, '-m', world]);
  t.equal(code, 0);
  t.match(stdout, /^Jan {2}2 03:04:05\.006: shop\/web-0:40000 .* policy-verdict:none EGRESS DENIED/);
  t.match(stdout, /egress is closed by NetworkPolicy\/shop\/web spec \(.*policies\.yaml:\d+\)/);
  t.match(stdout, 'verdict: denied');
  t.notMatch(stdout, 'since it was recorded');
  t.match(stdout, /\n--- NetworkPolicy\/shop\/web \(.*policies\.yaml:\d+\)\n\+\+\+ NetworkPolicy\/shop\/web\n@@ /);

  const [{ before, after }] = JSON.parse(
    (await flows(['--flow', '-', '-m', world, '-o', 'json'], lines.at(-1))).stdout,
  ).patch;
  const old = join(folder, 'old.yaml');
  const text = (object: object): string => stringify(object, { lineWidth: 0, aliasDuplicateObjects: false });
  writeFileSync(old, text(before));
  execFileSync('patch', ['-s', old], { input: stdout.slice(stdout.indexOf('\n--- NetworkPolicy') + 1) });
  t.equal(execFileSync('cat', [old], { encoding: 'utf8' }), text(after), 'patch(1) makes of the one the other');

  const patch = await flows([dropped.uuid, '--input-file', file, '-m', world, '--patch']);
  t.equal(patch.stdout, text(after));
  const mended = join(folder, 'mended.yaml');
  writeFileSync(mended, patch.stdout);
  const flow = ['--from', 'shop/web-0', '--to', 'batch/job-0', '--port', '80'];
  const verdict = await policy(['verdict', '-m', join(world, 'pods.yaml'), '-m', mended, ...flow]);
  t.match(verdict.stdout, 'verdict: allowed');
});

t.test('what has changed since is told: the verdict, the policies, the labels', async (t) => {
  const other = {
    ...dropped,
    egress_denied_by: [{ kind: 'CiliumNetworkPolicy', namespace: 'shop', name: 'gone' }],
    source: podEnd('shop/web-0', { app: 'web', tier: 'front' }, { namespaceLabels }).endpoint,
  };
  const { stdout } = await flows(['--flow', JSON.stringify(other), '-m', world]);
  t.match(stdout, 'egress was decided by CiliumNetworkPolicy/shop/gone, and is by NetworkPolicy/shop/web now\n');
  t.match(stdout, 'shop/web-0 has other labels now: without k8s:tier=front\n');
  const passed = { ...dropped, verdict: 'FORWARDED' };
  t.match(
    (await flows(['--flow', JSON.stringify(passed), '-m', world])).stdout,
    'it was allowed when it was recorded, and would be denied now\n',
  );
});

t.test('a pod that is gone is asked about by the labels of the flow', async (t) => {
  const gone = podEnd('shop/web-7', { app: 'web' });
  const [flow] = flowsOf({ from: gone, to: job, port: 80, droppedBy: 'egress' });
  const { stdout } = await flows(['--flow', JSON.stringify(flow), '-m', world]);
  t.match(
    stdout,
    /egress of k8s:app=web,.*: .*\n {2}no entry matches\n {2}egress is closed by NetworkPolicy\/shop\/web/,
  );
});

t.test('what cannot be explained is said', async (t) => {
  const [allowed] = flowsOf({ from: worldEnd('203.0.113.9'), to: api, port: 9 });
  const [args, one] = [['-m', world], JSON.stringify(allowed)];
  t.match(await flows(['--flow', one, '--patch', ...args]), { code: 1, stderr: /there is nothing to change/ });
  t.match(await flows(['x', '--input-file', file, ...args]), { code: 1, stderr: /has none of this UUID/ });
  t.match(await flows(args), { code: 2, stderr: /wanted the UUID of a flow/ });
  t.match(await flows(['x', '--flow', one, ...args]), { code: 2, stderr: /wanted the UUID of a flow/ });
  t.match(await flows(['--flow', '{"a":', ...args]), { code: 1, stderr: /read flow --flow/ });
  t.match(await flows(['--flow', '-', ...args], '[]'), { code: 1, stderr: /wanted a flow as JSON/ });
});
