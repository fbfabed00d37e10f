// A client of kafkajs: kafkajs-client.mjs PACKAGE BROKER,BROKER produce TOPIC COUNT | consume TOPIC COUNT | list. Prints what came of it.
import { createRequire } from 'node:module';

const [, , folder, brokers, what, topic, count] = process.argv;
const { Kafka, logLevel } = createRequire(import.meta.url)(folder);
const kafka = new Kafka({
  brokers: brokers.split(','),
  clientId: 'crew',
  logLevel: logLevel.NOTHING,
  retry: { retries: 4 },
  requestTimeout: 10_000,
});

async function produce() {
  const producer = kafka.producer();
  await producer.connect();
  const messages = Array.from({ length: Number(count) }, (_, i) => ({ key: String(i), value: `value ${i}` }));
  await producer.send({ topic, messages });
  await producer.disconnect();
  return `produced ${count}`;
}

async function consume() {
  const consumer = kafka.consumer({ groupId: 'crew' });
  await consumer.connect();
  await consumer.subscribe({ topic, fromBeginning: true });
  const seen = new Set();
  await new Promise((resolve, reject) => {
    consumer.on(consumer.events.CRASH, ({ payload }) => reject(payload.error));
    const eachMessage = ({ message }) => {
      seen.add(String(message.value));
      if (seen.size === Number(count)) resolve();
    };
    consumer.run({ eachMessage }).catch(reject);
  });
  await consumer.disconnect();
  return `consumed ${seen.size}`;
}

async function list() {
  const admin = kafka.admin();
  await admin.connect();
  const topics = await admin.listTopics();
  await admin.disconnect();
  return `topics ${topics.toSorted()}`;
}

try {
  console.log(await { produce, consume, list }[what]());
} catch (error) {
  console.log(error.type ?? error.name, error.message);
}
process.exit();
