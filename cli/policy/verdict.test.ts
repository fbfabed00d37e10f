/** `sluice policy verdict`: its flags. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { folder, PODS, POLICIES, policy, verdicts, web, world } from '../../test/policy/offline.ts';

/** A request that a policy refuses, in flags. */
const FLOW = [
  'verdict',
  '-m',
  world,
  '--from',
  'shop/web-0',
  '--to',
  'shop/api-0',
  '--port',
  '8080',
  '--http-path',
  '/x',
];

t.test('policy verdict follows --semantics and --config', async (t) => {
  const query = { from: web, to: { pod: 'batch/job-0' }, port: 80 };
  const config = join(folder, 'sluice.yaml');
  writeFileSync(config, 'name: x\npolicy: { enable-policy: never, enable-l7-proxy: "true" }\n');
  t.match(await verdicts([query], '--config', config), [{ verdict: 'allowed', egress: { enforced: false } }]);
  writeFileSync(
    config,
    'kind: ConfigMap\ndata: { policy-audit-mode: "true", enable-ipv4: "true", enable-ipv6: "true" }\n',
  );
  t.match(await verdicts([query], '--config', config), [
    { verdict: 'allowed', egress: { verdict: 'allowed', reason: 133, audited: true } },
  ]);
  for (const [text, why] of [
    ['labels: ["("]', ':1:9: error: read labels: found "(", wanted [source:][!] and a regular expression'],
    ['cluster-name: {a: b}', ':1:15: error: read cluster-name: found {"a":"b"}, wanted a text'],
    ['dual-stack: [true]', ':1:13: error: read dual-stack: found [true], wanted true or false'],
    ['enable-l7-proxy: perhaps', ':1:18: error: read enable-l7-proxy: found "perhaps", wanted true or false'],
    [
      'policy: { enable-policy: maybe }',
      ':1:26: error: read enable-policy: found "maybe", wanted one of default, always, never',
    ],
    ['policy-cidr-match-mode: [nodes, cars]', 'read policy-cidr-match-mode: found "cars", wanted one of nodes, pods'],
  ]) {
    writeFileSync(config, text);
    const { code, stderr } = await policy(['verdict', '-m', world, '--config', config, '--queries', '-']);
    t.equal(code, 1);
    t.match(stderr, why);
  }
});

t.test('policy verdict of one flow in flags is text, or a document', async (t) => {
  t.equal(
    (await policy(FLOW)).stdout,
    [
      'verdict: denied',
      'egress:  allowed L3-L4 by NetworkPolicy/shop/web',
      'ingress: redirected L3-L4 by CiliumNetworkPolicy/shop/api',
      'l7:      denied',
      '',
    ].join('\n'),
  );
  t.match(JSON.parse((await policy([...FLOW, '-o', 'json', '--header', 'A=b'])).stdout), {
    verdict: 'denied',
    l7: 'denied',
  });
  t.match(await policy(['verdict', '-m', world, '--from', 'shop/web-0']), { code: 2, stderr: /found no --to/ });
  const alone = ['verdict', '--run-dir', '/run/slno-such-agent', '--from', 'a/b', '--to', 'a/b', '--port', '1'];
  t.match(await policy(alone), {
    code: 3,
    stderr: /policy verdict: wanted --manifests PATH, or a running agent to ask: connect .*ENOENT: is sluiced running/,
  });
  t.match(await policy([...alone, '--semantics', 'kubernetes']), {
    code: 2,
    stderr: /wanted --manifests PATH with it/,
  });
  t.match(await policy(['verdict', '-m', world, '--from', 'a/b', '--to', 'a/b', '--port', '1']), { code: 1 });
  t.match(await policy(['verdict', '-m', '/nowhere', '--queries', '-']), { code: 1, stderr: /read \/nowhere: ENOENT/ });
  t.match(await policy(['verdict', '-m', world, '--queries', '/nowhere']), { code: 1, stderr: /--queries/ });
});

t.test('policy verdict --expect ends with 1 when the verdict is another', async (t) => {
  t.match(await policy([...FLOW, '--expect', 'denied']), { code: 0, stderr: '' });
  t.match(await policy([...FLOW, '--expect', 'allowed']), {
    code: 1,
    stderr: 'error: verdict: found denied, wanted allowed\n',
  });
  t.match(await policy([...FLOW, '--expect', 'maybe']), { code: 2, stderr: /see `sluice policy verdict --help`/ });
  const queries = join(folder, 'expect.jsonl');
  writeFileSync(queries, `{"id":5,"from":{"pod":"shop/web-0"},"to":{"pod":"shop/api-0"},"port":1}\n{\n`);
  const many = await policy(['verdict', '-m', world, '--queries', queries, '--expect', 'allowed']);
  t.match(many, { code: 1, stderr: /^error: verdict of query 5: found denied.*\nerror: verdict: found error/ });
});

t.test('policy verdict says what is missing or no end', async (t) => {
  t.match(await policy(['verdict', '-m', world, '--from', 'shop/web-0', '--port', '1']), {
    code: 2,
    stderr: /found no --to, wanted --to with NAMESPACE\/POD/,
  });
  const bare = await policy(['verdict', '-m', world, '--from', 'web', '--to', 'shop/api-0', '--port', '1']);
  t.match(bare, { code: 1, stderr: /found 'web'.*a pod is namespace\/name: default\/web/ });
});

t.test('policy verdict reads paths as the annotation of the policy says', async (t) => {
  const manifests = join(folder, 'paths');
  mkdirSync(manifests);
  writeFileSync(join(manifests, 'pods.yaml'), PODS);
  const query = { from: web, to: { pod: 'shop/api-0' }, port: 8080, http: { path: '/offers/..%2fadmin' } };
  for (const [value, verdict] of [
    ['true', 'denied'],
    ['false', 'allowed'],
  ]) {
    const annotated = `namespace: shop, annotations: { sluice.io/http-normalize-path: "${value}" }`;
    writeFileSync(
      join(manifests, 'policy.yaml'),
      POLICIES.replace('name: api, namespace: shop', `name: api, ${annotated}`),
    );
    const { stdout } = await policy(['verdict', '-m', manifests, '--queries', '-'], JSON.stringify(query));
    t.match(JSON.parse(stdout), { verdict }, value);
  }
});
