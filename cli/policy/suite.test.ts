/** `sluice policy test`. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { folder, policy } from '../../test/policy/offline.ts';

t.test('policy test runs test files, shows failures as diffs and rules that decided nothing', async (t) => {
  const file = join(folder, 'shop.test.yaml');
  writeFileSync(
    file,
    `name: shop
world: [world/pods.yaml]
policies: [world/sub]
tests:
  - name: reads offers
    from: shop/web-0
    to: shop/api-0
    port: 8080
    http: { path: /offers }
    verdict: allowed
    ingress: redirected
    by: CiliumNetworkPolicy/shop/api
  - name: wrongly expected
    from: world
    to: shop/api-0
    port: 8080
    verdict: allowed
    by: [CiliumNetworkPolicy/shop/none]
`,
  );
  const junit = join(folder, 'report.xml');
  const { code, stdout } = await policy(['test', file, '--junit', junit]);
  t.equal(code, 1);
  t.match(
    stdout,
    /^TAP version 14\n1\.\.1\n# Subtest: shop\n {4}1\.\.2\n {4}ok 1 - reads offers\n {4}not ok 2 - wrongly expected\n/,
  );
  t.match(stdout, `at: ${file}:13`);
  t.match(
    stdout,
    '        -verdict: allowed\n        +verdict: denied\n        -by: CiliumNetworkPolicy/shop/none\n        +by: CiliumNetworkPolicy/shop/api',
  );
  t.match(stdout, /# rule never decided any case: CiliumNetworkPolicy\/shop\/api spec\.ingress\[2\]/);
  t.match(stdout, /# 1 passed, 1 failed; 2 of 9 rules decided a case\n$/);
  t.match(readFileSync(junit, 'utf8'), /<testsuite name="shop" tests="2" failures="1">/);
  t.match(JSON.parse((await policy(['test', folder, '-o', 'json'])).stdout), [{ name: 'shop', rules: 9 }]);
  writeFileSync(file, 'tests: [{ from: world, to: host, port: 1 }]');
  t.match(await policy(['test', file]), {
    code: 1,
    stderr: /:1:9: error: read tests\[0\]: found no verdict, wanted one/,
  });
  writeFileSync(file, 'test: []');
  t.match(await policy(['test', file]), {
    code: 1,
    stderr:
      /:1:1: error: read document: found unknown field "test", [^]*did you mean "tests"\?[^]*found no tests, wanted one/,
  });
  writeFileSync(file, 'tests: [{ from: world, to: host, port: 1, verdict: allow }]');
  t.match(await policy(['test', file]), {
    code: 1,
    stderr: /:1:52: error: read verdict: found "allow", wanted one of allowed, denied/,
  });
});

t.test('policy test knows addresses of names, and pods by namespace and labels', async (t) => {
  const file = join(folder, 'names.test.yaml');
  writeFileSync(
    file,
    `policies:
  - apiVersion: cilium.io/v2
    kind: CiliumNetworkPolicy
    metadata: { name: names, namespace: lab }
    spec: { endpointSelector: { matchLabels: { app: a } }, egress: [{ toFQDNs: [{ matchPattern: "*.example.com" }] }] }
names: { api.example.com: [203.0.113.80] }
tests:
  - { from: lab/app=a, to: 203.0.113.80, port: 443, verdict: allowed, by: CiliumNetworkPolicy/lab/names }
  - { from: lab/app=a, to: 203.0.113.81, port: 443, verdict: denied }
  - { from: app=a, to: 203.0.113.81, port: 443, verdict: allowed }
`,
  );
  const { code, stdout } = await policy(['test', file]);
  t.equal(code, 0, stdout);
  writeFileSync(file, 'names: { a.example: 1 }\ntests: []');
  t.match(await policy(['test', file]), {
    code: 1,
    stderr: /:1:21: error: read names\["a\.example"\]: found the number 1, wanted a list/,
  });
});

t.test('policy test --coverage fails for a rule that decided nothing', async (t) => {
  const file = join(folder, 'coverage.test.yaml');
  const flow = 'from: shop/web-0, to: shop/api-0, port: 8080';
  writeFileSync(file, `world: [world/pods.yaml]\npolicies: [world/sub]\ntests: [{ ${flow}, verdict: allowed }]\n`);
  t.equal((await policy(['test', file])).code, 0);
  t.equal((await policy(['test', file, '--coverage'])).code, 1);
});
