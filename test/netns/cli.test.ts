/**
 * The `sluice` command against a real instance: a rig raised, programs run in its pods, what is said of them, and what is
 * left when the daemons are killed.
 *
 *   this machine   sluiced, sluice-dataplane, <name>_host
 *     ├── veth ── <name>-shop-client-0      (a Deployment of one)
 *     └── veth ── <name>-shop-server        node, HTTP on 8080
 */
import { programPath } from '../../linux/programs.ts';
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { readPcapng } from '../../wire/pcapng.ts';
import { Cleanup, PATIENCE_SEC, run, waitFor } from '../command.ts';
import { OWN_RANGE, SluiceInstance } from '../rig.ts';

const CLI = programPath('sluice');
const name = `slc${process.pid.toString(36)}`;
const SERVER_IP = `${OWN_RANGE.ipv4}.200`;
const folder = mkdtempSync(join(tmpdir(), `${name}-`));
const manifests = join(folder, 'shop.yaml');
const SERVER = "require('http').createServer((q, r) => { console.log(q.method, q.url); r.end('hello') }).listen(8080)";

writeFileSync(
  manifests,
  `
apiVersion: v1
kind: Namespace
metadata: { name: shop }
---
apiVersion: apps/v1
kind: Deployment
metadata: { name: client, namespace: shop }
spec:
  replicas: 1
  selector: { matchLabels: { app: client } }
  template:
    metadata: { labels: { app: client } }
    spec: { hostAliases: [{ ip: ${SERVER_IP}, hostnames: [server] }], containers: [{ name: idle, image: none }] }
---
apiVersion: v1
kind: Pod
metadata: { name: server, namespace: shop, labels: { app: server } }
spec:
  initContainers: [{ name: init, image: none, command: [ip, addr, show, eth0] }]
  containers:
    - { name: http, image: none, command: [${process.execPath}, -e, "${SERVER}"], ports: [{ containerPort: 8080 }] }
status: { podIP: ${SERVER_IP} }
`,
);

const cleanup = new Cleanup();
cleanup.add(() => rmSync(folder, { recursive: true, force: true }));
t.teardown(() => cleanup.finish());
t.jobs = 1;

let instance: SluiceInstance;
t.before(async () => {
  instance = await SluiceInstance.start({ name, cleanup, netnsPrefix: `${name}-` });
});

const exec = (pod: string, ...argv: string[]) =>
  run([process.execPath, CLI, 'exec', '--run-dir', instance.runDir, pod, '--', ...argv]);
const get = (flags: string) =>
  exec('shop/client-0', 'sh', '-c', `curl -s -m ${PATIENCE_SEC} ${flags} http://server:8080/`);

t.test('rig up makes namespaces, attaches pods and waits for their servers', async (t) => {
  const { code, stdout, stderr } = await instance.cli('rig', 'up', '-f', manifests);
  t.equal(code, 0, stderr);
  t.equal(stdout, 'rig shop is up: 2 pods, 1 program\n');
  t.match(await instance.cli('rig', 'list'), { stdout: /shop +2 +1\/1 +.*shop\.yaml/ });
  t.match(await instance.cli('status'), { code: 0, stdout: /Endpoints: +2\/2 ready/ });
  t.match(await instance.cli('status', '--format', 'cilium'), {
    code: 0,
    stdout: /^Cilium: +Ok .*\n[^]*^Controller Status: +(\d+)\/\1 healthy\n[^]*^Cluster health: +2\/2 reachable\n/m,
  });
  t.match(await instance.cli('get', 'pods', '-n', 'shop'), {
    stdout: new RegExp(`client-0 +1/1 +ready[^]*server +1/1 +ready +${SERVER_IP}`),
  });
  const path = 'jsonpath={.status.phase} {.status.podIP}';
  t.match(await instance.cli('get', 'pods', 'server', '-n', 'shop', '-o', path), { stdout: `Running ${SERVER_IP}` });
  t.match(await instance.cli('rig', 'up', '-f', manifests), { code: 1, stderr: /it is up already/ });
});

t.test('rig up waits for TCP and UDP servers, names those that do not come, and undoes everything', async (t) => {
  const file = join(folder, 'silent.yaml');
  const pod = (container: string) =>
    `apiVersion: v1\nkind: Pod\nmetadata: { name: silent, namespace: shop }\nspec: { containers: [${container}] }\n`;
  const ports = '[{ containerPort: 80 }, { containerPort: 53, protocol: UDP }]';
  writeFileSync(file, pod(`{ name: c, command: [sleep, "3600"], ports: ${ports} }`));
  // A second is enough for the pod to be attached, on a fast machine; on a slow one a wait that begins with it is over before.
  let stderr = 'wait for endpoints';
  for (let waitSec = 1; stderr.includes('wait for endpoints'); waitSec *= 3) {
    const outcome = await instance.cli('rig', 'up', '-f', file, '--wait', `${waitSec}s`);
    t.equal(outcome.code, 1);
    ({ stderr } = outcome);
  }
  t.match(
    stderr,
    /run sleep 3600 in container c of shop\/silent: does not listen on TCP 80, UDP 53: it printed nothing/,
  );
  const isThere = () => existsSync(`/run/netns/${name}-shop-silent`);
  t.notOk(isThere());
  const child = spawn(process.execPath, [CLI, 'rig', 'up', '-f', file, '--run-dir', instance.runDir, '--wait', '1h']);
  let said = '';
  child.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()));
  const ended = new Promise((resolve) => child.on('exit', resolve));
  await waitFor('the program', async () => /silent +1 +1\/1/.test((await instance.cli('rig', 'list')).stdout));
  child.kill('SIGINT');
  t.equal(await ended, 130);
  t.equal(said, 'error: raise rig silent: interrupted: it is down again\n');
  t.notOk(isThere());
  t.match(await instance.cli('rig', 'list', '-o', 'name'), { stdout: 'rig/shop\n' });
});

t.test('bpf metrics list shows what each port has carried, and status --verbose how full the maps are', async (t) => {
  t.match(await get(''), { code: 0, stdout: 'hello' });
  const rows = async () =>
    JSON.parse((await instance.cli('bpf', 'metrics', 'list', '-o', 'json')).stdout) as Record<string, unknown>[];
  await waitFor('the ports of both pods to count', async () => {
    const ports = (await rows()).filter((row) => row['port'] !== undefined);
    return ports.filter((row) => Number(row['receivedFrames']) > 4 && Number(row['sentBytes']) > 300).length >= 2;
  });
  t.match(await instance.cli('status', '--verbose'), { code: 0, stdout: /^l7_state +0 +65536 +0\.0% +0 +0$/m });
});

t.test('exec passes the exit code, the end by a signal, and what cannot be run', async (t) => {
  t.match(await exec('shop/server', 'sh', '-c', 'echo out; echo err >&2; exit 28'), {
    code: 28,
    stdout: 'out\n',
    stderr: 'err\n',
  });
  t.equal((await exec('shop/server', 'sh', '-c', 'kill -KILL $$')).code, 137);
  t.match(await exec('shop/server', 'no-such-program'), { code: 127, stderr: /not found in PATH/ });
  t.match(await exec('shop/server', manifests), { code: 126, stderr: /not executable/ });
  t.match(await exec('shop/nobody', 'true'), { code: 1, stderr: /no such pod here/ });
  t.match(await get(''), { code: 0, stdout: 'hello' });
});

t.test('exec takes what fingers type for kubectl', async (t) => {
  const typed = (...words: string[]) => run([process.execPath, CLI, 'exec', '--run-dir', instance.runDir, ...words]);
  const script = ['sh', '-c', 'ip -br addr show eth0; exit 5'];
  t.match(await typed('-it', 'server', '-n', 'shop', '--', ...script), { code: 5, stdout: /eth0/ });
  t.match(await typed('-n', 'shop', '-ti', 'pod/server', '-c', 'http', '--', ...script), { code: 5 });
  t.match(await typed('deploy/client', '-n', 'shop', '-t', '-i', '--', ...script), { code: 5 });
  t.match(await typed('deployment.apps/client', '-n', 'shop', ...script), { code: 5 });
  t.match(await typed('server', '-n', 'shop', 'x', '--', ...script), { code: 2, stderr: /found 'x'/ });
  t.match(await typed('server', '--nope', '--', ...script), { code: 2, stderr: /found '--nope'/ });
  t.match(await typed('svc/nope', '-n', 'shop', '--', 'true'), { code: 1, stderr: /services "nope"/ });
  t.match(await instance.cli('logs', 'pod/server', '-n', 'shop'), { code: 0 });
});

t.test('run makes a pod for one program, which rig down ends', async (t) => {
  const flags = ['--image=x', '--restart=Never', '--labels=app=sleeper', '-n', 'shop', '--run-dir', instance.runDir];
  const made = await run([process.execPath, CLI, 'run', 'sleeper', ...flags, '--command', '--', 'sleep', '1000']);
  t.match(made, { code: 0, stdout: 'pod/sleeper created\n', stderr: /rig down shop-sleeper/ });
  t.match(await instance.cli('wait', '--for=condition=Ready', 'pod', '-n', 'shop', '-l', 'app=sleeper'), { code: 0 });
  t.match(await instance.cli('get', 'cep', 'sleeper', '-n', 'shop', '-o=jsonpath={.status.identity.id}'), {
    stdout: /^\d+\n$/,
  });
  t.match(await instance.cli('rig', 'down', 'shop-sleeper'), { code: 0 });
  t.match(await instance.cli('get', 'pod/sleeper', '-n', 'shop'), { code: 1, stderr: /pods "sleeper" not found/ });
});

t.test('links called hubble, cilium and kubectl-sluice run what tutorials write', async (t) => {
  const bin = join(folder, 'bin');
  t.match(await run([process.execPath, CLI, 'shims', 'install', bin]), { code: 0, stdout: /hubble -> / });
  const linked = (name: string, ...words: string[]) =>
    run(['env', `SLUICE_RUN_DIR=${instance.runDir}`, process.execPath, join(bin, name), ...words]);
  t.match(await linked('cilium', 'status', '--wait'), { stdout: /Endpoints: +2\/2 ready/ });
  t.match(await linked('hubble', 'observe', '--server', 'localhost:4245', '--last', '1'), { code: 0, stdout: /shop/ });
  t.match(await linked('hubble', 'list', 'nodes'), { code: 0, stdout: /Ready/ });
  t.match(await linked('cilium', 'hubble', 'port-forward'), { code: 0, stdout: /nothing to do/ });
  t.match(await linked('kubectl-sluice', 'get', 'pods', '-n', 'shop'), { code: 0, stdout: /server/ });
  t.match(await linked('cilium', 'clustermesh'), { code: 2, stderr: /no such command/ });
});

t.test('exec hands signals on to the program', async (t) => {
  const script = 'trap "exit 9" TERM; echo ready; while :; do sleep 0.05; done';
  const child = spawn(process.execPath, [CLI, 'exec', '--run-dir', instance.runDir, 'shop/server', 'sh', '-c', script]);
  let output = '';
  child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
  const code = new Promise((resolve) => child.on('exit', resolve));
  await waitFor('the program to be ready', () => output.includes('ready'));
  child.kill('SIGTERM');
  t.equal(await code, 9);
});

t.test('logs shows what containers print', async (t) => {
  t.match(await instance.cli('logs', 'shop/server'), { code: 0, stdout: /GET \// });
  t.match(await instance.cli('logs', 'shop/server', '--tail', '0'), { stdout: '' });
});

t.test('capture records both directions of a pod, and ends at the count', async (t) => {
  const file = join(folder, 'server.pcapng');
  const argv = [process.execPath, CLI, 'capture', '-w', file, 'shop/server', '-c', '12', '--run-dir', instance.runDir];
  let isDone = false;
  const capture = run([...argv, '--filter', 'tcp port 8080']).finally(() => {
    isDone = true;
  });
  while (!isDone) await get('-o /dev/null');
  t.match(await capture, { code: 0, stderr: /^recording 1 interface into .*\n12 frames from 1 interface/ });
  const { interfaces, packets, problem } = readPcapng(readFileSync(file));
  t.equal(problem, null);
  t.match(interfaces, [{ name: 'shop/server' }]);
  t.equal(packets.length, 12);
  const sources = new Set(packets.map(({ bytes }) => Buffer.from(bytes.subarray(6, 12)).toString('hex')));
  t.equal(sources.size, 2, 'frames of both ends');
});

t.test('observe and monitor show the same connection', async (t) => {
  await get('-o /dev/null');
  const wanted =
    /shop\/client-0:\d+ \(ID:\d+\) -> shop\/server:8080 \(ID:\d+\) to-endpoint FORWARDED \(TCP Flags: SYN\)/;
  await waitFor('the flow', async () => {
    const { code, stdout } = await instance.cli('observe', '--pod', 'shop/server', '--port', '8080');
    return code === 0 && wanted.test(stdout);
  });
  t.match(await instance.cli('monitor', '--oldest', '--once', '-t', 'trace'), {
    code: 0,
    stdout: /-> endpoint \d+ flow 0x[0-9a-f]+ , identity \d+->\d+ state new .*-> [\d.]+\.200:8080 tcp SYN/,
  });
});

t.test('with the agent killed, exec, bpf and capture go on, and the API commands end with 3', async (t) => {
  instance.agent.child.kill('SIGKILL');
  await waitFor('the agent to be dead', () => instance.agent.child.signalCode !== null);
  t.match(await instance.cli('status'), { code: 3, stderr: /is it running|left its socket/ });
  t.match(await get(''), { code: 0, stdout: 'hello' });
  t.match(await instance.cli('bpf', 'ct', 'list', 'global'), {
    code: 0,
    stdout: /TCP OUT [\d.]+:\d+ -> [\d.]+\.200:8080/,
  });
  t.match(await instance.cli('bpf', 'policy', 'get', '--all'), { code: 0, stdout: /k8s:app=|reserved:/ });
  t.match(await instance.cli('cleanup', '--help'), { code: 0 });
  await instance.restartAgent();
  t.match(await instance.cli('cleanup'), { code: 1, stderr: /is alive: end it with SIGTERM/ });
});

t.test('rig down ends programs, deletes objects and removes namespaces', async (t) => {
  t.match(await instance.cli('rig', 'down', '-f', manifests), { code: 0, stdout: 'rig shop is down\n' });
  t.notOk(existsSync(`/run/netns/${name}-shop-server`));
  t.match(await instance.cli('get', 'all', '-A'), { stdout: '', stderr: 'No resources found\n' });
});

t.test('cleanup removes what killed daemons left', async (t) => {
  t.equal((await instance.cli('rig', 'up', '-f', manifests)).code, 0);
  const [agent, dataplane] = instance.pids();
  process.kill(agent, 'SIGKILL');
  process.kill(dataplane, 'SIGSTOP'); // wedged, not dead
  await waitFor('the agent to be dead', () => instance.agent.child.signalCode !== null);
  writeFileSync(join(instance.runDir, 'sluiced.process'), ''); // killed while it wrote this,
  rmSync(join(instance.runDir, 'state/dataplane.json')); // and before it had noted that
  const { code, stdout, stderr } = await instance.cli('cleanup');
  t.equal(code, 0, stderr);
  t.match(stdout, /removed rig shop\nremoved dataplane process \d+\n/);
  t.match(stdout, new RegExp(`removed host port ${name}_host\n`));
  t.notOk(existsSync(instance.runDir));
  t.notMatch((await run(['ip', '-br', 'link'])).stdout, name);
  t.notMatch((await run(['ip', 'netns'])).stdout, name);
  t.notMatch((await run(['nft', 'list', 'tables'])).stdout, name);
  t.match(await instance.cli('cleanup'), { code: 0, stdout: 'nothing to clean up\n' });
});
