/** What answers teach: which go on, which wait, which are refused; and that nothing goes on unlearnt, whoever dies. */
import t from 'tap';
import { dnsAgent } from '../../test/dns-agent.ts';
import { address, alias, answer, type RecordInput } from '../../test/dns-messages.ts';
import { OWNER } from '../../test/stream/parser-wire.ts';
import { CONFIG_DNS_MAX_DELAY_MS, CONFIG_FQDN_ACTIVE } from '../../policy-maps/config-map.ts';
import { DNS_UNPUBLISHED_CAUSES } from '../../policy-maps/counters.ts';
import { DNS_ASK, DNS_EVENT_CAPACITY, DNS_RENEW } from '../../policy-maps/dns-events.ts';
import { addressWords } from '../../wire/address.ts';
import { DnsMessage } from '../../wire/dns/message.ts';
import { DomainName } from '../../wire/dns/name.ts';
import type { StreamOwner } from '../parser.ts';
import { GO, REFUSE, type Teaching, WAIT } from './teaching.ts';

const ASKER: StreamOwner = { ...OWNER, egressRuleSet: 1, srcEndpoint: 8 };

const message = new DnsMessage();
const name = new DomainName();

/** What becomes of an answer. */
function consider(teaching: Teaching, asked: string, records: readonly RecordInput[], owner = ASKER): number {
  const bytes = answer(asked, records);
  if (message.parse(bytes, 0, bytes.length) !== 0) throw new Error(`answer for ${asked}: found none`);
  name.load(bytes, 0, bytes.length, message.questionAt);
  return teaching.consider(owner, message, name, bytes, 0, bytes.length);
}

function causes({ counters: { unpublished } }: Teaching): Record<string, number> {
  return Object.fromEntries(
    DNS_UNPUBLISHED_CAUSES.flatMap((cause, i) => (unpublished[i] ? [[cause, unpublished[i]]] : [])),
  );
}

t.test(
  'an answer with new addresses waits until its number is published; then such answers go on at once',
  async (t) => {
    const { teaching, told, publish } = dnsAgent();
    teaching.nowMs = 5_500;
    const records = [alias('A.example', 'b.example', 20), address('b.example', '192.0.2.1', 30)];
    t.equal(consider(teaching, 'A.example', records), WAIT);
    const { sequence } = teaching;
    t.equal(teaching.isPublished(sequence), false);
    const events = told();
    t.match(events, [
      {
        kind: DNS_ASK,
        endpoint: 8,
        ruleSet: 1,
        ttlSec: 20,
        timeMs: 5_500,
        sequence,
        addresses: [addressWords('192.0.2.1')],
      },
    ]);
    t.equal(Buffer.from(events[0].name).toString('latin1'), '\x01a\x07example\x00');
    publish(events);
    t.equal(teaching.isPublished(sequence), true);
    t.equal(consider(teaching, 'a.EXAMPLE', records), GO);
    t.match(told(), [{ kind: DNS_RENEW, addresses: [addressWords('192.0.2.1')] }]);
  },
);

t.test('one address that is not published is enough to wait, of either family', async (t) => {
  const { teaching, told, publish } = dnsAgent();
  const old = address('a.example', '192.0.2.1');
  consider(teaching, 'a.example', [old]);
  publish(told());
  t.equal(consider(teaching, 'a.example', [old, address('a.example', '192.0.2.2')]), WAIT);
  t.equal(consider(teaching, 'a.example', [address('a.example', '2001:db8::1'), old]), WAIT);
  t.equal(
    consider(teaching, 'b.example', [address('b.example', '192.0.2.1')]),
    WAIT,
    'the same address of another name',
  );
  t.equal(consider(teaching, 'a.example', [address('a.example', '2001:db8::1')]), WAIT, 'IPv6 alone');
  t.equal(consider(teaching, 'a.example', [old]), GO);
});

t.test('a pair that has come to its end is asked for again', async (t) => {
  const { teaching, told, publish } = dnsAgent();
  teaching.nowMs = 10_000;
  const records = [address('a.example', '192.0.2.1')];
  consider(teaching, 'a.example', records);
  publish(told(), 70);
  teaching.nowMs = 69_999;
  t.equal(consider(teaching, 'a.example', records), GO);
  teaching.nowMs = 70_000;
  t.equal(consider(teaching, 'a.example', records), WAIT);
});

t.test('what has no addresses for the question does not wait, nor what was not asked under egress rules', async (t) => {
  const { teaching, told } = dnsAgent();
  t.equal(consider(teaching, 'a.example', []), GO);
  t.equal(consider(teaching, 'a.example', [address('other.example', '192.0.2.1')]), GO, 'of another name');
  t.equal(consider(teaching, 'a.example', [address('a.example', '::ffff:192.0.2.1')]), GO, 'IPv4 in IPv6 clothes');
  t.equal(consider(teaching, 'a.example', [address('a.example', '192.0.2.1')], { ...ASKER, egressRuleSet: 0 }), GO);
  t.same(told(), []);
});

t.test('while no policy has toFQDNs no answer waits, and the agent is told all the same', async (t) => {
  const { teaching, told, config } = dnsAgent(false);
  const records = [address('a.example', '192.0.2.1')];
  t.equal(consider(teaching, 'a.example', records), GO);
  t.match(told(), [{ kind: DNS_RENEW, addresses: [addressWords('192.0.2.1')] }]);
  config.store(CONFIG_FQDN_ACTIVE, 1);
  t.equal(consider(teaching, 'a.example', records), WAIT);
});

t.test(
  'the agent is told once a second that an answer was given again, each asker and each set of addresses apart',
  async (t) => {
    const { teaching, told, publish } = dnsAgent();
    const both = [address('a.example', '192.0.2.1'), address('a.example', '192.0.2.2')];
    consider(teaching, 'a.example', both);
    publish(told());
    for (let i = 0; i < 50; i++) consider(teaching, 'a.example', i % 2 === 0 ? both : both.toReversed());
    t.equal(told().length, 1, 'whatever their order');
    consider(teaching, 'a.example', [both[0]]);
    t.equal(told().length, 1, 'fewer of them');
    consider(teaching, 'a.example', both, { ...ASKER, srcEndpoint: 9 });
    t.match(told(), [{ endpoint: 9 }]);
    teaching.nowMs += 1000;
    consider(teaching, 'a.example', both);
    t.equal(told().length, 1, 'a second later they end a second later');
    consider(teaching, 'a.example', [address('a.example', '192.0.2.1', 59), address('a.example', '192.0.2.2', 59)]);
    t.equal(told().length, 0, 'what ends no later is no news');
  },
);

t.test('who asks for many new names waits for himself alone', async (t) => {
  const { teaching, told, publish } = dnsAgent();
  const ask = (i: number, owner = ASKER) =>
    consider(teaching, `n${i}.example`, [address(`n${i}.example`, '192.0.2.1')], owner);
  const outcomes = Array.from({ length: 1000 }, (_, i) => ask(i));
  t.equal(outcomes.indexOf(REFUSE), 128);
  t.same(causes(teaching), { 'share-full': 872 });
  t.equal(ask(1, { ...ASKER, srcEndpoint: 9 }), WAIT);
  const events = told();
  t.equal(events.length, 129);
  publish(events.slice(0, 100));
  const more = Array.from({ length: 1000 }, (_, i) => ask(2000 + i));
  t.equal(more.indexOf(REFUSE), 100, 'what is published is given back');
});

t.test('many askers at once leave something for who comes late, and all is free again', async (t) => {
  const { teaching, told, publish, reader } = dnsAgent();
  const fill = (endpoints: number) => {
    let asked = 0;
    for (let endpoint = 1; endpoint <= endpoints; endpoint++) {
      for (let i = 0; i < 300; i++) {
        const host = `n${i}.e${endpoint}.example`;
        const owner = { ...ASKER, srcEndpoint: endpoint };
        if (consider(teaching, host, [address(host, '192.0.2.1')], owner) === WAIT) asked++;
      }
    }
    return asked;
  };
  t.equal(fill(12), 12 * 128);
  const late = { ...ASKER, srcEndpoint: 13 };
  t.equal(consider(teaching, 'late.example', [address('late.example', '192.0.2.1')], late), WAIT);
  let events = told();
  t.equal(events.length, 12 * 128 + 1);
  for (let round = 0; round < 3; round++) {
    publish(events.map((event) => ({ ...event, addresses: [] })));
    reader.acknowledge(reader.sequence);
    t.equal(fill(60), DNS_EVENT_CAPACITY, 'together they have all of it');
    events = told();
    t.equal(events.length, DNS_EVENT_CAPACITY, 'and nothing is lost');
  }
  t.ok(causes(teaching)['ring-full'] > 0);
});

t.test('a ring that nobody acknowledges refuses what is new, and goes on letting through what is known', async (t) => {
  const { teaching, told, publish, reader } = dnsAgent();
  const known = [address('known.example', '192.0.2.1')];
  consider(teaching, 'known.example', known);
  publish(told());
  let refused = 0;
  for (let i = 0; i < 3 * DNS_EVENT_CAPACITY; i++) {
    teaching.nowMs += 30; // minutes, all in all
    const outcome = consider(teaching, `n${i}.example`, [address(`n${i}.example`, '192.0.2.1')]);
    if (outcome === REFUSE) refused++;
    if (i % 16 === 0) publish(told()); // read and published, but not kept
    if (consider(teaching, 'known.example', known) !== GO) t.fail('what is known');
  }
  t.equal(refused, causes(teaching)['ring-full']);
  t.ok(refused > DNS_EVENT_CAPACITY);
  t.ok(teaching.counters.untaught > 0, 'renewals stop before questions do');
  t.equal(teaching.counters.asked + refused, 1 + 3 * DNS_EVENT_CAPACITY);
  reader.acknowledge(reader.sequence);
  t.equal(consider(teaching, 'late.example', [address('late.example', '192.0.2.1')]), WAIT);
});

t.test(
  'a thousand addresses in an answer are told whole; what is beyond 1,024 is not learnt, and said to be cut',
  async (t) => {
    for (const count of [1000, 1024, 1500]) {
      const { teaching, told, publish } = dnsAgent();
      const records = Array.from({ length: count }, (_, i) => address('a.example', `10.0.${i >> 8}.${i & 255}`));
      t.equal(consider(teaching, 'a.example', records), WAIT);
      const [event] = told();
      t.equal(event.addresses.length, Math.min(count, 1024));
      t.equal(event.isCut, count > 1024);
      publish([event]);
      t.equal(consider(teaching, 'a.example', records), GO);
    }
  },
);

t.test('a name that moves every second has each of its addresses asked for', async (t) => {
  const { teaching, told, publish } = dnsAgent();
  for (let second = 0; second < 100; second++) {
    teaching.nowMs = second * 1000;
    const moved = [address('a.example', `192.0.2.${second}`, 1)];
    t.equal(consider(teaching, 'a.example', moved), WAIT);
    publish(told(), second + 1);
    t.equal(consider(teaching, 'a.example', moved), GO, 'within its second');
  }
});

t.test(
  'after the death of the dataplane nothing that waited is taken for published, and shares begin anew',
  async (t) => {
    const { teaching, told, restart, publish } = dnsAgent();
    for (let i = 0; i < 128; i++) consider(teaching, `n${i}`, [address(`n${i}`, '192.0.2.1')]);
    const next = restart();
    t.equal(next.isPublished(teaching.sequence), false);
    t.equal(consider(next, 'n0', [address('n0', '192.0.2.1')]), WAIT, 'the client asks again');
    t.equal(next.sequence, teaching.sequence + 1);
    publish(told());
    t.equal(consider(next, 'n0', [address('n0', '192.0.2.1')]), GO);
    publish(told());
    const outcomes = Array.from({ length: 129 }, (_, i) => consider(next, `m${i}`, [address(`m${i}`, '192.0.2.1')]));
    t.equal(outcomes.indexOf(REFUSE), 128);
  },
);

t.test('how long an answer may wait is a word of the configuration', async (t) => {
  const { teaching, config } = dnsAgent();
  t.equal(teaching.maxDelayMs, 100);
  config.store(CONFIG_DNS_MAX_DELAY_MS, 2500);
  t.equal(teaching.maxDelayMs, 2500);
});

t.test('an answer whose pairs are known costs no memory', async (t) => {
  const { teaching, told, publish } = dnsAgent();
  const bytes = answer('a.example', [address('a.example', '192.0.2.1'), address('a.example', '2001:db8::1')]);
  const run = (times: number) => {
    for (let i = 0; i < times; i++) {
      teaching.nowMs += 0.1;
      message.parse(bytes, 0, bytes.length);
      name.load(bytes, 0, bytes.length, message.questionAt);
      if (teaching.consider(ASKER, message, name, bytes, 0, bytes.length) === REFUSE) t.fail('refused');
    }
  };
  run(1);
  publish(told());
  run(20_000);
  if (globalThis.gc === undefined) throw new Error('found no gc(), wanted node --expose-gc');
  globalThis.gc();
  const before = process.memoryUsage().heapUsed;
  run(100_000);
  globalThis.gc();
  const grown = process.memoryUsage().heapUsed - before;
  t.ok(grown < 200_000, `${grown} bytes`);
});

t.test('a name that no policy can say teaches nothing, and costs the agent nothing', async (t) => {
  const { teaching, told } = dnsAgent();
  for (const odd of ['a\\.b.example', 'a\\001.example', 'a b.example'])
    t.equal(consider(teaching, odd, [address(odd, '192.0.2.1')]), GO);
  t.strictSame(told(), []);
  t.equal(consider(teaching, 'a_b.example', [address('a_b.example', '192.0.2.1')]), WAIT);
});
