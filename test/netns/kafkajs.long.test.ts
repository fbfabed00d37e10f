/**
 * kafkajs under rules, with librdkafka's mock cluster of three brokers; it is fetched here where the npm registry is at hand.
 *
 *   <name>-empire-ship, -base ── Sluice (rules for the ship) ── <name>-empire-kafka-0, -1, -2   examples/kafka.py
 */
import { join } from 'node:path';
import t from 'tap';
import { PACKAGE_ROOT } from '../../linux/package-root.ts';
import { Cleanup, run } from '../command.ts';
import { fetched, npmInstall } from './fetched.ts';
import { KafkaRig } from './kafka-rig.ts';

const CLIENT = join(PACKAGE_ROOT, 'test/netns/kafkajs-client.mjs');
const folder = await fetched('sluice-kafkajs-2.2.4', (folder) => npmInstall(folder, 'kafkajs@2.2.4'));

if (folder === undefined) {
  t.test('NOT TRIED, it could not be fetched: kafkajs', { skip: 'no registry' }, async () => {});
} else {
  const cleanup = new Cleanup();
  const rig = await KafkaRig.start(`slkj${process.pid.toString(36)}`, cleanup);
  t.teardown(() => cleanup.finish());
  t.teardown(() => rig.instance.stop());
  const client = async (from: string, ...args: string[]) => {
    const argv = [process.execPath, CLIENT, join(folder, 'node_modules/kafkajs'), rig.brokers.join(','), ...args];
    return (await run(rig.argv(from, argv))).stdout.trim();
  };
  await rig.rules('{ role: produce, topic: announce }', '{ role: consume, topic: announce }');

  t.test('a producer and a group, over all brokers; what is denied in words that it knows', async (t) => {
    t.equal(await client('base', 'produce', 'plans', '10'), 'produced 10');
    t.equal(await client('ship', 'produce', 'announce', '300'), 'produced 300');
    t.equal(await client('ship', 'consume', 'announce', '300'), 'consumed 300');
    t.match(
      await client('ship', 'produce', 'plans', '1'),
      /TOPIC_AUTHORIZATION_FAILED|Not authorized to access topics/,
    );
    t.match(
      await client('ship', 'consume', 'plans', '1'),
      /TOPIC_AUTHORIZATION_FAILED|Not authorized to access topics/,
    );
    t.equal(await client('base', 'list'), 'topics announce,plans');
    t.equal(await client('ship', 'list'), 'topics', 'of all topics it hears of none');
  });
}
