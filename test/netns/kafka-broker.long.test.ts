/**
 * Kafka rules between real brokers of two versions and Kafka's own client, where Java and Maven are at hand (the jars come from Maven
 * Central): what the mock cluster of kafka.test.ts does not have, as ids of topics, fetch sessions and share groups.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { PACKAGE_ROOT } from '../../linux/package-root.ts';
import { Cleanup, inNetns, isListening, must, PATIENCE_SEC, run, waitFor } from '../command.ts';
import { SluiceInstance } from '../rig.ts';
import { fetched, succeeds } from './fetched.ts';

const SOURCES = join(PACKAGE_ROOT, 'test/netns/kafka-broker');
const BROKER = '10.244.0.92';
const hasJava = (await run(['java', '-version'])).code === 0 && (await run(['mvn', '-version'])).code === 0;

/** The last with groups of the old protocol only, and one with share groups (KIP-932). */
const VERSIONS = ['3.9.1', '4.4.0'];

for (const version of VERSIONS) {
  const jars = hasJava
    ? await fetched(`sluice-kafka-${version}`, (folder) => {
        const goal = ['dependency:copy-dependencies', `-DoutputDirectory=${folder}`, `-Dkafka.version=${version}`];
        return succeeds(['mvn', '-q', '-B', '-f', join(SOURCES, 'pom.xml'), ...goal], SOURCES);
      })
    : undefined;
  const tried = jars === undefined ? 'NOT TRIED, this machine has no Java, Maven or registry: ' : '';
  t.test(`${tried}a broker and a client of Kafka ${version}`, { skip: jars === undefined && 'no Java' }, async (t) => {
    if (jars !== undefined) await tryVersion(t, version, jars);
  });
}

async function tryVersion(t: Test, version: string, jars: string): Promise<void> {
  const cleanup = new Cleanup();
  const name = `slk${version[0]}${process.pid.toString(36)}`;
  const dir = mkdtempSync(`/tmp/${name}-`);
  cleanup.add(() => rmSync(dir, { recursive: true, force: true }));
  const java = `java -Xmx256m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -cp '${jars}/*'`;
  writeFileSync(
    join(dir, 'server.properties'),
    `process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:9093
listeners=PLAINTEXT://${BROKER}:9092,CONTROLLER://127.0.0.1:9093
advertised.listeners=PLAINTEXT://${BROKER}:9092
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
controller.listener.names=CONTROLLER
log.dirs=${dir}/log
offsets.topic.replication.factor=1
offsets.topic.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
group.initial.rebalance.delay.ms=0
num.partitions=2
message.max.bytes=4000000
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
share.coordinator.state.topic.num.partitions=1
`,
  );
  const format = `${java} kafka.tools.StorageTool format -t AAAAAAAAAAAAAAAAAAAAAQ -c ${dir}/server.properties`;
  const serve = `exec ${java} kafka.Kafka ${dir}/server.properties > ${dir}/broker.log 2>&1`;
  const pod = (pod: string, address: string, command: readonly string[] = []) => `apiVersion: v1
kind: Pod
metadata: { name: ${pod}, namespace: empire, labels: { app: ${pod} } }
spec: { containers: [{ name: main, image: example/${pod}${command.length > 0 ? `, command: ${JSON.stringify(command)}` : ''} }] }
status: { podIPs: [{ ip: ${address} }] }
---
`;
  const policy = (...rules: string[]) => `apiVersion: cilium.io/v2
kind: CiliumNetworkPolicy
metadata: { name: topics, namespace: empire }
spec:
  endpointSelector: { matchLabels: { app: kafka } }
  ingress:
    - fromEndpoints: [{ matchLabels: { app: ship } }]
      toPorts: [{ ports: [{ port: "9092", protocol: TCP }], rules: { kafka: [${rules.join(', ')}] } }]
    - fromEndpoints: [{ matchLabels: { app: base } }]
      toPorts: [{ ports: [{ port: "9092", protocol: TCP }] }]
`;
  const rules = async (...list: string[]) => {
    writeFileSync(join(dir, 'policy.yaml'), policy(...list));
    await instance.apply(join(dir, 'policy.yaml'));
  };
  writeFileSync(
    join(dir, 'rig.yaml'),
    pod('kafka', BROKER, ['sh', '-c', `${format} && ${serve}`]) +
      pod('ship', '10.244.0.10') +
      pod('base', '10.244.0.11'),
  );
  const instance = await SluiceInstance.withRig(name, cleanup, join(dir, 'rig.yaml'));
  t.teardown(() => cleanup.finish());
  t.teardown(() => instance.stop());

  const classes = join(dir, 'classes');
  const hasShares = version >= '4';
  const sources = hasShares ? ['Client.java', 'Share.java'] : ['Client.java'];
  await must(['javac', '-cp', `${jars}/*`, '-d', classes, ...sources.map((source) => join(SOURCES, source))]);
  const program = async (from: string, main: string, ...args: string[]) => {
    const java = ['java', '-Xmx256m', '-XX:TieredStopAtLevel=1', '-cp', `${classes}:${jars}/*`, main, ...args];
    const { stdout } = await run(
      inNetns(instance.netnsOf(`empire/${from}`), ['timeout', String(PATIENCE_SEC), ...java]),
    );
    return stdout.trim().split('\n').at(-1) ?? '';
  };
  const client = (from: string, what: string, ...rest: string[]) =>
    program(from, 'Client', what, `${BROKER}:9092`, ...rest);
  await waitFor('the broker to listen', () => isListening(instance.netnsOf('empire/kafka'), 9092));
  const WRITER = ['{ role: produce, topic: announce }', '{ apiKey: initproducerid }'];
  await rules(...WRITER, '{ role: consume, topic: announce }');

  await t.test('who has no rules for topics does as it likes', async (t) => {
    t.equal(await client('base', 'produce', 'announce,plans', '10', '100'), 'produced 20');
    t.match(await client('base', 'list'), /announce.*plans|plans.*announce/);
  });

  await t.test(
    'an idempotent producer and a group under rules; others are refused in words that they know',
    async (t) => {
      t.equal(await client('ship', 'produce', 'announce', '1000', '1000'), 'produced 1000');
      t.equal(await client('ship', 'consume', 'announce', '1010'), 'consumed 1010', 'ids of topics and fetch sessions');
      t.match(await client('ship', 'produce', 'plans', '1', '10'), /TopicAuthorizationException.*plans/);
      t.match(await client('ship', 'consume', 'plans', '1'), /TopicAuthorizationException.*plans/);
      t.match(await client('ship', 'produce', 'announce,plans', '10', '100'), /TopicAuthorizationException.*plans/);
      t.equal(
        await client('ship', 'list'),
        'topics []',
        'as brokers answer: of those that it may not see it hears nothing',
      );
      t.equal(await client('base', 'consume', 'plans', '10'), 'consumed 10', 'nothing more was written');
    },
  );

  await t.test('batches of megabytes', async (t) => {
    t.equal(await client('ship', 'produce', 'announce', '20', '1500000'), 'produced 20');
  });

  if (!hasShares) return;
  await t.test(
    'share groups pass where nothing is asked of topics; under rules for topics clients hear that there are none',
    async (t) => {
      const share = (from: string, topic: string) => program(from, 'Share', `${BROKER}:9092`, topic, '10');
      t.equal(await share('base', 'plans'), 'shared 10');
      t.match(await share('ship', 'announce'), /^UnsupportedVersionException .*share group/);
    },
  );
}
