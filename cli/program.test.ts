/** Whole command lines against a small fake of the daemon's API, and against real pinned maps without any daemon. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { mapFile, monotonicSec } from '../dataplane/native/index.ts';
import { ConntrackMap } from '../policy-maps/conntrack-map.ts';
import {
  CT_FLAG_SEEN_NON_SYN,
  CT_FLAGS,
  CT_LIFETIME,
  CT_ROW_WORDS,
  CT_SOURCE_ENDPOINT,
  CT_SRC_SEC_ID,
} from '../policy-maps/conntrack-row.ts';
import { HTTP_DENIED } from '../policy-maps/counters.ts';
import { CountersMap, PORT_SENT_FRAMES } from '../policy-maps/counters-map.ts';
import { EndpointMap } from '../policy-maps/endpoint-map.ts';
import { Ipcache } from '../policy-maps/ipcache.ts';
import { MetricsMap } from '../policy-maps/metrics-map.ts';
import { precedence } from '../policy-maps/policy-entry.ts';
import { PolicyMap } from '../policy-maps/policy-map.ts';
import { PortMap } from '../policy-maps/port-map.ts';
import { PolicyStatsMap } from '../policy-maps/policy-stats-map.ts';
import { run } from './program.ts';
import { testHost } from '../test/cli-host.ts';

/** An envelope as the daemon sends it. */
function flow(port: number, time = '2026-01-31T00:00:00.006Z') {
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

const runDir = mkdtempSync(join(tmpdir(), 'sluice-cli-'));
const socketPath = join(runDir, 'sluice.sock');
t.teardown(() => rmSync(runDir, { recursive: true }));

async function sluice(line: string | readonly string[], stdin = ''): Promise<Outcome> {
  const { host, stdout, stderr } = testHost(stdin, { SLUICE_RUN_DIR: runDir });
  const argv = typeof line === 'string' ? line.split(' ') : line;
  const code = await run(argv, host);
  return { code, stdout: stdout(), stderr: stderr() };
}

const ENDPOINTS = [
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
  },
];
const POD = { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'web-0', namespace: 'shop', labels: { app: 'web' } } };
const CNP = {
  apiVersion: 'cilium.io/v2',
  kind: 'CiliumNetworkPolicy',
  metadata: { name: 'allow-web', namespace: 'shop' },
  spec: { endpointSelector: { matchLabels: { app: 'web' } }, ingress: [{}], egressDeny: [{}] },
};

/** Pods without an endpoint: the host's, another node's, one that got no addresses. */
const UNATTACHED = [{ hostNetwork: true }, { nodeName: 'other' }, {}].map((spec, i) => {
  return { apiVersion: 'v1', kind: 'Pod', metadata: { name: `pod-${i}`, namespace: 'unattached' }, spec };
});

/** What the fake was asked, in order. */
const asked: { method: string; url: string; body: string }[] = [];

const STATUS = {
  name: 'test',
  version: '0.1.0',
  agent: { pid: 7, uptimeSec: 3700 },
  dataplane: { pid: 8, state: 'running', isAdopted: false, restarts: 0 },
  runDir: '/run/test',
  nodeName: 'vm',
  clusterName: 'default',
  netnsPrefix: '',
  attach: 'veth',
  enforcement: 'default',
  policyRevision: 5,
  endpoints: { total: 2, ready: 1 },
  identities: 12,
  policies: 1,
  flows: { seen: 9, lost: 0, kept: 9, capacity: 4095 },
  maps: [{ name: 'ipcache', count: 10, capacity: 100, pressure: 0.1, full: 0, evictions: 0 }],
  memory: { agentRssBytes: 83886080 },
  problems: [] as string[],
};

const ANSWERS: Readonly<Record<string, (url: URL, body: string) => [number, unknown]>> = {
  'GET /v1/status': () => [200, STATUS],
  'GET /v1/endpoints': () => [200, ENDPOINTS],
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
    response.end([flow(8080), flow(53), lost].map((one) => `${JSON.stringify(one)}\n`).join(''));
    return;
  }
  const [status, document] = ANSWERS[`${request.method} ${url.pathname}`]?.(url, body) ?? [
    404,
    { error: 'no such path' },
  ];
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(document));
}

let server: Server | undefined;

async function withDaemon(): Promise<void> {
  server = createServer((request, response) => void answer(request, response));
  await new Promise<void>((resolve) => server?.listen(socketPath, resolve));
}

t.before(withDaemon);
t.teardown(() => {
  server?.closeAllConnections();
  server?.close();
});

t.test('endpoint list prints the columns of cilium-dbg, a label a line', async (t) => {
  const { code, stdout } = await sluice('endpoint list');
  t.equal(code, 0);
  t.equal(
    stdout,
    [
      'ENDPOINT   POLICY (ingress)   POLICY (egress)   IDENTITY   LABELS (source:key[=value])            IPv6      IPv4         STATUS',
      '           ENFORCEMENT        ENFORCEMENT',
      '7          Enabled            Disabled          4711       k8s:app=web                            fd00::2   10.244.0.2   ready',
      '                                                           k8s:io.kubernetes.pod.namespace=shop',
      '',
    ].join('\n'),
  );
});

t.test('endpoint get takes an id or a pod, and says when there is none', async (t) => {
  t.strictSame(JSON.parse((await sluice('endpoint get 7')).stdout), ENDPOINTS[0]);
  t.equal((await sluice('endpoint get shop/web-0 -o jsonpath={.identity}')).stdout, '4711\n');
  t.match(await sluice('endpoint get 8'), {
    code: 1,
    stderr: 'error: find endpoint 8: there is none: see `sluice endpoint list`\n',
  });
  t.match(await sluice('endpoint get shop/none'), { code: 1, stderr: /find endpoint shop\/none: there is none/ });
});

t.test('identity get takes a number or the name of a reserved identity', async (t) => {
  t.match(JSON.parse((await sluice('identity get 4711 -o json')).stdout), { labels: ['k8s:app=web'] });
  t.match(JSON.parse((await sluice('identity get host -o json')).stdout), { id: 1 });
  t.match(await sluice('identity get 12'), { code: 1, stderr: /find identity 12: there is none/ });
});

t.test('identity list sorts by number; -o yaml, name and --no-headers do as they say', async (t) => {
  t.equal((await sluice('identity list')).stdout, 'ID     LABELS\n1      reserved:host\n4711   k8s:app=web\n');
  t.equal((await sluice('identity list --no-headers')).stdout, '1      reserved:host\n4711   k8s:app=web\n');
  t.match((await sluice('identity list -o yaml')).stdout, /^- id: 1\n/);
  t.equal((await sluice('identity list -o name')).stdout, 'identity/1\nidentity/4711\n');
  t.match(await sluice('identity list -o xml'), { code: 2, stderr: /wanted one of name, json, yaml/ });
});

t.test('status prints key and value, and ends with 1 when something is wrong', async (t) => {
  t.equal(
    (await sluice('status')).stdout,
    [
      'Sluice:         ok, version 0.1.0, instance test on node vm',
      'Agent:          running, pid 7, up 1h1m',
      'Dataplane:      running, pid 8, 0 restarts',
      'Endpoints:      1/2 ready',
      'Policies:       1, revision 5, enforcement default',
      'Identities:     12',
      'Hubble:         9/4095 flows kept, 9 seen, 0 lost',
      'Memory:         agent 80 MiB',
      'Problems:       none',
      '',
    ].join('\n'),
  );
  t.match((await sluice('status --verbose')).stdout, /MAP +ENTRIES +CAPACITY +PRESSURE.*\nipcache +10 +100 +10\.0%/);
  t.match(await sluice('status --brief'), { code: 0, stdout: 'OK\n' });
  STATUS.problems.push('pod shop/web-1: namespace missing: ip netns add shop-web-1');
  t.match(await sluice('status --brief'), { code: 1, stdout: /^pod shop\/web-1: namespace missing/ });
  t.match((await sluice('status')).stdout, /degraded.*Problems:\n {2}pod shop\/web-1/s);
  STATUS.problems.pop();
});

t.test('observe asks for what the flags say, and prints what comes as hubble does', async (t) => {
  const { code, stdout, stderr } = await sluice(
    'observe --last 5 --pod shop/web-0 --not --port 53 --print-policy-names',
  );
  t.equal(code, 0);
  t.equal(
    stdout,
    'Jan 31 00:00:00.006: shop/web-0:41000 (ID:4711) -> shop/api-0:8080 (ID:4712) to-endpoint FORWARDED (TCP Flags: SYN)\n',
  );
  t.equal(stderr, 'EVENTS LOST: HUBBLE_RING_BUFFER CPU(0) 3\n');
  const query = new URL(asked.at(-1)?.url ?? '', 'http://x').searchParams;
  t.equal(query.get('last'), '5');
  t.strictSame(JSON.parse(query.get('filter') ?? ''), [
    { source_pod: ['shop/web-0'] },
    { destination_pod: ['shop/web-0'] },
  ]);
  t.strictSame(JSON.parse(query.get('deny') ?? ''), [{ source_port: ['53'] }, { destination_port: ['53'] }]);
  t.match(await sluice('observe --last 1 --first 1'), { code: 2, stderr: /wanted one/ });
  t.match(await sluice('observe --verdict PERHAPS'), { code: 2 });
  t.match(await sluice('observe --time-format never'), { code: 2, stderr: /wanted one of StampMilli/ });
});

t.test('observe --input-file filters a file of flows', async (t) => {
  const lines = [443, 80, 80].map((port, at) => JSON.stringify(flow(port, `2026-01-31T00:00:0${at}.000Z`))).join('\n');
  const { stdout } = await sluice('observe --input-file - --port 80 -o json', lines);
  t.equal(stdout.trim().split('\n').length, 2);
  t.match(
    (await sluice('observe --input-file - --first 1 -o dict', lines)).stdout,
    /TIMESTAMP: Jan 31 00:00:00\.000\n/,
  );
  t.match((await sluice('observe --input-file - --last 1', lines)).stdout, /^Jan 31 00:00:02/);
  t.match(
    (await sluice('observe --input-file - --since 2026-01-31T00:00:01Z', lines)).stdout,
    /:01\.000.*\n.*:02\.000/,
  );
  t.match(await sluice('observe --input-file -', 'x'), { code: 1, stderr: /-:1: found 'x', wanted a flow as JSON/ });
  t.match((await sluice('observe --port 80 --print-raw-filters')).stdout, /^\{"allowlist":\[\{"source_port"/);
});

t.test('get pods joins pods and endpoints; -o yaml gives the object back', async (t) => {
  t.equal(
    (await sluice('get po -A')).stdout,
    'NAMESPACE   NAME    READY   STATUS   IP           ENDPOINT   IDENTITY   AGE\n' +
      'shop        web-0   1/1     ready    10.244.0.2   7          4711       <unknown>\n',
  );
  t.match(asked.at(-2)?.url, '/v1/objects');
  t.match((await sluice('get pods web-0 -n shop -o yaml')).stdout, /^apiVersion: v1\nkind: Pod\n/);
  t.match((await sluice('get pods -n shop -o json')).stdout, /"kind": "List"/);
  t.match(await sluice('get pods -n shop nobody'), {
    ...{ code: 1, stdout: '', stderr: 'Error from server (NotFound): pods "nobody" not found\n' },
  });
  t.match(await sluice('get svc'), { code: 0, stdout: '', stderr: 'No resources found in default namespace\n' });
  t.match(
    (await sluice('get pods -n unattached')).stdout,
    /pod-0 +0\/1 +host +<unknown>\npod-1 +0\/1 +remote +<unknown>\npod-2 +0\/1 +waiting +<unknown>\n/,
  );
  t.match(await sluice('get ccg'), { code: 0, stdout: '', stderr: 'No resources found\n' });
});

t.test('get policies prefixes names with their kinds, as kubectl does for several kinds', async (t) => {
  t.equal(
    (await sluice('get policies -A')).stdout,
    'NAMESPACE   NAME                                      SUBJECT   DIRECTIONS           AGE\n' +
      'shop        ciliumnetworkpolicy.cilium.io/allow-web   app=web   ingress,egressDeny   <unknown>\n',
  );
});

t.test('policy get lists what is in force and where it was written', async (t) => {
  const { stdout } = await sluice('policy get');
  t.equal(
    stdout,
    'KIND                  NAMESPACE   NAME        FROM\nCiliumNetworkPolicy   shop        allow-web   a.yaml:3\n',
  );
  t.match(JSON.parse((await sluice('policy get allow-web -o json')).stdout), [
    { object: { kind: 'CiliumNetworkPolicy' } },
  ]);
  t.match(await sluice('policy get nothing'), { code: 1, stderr: /not found/ });
});

t.test('apply reads standard input and prints what was done', async (t) => {
  const outcome = await sluice('apply -f -', 'kind: Pod\n');
  t.match(outcome, { code: 0, stdout: 'pod/web-0 created\n' });
  t.match(asked.at(-1), { method: 'POST', url: '/v1/apply?file=stdin', body: 'kind: Pod\n' });
});

t.test('apply prints every problem with its place, and ends with 1', async (t) => {
  const outcome = await sluice('apply -f -', 'bad');
  t.match(outcome, { code: 1, stdout: '', stderr: 'stdin:3:5: error: spec: found bad, wanted good (try good)\n' });
});

t.test('apply reads the manifests of a folder in order of name', async (t) => {
  const folder = join(runDir, 'manifests');
  mkdirSync(folder);
  writeFileSync(join(folder, 'b.yaml'), 'b');
  writeFileSync(join(folder, 'a.json'), 'a');
  writeFileSync(join(folder, 'README.md'), 'not a manifest');
  const from = asked.length;
  t.equal((await sluice(['apply', '-f', folder])).code, 0);
  t.strictSame(
    asked.slice(from).map(({ body }) => body),
    ['a', 'b'],
  );
  t.match(await sluice('apply -f /nowhere.yaml'), {
    code: 1,
    stderr: 'error: read /nowhere.yaml: ENOENT: check the -f argument\n',
  });
});

t.test('delete by kind and name sends references; wrong usage ends with 2', async (t) => {
  t.match(await sluice('delete cnp -n shop allow-web'), {
    code: 0,
    stdout: 'ciliumnetworkpolicy.cilium.io "allow-web" deleted from shop namespace\n',
  });
  const reference = { kind: 'CiliumNetworkPolicy', name: 'allow-web', namespace: 'shop' };
  t.strictSame(JSON.parse(asked.at(-1)?.body ?? ''), [reference]);
  t.equal((await sluice('delete')).code, 2);
  t.equal((await sluice('delete cnp')).code, 2);
  t.equal((await sluice('delete cheese brie')).code, 2);
});

t.test('a daemon that hangs is given up after --timeout, with exit code 3', async (t) => {
  const outcome = await sluice('get nodes --timeout 50ms');
  t.match(outcome, { code: 3, stderr: /no answer within 50 ms: is sluiced hung/ });
  t.match(await sluice('observe --last 77 --timeout 50ms'), { code: 3, stderr: /no answer within 50 ms/ });
});

t.test('exit codes: 3 without a daemon, 2 for wrong usage, 0 for help', async (t) => {
  t.match(await sluice('endpoint list --run-dir /nowhere'), {
    code: 3,
    stderr: 'error: connect /nowhere/sluice.sock: ENOENT: is sluiced running? start it with `sluice daemon`\n',
  });
  t.match(await sluice('--name none endpoint list'), { code: 3, stderr: /connect \/run\/none\/sluice.sock/ });
  t.match(await sluice('frobnicate'), { code: 2, stderr: /unknown command 'frobnicate'/ });
  t.match(await sluice('help frobnicate'), { code: 2, stdout: '', stderr: /unknown command 'frobnicate'/ });
  t.match(await sluice('help rig up'), { code: 0, stdout: /^Usage: sluice rig up / });
  t.match(await sluice('observe frobnicate'), { code: 2, stderr: /'frobnicate' is invalid.*flows/ });
  t.match(await sluice('monitor --once'), { code: 2, stderr: /give --oldest too/ });
  t.match(await sluice('endpoint lst'), { code: 2, stderr: /Did you mean list/ });
  t.match(await sluice('endpoint list --colour'), { code: 2, stderr: /unknown option/ });
  t.equal((await sluice('endpoint')).code, 2);
  t.match(await sluice('endpoint list --help'), { code: 0, stdout: /Usage: sluice endpoint list/ });
  t.match(await sluice('version'), { code: 0, stdout: /^sluice \d+\.\d+\.\d+/ });
});

t.test('colours come with --color always and not otherwise', async (t) => {
  t.match((await sluice('endpoint list --color always')).stdout, '\x1b[32mready\x1b[39m');
  t.notMatch((await sluice('endpoint list')).stdout, '\x1b');
});

t.test('completion scripts are printed for each shell, and pods are completed from the daemon', async (t) => {
  for (const shell of ['bash', 'zsh', 'fish'])
    t.match((await sluice(`completion ${shell}`)).stdout, 'sluice __complete');
  t.equal((await sluice('completion csh')).code, 2);
  t.equal((await sluice(['__complete', '--', 'exec', ''])).stdout, 'shop/web-0\t\n');
  t.match((await sluice(['__complete', '--', 'obs'])).stdout, /^observe\tShow flows/);
});

t.test('exec without a known pod says so', async (t) => {
  t.match(await sluice('exec shop/nobody -- true'), { code: 1, stderr: /no such pod here|not there/ });
  t.match(await sluice('exec shop/web-0 --'), { code: 2, stderr: /wanted a program/ });
  t.match(await sluice('exec a/b/c -- true'), { code: 2, stderr: /wanted a pod as namespace\/name/ });
});

// --- pinned maps, without a daemon

const V4 = (word: number) => [0, 0, 0xffff, word] as const;
const ENTRY = { authType: 0, hasExplicitAuthType: false, protocol: 6, port: 80, portPrefix: 16 };

t.test('bpf reads the pinned maps by itself', async (t) => {
  const maps = join(runDir, 'maps');
  mkdirSync(maps);

  await t.test('policy get folds in the counters and knows labels', async (t) => {
    const policy = PolicyMap.create(join(maps, 'policy_7'), { capacity: 64 }, mapFile);
    policy.publish([
      { ...ENTRY, identity: 4711, egress: false, deny: false, ruleSet: 12, precedence: precedence(0, 2), cookie: 5 },
      {
        ...ENTRY,
        identity: 0,
        egress: true,
        deny: true,
        ruleSet: 0,
        precedence: precedence(0, 255),
        cookie: 6,
        protocol: 0,
        port: 0,
        portPrefix: 0,
      },
    ]);
    policy.lookup(4711, 0, 6, 80);
    const stats = PolicyStatsMap.create(join(maps, 'policystats'), { capacity: 64 }, mapFile);
    stats.add(stats.slotFor(7, policy.entryIdentity, policy.entryPoint), 1500);
    t.equal(
      (await sluice('bpf policy get 7')).stdout,
      [
        'POLICY   DIRECTION   LABELS (source:key[=value])   PORT/PROTO   PROXY PORT   AUTH TYPE   BYTES   PACKETS   PREFIX   COOKIE',
        'Deny     Egress      ANY                           ANY          NONE         disabled    0       0         0        6',
        'Allow    Ingress     k8s:app=web                   80/TCP       12           disabled    1500    1         24       5',
        '',
      ].join('\n'),
    );
    t.match((await sluice('bpf policy get 7 -n -o json')).stdout, /"identity": 4711/);
    t.match((await sluice('bpf policy get --all -n')).stdout, /^Endpoint ID: 7\nPOLICY/);
    t.match(await sluice('bpf policy get 9'), { code: 1, stderr: /endpoints with one: 7/ });
    t.equal((await sluice('bpf policy get')).code, 2);
    t.match(await sluice('bpf policy get seven'), { code: 2, stderr: /wanted its id, or namespace\/name/ });
    t.match(await sluice('bpf policy get shop/none'), { code: 1, stderr: /no such pod is attached/ });
  });

  await t.test('ct list prints one line a connection', async (t) => {
    const ct = ConntrackMap.create(join(maps, 'ct_tcp'), { capacity: 64 }, mapFile);
    const tuple = {
      src0: 0,
      src1: 0,
      src2: 0xffff,
      src3: 0x0a000001,
      dst0: 0,
      dst1: 0,
      dst2: 0xffff,
      dst3: 0x0a000002,
    };
    const slot = ct.insert({ ...tuple, srcPort: 4000, dstPort: 80, protocol: 6 });
    const base = slot * CT_ROW_WORDS;
    ct.words[base + CT_LIFETIME] = monotonicSec() + 100;
    ct.words[base + CT_FLAGS] |= CT_FLAG_SEEN_NON_SYN;
    ct.words[base + CT_SOURCE_ENDPOINT] = 7;
    ct.words[base + CT_SRC_SEC_ID] = 4711;
    ct.account(base, 3, 180);
    const { stdout } = await sluice('bpf ct list tcp');
    t.match(
      stdout,
      /^TCP OUT 10\.0\.0\.1:4000 -> 10\.0\.0\.2:80 expires=\d+ Packets=3 Bytes=180 RxFlagsSeen=0x00 LastRxReport=0 TxFlagsSeen=0x00 LastTxReport=0 Flags=0x0010 \[ SeenNonSyn \] RevNAT=0 SourceSecurityID=4711 BackendID=0\n$/,
    );
    t.match((await sluice('bpf ct list tcp -d')).stdout, /\(remaining: (100|99) sec\(s\)\)/);
    t.match(JSON.parse((await sluice('bpf ct list tcp -o json')).stdout), [{ source: '10.0.0.1', packets: 3 }]);
    ConntrackMap.create(join(maps, 'ct_any'), { capacity: 64 }, mapFile).close();
    t.equal((await sluice('bpf ct list global')).stdout, stdout);
    t.equal((await sluice('bpf ct list endpoint 7')).stdout, stdout);
    t.equal((await sluice('bpf ct list endpoint 8')).stdout, '');
    t.equal((await sluice('bpf ct list endpoint')).code, 2);
    t.equal((await sluice('bpf ct list tcp 7')).code, 2);
    rmSync(join(maps, 'ct_any'));
    t.match(await sluice('bpf ct list'), { code: 1, stderr: /ct_any.*has sluiced run/ });
  });

  await t.test('ipcache list and get', async (t) => {
    const ipcache = Ipcache.create(join(maps, 'ipcache'), { capacity: 64 }, mapFile);
    ipcache.upsert(V4(0x0a000000), 96 + 8, { identity: 2 });
    ipcache.upsert(V4(0x0a000002), 128, { identity: 4711 });
    t.equal(
      (await sluice('bpf ipcache list')).stdout,
      [
        'IP PREFIX/ADDRESS   IDENTITY',
        '10.0.0.0/8          identity=2 encryptkey=0 tunnelendpoint=0.0.0.0 flags=0',
        '10.0.0.2/32         identity=4711 encryptkey=0 tunnelendpoint=0.0.0.0 flags=0',
        '',
      ].join('\n'),
    );
    t.match(JSON.parse((await sluice('bpf ipcache get 10.9.9.9 -o json')).stdout), {
      prefix: '10.0.0.0/8',
      identity: 2,
    });
    t.match(await sluice('bpf ipcache get 11.0.0.1'), { code: 1, stderr: /its identity is world/ });
    t.equal((await sluice('bpf ipcache get eleven')).code, 2);
  });

  await t.test('endpoint list and metrics list', async (t) => {
    const endpoints = EndpointMap.create(join(maps, 'endpoints'), { capacity: 64 }, mapFile);
    const mac = { high: 0x0200, low: 1 };
    endpoints.upsert(V4(0x0a000002), { ifindex: 4, lxcId: 7, flags: 0, mac, nodeMac: mac, secId: 4711, portIndex: 3 });
    t.equal(
      (await sluice('bpf endpoint list')).stdout,
      'IP ADDRESS   LOCAL ENDPOINT INFO\n10.0.0.2     id=7 sec_id=4711 flags=0x0000 ifindex=4 mac=02:00:00:00:00:01 nodemac=02:00:00:00:00:01 port=3\n',
    );
    const metrics = MetricsMap.create(join(maps, 'metrics'), {}, mapFile);
    metrics.add(0, 2, 10, 1000);
    metrics.add(133, 1, 1, 60);
    const reasons =
      'REASON          DIRECTION   PACKETS   BYTES\nSuccess         EGRESS      10        1000\nPolicy denied   INGRESS     1         60\n';
    t.match(await sluice('bpf metrics list'), { code: 0, stdout: reasons, stderr: /counters/ });
    const counters = CountersMap.create(join(maps, 'counters'), {}, mapFile);
    const ports = PortMap.create(join(maps, 'ports'), {}, mapFile);
    ports.set(3, {
      kind: 'veth',
      ifname: 'sluice_3',
      ifindex: 9,
      mac,
      endpointId: 7,
      secId: 4711,
      mtu: 1500,
      flags: 0,
    });
    counters.words[HTTP_DENIED] = 4;
    counters.portWords(3)[PORT_SENT_FRAMES] = 12;
    t.equal(
      (await sluice('bpf metrics list')).stdout,
      [
        reasons,
        'COUNTER                           VALUE   UNIT       MEANING',
        'http_requests{verdict="denied"}   4       messages   Denied.',
        '',
        'PORT   INTERFACE   RX FRAMES   RX BYTES   RX DROPS   TX FRAMES   TX BYTES   TX DROPS',
        '3      sluice_3    0           0          0          12          0          0',
        '',
      ].join('\n'),
    );
    t.match(JSON.parse((await sluice('bpf metrics list -o json')).stdout), [
      { reason: 0, packets: 10 },
      { reason: 133, bytes: 60 },
      { counter: 'http_requests{verdict="denied"}', value: 4, unit: 'messages' },
      { port: 3, interface: 'sluice_3', sentFrames: 12 },
    ]);
  });

  await t.test('map list shows every map, and which of them is damaged', async (t) => {
    writeFileSync(join(maps, 'events'), 'not a map');
    const { stdout } = await sluice('map list');
    t.match(stdout, /^NAME +NUM ENTRIES +CAPACITY/);
    t.match(stdout, /policy_7 +2 +64 +0/);
    t.match(stdout, /events .*open map .*events: file size: found 9/);
  });
});

t.test('capture names what is missing', async (t) => {
  t.match(await sluice('capture -w /tmp/x.pcapng'), { code: 1, stderr: /no journal of an agent/ });
  t.match(await sluice('capture -w /tmp/x.pcapng -i nosuch0'), {
    code: 1,
    stderr: /capture nosuch0: no such interface: see `ip link`/,
  });
  t.equal((await sluice('capture')).code, 2);
});

t.test('rig list, rig down and logs without a rig', async (t) => {
  t.match(await sluice('rig list'), { code: 0, stdout: 'RIG   PODS   PROGRAMS   FILES\n' });
  t.match(await sluice('rig down shop'), { code: 1, stderr: /no rig 'shop' is up here/ });
  t.equal((await sluice('rig down')).code, 2);
  t.match(await sluice('logs shop/web-0'), { code: 1, stderr: /no rig runs a container there/ });
});
