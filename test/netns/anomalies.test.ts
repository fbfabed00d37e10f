/**
 * Anomalies end to end: a pod that tries the ports of another one is told by `sluice observe`, in the log and as a metric; a pod
 * that talks to one port is not. Then a sweep, SYNs without an answer and a surge of drops.
 *
 *   x/p0 (scans) ──── sluice ──── x/p1 (a server at 8000) ──── x/p2 (its client)
 */
import t from 'tap';
import { Cleanup, inNetns, makeNetns, must, waitFor } from '../command.ts';
import { crowdManifests } from '../crowd.ts';
import { SluiceInstance } from '../rig.ts';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

t.jobs = 1;
const cleanup = new Cleanup();
t.teardown(() => cleanup.finish());
const name = `slan${process.pid.toString(36).slice(-4)}`;
const folder = mkdtempSync(join(tmpdir(), `${name}-files-`));
cleanup.add(() => rmSync(folder, { recursive: true, force: true }));
await makeNetns(cleanup, `${name}-host`);
const instance = await SluiceInstance.start({
  name,
  cleanup,
  netns: `${name}-host`,
  netnsPrefix: `${name}-`,
  createNamespaces: true,
  config: `hubble: { anomalies: { enabled: true }, history: { enabled: true, directory: ${folder}/flows } }\n`,
});
t.teardown(() => instance.stop());
const manifests = join(folder, 'pods.yaml');
writeFileSync(manifests, crowdManifests('x', ['veth', 'veth', 'veth']));
await instance.apply(manifests);
await instance.untilReady(['x/p0', 'x/p1', 'x/p2']);
const endpoints: { pod: string; ipv4: string }[] = await instance.read('/v1/endpoints');
const addressOf = (name: string): string => endpoints.find(({ pod }) => pod === name)?.ipv4 ?? '';
const target = addressOf('p1');

/** Tries to connect to each port once, as `nmap -sT` does. */
const tryPorts = (pod: string, ports: string) =>
  instance.inPod(pod, [
    'python3',
    '-c',
    `import socket
for port in ${ports}:
  one = socket.socket(); one.settimeout(0.2); one.connect_ex(("${target}", port)); one.close()`,
  ]);

async function anomalies(...more: string[]): Promise<string[]> {
  const { code, stdout, stderr } = await instance.cli('observe', '--all', '--type', 'agent', ...more);
  if (code !== 0) throw new Error(`observe: ${stderr}`);
  return stdout.split('\n').filter((line) => line !== '');
}

t.test('a scan of ports is told once, by observe, history and metrics; a busy client is not told', async (t) => {
  await tryPorts('x/p2', '[8000] * 60');
  await tryPorts('x/p0', 'range(100, 160)');
  let told: string[] = [];
  await waitFor('the scan to be told', async () => {
    told = await anomalies();
    return told.length > 0;
  });
  t.equal(told.length, 1);
  t.match(told[0], /x\/p0 .* anomaly VERDICT_UNKNOWN \(Anomaly port-scan: x\/p0 tried 20 ports of \S+ within 60 s\)/);
  t.equal((await anomalies('--from-pod', 'x/p0')).length, 1);
  t.same(await anomalies('--from-pod', 'x/p2'), []);
  const socket = `/run/${name}/hubble.sock`;
  const text = await must(
    inNetns(`${name}-host`, ['curl', '-sS', '-m', '10', '--unix-socket', socket, 'http://sluice/metrics']),
  );
  t.match(text, /^sluice_anomalies_total\{rule="port-scan"\} 1$/m);
  t.match(text, /^sluice_anomalies_total\{rule="sweep"\} 0$/m);
});

const told = (what: string, wanted: RegExp) =>
  waitFor(`${what} to be told`, async () => (await anomalies()).some((line) => wanted.test(line)));

/** Begins connections from a pod, each to a place of its own or by a port of its own, and gives them up at once: nothing is sent again. */
const begin = (pod: string, place: string) =>
  instance.inPod(pod, [
    'python3',
    '-c',
    `import socket
kept = []
for i in range(1, 61):
  one = socket.socket(); one.setblocking(False); one.connect_ex(${place}); kept.append(one)`,
  ]);

/** Nobody may come in: it takes the place of the crowd's policy, which lets everybody in. */
const CLOSED = `apiVersion: cilium.io/v2
kind: CiliumNetworkPolicy
metadata: { name: all, namespace: x }
spec: { endpointSelector: {}, ingress: [{}] }
`;

t.test('a sweep, SYNs without an answer in a silent network, and a surge of drops are told', async (t) => {
  await begin('x/p1', '(f"198.51.100.{i}", 443)');
  const isDeaf = await instance.inPod('x/p1', ['ip', 'route', 'add', 'blackhole', addressOf('p2')]);
  t.equal(isDeaf.code, 0, isDeaf.stderr);
  await begin('x/p2', `("${target}", 8000)`);
  await told('the sweep', /Anomaly sweep: x\/p1 tried TCP port 443 of 50 addresses within 60 s/);
  await told('the SYNs', /Anomaly unanswered-syns: 50 connection attempts to \S+ port 8000 within 60 s had no answer/);

  writeFileSync(manifests, CLOSED);
  await instance.apply(manifests);
  await instance.inPod('x/p0', [
    'python3',
    '-c',
    `import socket, time
one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for i in range(3000):
  one.sendto(b"x", ("${target}", 9))
  if i % 50 == 0: time.sleep(0.01)`,
  ]);
  await told('the surge', /Anomaly drop-surge: \d+ packets dropped within 10 s \(POLICY_DENIED\)/);
  const rules = (await anomalies()).map((line) => /Anomaly ([\w-]+)/.exec(line)?.[1]).sort();
  t.same(rules, ['drop-surge', 'port-scan', 'sweep', 'unanswered-syns'], 'and nothing else');
});
