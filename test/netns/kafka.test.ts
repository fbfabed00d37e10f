/**
 * Kafka rules between librdkafka's clients (kcat) and its mock cluster of three brokers: which topics may be written and read, by whom,
 * and what who may not is told.
 *
 *   <name>-empire-ship, -base ── Sluice (rules for the ship) ── <name>-empire-kafka-0, -1, -2   examples/kafka.py
 */
import t from 'tap';
import { Cleanup, start, waitFor } from '../command.ts';
import { KafkaRig } from './kafka-rig.ts';

const cleanup = new Cleanup();
const rig = await KafkaRig.start(`slkf${process.pid.toString(36)}`, cleanup);
const { instance } = rig;
t.teardown(() => cleanup.finish());
t.teardown(() => instance.stop());

const kcat = (from: string, args: readonly string[], input = '') => rig.kcat(from, args, input);
const write = (from: string, topic: string, text: string) => kcat(from, ['-P', '-t', topic, '-p', '0'], `${text}\n`);
const read = (from: string, topic: string) => kcat(from, ['-C', '-t', topic, '-p', '0', '-o', 'beginning', '-e', '-q']);

await rig.rules('{ role: produce, topic: announce }', '{ role: consume, topic: announce }');
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

t.test('a group reads what each broker has', async (t) => {
  // The mock cluster's brokers lead the partitions in turn.
  const lines: string[] = [];
  for (const partition of rig.brokers.keys()) {
    const own = Array.from({ length: 50 }, (_, i) => `spread ${partition} ${i}`);
    t.equal((await kcat('ship', ['-P', '-t', 'announce', '-p', String(partition)], `${own.join('\n')}\n`)).code, 0);
    lines.push(...own);
  }
  const earliest = ['-X', 'auto.offset.reset=earliest', '-e', '-q'];
  const { stdout } = await kcat('ship', ['-G', 'crew', ...earliest, 'announce']);
  const got = stdout.split('\n').filter((line) => line.startsWith('spread'));
  t.strictSame(got.toSorted(), lines.toSorted(), `${got.length} lines`);
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
    /empire\/ship:\d+ \(ID:\d+\) -> empire\/kafka-\d:\d+ \(ID:\d+\) kafka-request DROPPED \(Kafka request metadata correlation id \d+ topic 'plans'/,
  );
  t.match((await instance.cli('bpf', 'metrics', 'list')).stdout, /kafka_requests/);
});

t.test('rules that change take hold on living connections', async (t) => {
  const follows = ['-C', '-t', 'announce', '-p', '0', '-o', 'end', '-u', '-q'];
  const follower = start(rig.argv('ship', ['kcat', '-b', rig.brokers[0], ...follows]));
  cleanup.add(() => void follower.stop());
  await waitFor('the follower to follow', async () => {
    await write('base', 'announce', 'hear this');
    return follower.output().includes('hear this');
  });
  await rig.rules('{ role: produce, topic: announce }');
  await waitFor('it to be refused', async () => {
    await write('base', 'announce', 'too late');
    return /authorization/i.test(follower.output());
  });
  t.equal((await read('ship', 'announce')).stdout, '');
});

t.test('a dataplane that was killed is followed by one that judges as it did', async (t) => {
  await rig.rules('{ topic: announce }');
  for (const pid of instance.dataplanePids()) process.kill(pid, 'SIGKILL');
  await waitFor('Kafka again', async () => (await write('ship', 'announce', 'after')).code === 0);
  t.match((await write('ship', 'plans', 'stolen')).stderr, /Topic authorization failed/);
  t.equal((await read('base', 'plans')).stdout, 'first of plans\n');
});
