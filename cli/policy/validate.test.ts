/** `sluice policy validate`. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { PODS, POLICIES, folder, world, policy } from '../../test/policy/offline.ts';

t.test('policy validate reports every problem with its place, in every form', async (t) => {
  const bad = join(folder, 'bad.yaml');
  writeFileSync(
    bad,
    POLICIES.replace('fromCIDR: [203.0.113.0/24]', 'fromCIDR: [203.0.113.0]').replace(
      'protocol: TCP }] }]',
      'protcol: TCP }] }]',
    ),
  );
  const text = await policy(['validate', bad]);
  t.equal(text.code, 1);
  t.match(text.stdout, /bad\.yaml:14:\d+: error: .*203\.0\.113\.0/);
  t.match(text.stdout, /bad\.yaml:13:\d+: error: .*protcol.*protocol/);
  t.match(text.stdout, /invalid: 2 documents in 1 file: 2 errors/);
  const json = JSON.parse((await policy(['validate', '-o', 'json', bad])).stdout);
  t.match(json, { valid: false, problems: [{ severity: 'error' }, { severity: 'error' }] });
  const github = (await policy(['validate', '-o', 'github', bad])).stdout;
  t.match(github, /^::error file=.*bad\.yaml,line=13,col=\d+,title=unknown-field::/);
  const sarif = JSON.parse((await policy(['validate', '-o', 'sarif', bad])).stdout);
  t.match(sarif, { version: '2.1.0', runs: [{ results: [{ ruleId: 'unknown-field', level: 'error' }, {}] }] });
  t.match(await policy(['validate', world]), {
    code: 0,
    stdout: /^valid: 10 documents in 2 files: 0 errors, 0 warnings\n$/,
  });
});

t.test('policy validate warns of a file without a document', async (t) => {
  const empty = join(folder, 'empty.yaml');
  for (const text of ['', '\n', '# nothing yet\n---\n']) {
    writeFileSync(empty, text);
    const { code, stdout } = await policy(['validate', empty]);
    t.equal(code, 0);
    t.match(stdout, /empty\.yaml:1:1: warning: read manifest: found no document, wanted at least one/);
    t.match(await policy(['validate', '--strict', empty]), { code: 1 });
  }
});

t.test('policy validate warns of what only shows when documents are seen together', async (t) => {
  const odd = join(folder, 'odd.yaml');
  writeFileSync(
    odd,
    `
apiVersion: cilium.io/v2
kind: CiliumNetworkPolicy
metadata: { name: nobody, namespace: shop }
spec:
  endpointSelector: { matchLabels: { app: none } }
  ingress: [{ fromEndpoints: [{ matchLabels: { app: web } }] }]
---
apiVersion: cilium.io/v2
kind: CiliumNetworkPolicy
metadata: { name: strangers, namespace: shop }
spec:
  endpointSelector: { matchLabels: { app: api } }
  ingress: [{ fromEndpoints: [{ matchLabels: { app: else } }] }]
---
apiVersion: cilium.io/v2
kind: CiliumNetworkPolicy
metadata: { name: fqdn, namespace: shop }
spec:
  endpointSelector: { matchLabels: { app: web } }
  egress: [{ toFQDNs: [{ matchName: a.example }] }]
---
apiVersion: cilium.io/v2
kind: CiliumNetworkPolicy
metadata: { name: shadowed, namespace: shop }
spec:
  endpointSelector: { matchLabels: { app: web } }
  ingress: [{ fromEndpoints: [{ matchLabels: { app: api } }] }]
  ingressDeny: [{ fromEntities: [all] }]
`,
  );
  const { stdout } = await policy(['validate', '-o', 'json', world, odd]);
  const { problems } = JSON.parse(stdout) as { problems: { code: string; document: string; line: number }[] };
  t.strictSame(
    problems.map(({ code, document }) => `${code} ${document.split('/')[2]}`),
    ['selects-nothing nobody', 'selects-nothing strangers', 'no-dns-rule fqdn', 'no-effect shadowed'],
  );
  t.equal((await policy(['validate', world, odd])).code, 0);
  t.equal((await policy(['validate', '--strict', world, odd])).code, 1);
  t.match((await policy(['validate', '--alone', world, odd])).stdout, /: 0 errors, 0 warnings/);
});

t.test('nothing is judged while a document is invalid, but with --skip-invalid, and the exit code is 1', async (t) => {
  const bad = join(folder, 'half.yaml');
  writeFileSync(
    bad,
    `${PODS}\n---\napiVersion: cilium.io/v2\nkind: CiliumNetworkPolicy\nmetadata: { name: x, namespace: shop }\n`,
  );
  const flow = ['--from', 'shop/web-0', '--to', 'shop/api-0', '--port', '80'];
  const closed = await policy(['verdict', '-m', bad, ...flow, '-o', 'json']);
  t.match(closed, {
    code: 1,
    stdout: /^$/,
    stderr: /half\.yaml:\d+:\d+: error: [^]*judge: found 1 error in the manifests/,
  });
  const queries = await policy(['verdict', '-m', bad, '--queries', '-'], '{"from":{"pod":"shop/web-0"}}');
  t.match(queries, { code: 1, stdout: /^$/ });
  const { code, stdout, stderr } = await policy(['verdict', '-m', bad, '--skip-invalid', ...flow]);
  t.equal(code, 1);
  t.match(stdout, 'verdict: allowed');
  t.match(stderr, /half\.yaml:\d+:\d+: error: /);
});
