/**
 * Metrics end to end: Debian's Prometheus scrapes agent and observatory while pods talk, and every query of the dashboards and
 * every alert of examples/monitoring is asked of it.
 *
 *   <name>-host   sluiced (:9962, :9965) ── prometheus (:9090) scrapes both each second
 *     ├── <name>-default-web      nginx's place: an HTTP server under an HTTP rule
 *     └── <name>-default-client   curl, dig, ping
 */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { Cleanup, inNetns, must, run, start, waitFor } from '../command.ts';
import { PACKAGE_ROOT } from '../../linux/package-root.ts';
import { SluiceInstance } from '../rig.ts';

const name = `slmt${process.pid.toString(36).slice(-4)}`;
const cleanup = new Cleanup();
t.teardown(() => cleanup.finish());
t.jobs = 1;
const MONITORING = join(PACKAGE_ROOT, 'examples/monitoring');
const folder = mkdtempSync(join(tmpdir(), `${name}-`));
cleanup.add(() => rmSync(folder, { recursive: true, force: true }));

const PODS = `
apiVersion: v1
kind: Pod
metadata: {name: web, labels: {app: web}}
spec: {containers: [{name: c, image: httpbin, ports: [{containerPort: 8000}]}]}
---
apiVersion: v1
kind: Pod
metadata: {name: client, labels: {app: client}}
spec: {containers: [{name: c, image: pause}]}
`;
const POLICY = `
apiVersion: cilium.io/v2
kind: CiliumNetworkPolicy
metadata: {name: web}
spec:
  endpointSelector: {matchLabels: {app: web}}
  ingress:
  - fromEndpoints: [{matchLabels: {app: client}}]
    toPorts: [{ports: [{port: "8000", protocol: TCP}], rules: {http: [{method: GET, path: "/headers"}]}}]
`;

let sluice: SluiceInstance;

/** What an address of the agent's host answers. */
async function get(url: string, ...flags: string[]): Promise<string> {
  return must(inNetns(`${name}-host`, ['curl', '-sS', '-m', '10', ...flags, url]));
}

interface Series {
  readonly metric: Readonly<Record<string, string>>;
  readonly value: readonly [number, string];
}

/** The answer of Prometheus to a query; Grafana's variable for the range of rates stands for a minute. */
async function ask(query: string): Promise<Series[]> {
  const plain = query.replaceAll('$__rate_interval', '1m');
  const text = await get('http://127.0.0.1:9090/api/v1/query', '-G', '--data-urlencode', `query=${plain}`);
  const answer = JSON.parse(text) as { status: string; error?: string; data: { result: Series[] } };
  if (answer.status !== 'success') throw new Error(`${query}: ${answer.error ?? text}`);
  return answer.data.result;
}

t.before(async () => {
  const config = readFileSync(join(MONITORING, 'sluice.yaml'), 'utf8');
  writeFileSync(join(folder, 'pods.yaml'), PODS);
  sluice = await SluiceInstance.withRig(name, cleanup, join(folder, 'pods.yaml'), config);
  await sluice.send(POLICY);
  const fast = readFileSync(join(MONITORING, 'prometheus.yaml'), 'utf8').replaceAll('10s', '1s');
  writeFileSync(join(folder, 'prometheus.yaml'), fast);
  writeFileSync(join(folder, 'alerts.yaml'), readFileSync(join(MONITORING, 'alerts.yaml')));
  const flags = [
    `--config.file=${folder}/prometheus.yaml`,
    `--storage.tsdb.path=${folder}/data`,
    '--web.listen-address=127.0.0.1:9090',
  ];
  const prometheus = start(inNetns(`${name}-host`, ['prometheus', ...flags]));
  cleanup.add(() => prometheus.child.kill('SIGKILL'));
  await waitFor('prometheus to be ready', async () => {
    const ready = await run(inNetns(`${name}-host`, ['curl', '-sf', '-m', '2', 'http://127.0.0.1:9090/-/ready']));
    return ready.code === 0;
  });
});

const webAddress = async (): Promise<string> => {
  const endpoints = (await sluice.read('/v1/endpoints')) as { pod: string; ipv4: string }[];
  return endpoints.find(({ pod }) => pod === 'web')?.ipv4 ?? '';
};

t.test('what pods do is counted, and Prometheus has it', async (t) => {
  const web = await webAddress();
  const client = `${name}-default-client`;
  await waitFor('the first answer', async () => {
    const outcome = await run(inNetns(client, ['curl', '-s', '-m', '2', `http://${web}:8000/headers`]));
    return outcome.code === 0;
  });
  for (const path of ['headers', 'headers', 'ip'])
    await run(inNetns(client, ['curl', '-s', '-m', '5', `http://${web}:8000/${path}`]));
  await run(inNetns(client, ['curl', '-s', '-m', '1', `http://${web}:81/`]));
  const wanted: [string, string][] = [
    ['hubble_http_requests_total{status="200",method="GET",destination="default/web"}', 'allowed requests'],
    ['hubble_http_requests_total{status="403",method="GET",destination="default/web"}', 'denied requests'],
    ['hubble_http_request_duration_seconds_count > 0', 'latency'],
    [
      'hubble_drop_total{reason="POLICY_DENIED",protocol="TCP",source="default/client",destination="default/web"}',
      'drops',
    ],
    ['hubble_policy_verdicts_total{direction="ingress",match="l3-l4",action="redirected"}', 'verdicts'],
    ['cilium_drop_count_total{reason="Policy denied",direction="INGRESS"} > 0', 'packets dropped'],
    ['cilium_forward_count_total > 0', 'packets forwarded'],
    ['cilium_policy_l7_total{rule="denied",proxy_type="http"} >= 1', 'L7 verdicts'],
    ['cilium_policy == 1', 'policies'],
    ['cilium_endpoint_state{endpoint_state="ready"} == 2', 'endpoints'],
    ['cilium_policy_endpoint_enforcement_status{enforcement="ingress"} == 1', 'enforcement'],
    ['sluice_dataplane_up == 1', 'the dataplane'],
    ['sluice_dataplane_cpu_seconds_total > 0', 'CPU'],
    [`sluice_port_frames_total{way="received"} > 0`, 'ports'],
    ['sluice_policy_compile_seconds_count > 0', 'timings'],
    ['cilium_bpf_map_pressure{map_name="ct_tcp"} > 0', 'pressure'],
  ];
  for (const [query, what] of wanted) {
    await waitFor(`${what}: ${query}`, async () => (await ask(query)).length > 0);
    t.pass(what);
  }
});

t.test('every query of the dashboards is one, and those of this traffic have data', async (t) => {
  const files = readdirSync(join(MONITORING, 'dashboards'));
  t.same(files.sort(), ['dataplane.json', 'l7.json', 'policies.json']);
  const unspoken = ['DNS queries', 'DNS responses', 'Kafka requests', 'Events lost', 'ICMP'];
  for (const file of files) {
    const { panels } = JSON.parse(readFileSync(join(MONITORING, 'dashboards', file), 'utf8')) as {
      panels: { title: string; targets: { expr: string }[] }[];
    };
    for (const { title, targets } of panels) {
      for (const { expr } of targets) {
        if (unspoken.includes(title)) await ask(expr);
        // A rate needs two looks at what is counted.
        else await waitFor(`${file}, ${title}: ${expr}`, async () => (await ask(expr)).length > 0);
      }
    }
  }
});

t.test('promtool finds nothing wrong with the configuration, the alerts and what is served', async (t) => {
  await must(['promtool', 'check', 'config', join(MONITORING, 'prometheus.yaml')]);
  const { data } = JSON.parse(await get('http://127.0.0.1:9090/api/v1/rules')) as {
    data: { groups: { rules: { name: string; health: string; lastError?: string }[] }[] };
  };
  const alerts = data.groups.flatMap(({ rules }) => rules);
  t.ok(alerts.length >= 10, `${alerts.length} alerts`);
  for (const { name, health, lastError = '' } of alerts) t.same([health, lastError], ['ok', ''], name);
  for (const port of [9962, 9965]) {
    const text = await get(`http://127.0.0.1:${port}/metrics`);
    const path = join(folder, `metrics-${port}.txt`);
    writeFileSync(path, text);
    const { code, stderr } = await run(['sh', '-c', `promtool check metrics < ${path}`]);
    // Hints about names are Cilium's: drop_count_total and the like are what its dashboards ask for.
    t.notMatch(stderr, /error while|text format parsing/, `port ${port}`);
    t.ok(code === 0 || code === 3, `promtool reads what port ${port} serves (exit ${code})`);
    const open = await get(
      `http://127.0.0.1:${port}/metrics`,
      '-H',
      'accept: application/openmetrics-text;version=1.0.0',
    );
    t.ok(open.endsWith('# EOF\n'), 'OpenMetrics when asked');
  }
  const targets = JSON.parse(await get('http://127.0.0.1:9090/api/v1/targets')) as {
    data: { activeTargets: { health: string; lastError: string }[] };
  };
  t.same(
    targets.data.activeTargets.map(({ health, lastError }) => [health, lastError]),
    [
      ['up', ''],
      ['up', ''],
    ],
  );
});

t.test('the same is on the unix sockets, and nothing else is on the ports', async (t) => {
  const own = await sluice.call('GET', '/metrics');
  t.match(own, { status: 200, text: /^cilium_endpoint 2$/m });
  const other = await run(
    inNetns(`${name}-host`, ['curl', '-s', '-o', '/dev/null', '-w', '%{http_code}', 'http://127.0.0.1:9962/v1/status']),
  );
  t.equal(other.stdout, '404', 'the API is not served there');
  const posted = await run(
    inNetns(`${name}-host`, [
      'curl',
      '-s',
      '-o',
      '/dev/null',
      '-w',
      '%{http_code}',
      '-d',
      'x',
      'http://127.0.0.1:9965/metrics',
    ]),
  );
  t.equal(posted.stdout, '405');
});
