/** What `get services`, `get endpoints` and `get endpointslices` show, and the Services that the command line makes. */
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import type { ServiceDocument } from '../../api/shapes.ts';
import type { Manifest } from '../../policy/document/manifest.ts';
import { testHost } from '../../test/cli-host.ts';
import { run } from '../program.ts';

const folder = mkdtempSync(join(tmpdir(), 'sluice-svc-'));

const service = (name: string, spec: object): Manifest => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name, namespace: 'default' },
  spec: spec as Record<string, unknown>,
});

const OBJECTS: readonly Manifest[] = [
  service('web', {
    selector: { app: 'web' },
    ports: [{ port: 80 }, { name: 'dns', port: 53, protocol: 'UDP' }],
    type: 'NodePort',
  }),
  service('ext', { type: 'ExternalName', externalName: 'db.example' }),
  service('lb', { type: 'LoadBalancer', ports: [{ port: 1 }] }),
  service('given', { type: 'LoadBalancer', ports: [{ port: 1 }], externalIPs: ['192.0.2.9'] }),
  service('none', { clusterIP: 'None', selector: { app: 'web' }, ports: [{ port: 80 }] }),
  {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { name: 'hand', namespace: 'default', labels: { 'kubernetes.io/service-name': 'lb' } },
    addressType: 'IPv4',
    endpoints: [{ addresses: ['10.1.0.1'] }],
    ports: [{ port: 9 }],
  },
  {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'api', namespace: 'default', labels: { team: 'blue' } },
    spec: {
      selector: { matchLabels: { app: 'api' } },
      template: {
        spec: { containers: [{ ports: [{ containerPort: 8080 }, { containerPort: 53, protocol: 'UDP' }] }] },
      },
    },
  },
  { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'bare', namespace: 'default' }, spec: {} },
];

const pod = (address: string, ready: boolean, port: number): ServiceDocument['endpoints'][number] => ({
  ...{
    address,
    ready,
    serving: ready,
    terminating: false,
    nodeName: 'vm',
    pod: `web-${address.slice(-1)}`,
    hostname: '',
  },
  ports: [{ name: '', protocol: 'TCP', port }],
});

const document = (name: string, more: Partial<ServiceDocument>): ServiceDocument => ({
  ...{ namespace: 'default', name, type: 'ClusterIP', clusterIPs: [], loadBalancerIPs: [], ports: [] },
  ...{ endpoints: [], frontends: [], problems: [], ...more },
});

const port = (number: number, nodePort: number) => ({ name: '', protocol: 'TCP', port: number, nodePort });

const SERVICES: readonly ServiceDocument[] = [
  document('web', {
    type: 'NodePort',
    clusterIPs: ['10.96.0.17', 'fd00:10:96::101'],
    ports: [port(80, 30_000), port(53, 30_001)],
    endpoints: [
      pod('10.0.0.1', true, 8080),
      pod('10.0.0.2', false, 8080),
      pod('10.0.0.3', true, 9090),
      pod('fd00::4', true, 8080),
    ],
  }),
  document('given', { type: 'LoadBalancer', clusterIPs: ['10.96.0.18'], loadBalancerIPs: ['192.0.2.1'] }),
];

let applied = '';

function answer(request: IncomingMessage, response: ServerResponse): void {
  const { pathname, searchParams } = new URL(request.url ?? '', 'http://sluice');
  const kind = searchParams.get('kind');
  const items = OBJECTS.filter((one) => kind === null || one.kind === kind);
  const documents: Record<string, unknown> = {
    '/v1/services': SERVICES,
    '/v1/objects': { items },
    '/v1/endpoints': [],
  };
  let body = '';
  request.on('data', (chunk) => (body += String(chunk)));
  request.on('end', () => {
    if (pathname === '/v1/apply') applied = body;
    const made = { kind: 'Service', namespace: 'default', name: 'x', action: 'created' };
    response.end(JSON.stringify(documents[pathname] ?? { applied: [made], problems: [] }));
  });
}

const server = createServer(answer);
t.before(() => new Promise<void>((resolve) => server.listen(join(folder, 'sluice.sock'), resolve)));
t.teardown(() => {
  server.closeAllConnections();
  server.close();
  rmSync(folder, { recursive: true });
});

async function sluice(line: string) {
  const { host, stdout, stderr } = testHost('', { SLUICE_RUN_DIR: folder });
  const code = await run(line.split(' '), host);
  return { code, stdout: stdout(), stderr: stderr() };
}

/** Without AGE, which nobody knows here. */
const table = async (line: string): Promise<string[]> =>
  (await sluice(line)).stdout.split('\n').map((row) => row.replace(/ +(AGE|<unknown>)/, ''));

t.test('get services shows addresses and node ports that were given, as kubectl does', async (t) => {
  t.same(await table('get svc'), [
    'NAME    TYPE           CLUSTER-IP   EXTERNAL-IP           PORT(S)',
    'ext     ExternalName   <none>       db.example            <none>',
    'given   LoadBalancer   10.96.0.18   192.0.2.1,192.0.2.9   1/TCP',
    'lb      LoadBalancer   <none>       <pending>             1/TCP',
    'none    ClusterIP      None         <none>                80/TCP',
    'web     NodePort       10.96.0.17   <none>                80:30000/TCP,53:30001/UDP',
    '',
  ]);
  t.match((await table('get svc -o wide'))[5], /app=web/);
  const { stdout } = await sluice(
    'get svc given -o jsonpath={.spec.clusterIPs[0]}/{.status.loadBalancer.ingress[0].ip}',
  );
  t.equal(stdout, '10.96.0.18/192.0.2.1\n');
});

t.test('get endpoints and endpointslices shows who is behind services, and what was written by hand', async (t) => {
  t.same(await table('get endpoints'), ['NAME   ENDPOINTS', 'web    10.0.0.1:8080,[fd00::4]:8080,10.0.0.3:9090', '']);
  t.same(await table('get endpointslices'), [
    'NAME           ADDRESSTYPE   PORTS   ENDPOINTS',
    'hand           IPv4          9       10.1.0.1',
    'web-sluice-1   IPv4          8080    10.0.0.1,10.0.0.2',
    'web-sluice-2   IPv4          9090    10.0.0.3',
    'web-sluice-3   IPv6          8080    fd00::4',
    '',
  ]);
  t.match(JSON.parse((await sluice('get endpointslice web-sluice-1 -o json')).stdout), {
    metadata: { labels: { 'kubernetes.io/service-name': 'web' } },
    endpoints: [{ conditions: { ready: true } }, { conditions: { ready: false }, targetRef: { name: 'web-2' } }],
  });
});

t.test('expose makes a Service of the labels and ports of a workload', async (t) => {
  t.match(await sluice('expose deploy/api --name x'), { code: 0, stdout: 'service/x created\n' });
  t.same(JSON.parse(applied), {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'x', namespace: 'default', labels: { team: 'blue' } },
    spec: {
      type: 'ClusterIP',
      selector: { app: 'api' },
      ports: [
        { name: 'port-1', port: 8080, protocol: 'TCP' },
        { name: 'port-2', port: 53, protocol: 'UDP' },
      ],
    },
  });
  await sluice(
    'expose deployment api --port 80 --target-port http --type NodePort --cluster-ip 10.96.0.9 -l app=web,tier=front',
  );
  t.match(JSON.parse(applied), {
    spec: {
      type: 'NodePort',
      clusterIP: '10.96.0.9',
      selector: { app: 'web', tier: 'front' },
      ports: [{ port: 80, targetPort: 'http' }],
    },
  });
  t.match(await sluice('expose pod bare --port 80'), { code: 1, stderr: /found no labels/ });
  t.match(await sluice('expose pod bare -l a=b'), { code: 2, stderr: /found no containerPort, wanted --port/ });
  t.match(await sluice('expose deploy/gone --port 80'), { code: 1, stderr: /deployments.apps "gone" not found/ });
  t.match(await sluice('expose deploy/api pod/bare --port 80'), { code: 2, stderr: /wanted one object/ });
  const { stdout } = await sluice('expose deploy/api --port 80 --dry-run=client -o yaml');
  t.match(stdout, /kind: Service/);
});

t.test('create service makes each type', async (t) => {
  await sluice('create service clusterip web --tcp 80:8080 --tcp 443');
  t.match(JSON.parse(applied), {
    metadata: { name: 'web', labels: { app: 'web' } },
    spec: {
      type: 'ClusterIP',
      selector: { app: 'web' },
      ports: [
        { name: '80-8080', port: 80, targetPort: 8080 },
        { name: '443', port: 443, targetPort: 443 },
      ],
    },
  });
  await sluice('create svc nodeport web --tcp 80 --node-port 30080 -n shop');
  t.match(JSON.parse(applied), { metadata: { namespace: 'shop' }, spec: { ports: [{ nodePort: 30_080 }] } });
  await sluice('create service externalname db --external-name db.example');
  t.match(JSON.parse(applied), { spec: { type: 'ExternalName', externalName: 'db.example' } });
  await sluice('create service clusterip hidden --clusterip None');
  t.match(JSON.parse(applied), { spec: { clusterIP: 'None' } });
  t.match(await sluice('create service clusterip web'), { code: 2, stderr: /found no --tcp/ });
  t.match(await sluice('create service clusterip web --tcp x'), { code: 2, stderr: /found 'x', wanted PORT/ });
  t.match(await sluice('create service other web'), { code: 2, stderr: /clusterip\|nodeport/ });
});
