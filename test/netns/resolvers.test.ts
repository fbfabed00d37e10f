/**
 * Two resolvers before two name servers, under a rule for DNS: glibc's getent and musl's getaddrinfo ask unbound, which the user
 * runs as his kube-dns, and then ours, which is back when his Service goes.
 *
 *   <name>-default-client ── Sluice ┬─ <name>-kube-system-unbound ──┐
 *                                   └─ <name>-kube-dns  sluice-dns ─┴─> <name>-net   dnsmasq: www.example
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { Cleanup, waitFor } from '../command.ts';
import { DNSMASQ, INTERNET_DNS, raiseInternet, serve, startOnline } from '../internet.ts';
import { buildMuslLookup } from '../musl-lookup.ts';

const name = `slrs${process.pid.toString(36).slice(-4)}`;
const cleanup = new Cleanup();
t.teardown(() => cleanup.finish());
t.jobs = 1;
const folder = mkdtempSync(join(tmpdir(), `${name}-`));
cleanup.add(() => rmSync(folder, { recursive: true, force: true }));

const BACKEND = 'backend.default.svc.cluster.local';
const UNBOUND = `server:
  interface: 0.0.0.0
  access-control: 0.0.0.0/0 allow
  chroot: ""
  username: ""
  pidfile: ""
  directory: "${folder}"
  use-syslog: no
  do-ip6: no
  module-config: "iterator"
  use-caps-for-id: yes
  local-zone: "cluster.local." static
  local-data: "${BACKEND}. A 10.96.0.20"
forward-zone:
  name: "."
  forward-addr: ${INTERNET_DNS}
remote-control:
  control-enable: no
`;
const unboundConf = join(folder, 'unbound.conf');

const KUBE_DNS = `apiVersion: v1
kind: Service
metadata: { name: kube-dns, namespace: kube-system }
spec:
  clusterIP: 10.96.0.10
  selector: { k8s-app: kube-dns }
  ports: [{ name: dns, port: 53, protocol: UDP }, { name: dns-tcp, port: 53 }]
`;
const RIG = `apiVersion: v1
kind: Pod
metadata: { name: client, namespace: default, labels: { app: client } }
spec:
  dnsConfig: { options: [{ name: timeout, value: "3" }, { name: attempts, value: "1" }] }
  containers: [{ name: shell, image: example/shell }]
---
apiVersion: v1
kind: Pod
metadata: { name: unbound, namespace: kube-system, labels: { k8s-app: kube-dns } }
spec:
  containers:
    - { name: unbound, image: unbound, command: [unbound, -d, -c, "${unboundConf}"] }
---
apiVersion: v1
kind: Service
metadata: { name: backend, namespace: default }
spec: { clusterIP: 10.96.0.20, selector: { app: nobody }, ports: [{ port: 8080 }] }
`;
/** The client may ask for two names, and reach the outside one. */
const POLICY = `apiVersion: cilium.io/v2
kind: CiliumNetworkPolicy
metadata: { name: names, namespace: default }
spec:
  endpointSelector: { matchLabels: { app: client } }
  egress:
    - toEndpoints: [{ matchLabels: { k8s-app: kube-dns, "k8s:io.kubernetes.pod.namespace": kube-system } }]
      toPorts:
        - ports: [{ port: "53", protocol: ANY }]
          rules: { dns: [{ matchName: ${BACKEND} }, { matchName: www.example }] }
    - toFQDNs: [{ matchName: www.example }]
`;

writeFileSync(unboundConf, UNBOUND);
const { net } = await raiseInternet(name, cleanup);
const INTERNET = [
  '--local=/example/',
  '--host-record=www.example,198.51.100.1',
  '--host-record=secret.example,198.51.100.2',
];
await serve(net, [...DNSMASQ, ...INTERNET], 53, cleanup);
await serve(net, ['python3', '-m', 'http.server', '80', '-d', folder], 80, cleanup);
const look = await buildMuslLookup(folder);
writeFileSync(join(folder, 'rig.yaml'), RIG);
const instance = await startOnline(name, cleanup, join(folder, 'rig.yaml'));
t.teardown(() => instance.stop());

const inClient = (...argv: string[]) => instance.inPod('default/client', argv);
const glibc = async (asked: string) => (await inClient('getent', 'ahostsv4', asked)).stdout.split(' ')[0];
const musl = async (asked: string) => {
  const { code, stdout } = await inClient(look, asked);
  return code === 0 ? stdout.trim() : '';
};
const curl = async (seconds: string, url: string) => (await inClient('curl', '-s', '-m', seconds, url)).code;
const whoAnswers = async () => (await instance.read('/v1/status')).dns.servedBy;

async function bothResolve(t: Test, wanted: readonly (readonly [asked: string, glibc: string, musl: string])[]) {
  for (const [asked, ofGlibc, ofMusl] of wanted) {
    t.equal(await glibc(asked), ofGlibc, `glibc: ${asked}`);
    t.equal(await musl(asked), ofMusl, `musl: ${asked}`);
  }
}

/** No policy: what is behind the search domains is found by both. */
const FREE = [
  ['backend', '10.96.0.20', '10.96.0.20'],
  ['backend.default', '10.96.0.20', '10.96.0.20'],
  [BACKEND, '10.96.0.20', '10.96.0.20'],
  ['www.example', '198.51.100.1', '198.51.100.1'],
  ['secret.example', '198.51.100.2', '198.51.100.2'],
  ['nobody', '', ''],
] as const;
/**
 * The first name with a search domain is refused: glibc leaves out the other domains and asks for what was given, musl of before
 * 1.2.5 gives up.
 */
const REFUSED = [
  ['backend', '10.96.0.20', '10.96.0.20'],
  ['backend.default', '', ''],
  ['www.example', '198.51.100.1', ''],
  ['www.example.', '198.51.100.1', '198.51.100.1'],
  ['secret.example', '', ''],
] as const;
/** With nameError instead both go on. */
const NAME_ERROR = [
  ['backend.default', '10.96.0.20', '10.96.0.20'],
  ['www.example', '198.51.100.1', '198.51.100.1'],
  ['secret.example', '', ''],
] as const;

async function underPolicy(t: Test, server: string): Promise<void> {
  await bothResolve(t, FREE);
  await instance.send(POLICY);
  await bothResolve(t, REFUSED);
  await waitFor('www.example to be learnt and reached', async () => (await curl('60', 'http://www.example./')) === 0);
  t.not(await curl('2', 'http://198.51.100.2/'), 0, 'what no name stands for is not reached');
  await instance.send(POLICY, 'delete');
  t.equal(await whoAnswers(), server);
}

await instance.send(KUBE_DNS);
await waitFor('ours to have gone', async () => (await instance.read('/v1/status')).dns.server.state === 'off');
await waitFor('unbound to answer', async () => (await glibc('www.example.')) === '198.51.100.1');

t.test("unbound as the user's own kube-dns, asked from glibc and musl", async (t) => {
  await underPolicy(t, 'kube-system/kube-dns');
});

t.test('its Service goes, ours is back: the same names, the same refusals', async (t) => {
  await instance.send(KUBE_DNS, 'delete');
  await waitFor('ours to run', async () => (await instance.read('/v1/status')).dns.server.state === 'running');
  await waitFor('ours to answer', async () => (await glibc('www.example.')) === '198.51.100.1');
  await underPolicy(t, 'sluice-dns');
});

t.test('with nameError instead of REFUSED both go through the search domains', async (t) => {
  const config = readFileSync(instance.configFile, 'utf8');
  writeFileSync(
    instance.configFile,
    config.replace('policy: { ', 'policy: { tofqdns-dns-reject-response-code: nameError, '),
  );
  process.kill(instance.agent.pid, 'SIGKILL');
  await instance.restartAgent();
  await instance.send(POLICY);
  await bothResolve(t, NAME_ERROR);
});
