// Records what Kubernetes' own API server answers to the requests that an agent makes, byte by byte, and its tables: what tests replay where no such
// server can be had (test/kubernetes/recorded-api.ts). `scripts/cluster/cluster record` starts it in a cluster that is up.
//   node scripts/cluster/record.mjs HERE KUBECTL OUT.json.gz
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { request } from 'node:https';
import { gzipSync } from 'node:zlib';

const [, , here, kubectl, out] = process.argv;
const server = /server: '([^']+)'/.exec(readFileSync(`${here}/kubeconfig`, 'utf8'))[1];
const ca = readFileSync(`${here}/certs/apiserver.crt`);
const TABLE = 'application/json;as=Table;v=v1;g=meta.k8s.io';
const SELECTORS = {
  services: 'labelSelector=%21service.kubernetes.io%2Fservice-proxy-name',
  pods: 'fieldSelector=spec.nodeName%3Dnode1',
};
const cilium = [
  'ciliumnetworkpolicies',
  'ciliumclusterwidenetworkpolicies',
  'ciliumcidrgroups',
  'ciliumegressgatewaypolicies',
];
const PATHS = [
  ...['namespaces', 'nodes', 'services', 'pods'].map((plural) => `/api/v1/${plural}`),
  '/apis/networking.k8s.io/v1/networkpolicies',
  '/apis/discovery.k8s.io/v1/endpointslices',
  ...cilium.map((plural) => `/apis/cilium.io/v2/${plural}`),
];
const STAGE = `
apiVersion: v1
kind: Namespace
metadata: { name: recorded, labels: { team: shop } }
---
apiVersion: apps/v1
kind: Deployment
metadata: { name: web, namespace: recorded }
spec:
  replicas: 3
  selector: { matchLabels: { app: web } }
  template:
    metadata: { labels: { app: web } }
    spec:
      automountServiceAccountToken: false
      containers: [{ name: main, image: registry.k8s.io/e2e-test-images/agnhost:2.66.1, args: [netexec], ports: [{ name: http, containerPort: 8080 }] }]
---
apiVersion: v1
kind: Service
metadata: { name: web, namespace: recorded }
spec: { selector: { app: web }, ports: [{ name: http, port: 80, targetPort: http }] }
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: { name: closed, namespace: recorded }
spec: { podSelector: { matchLabels: { app: web } }, policyTypes: [Ingress] }
---
apiVersion: cilium.io/v2
kind: CiliumNetworkPolicy
metadata: { name: http, namespace: recorded }
spec:
  endpointSelector: { matchLabels: { app: web } }
  ingress: [{ toPorts: [{ ports: [{ port: '8080', protocol: TCP }], rules: { http: [{ method: GET }] } }] }]
---
apiVersion: cilium.io/v2
kind: CiliumClusterwideNetworkPolicy
metadata: { name: names }
spec: { endpointSelector: { matchLabels: { app: nobody } }, egress: [{ toEntities: [cluster] }] }
---
apiVersion: cilium.io/v2
kind: CiliumCIDRGroup
metadata: { name: world }
spec: { externalCIDRs: [198.51.100.0/24] }
`;

const kube = (args, input = '') =>
  execFileSync(kubectl, ['--kubeconfig', `${here}/kubeconfig`, '--cache-dir', `${here}/kubectl-cache`, ...args], {
    input,
    encoding: 'utf8',
  });

const recordings = [];
/** @param whom the token of `admin`, of `nobody`, or of an account without rights */
async function record(
  path,
  { whom = 'admin', accept = 'application/json', tokens = { admin: 'slcl-admin', nobody: 'none' } } = {},
) {
  const atMs = Date.now();
  const answer = await new Promise((resolve, reject) => {
    const headers = { authorization: `Bearer ${tokens[whom]}`, accept };
    const sent = request(`${server}${path}`, { ca, headers, timeout: 60_000 }, (response) => {
      const pieces = [];
      response.on('data', (piece) => pieces.push(piece));
      response.on('end', () =>
        resolve({
          status: response.statusCode,
          headers: response.headers,
          body: Buffer.concat(pieces).toString('utf8'),
        }),
      );
      response.on('error', reject);
    });
    sent.on('error', reject);
    sent.end();
  });
  const { status, headers, body } = answer;
  const kept = Object.fromEntries(
    ['content-type', 'retry-after'].filter((name) => headers[name]).map((name) => [name, headers[name]]),
  );
  recordings.push({ path, whom, accept, atMs, status, headers: kept, body });
  return { status, body };
}
const query = (path, ...parts) =>
  [path, [...parts, SELECTORS[path.split('/').at(-1)]].filter(Boolean).join('&')].filter(Boolean).join('?');

kube(['apply', '-f', '-'], STAGE);
kube(['-n', 'recorded', 'rollout', 'status', 'deployment/web', '--timeout=120s']);
const tokens = {
  admin: 'slcl-admin',
  nobody: 'none',
  powerless: kube(['-n', 'recorded', 'create', 'token', 'default']).trim(),
};

for (const path of [
  '/version',
  '/apis',
  '/apis/cilium.io/v2',
  '/apis/cilium.io/v2alpha1/ciliumcidrgroups',
  '/apis/nobody.example/v1/things',
])
  await record(path);
for (const path of PATHS) {
  const { body } = await record(query(path, 'limit=500'));
  await record(
    query(
      path,
      'watch=1',
      'allowWatchBookmarks=true',
      'timeoutSeconds=2',
      'sendInitialEvents=true',
      'resourceVersionMatch=NotOlderThan',
    ),
  );
  const { resourceVersion } = JSON.parse(body).metadata;
  const watching = record(
    query(path, 'watch=1', 'allowWatchBookmarks=true', 'timeoutSeconds=4', `resourceVersion=${resourceVersion}`),
  );
  if (path === '/api/v1/pods') {
    const [name] = kube(['-n', 'recorded', 'get', 'pods', '-o', 'jsonpath={.items[*].metadata.name}']).split(' ');
    kube(['-n', 'recorded', 'label', 'pod', name, 'seen=yes']);
  }
  await watching;
}
// A list in pieces, and a piece by a token that is none.
const pieces = [];
for (let next = ''; pieces.length === 0 || next !== ''; next = pieces.at(-1).continue ?? '') {
  const from = next === '' ? [] : [`continue=${encodeURIComponent(next)}`];
  const { body } = await record(query('/api/v1/pods', 'limit=2', ...from));
  pieces.push(JSON.parse(body).metadata);
}
await record('/api/v1/pods?limit=500&continue=bm9uc2Vuc2U');
for (const whom of ['nobody', 'powerless']) {
  await record('/api/v1/pods?limit=500', { whom, tokens });
  await record(
    '/api/v1/pods?watch=1&allowWatchBookmarks=true&timeoutSeconds=2&sendInitialEvents=true&resourceVersionMatch=NotOlderThan',
    { whom, tokens },
  );
}
for (const path of [
  ...PATHS.map((path) => query(path)),
  '/apis/apps/v1/deployments',
  '/apis/apps/v1/replicasets',
  '/apis/apps/v1/daemonsets',
]) {
  await record(`${path}${path.includes('?') ? '&' : '?'}includeObject=Object`, { accept: TABLE });
}
kube(['delete', 'namespace', 'recorded', '--wait=false']);
kube(['delete', 'ccnp,ccg', '--all']);

const text = JSON.stringify({ recorded: new Date().toISOString(), recordings });
writeFileSync(out, gzipSync(text, { level: 9 }));
console.error(
  `record: ${recordings.length} answers, ${text.length >> 10} KiB, ${readFileSync(out).length >> 10} KiB packed`,
);
