/** The offline policy commands over one small world, as command lines. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { run } from '../program.ts';
import { testHost } from '../../test/cli-host.ts';

const PODS = `
apiVersion: v1
kind: Namespace
metadata: { name: shop, labels: { team: a } }
---
apiVersion: v1
kind: Pod
metadata: { name: web-0, namespace: shop, labels: { app: web } }
spec: { nodeName: n1, containers: [] }
status: { podIP: 10.1.0.1 }
---
apiVersion: v1
kind: Pod
metadata: { name: api-0, namespace: shop, labels: { app: api } }
spec:
  nodeName: n2
  containers:
    - { name: api, ports: [{ name: http, containerPort: 8080 }, { name: dns, containerPort: 53, protocol: UDP }] }
status: { podIP: 10.1.0.2 }
---
apiVersion: apps/v1
kind: Deployment
metadata: { name: job, namespace: batch }
spec: { replicas: 2, selector: {}, template: { metadata: { labels: { app: job } }, spec: { containers: [] } } }
---
apiVersion: v1
kind: Pod
metadata: { name: agent, namespace: batch, labels: { app: agent } }
spec: { nodeName: n2, hostNetwork: true, containers: [] }
---
apiVersion: v1
kind: Pod
metadata: { name: client, namespace: outside, annotations: { sluice.io/external: "true" } }
spec: { containers: [] }
status: { podIP: 203.0.113.9 }
---
apiVersion: v1
kind: Node
metadata: { name: n2 }
status: { addresses: [{ type: InternalIP, address: 192.168.0.2 }] }
`;
const POLICIES = `
apiVersion: cilium.io/v2
kind: CiliumNetworkPolicy
metadata: { name: api, namespace: shop }
spec:
  endpointSelector: { matchLabels: { app: api } }
  ingress:
    - fromEndpoints: [{ matchLabels: { app: web } }]
      toPorts:
        - ports: [{ port: "8080", protocol: TCP }]
          rules: { http: [{ method: GET, path: "/offers(/.*)?" }, { path: "/admin(/.*)?", headers: ["X-Key: s"] }] }
    - fromEndpoints: [{ matchLabels: { app: job, "k8s:io.kubernetes.pod.namespace": batch } }]
      toPorts: [{ ports: [{ port: "9000", endPort: 9010, protocol: TCP }] }]
    - fromCIDR: [203.0.113.0/24]
    - icmps: [{ fields: [{ type: 8, family: IPv4 }] }]
  ingressDeny:
    - fromCIDR: [203.0.113.128/25]
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: { name: web, namespace: shop }
spec:
  podSelector: { matchLabels: { app: web } }
  policyTypes: [Egress]
  egress:
    - to: [{ podSelector: { matchLabels: { app: api } } }]
      ports: [{ port: http }]
---
apiVersion: cilium.io/v2
kind: CiliumNetworkPolicy
metadata: { name: names, namespace: batch }
spec:
  endpointSelector: { matchLabels: { app: job } }
  egress:
    - toEntities: [world]
      toPorts: [{ ports: [{ port: "53", protocol: UDP }], rules: { dns: [{ matchPattern: "*.a.example" }] } }]
    - toEntities: [world]
      toPorts: [{ ports: [{ port: "443", protocol: TCP }], serverNames: ["*.b.example", c.example] }]
    - toEntities: [world]
      toPorts:
        - ports: [{ port: "8082", protocol: TCP }]
          rules: { http: [{ host: "db:1" }, { method: ".*", host: "db:1" }, { method: CONNECT, host: "tunnel:1" }] }
`;

const folder = mkdtempSync(join(tmpdir(), 'sluice-policy-test-'));
t.teardown(() => rmSync(folder, { recursive: true }));
mkdirSync(join(folder, 'world', 'sub'), { recursive: true });
writeFileSync(join(folder, 'world', 'pods.yaml'), PODS);
writeFileSync(join(folder, 'world', 'sub', 'policies.yaml'), POLICIES);
const world = join(folder, 'world');

interface Outcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

async function policy(argv: readonly string[], stdin = ''): Promise<Outcome> {
  const { host, stdout, stderr } = testHost(stdin);
  const code = await run(['policy', ...argv], host);
  return { code, stdout: stdout(), stderr: stderr() };
}

/** Answers to queries, one object each. */
async function verdicts(queries: readonly unknown[], ...flags: string[]): Promise<any[]> {
  const lines = queries.map((query) => (typeof query === 'string' ? query : JSON.stringify(query)));
  const { stdout } = await policy(['verdict', '-m', world, '--queries', '-', ...flags], lines.join('\n'));
  return stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
}

const web = { pod: 'shop/web-0' };
const api = { pod: 'shop/api-0' };
const job = { pod: 'batch/job-1' };

interface Case {
  readonly name: string;
  readonly query: unknown;
  readonly want: unknown;
}

const API = ['CiliumNetworkPolicy/shop/api'];
const CASES: readonly Case[] = [
  {
    name: 'an allowed request is redirected at L4 and allowed at L7',
    query: { from: web, to: api, port: 8080, http: { method: 'GET', path: '/offers/1' } },
    want: {
      verdict: 'allowed',
      egress: { verdict: 'allowed', enforced: true, match: 'L3-L4', reason: 0, policies: ['NetworkPolicy/shop/web'] },
      ingress: { verdict: 'redirected', enforced: true, match: 'L3-L4', reason: 0, policies: API },
      l7: 'allowed',
    },
  },
  {
    name: 'a request that no rule allows is denied at L7 only',
    query: { from: web, to: api, port: 8080, http: { method: 'POST', path: '/offers' } },
    want: { verdict: 'denied', ingress: { verdict: 'redirected' }, l7: 'denied' },
  },
  {
    name: 'a path pattern sees the query string',
    query: { from: web, to: api, port: 8080, http: { method: 'GET', path: '/offers?page=2' } },
    want: { verdict: 'denied', l7: 'denied' },
  },
  {
    name: 'a method pattern is for the whole method',
    query: { from: web, to: api, port: 8080, http: { method: 'GETS', path: '/offers' } },
    want: { verdict: 'denied', l7: 'denied' },
  },
  {
    name: 'headers count',
    query: { from: web, to: api, port: 8080, http: { path: '/admin', headers: { 'X-Key': 's' } } },
    want: { verdict: 'allowed', l7: 'allowed' },
  },
  {
    name: 'a path that steps aside is judged in every reading',
    query: { from: web, to: api, port: 8080, http: { path: '/offers/..%2fadmin' } },
    want: { verdict: 'denied', l7: 'denied' },
  },
  {
    name: 'CONNECT needs a rule that names it, though another matches',
    query: { from: job, to: { ip: '198.51.100.1' }, port: 8082, http: { method: 'CONNECT', path: 'db:1' } },
    want: { verdict: 'denied', egress: { verdict: 'redirected' }, l7: 'denied' },
  },
  {
    name: 'another request of the same host passes there',
    query: { from: job, to: { ip: '198.51.100.1' }, port: 8082, http: { host: 'db:1' } },
    want: { verdict: 'allowed', l7: 'allowed' },
  },
  {
    name: 'CONNECT where a rule names it',
    query: { from: job, to: { ip: '198.51.100.1' }, port: 8082, http: { method: 'CONNECT', path: 'tunnel:1' } },
    want: { verdict: 'allowed', l7: 'allowed' },
  },
  {
    name: 'CONNECT whose Host is another than its target is malformed',
    query: {
      from: job,
      to: { ip: '198.51.100.1' },
      port: 8082,
      http: { method: 'CONNECT', path: 'tunnel:1', host: 'other:1' },
    },
    want: { verdict: 'denied', l7: 'denied' },
  },
  {
    name: 'a redirect without a request says none',
    query: { from: web, to: api, port: 8080 },
    want: { verdict: 'allowed', l7: 'none' },
  },
  {
    name: "a port name is the destination pod's",
    query: { from: web, to: api, port: 'http' },
    want: { verdict: 'allowed', ingress: { verdict: 'redirected' } },
  },
  {
    name: 'a port name that the destination has not is an error',
    query: { from: web, to: api, port: 'metrics' },
    want: { verdict: 'error', error: /'metrics': shop\/api-0 has no container port/ },
  },
  {
    name: 'a default deny names the policy that closed the direction',
    query: { from: web, to: job, port: 80 },
    want: {
      verdict: 'denied',
      egress: { verdict: 'denied', enforced: true, match: 'none', reason: 133, policies: ['NetworkPolicy/shop/web'] },
      ingress: { verdict: 'allowed', enforced: false },
      l7: 'none',
    },
  },
  {
    name: 'pods of a Deployment are there, and port ranges match',
    query: { from: { pod: 'batch/job-0' }, to: api, port: 9010 },
    want: { verdict: 'denied', egress: { verdict: 'denied' }, ingress: { verdict: 'allowed', match: 'L3-L4' } },
  },
  {
    name: 'an address has the identity of its longest prefix; deny beats allow',
    query: { from: { ip: '203.0.113.200' }, to: api, port: 1 },
    want: { verdict: 'denied', egress: { enforced: false }, ingress: { reason: 181, policies: API } },
  },
  {
    name: 'an address in the allowed prefix passes',
    query: { from: { ip: '203.0.113.1' }, to: api, port: 1 },
    want: { verdict: 'allowed', ingress: { match: 'L3-only', policies: API } },
  },
  {
    name: 'the address of a pod is that pod',
    query: { from: { ip: '10.1.0.1' }, to: { ip: '10.1.0.2' }, port: 8080 },
    want: { verdict: 'allowed', egress: { policies: ['NetworkPolicy/shop/web'] }, ingress: { verdict: 'redirected' } },
  },
  {
    name: 'entities: the world is closed out, the host is let in',
    query: { from: { entity: 'world' }, to: api, port: 8080 },
    want: { verdict: 'denied', ingress: { reason: 133 } },
  },
  {
    name: 'the host reaches its pods',
    query: { from: { entity: 'host' }, to: api, port: 8080 },
    want: { verdict: 'allowed', ingress: { policies: [] } },
  },
  {
    name: 'the address of a node is the host for the pods of that node',
    query: { from: { ip: '192.168.0.2' }, to: api, port: 8080 },
    want: { verdict: 'allowed' },
  },
  {
    name: 'a pod in the network of its node is the host there, and a remote node elsewhere',
    query: { from: { pod: 'batch/agent' }, to: api, port: 8080 },
    want: { verdict: 'allowed' },
  },
  {
    name: 'a pod that plays the outside is what its address is',
    query: { from: { pod: 'outside/client' }, to: api, port: 1 },
    want: { verdict: 'allowed', egress: { enforced: false }, ingress: { match: 'L3-only', policies: API } },
  },
  {
    name: 'an entity that stands for many is an error',
    query: { from: { entity: 'cluster' }, to: api, port: 1 },
    want: { verdict: 'error', error: /wanted one that a single packet can have/ },
  },
  {
    name: 'labels stand for a pod that does not exist',
    query: { from: { labels: ['k8s:app=web'], namespace: 'shop' }, to: api, port: 8080, http: { path: '/offers' } },
    want: { verdict: 'allowed', egress: { policies: ['NetworkPolicy/shop/web'] }, l7: 'allowed' },
  },
  {
    name: 'labels of another namespace are another pod',
    query: { from: { labels: ['k8s:app=web', 'k8s:io.kubernetes.pod.namespace=else'] }, to: api, port: 8080 },
    want: { verdict: 'denied', egress: { enforced: false }, ingress: { reason: 133 } },
  },
  {
    name: 'ICMP is not a port: only its own rule lets it in',
    query: { from: { labels: ['app=x'], namespace: 'y' }, to: api, icmp: { family: 'IPv4', type: 8 } },
    want: { verdict: 'allowed', ingress: { match: 'L4-only', policies: API } },
  },
  {
    name: 'an ICMP type by name, which no rule allows',
    query: { from: { entity: 'world' }, to: api, protocol: 'ICMP', port: 'Timestamp' },
    want: { verdict: 'denied' },
  },
  {
    name: 'a DNS name that the pattern allows',
    query: { from: job, to: { entity: 'world' }, port: 53, protocol: 'UDP', dns: { query: 'X.a.example.' } },
    want: { verdict: 'allowed', egress: { verdict: 'redirected' }, l7: 'allowed' },
  },
  {
    name: 'a DNS name that it does not',
    query: { from: job, to: { entity: 'world' }, port: 53, protocol: 'UDP', dns: { query: 'x.y.a.example' } },
    want: { verdict: 'denied', l7: 'denied' },
  },
  {
    name: 'a server name of one more label',
    query: { from: job, to: { entity: 'world' }, port: 443, sni: 'x.b.example' },
    want: { verdict: 'allowed', l7: 'allowed' },
  },
  {
    name: 'a server name that is not listed',
    query: { from: job, to: { entity: 'world' }, port: 443, sni: 'x.c.example' },
    want: { verdict: 'denied', l7: 'denied' },
  },
  {
    name: 'a pod reaches itself whatever policies say',
    query: { from: api, to: api, port: 1 },
    want: { verdict: 'allowed', egress: { enforced: false }, ingress: { enforced: false } },
  },
  {
    name: 'an unknown pod is an error',
    query: { from: { pod: 'shop/nobody' }, to: api, port: 1 },
    want: { verdict: 'error', error: /no such pod in the manifests/ },
  },
  {
    name: 'an unknown field is an error',
    query: { id: 3, src: web },
    want: { id: 3, verdict: 'error', error: /found 'src'/ },
  },
  {
    name: 'an end that is two things is an error',
    query: { from: { ...web, ip: '1.1.1.1' }, to: api },
    want: { verdict: 'error' },
  },
  { name: 'a port too high is an error', query: { from: web, to: api, port: 65536 }, want: { error: /0 to 65535/ } },
  { name: 'what is no JSON is an error', query: '{"id":', want: { id: null, verdict: 'error' } },
  {
    name: 'null is as good as absent',
    query: { id: 7, from: web, to: api, port: 8080, http: null, sni: null },
    want: { id: 7, l7: 'none' },
  },
];

t.test('policy verdict --queries answers a line for a line', async (t) => {
  const answers = await verdicts(CASES.map(({ query }) => query));
  t.equal(answers.length, CASES.length);
  for (const [at, { name, want }] of CASES.entries()) t.match(answers[at], want, name);
});

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
  const flow = [
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
  t.equal(
    (await policy(flow)).stdout,
    [
      'verdict: denied',
      'egress:  allowed L3-L4 by NetworkPolicy/shop/web',
      'ingress: redirected L3-L4 by CiliumNetworkPolicy/shop/api',
      'l7:      denied',
      '',
    ].join('\n'),
  );
  t.match(JSON.parse((await policy([...flow, '-o', 'json', '--header', 'A=b'])).stdout), {
    verdict: 'denied',
    l7: 'denied',
  });
  t.match(await policy(['verdict', '-m', world, '--from', 'shop/web-0']), { code: 2, stderr: /to: found nothing/ });
  t.match(await policy(['verdict', '--from', 'a/b', '--to', 'a/b', '--port', '1']), {
    code: 2,
    stderr: /wanted --manifests/,
  });
  t.match(await policy(['verdict', '-m', world, '--from', 'a/b', '--to', 'a/b', '--port', '1']), { code: 1 });
  t.match(await policy(['verdict', '-m', '/nowhere', '--queries', '-']), { code: 1, stderr: /read \/nowhere: ENOENT/ });
  t.match(await policy(['verdict', '-m', world, '--queries', '/nowhere']), { code: 1, stderr: /--queries/ });
});

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
  t.match((await policy(['validate', '--alone', world, odd])).stdout, /0 warnings/);
});

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
  t.match(denied.stdout, 'narrow or remove the deny rule CiliumNetworkPolicy/shop/api spec.ingressDeny[0]');

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
    /add to rules\.http of CiliumNetworkPolicy\/shop\/api spec\.ingress\[0\].*\n.*method: GET\n.*path: \/x\\\.y/,
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

t.test('policy matrix shows who can reach whom', async (t) => {
  t.equal(
    (await policy(['matrix', '-m', world, '-n', 'shop'])).stdout,
    [
      'FROM         shop/api-0   shop/api-0',
      '             8080/TCP     53/UDP',
      'shop/web-0   l7           deny',
      'shop/api-0   allow        allow',
      'world        deny         deny',
      '',
    ].join('\n'),
  );
  const csv = (await policy(['matrix', '-m', world, '-n', 'shop', '--port', '443', '--entity', 'host', '-o', 'csv']))
    .stdout;
  t.equal(
    csv,
    'from,shop/web-0:443/TCP,shop/api-0:443/TCP,host:443/TCP\nshop/web-0,allow,deny,deny\nshop/api-0,allow,allow,allow\nhost,allow,allow,allow\n',
  );
  t.match((await policy(['matrix', '-m', world, '-o', 'html'])).stdout, '<td class="l7">l7</td>');
  t.equal((await policy(['matrix', '-m', world, '--port', 'x'])).code, 2);
  t.match(await policy(['matrix', '-m', world, '--entity', 'x']), { code: 1, stderr: /found 'x', wanted one that/ });
});

t.test('policy selectors and mapstate', async (t) => {
  const selectors = (await policy(['selectors', '-m', world])).stdout;
  t.match(selectors, /any:app=api,k8s:io\.kubernetes\.pod\.namespace=shop +subject +1 +\d+ +shop\/api-0/);
  const entries = JSON.parse((await policy(['mapstate', 'shop/api-0', '-m', world, '-o', 'json'])).stdout);
  t.match(entries[0], { egress: false, deny: true, origins: [{ path: 'spec.ingressDeny[0]' }] });
  t.match((await policy(['mapstate', 'shop/api-0', '-m', world])).stdout, /Redirect .*spec\.ingress\[0\]/);
  t.match(await policy(['mapstate', 'shop/none', '-m', world]), { code: 1, stderr: /no such pod/ });
});

t.test('invalid manifests are reported, the rest is judged, and the exit code is 1', async (t) => {
  const bad = join(folder, 'half.yaml');
  writeFileSync(
    bad,
    `${PODS}\n---\napiVersion: cilium.io/v2\nkind: CiliumNetworkPolicy\nmetadata: { name: x, namespace: shop }\n`,
  );
  const flow = ['--from', 'shop/web-0', '--to', 'shop/api-0', '--port', '80'];
  const { code, stdout, stderr } = await policy(['verdict', '-m', bad, ...flow]);
  t.equal(code, 1);
  t.match(stdout, 'verdict: allowed');
  t.match(stderr, /half\.yaml:\d+:\d+: error: /);
});
