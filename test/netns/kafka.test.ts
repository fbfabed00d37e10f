/**
 * Kafka rules between librdkafka's clients (kcat) and its mock cluster: which topics may be written and read, by whom, and what
 * who may not is told.
 *
 *   <name>-empire-ship, -base ── Sluice (policy below) ── <name>-empire-kafka   kafka-mock.py
 */
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { PACKAGE_ROOT } from '../../linux/package-root.ts';
import { Cleanup, inNetns, PATIENCE_SEC, run, start, waitFor } from '../command.ts';
import { SluiceInstance } from '../rig.ts';

const BROKER = '10.244.0.92';
// Debian's own, which has python3-confluent-kafka.
const MOCK = ['/usr/bin/python3', join(PACKAGE_ROOT, 'test/netns/kafka-mock.py')];

const cleanup = new Cleanup();
const name = `slkf${process.pid.toString(36)}`;
const dir = mkdtempSync(`/tmp/${name}-`);
const portFile = join(dir, 'port');

const pod = (pod: string, address: string, command: readonly string[] = []) => `apiVersion: v1
kind: Pod
metadata: { name: ${pod}, namespace: empire, labels: { app: ${pod} } }
spec: { containers: [{ name: main, image: example/${pod}${command.length > 0 ? `, command: ${JSON.stringify(command)}` : ''} }] }
status: { podIPs: [{ ip: ${address} }] }
---
`;

const policy = (port: number, ...rules: string[]) => `apiVersion: cilium.io/v2
kind: CiliumNetworkPolicy
metadata: { name: topics, namespace: empire }
spec:
  endpointSelector: { matchLabels: { app: kafka } }
  ingress:
    - fromEndpoints: [{ matchLabels: { app: ship } }]
      toPorts: [{ ports: [{ port: "${port}", protocol: TCP }], rules: { kafka: [${rules.join(', ')}] } }]
    - fromEndpoints: [{ matchLabels: { app: base } }]
      toPorts: [{ ports: [{ port: "${port}", protocol: TCP }] }]
`;

cleanup.add(() => rmSync(dir, { recursive: true, force: true }));
writeFileSync(
  join(dir, 'rig.yaml'),
  pod('kafka', BROKER, [...MOCK, 'broker', BROKER, portFile]) + pod('ship', '10.244.0.10') + pod('base', '10.244.0.11'),
);
const instance = await SluiceInstance.withRig(name, cleanup, join(dir, 'rig.yaml'));
t.teardown(() => cleanup.finish());
t.teardown(() => instance.stop());

await waitFor('the broker to serve', async () => Promise.resolve(existsSync(portFile)));
const port = Number(readFileSync(portFile, 'utf8'));
for (const from of ['ship', 'base']) {
  const relay = start(inNetns(instance.netnsOf(`empire/${from}`), [...MOCK, 'relay', BROKER, String(port)]));
  cleanup.add(() => void relay.stop());
}

async function rules(...list: string[]): Promise<void> {
  writeFileSync(join(dir, 'policy.yaml'), policy(port, ...list));
  await instance.apply(join(dir, 'policy.yaml'));
}

const QUICK = ['-X', 'message.timeout.ms=5000', '-X', 'socket.timeout.ms=5000'];

function kcat(from: string, args: readonly string[], input = '') {
  const argv = ['timeout', String(PATIENCE_SEC), 'kcat', '-b', `127.0.0.1:${port}`, ...QUICK, ...args];
  return run(inNetns(instance.netnsOf(`empire/${from}`), argv), { input });
}

const write = (from: string, topic: string, text: string) => kcat(from, ['-P', '-t', topic, '-p', '0'], `${text}\n`);
const read = (from: string, topic: string) => kcat(from, ['-C', '-t', topic, '-p', '0', '-o', 'beginning', '-e', '-q']);

await rules('{ role: produce, topic: announce }', '{ role: consume, topic: announce }');
await waitFor('the way to the broker', async () => (await kcat('base', ['-L', '-m', '2'])).code === 0);

t.test('a pod without rules for its topics writes and reads what it likes', async (t) => {
  for (const topic of ['announce', 'plans']) {
    t.equal((await write('base', topic, `first of ${topic}`)).code, 0);
    t.equal((await read('base', topic)).stdout, `first of ${topic}\n`);
  }
});

t.test(
  'an allowed topic is written and read through the rules, others are refused in words that clients know',
  async (t) => {
    t.equal((await write('ship', 'announce', 'from the ship')).code, 0);
    t.equal((await read('ship', 'announce')).stdout, 'first of announce\nfrom the ship\n');
    const written = await write('ship', 'plans', 'stolen');
    t.not(written.code, 0);
    t.match(written.stderr, /Topic authorization failed/);
    const asked = await read('ship', 'plans');
    t.match(asked.stderr, /Topic authorization failed/);
    t.equal(asked.stdout, '');
    t.equal((await read('base', 'plans')).stdout, 'first of plans\n', 'nothing was written');
  },
);

t.test('batches larger than what is held, many requests under way', async (t) => {
  const lines = Array.from({ length: 20_000 }, (_, i) => `${i} ${'x'.repeat(100)}`).join('\n');
  t.equal((await kcat('ship', ['-P', '-t', 'announce', '-p', '1', '-X', 'linger.ms=50'], `${lines}\n`)).code, 0);
  const back = await kcat('ship', ['-C', '-t', 'announce', '-p', '1', '-o', 'beginning', '-e', '-q']);
  t.equal(back.stdout, `${lines}\n`);
  const big = 'y'.repeat(900_000);
  const sent = await kcat('ship', ['-P', '-t', 'announce', '-p', '2'], `${big}\n`);
  t.equal(sent.code, 0, sent.stderr.slice(0, 500));
  const got = await kcat('ship', ['-C', '-t', 'announce', '-p', '2', '-o', 'beginning', '-e', '-q']);
  t.ok(got.stdout === `${big}\n`, `${got.stdout.length} bytes came back`);
});

t.test('requests are told as hubble tells them', async (t) => {
  await write('ship', 'plans', 'again');
  let lines = '';
  await waitFor('the flows of Kafka', async () => {
    lines = (await instance.cli('observe', '--last', '200', '--type', 'l7')).stdout;
    return /'plans'/.test(lines);
  });
  t.match(
    lines,
    /empire\/ship:\d+ \(ID:\d+\) -> empire\/kafka:\d+ \(ID:\d+\) kafka-request DROPPED \(Kafka request metadata correlation id \d+ topic 'plans'/,
  );
  t.match((await instance.cli('bpf', 'metrics', 'list')).stdout, /kafka_requests/);
});

t.test('rules that change take hold on living connections', async (t) => {
  const follower = start(
    inNetns(instance.netnsOf('empire/ship'), [
      'kcat',
      '-b',
      `127.0.0.1:${port}`,
      '-C',
      '-t',
      'announce',
      '-p',
      '0',
      '-o',
      'end',
      '-u',
      '-q',
    ]),
  );
  cleanup.add(() => void follower.stop());
  await waitFor('the follower to follow', async () => {
    await write('base', 'announce', 'hear this');
    return follower.output().includes('hear this');
  });
  await rules('{ role: produce, topic: announce }');
  await waitFor('it to be refused', async () => {
    await write('base', 'announce', 'too late');
    return /authorization/i.test(follower.output());
  });
  t.equal((await read('ship', 'announce')).stdout, '');
});

t.test('a dataplane that was killed is followed by one that judges as it did', async (t) => {
  await rules('{ topic: announce }');
  for (const pid of instance.dataplanePids()) process.kill(pid, 'SIGKILL');
  await waitFor('Kafka again', async () => (await write('ship', 'announce', 'after')).code === 0);
  t.match((await write('ship', 'plans', 'stolen')).stderr, /Topic authorization failed/);
  t.equal((await read('base', 'plans')).stdout, 'first of plans\n');
});
