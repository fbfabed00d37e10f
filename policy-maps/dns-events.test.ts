// What answers taught: written by the dataplane, read by agents that come and go. SEED=n repeats a run.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import t from 'tap';
import { addressWords } from '../wire/address.ts';
import { DomainName } from '../wire/dns/name.ts';
import { CONFIG_DNS_ACKNOWLEDGED, CONFIG_DNS_PUBLISHED, ConfigMap } from './config-map.ts';
import { DNS_ASK, DNS_EVENT_CAPACITY, DNS_RENEW, type DnsEvent, DnsEventRing, dnsRecordsOf } from './dns-events.ts';
import { memoryMapper } from './table/memory-mapper.ts';

const SEED = Number(process.env['SEED'] ?? 20240229);
t.comment(`seed ${SEED}`);

const folder = mkdtempSync(join(tmpdir(), 'sluice-dns-events-'));
t.teardown(() => rmSync(folder, { recursive: true, force: true }));
let files = 0;

/** A ring and the config map, with processes that open them as they like. @param place that the agent had before */
function newWorld(place = 0) {
  const number = files++;
  const [ringPath, configPath] = [join(folder, `ring_${number}`), join(folder, `config_${number}`)];
  const mapper = memoryMapper();
  DnsEventRing.create(ringPath, {}, mapper).close();
  const config = ConfigMap.create(configPath, {}, mapper);
  config.store(CONFIG_DNS_PUBLISHED, place);
  config.store(CONFIG_DNS_ACKNOWLEDGED, place);
  const rings: DnsEventRing[] = [];
  const dataplane = () => {
    rings.pop()?.close();
    rings.push(DnsEventRing.open(ringPath, mapper, { writable: true }));
    return rings[0].writer(config);
  };
  const agent = () => DnsEventRing.open(ringPath, mapper).reader(config);
  return { config, dataplane, agent };
}

const ASKER = { srcEndpoint: 65535, egressRuleSet: 70_000 };

function name(text: string): DomainName {
  const domain = new DomainName();
  domain.loadText(text);
  return domain;
}

/** An answer of `count` addresses, each another one from `first` on. */
function taught(count: number, first = 0, ttlSec = 30) {
  const addresses = new Int32Array(4 * count);
  for (let i = 0; i < count; i++) addresses.set(addressWords(`2001:db8::${(first + i).toString(16)}`), 4 * i);
  return { addresses, count, ttlSec, isCut: false };
}

function all(reader: ReturnType<DnsEventRing['reader']>): DnsEvent[] {
  return [...reader.read()];
}

t.test('an answer is read as it was written', async (t) => {
  const { dataplane, agent } = newWorld();
  const writer = dataplane();
  writer.nowMs = 1234.5;
  t.equal(writer.write(DNS_ASK, ASKER, name('API.example.com'), taught(2)), true);
  t.equal(
    writer.write(DNS_RENEW, { srcEndpoint: 7, egressRuleSet: 1 }, name('.'), { ...taught(0), isCut: true }),
    true,
  );
  const [ask, renew, ...rest] = all(agent());
  t.same(ask, {
    sequence: 1,
    kind: DNS_ASK,
    endpoint: 65535,
    ruleSet: 70_000,
    name: name('api.example.com').bytes.slice(0, 17),
    ttlSec: 30,
    addresses: [addressWords('2001:db8::0'), addressWords('2001:db8::1')],
    isCut: false,
    timeMs: 1234.5,
  });
  t.match(renew, { sequence: 2, kind: DNS_RENEW, endpoint: 7, name: new Uint8Array(1), addresses: [], isCut: true });
  t.same(rest, []);
});

t.test('answers with many addresses take several records, and arrive whole', async (t) => {
  for (const count of [0, 13, 14, 15, 44, 45, 1000, 1024]) {
    const { dataplane, agent } = newWorld();
    const writer = dataplane();
    writer.write(DNS_ASK, ASKER, name('many.example'), taught(count));
    writer.write(DNS_ASK, ASKER, name('next.example'), taught(1, 5000));
    const [many, next] = all(agent());
    t.same(many.addresses.flat(), [...taught(count).addresses], `${count} addresses`);
    t.equal(many.sequence, dnsRecordsOf(count));
    t.match(next, { sequence: many.sequence + 1, name: name('next.example').bytes.slice(0, 14) });
  }
});

t.test('nothing is overwritten that the agent has not acknowledged', async (t) => {
  const { dataplane, agent } = newWorld();
  const writer = dataplane();
  const reader = agent();
  let written = 0;
  while (writer.write(DNS_ASK, ASKER, name('flood.example'), taught(15, written))) written++;
  t.equal(written, DNS_EVENT_CAPACITY / 2);
  t.equal(writer.free, 0);
  const events = all(reader);
  t.equal(events.length, written);
  t.equal(writer.write(DNS_ASK, ASKER, name('late.example'), taught(1)), false, 'read, but not acknowledged');
  reader.publish(events[9].sequence);
  t.equal(writer.write(DNS_ASK, ASKER, name('late.example'), taught(1)), false, 'published, but not acknowledged');
  reader.acknowledge(events[0].sequence);
  t.equal(writer.free, 2);
  t.equal(writer.write(DNS_ASK, ASKER, name('large.example'), taught(45)), false, 'three records do not fit');
  t.same(all(reader), [], 'and none of them is seen');
  t.equal(writer.write(DNS_ASK, ASKER, name('late.example'), taught(15)), true);
  t.equal(all(reader).length, 1);
});

t.test('an answer is published when the agent has come to its number', async (t) => {
  const { dataplane, agent } = newWorld();
  const writer = dataplane();
  const reader = agent();
  const numbers = [1, 2, 3].map(() => {
    writer.write(DNS_ASK, ASKER, name('a.example'), taught(20));
    return writer.sequence;
  });
  const published = () => numbers.map((number) => writer.isPublished(number));
  t.same(published(), [false, false, false]);
  const [first, second] = all(reader);
  t.same(published(), [false, false, false], 'reading alone says nothing');
  reader.publish(first.sequence);
  t.same(published(), [true, false, false]);
  reader.acknowledge(second.sequence);
  t.same(published(), [true, true, false], 'what is kept is published');
  reader.acknowledge(first.sequence);
  t.same(published(), [true, true, false], 'and stays so');
});

t.test('places survive the death of either process, and of both', async (t) => {
  const { dataplane, agent } = newWorld();
  let writer = dataplane();
  for (const text of ['a', 'b', 'c']) writer.write(DNS_ASK, ASKER, name(text), taught(1));
  const first = agent();
  const [a, b] = all(first);
  first.publish(b.sequence);
  first.acknowledge(a.sequence);
  const again = all(agent());
  t.same(
    again.map(({ name: bytes }) => String.fromCharCode(bytes[1])),
    ['b', 'c'],
    'the next agent begins behind what was acknowledged',
  );
  writer = dataplane();
  t.equal(writer.isPublished(b.sequence), true);
  t.equal(writer.isPublished(writer.sequence), false);
  writer.write(DNS_ASK, ASKER, name('d'), taught(1));
  t.equal(writer.sequence, 4);
  t.same(
    all(agent()).map(({ sequence }) => sequence),
    [2, 3, 4],
  );
});

t.test('a ring that was made anew begins where its reader is, and nothing is published in it', async (t) => {
  for (const place of [5000, 0x7fffffff, -1]) {
    const { config, dataplane, agent } = newWorld(place);
    const early = agent();
    t.same(all(early), [], 'before the dataplane has come');
    const writer = dataplane();
    t.same(all(early), [], 'zeroes are no answers');
    t.ok(writer.free >= DNS_EVENT_CAPACITY - 1);
    writer.write(DNS_ASK, ASKER, name('a.example'), taught(1));
    t.equal(writer.isPublished(writer.sequence), false, `from ${place} on`);
    const [event] = all(early);
    t.equal(event.sequence, writer.sequence);
    config.store(CONFIG_DNS_PUBLISHED, event.sequence);
    t.equal(writer.isPublished(writer.sequence), true);
  }
});

t.test('an agent that had published more than it had acknowledged gets no zeroes from a new ring', async (t) => {
  const { config, dataplane, agent } = newWorld(100);
  config.store(CONFIG_DNS_PUBLISHED, 130);
  const writer = dataplane();
  t.equal(writer.sequence, 130);
  writer.write(DNS_ASK, ASKER, name('a.example'), taught(1));
  t.same(
    all(agent()).map(({ sequence }) => sequence),
    [131],
  );
});

t.test('the ring agrees with a list, over random answers and agents that die', async () => {
  const step = fc.record({
    addresses: fc.oneof(fc.nat(20), fc.nat(1024)),
    reads: fc.nat(6),
    acknowledges: fc.boolean(),
    agentDies: fc.boolean(),
    dataplaneDies: fc.boolean(),
  });
  const property = fc.property(fc.array(step, { maxLength: 60 }), fc.integer(), (steps, place) => {
    const { dataplane, agent } = newWorld(place);
    let writer = dataplane();
    let reader = agent();
    let number = 0;
    let kept: number[] = []; // not acknowledged
    let read = 0; // of these
    for (const { addresses, reads, acknowledges, agentDies, dataplaneDies } of steps) {
      if (writer.write(DNS_ASK, ASKER, name(`n${++number}.example`), taught(addresses, number))) kept.push(number);
      const events = [...reader.read(reads)];
      const wanted = kept.slice(read, read + reads);
      const found = events.map((event) => String.fromCharCode(...event.name.slice(2, 1 + event.name[0])));
      if (found.join() !== wanted.join()) return false;
      read += events.length;
      if (acknowledges && read > 0) {
        reader.acknowledge(reader.sequence);
        kept = kept.slice(read);
        read = 0;
      }
      if (agentDies) {
        reader = agent();
        read = 0;
      }
      if (dataplaneDies) writer = dataplane();
    }
    return true;
  });
  fc.assert(property, { seed: SEED, numRuns: 60 });
});
