// A fake of the daemon's API on a socket of its own, and command lines run in this process that ask it.
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { agentSocket, hubbleSocket } from '../api/sockets.ts';
import { run } from '../cli/program.ts';
import { testHost } from './cli-host.ts';
import { compileFilters } from '../hubble/filter/filter.ts';
import type { FlowFilter } from '../hubble/filter/flow-filter.ts';
import type { Envelope } from '../hubble/flow.ts';

/** An envelope as the daemon sends it. */
export function flow(port: number, time = '2026-01-31T00:00:00.006Z') {
  return {
    flow: {
      time,
      verdict: 'FORWARDED',
      IP: { source: '10.244.0.2', destination: '10.244.0.3', ipVersion: 'IPv4' },
      l4: { TCP: { source_port: 41000, destination_port: port, flags: { SYN: true } } },
      source: { ID: 7, identity: 4711, namespace: 'shop', pod_name: 'web-0' },
      destination: { ID: 8, identity: 4712, namespace: 'shop', pod_name: 'api-0' },
      Type: 'L3_L4',
      event_type: { type: 4 },
      traffic_direction: 'INGRESS',
      trace_observation_point: 'TO_ENDPOINT',
      is_reply: false,
      Summary: 'TCP Flags: SYN',
    },
    node_name: 'vm',
    time,
  };
}

interface Outcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export const runDir = mkdtempSync(join(tmpdir(), 'sluice-cli-'));
t.teardown(() => rmSync(runDir, { recursive: true }));

export async function sluice(line: string | readonly string[], stdin = ''): Promise<Outcome> {
  const { host, stdout, stderr } = testHost(stdin, { SLUICE_RUN_DIR: runDir });
  const argv = typeof line === 'string' ? line.split(' ') : line;
  const code = await run(argv, host);
  return { code, stdout: stdout(), stderr: stderr() };
}

export const ENDPOINTS = [
  {
    id: 7,
    namespace: 'shop',
    pod: 'web-0',
    state: 'ready',
    identity: 4711,
    labels: ['k8s:app=web', 'k8s:io.kubernetes.pod.namespace=shop'],
    ipv4: '10.244.0.2',
    ipv6: 'fd00::2',
    policy: { ingress: 'Enabled', egress: 'Disabled' },
    health: {} as Record<string, object>,
  },
];
const POD = { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'web-0', namespace: 'shop', labels: { app: 'web' } } };
const CNP = {
  apiVersion: 'cilium.io/v2',
  kind: 'CiliumNetworkPolicy',
  metadata: { name: 'allow-web', namespace: 'shop' },
  spec: { endpointSelector: { matchLabels: { app: 'web' } }, ingress: [{}], egressDeny: [{}] },
};

const ORIGIN = {
  kind: 'CiliumNetworkPolicy',
  namespace: 'shop',
  name: 'allow-web',
  path: 'spec.egressDeny[0]',
  file: 'a.yaml',
  line: 7,
};

/** Pods without an endpoint: the host's, another node's, one that got no addresses. */
const UNATTACHED = [{ hostNetwork: true }, { nodeName: 'other' }, {}].map((spec, i) => {
  return { apiVersion: 'v1', kind: 'Pod', metadata: { name: `pod-${i}`, namespace: 'unattached' }, spec };
});

const LOOKUPS = [
  { source: 'connection', fqdn: 'b.example.com.', ttl: 5, ips: ['192.0.2.9'] },
  { source: 'lookup', fqdn: 'api.example.com.', ttl: 30, ips: ['192.0.2.1', '2001:db8::1'] },
].map((one) => ({ 'endpoint-id': 7, ...one, 'expiration-time': '2026-03-01T12:00:30.000Z' }));

/** What the fake was asked, in order. */
export const asked: { method: string; url: string; body: string }[] = [];

export const STATUS = {
  name: 'test',
  version: '0.1.0',
  agent: { pid: 7, uptimeSec: 3700 },
  dataplane: { pid: 8, state: 'running', isAdopted: false, restarts: 0 },
  exports: [],
  runDir: '/run/test',
  nodeName: 'vm',
  clusterName: 'default',
  netnsPrefix: '',
  attach: 'veth',
  enforcement: 'default',
  policyRevision: 5,
  audit: { instance: false, endpoints: [] as string[], policies: [] as string[] },
  restartPending: [] as string[],
  endpoints: { total: 2, ready: 1 },
  identities: 12,
  policies: 1,
  services: { total: 1, frontends: 2, backends: 3 },
  names: {
    selectors: 0,
    names: 0,
    lookups: 0,
    zombies: 0,
    guarded: 0,
    unlearnt: [] as { policy: string; pods: string[] }[],
  },
  dns: {
    ...{ enabled: true, domain: 'cluster.local', servedBy: 'sluice-dns', addresses: ['10.96.0.10'] },
    server: { pid: 4713, state: 'running', isAdopted: false, restarts: 0, lastExit: '' },
    upstreams: [{ server: '192.0.2.53#53', state: 'avoided' }],
    ...{ serial: 7, zoneServices: 12, memoryBytes: 0, counters: {} },
  },
  flows: { seen: 9, lost: 0, kept: 9, capacity: 4095, restarts: 0 },
  hubble: {
    listeners: [
      { address: '127.0.0.1:4245', problem: '' },
      { address: ':4244', problem: 'listen EADDRINUSE' },
    ],
    ...{ clients: 2, flowsRate: 21.53, lost: 7 },
  },
  maps: [{ name: 'ipcache', count: 10, capacity: 100, pressure: 0.1, full: 0, evictions: 0 }],
  memory: { agentRssBytes: 83886080, observatoryHeapBytes: 8388608 },
  problems: [] as string[],
};

const ANSWERS: Readonly<Record<string, (url: URL, body: string) => [number, unknown]>> = {
  'GET /v1/status': () => [200, STATUS],
  'GET /v1/endpoints': () => [200, ENDPOINTS],
  'GET /v1/fqdn/cache': () => [200, LOOKUPS],
  'DELETE /v1/fqdn/cache': () => [200, { removed: 2 }],
  'GET /v1/fqdn/names': () => [
    200,
    [{ selector: '*.example.com', names: ['api.example.com.'], ips: ['192.0.2.1', '2001:db8::1'] }],
  ],
  'GET /v1/identities': () => [
    200,
    [
      { id: 4711, labels: ['k8s:app=web'] },
      { id: 1, labels: ['reserved:host'] },
    ],
  ],
  'GET /v1/objects': (url) => {
    const kind = url.searchParams.get('kind');
    if (url.searchParams.get('namespace') === 'unattached') return [200, { items: UNATTACHED }];
    return [200, { items: kind === null ? [POD, CNP] : kind === 'CiliumNetworkPolicy' ? [CNP] : [] }];
  },
  'GET /v1/services': () => [200, []],
  'GET /v1/cookies': () => [200, [{ id: 5, origins: [ORIGIN] }]],
  'GET /v1/cookies/13': () => [200, [ORIGIN, { ...ORIGIN, kind: 'reserved', name: 'allow-localhost' }]],
  'GET /v1/cookies/14': () => [200, []],
  'GET /v1/policies': () => [
    200,
    [{ kind: 'CiliumNetworkPolicy', namespace: 'shop', name: 'allow-web', file: 'a.yaml', line: 3, object: CNP }],
  ],
  'POST /v1/apply': (_, body) => {
    if (body.includes('bad')) {
      return [
        400,
        {
          applied: [],
          problems: [
            {
              file: 'stdin',
              line: 3,
              column: 5,
              severity: 'error',
              path: 'spec',
              message: 'found bad, wanted good',
              hint: 'try good',
            },
          ],
        },
      ];
    }
    return [200, { applied: [{ kind: 'Pod', namespace: 'shop', name: 'web-0', action: 'created' }], problems: [] }];
  },
  'POST /v1/delete': () => [
    200,
    {
      applied: [{ kind: 'CiliumNetworkPolicy', namespace: 'shop', name: 'allow-web', action: 'deleted' }],
      problems: [],
    },
  ],
};

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  let body = '';
  for await (const chunk of request) body += String(chunk);
  const url = new URL(request.url ?? '', 'http://sluice');
  asked.push({ method: request.method ?? '', url: request.url ?? '', body });
  if (url.searchParams.get('kind') === 'Node') return; // a daemon that hangs
  if (url.searchParams.get('last') === '77') return; // and one that hangs in a stream
  if (url.pathname === '/v1/flows') {
    const lost = { lost_events: { source: 'HUBBLE_RING_BUFFER', num_events_lost: '3' } };
    const [allow, deny] = ['filter', 'deny'].map(
      (name) => JSON.parse(url.searchParams.get(name) ?? '[]') as FlowFilter[],
    );
    const all = ([flow(8080), flow(53), lost] as Envelope[]).filter(compileFilters(allow, deny));
    response.end(all.map((one) => `${JSON.stringify(one)}\n`).join(''));
    return;
  }
  const [status, document] = ANSWERS[`${request.method} ${url.pathname}`]?.(url, body) ?? [
    404,
    { error: 'no such path' },
  ];
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(document));
}

const servers: Server[] = [];

/** The agent's socket, and its observatory's. */
async function withDaemon(): Promise<void> {
  for (const path of [agentSocket(runDir), hubbleSocket(runDir)]) {
    const server = createServer((request, response) => void answer(request, response));
    await new Promise<void>((resolve) => server.listen(path, resolve));
    servers.push(server);
  }
}

t.before(withDaemon);
t.teardown(() => {
  for (const server of servers) {
    server.closeAllConnections();
    server.close();
  }
});
