/** What endpoints learn from DNS: names, addresses, their ends, and what policies see of it. */
import t from 'tap';
import { randomFrom, SEED } from '../../test/random.ts';
import { parsePrefix, type Prefix } from '../../wire/prefix.ts';
import { Cluster } from '../cluster.ts';
import { readDocuments } from '../document/document.ts';
import { MAX_NAMES_OF_ADDRESS } from './address-names.ts';
import { guardOf } from './guard.ts';
import { type Lookup, MAX_TTL_SEC, NameCache, type NameCacheLimits } from './name-cache.ts';
import { addressOf, formatForgotten, formatKept, keptOf, readKept } from './pre-cache.ts';

t.comment(`seed ${SEED}`);

const LIMITS: NameCacheLimits = { minTtlSec: 0, maxAddresses: 1000, maxZombies: 10_000, idleGraceSec: 0 };

/** A cache, what policies see of it, and what the dataplane was told. */
class Rig {
  readonly seen = new Map<string, number>();
  readonly told = new Map<string, number>();
  readonly cache: NameCache;

  constructor(
    limits: Partial<NameCacheLimits> = {},
    isGuarded: (name: string, prefix: Prefix) => boolean = () => false,
  ) {
    const count = (by: 1 | -1) => (name: string, prefix: Prefix) => {
      const key = `${name} ${addressOf(prefix)}`;
      const next = (this.seen.get(key) ?? 0) + by;
      if (next === 0) this.seen.delete(key);
      else this.seen.set(key, next);
    };
    this.cache = new NameCache({ learn: count(1), forget: count(-1) }, { ...LIMITS, ...limits }, isGuarded);
  }

  learn(endpoint: number, name: string, addresses: readonly string[], ttlSec: number, nowSec: number): void {
    const prefixes = addresses.map((text) => parsePrefix(text, 'host'));
    this.cache.learn({ endpoint, name, prefixes, ttlSec }, nowSec);
  }

  collect(nowSec: number, ...connected: string[]): number {
    const alive = [...this.cache.zombies()].filter(({ pair }) => connected.includes(addressOf(pair.prefix)));
    return this.cache.collect(nowSec, new Set(alive));
  }

  tell(): void {
    const { put, remove } = this.cache.takeChanges();
    for (const { name, prefix } of remove) this.told.delete(`${name} ${addressOf(prefix)}`);
    for (const { name, prefix, expiresSec } of put) this.told.set(`${name} ${addressOf(prefix)}`, expiresSec);
  }

  names(): string[] {
    return [...this.seen.keys()].sort();
  }
}

t.test('a lookup lives for its TTL, then as long as a connection, then for nobody', (t) => {
  const rig = new Rig();
  rig.learn(1, 'a.example.', ['192.0.2.1', '192.0.2.2'], 30, 100);
  rig.tell();
  t.same(
    [...rig.told],
    [
      ['a.example. 192.0.2.1', 130],
      ['a.example. 192.0.2.2', 130],
    ],
  );
  t.equal(rig.collect(129), 0);
  t.same([...rig.cache.zombies()], []);
  t.equal(rig.collect(130), 0, 'a zombie lives through a round');
  rig.tell();
  t.same([...rig.told], [], 'what is over is new to the dataplane');
  t.equal(rig.names().length, 2, 'and still known to policies');
  t.equal(rig.collect(130), 0, 'a round of the same second is none');
  t.equal(rig.collect(135, '192.0.2.1'), 1);
  t.same(rig.names(), ['a.example. 192.0.2.1']);
  rig.learn(1, 'a.example.', ['192.0.2.1'], 30, 136);
  rig.tell();
  t.same([...rig.told], [['a.example. 192.0.2.1', 166]], 'learnt again');
  rig.collect(166);
  t.equal(rig.collect(171), 1);
  t.same(rig.names(), []);
  t.same(rig.cache.size, { lookups: 0, names: 0, zombies: 0 });
  t.same(rig.cache.endpoints(), []);
  t.end();
});

t.test('the later end counts, whatever comes in which order', (t) => {
  const rig = new Rig();
  rig.learn(1, 'a.example.', ['192.0.2.1'], 300, 0);
  rig.learn(2, 'a.example.', ['192.0.2.1'], 10, 5);
  rig.learn(1, 'a.example.', ['192.0.2.1'], 1, 6);
  rig.tell();
  t.same([...rig.told.values()], [300]);
  rig.collect(15);
  t.equal([...rig.cache.zombies()].length, 1, 'that of the other endpoint');
  rig.collect(20);
  t.same(rig.names(), ['a.example. 192.0.2.1']);
  rig.cache.removeEndpoint(1);
  rig.tell();
  t.same([rig.names(), [...rig.told]], [[], []]);
  t.end();
});

t.test('TTLs: a least one, at most a week, none below zero', (t) => {
  const rig = new Rig({ minTtlSec: 60 });
  for (const [name, ttl] of [
    ['a.', 0],
    ['b.', 2 ** 31],
    ['c.', -5],
    ['d.', 61],
  ] as const)
    rig.learn(1, name, ['192.0.2.1'], ttl, 0);
  rig.tell();
  t.same([...rig.told.values()], [60, MAX_TTL_SEC, 60, 61]);
  t.end();
});

t.test('an idle zombie has its grace after the last connection', (t) => {
  const rig = new Rig({ idleGraceSec: 10 });
  rig.learn(1, 'a.', ['192.0.2.1'], 0, 0);
  rig.collect(0);
  rig.collect(5, '192.0.2.1');
  t.equal(rig.collect(15), 0);
  t.equal(rig.collect(16), 1);
  t.end();
});

t.test('too many addresses of a name: those that end first become zombies, and the newest are known', (t) => {
  const rig = new Rig({ maxAddresses: 1000 });
  const addresses = Array.from({ length: 1000 }, (_, i) => `198.51.${i >> 8}.${i & 255}`);
  rig.learn(1, 'big.example.', addresses, 30, 0);
  rig.learn(2, 'big.example.', addresses.slice(0, 10), 30, 0);
  rig.learn(1, 'big.example.', ['203.0.113.1', '203.0.113.2'], 30, 5);
  rig.tell();
  t.equal(rig.told.size, 1002, 'two of them another endpoint still has');
  t.equal([...rig.cache.zombies()].length, 2);
  t.equal(rig.cache.overLimit, 2);
  t.equal(rig.seen.size, 1002);
  t.ok(rig.told.has('big.example. 203.0.113.2'));
  t.end();
});

t.test('names that move each second leave nothing behind but who is connected', (t) => {
  const rig = new Rig();
  for (let second = 0; second < 3600; second++) {
    rig.learn(1, 'moving.example.', [`198.51.100.${second % 250}`, `2001:db8::${second.toString(16)}`], 1, second);
    if (second % 5 === 0) rig.collect(second, '198.51.100.7');
    rig.tell();
  }
  t.ok(rig.seen.size < 40, `${rig.seen.size} known`);
  t.ok(rig.told.size < 20, `${rig.told.size} told`);
  t.ok(rig.names().includes('moving.example. 198.51.100.7'));
  t.end();
});

t.test('one address of many names is known until the last goes', (t) => {
  const rig = new Rig();
  for (let i = 0; i < 500; i++) rig.learn(1, `n${i}.example.`, ['2001:db8::1'], i, 0);
  for (let now = 0; now < 505; now += 5) rig.collect(now);
  t.same(
    rig.names(),
    ['n496.', 'n497.', 'n498.', 'n499.'].map((name) => `${name}example. 2001:db8::1`),
  );
  t.end();
});

t.test('who floods loses his own: live lookups, zombies and the whole have bounds', (t) => {
  const rig = new Rig({ maxZombies: 1000 });
  rig.learn(1, 'quiet.example.', ['192.0.2.1'], 3600, 0);
  for (let endpoint = 2; endpoint < 17; endpoint++)
    for (let i = 0; i < 9000; i++)
      rig.learn(endpoint, `r${i}.evil.example.`, [`10.${endpoint}.${i >> 8}.${i & 255}`], 60, i / 100);
  const { lookups, zombies } = rig.cache.size;
  t.ok(lookups <= 131_072 && lookups > 100_000, `${lookups} lookups`);
  t.ok(zombies <= 15 * 1000, `${zombies} zombies`);
  t.ok(rig.names().includes('quiet.example. 192.0.2.1'));
  t.ok(rig.cache.overLimit > 10_000);
  t.equal(new Set([...rig.cache.entries()].map(({ pair }) => pair)).size, rig.seen.size);
  t.end();
});

t.test('clean() forgets names, zombies too, and what is forgotten is told once', (t) => {
  const rig = new Rig();
  rig.learn(1, 'a.example.', ['192.0.2.1'], 0, 0);
  rig.learn(1, 'b.example.', ['192.0.2.2'], 60, 0);
  rig.learn(2, 'b.example.', ['192.0.2.3'], 60, 0);
  rig.collect(1);
  t.equal(
    rig.cache.clean((name) => name.startsWith('a')),
    1,
  );
  t.same(
    rig.cache.takeForgotten().map(({ pair }) => pair.name),
    ['a.example.'],
  );
  t.equal(
    rig.cache.clean(() => true),
    2,
  );
  t.same(rig.cache.takeForgotten().length, 2);
  t.same(rig.cache.takeForgotten(), []);
  t.same(rig.names(), []);
  t.end();
});

t.test('a guarded pair is known to the dataplane, and never to policies', (t) => {
  const rig = new Rig({}, (_, prefix) => prefix.text.startsWith('10.'));
  rig.learn(1, 'evil.example.', ['10.0.0.1', '192.0.2.1'], 60, 0);
  rig.tell();
  t.equal(rig.told.size, 2);
  t.same(rig.names(), ['evil.example. 192.0.2.1']);
  rig.cache.removeEndpoint(1);
  t.same(rig.names(), []);
  t.end();
});

t.test('the guard: what is nobody’s of the outside, also in IPv6 clothes, unless it is allowed', (t) => {
  const options = { isOn: true, domain: 'cluster.local', own: [parsePrefix('198.18.0.0/16')], allowed: [] };
  const guards = (name: string, address: string, more = {}): boolean =>
    guardOf({ ...options, ...more })(name, parsePrefix(address, 'host'));
  const inside = [
    ...[
      '10.1.2.3',
      '172.16.0.1',
      '172.31.255.255',
      '192.168.1.1',
      '127.0.0.1',
      '169.254.169.254',
      '0.0.0.0',
      '0.1.2.3',
    ],
    ...[
      '100.64.0.1',
      '100.100.100.200',
      '224.0.0.1',
      '255.255.255.255',
      '198.18.3.4',
      '::',
      '::1',
      '::10.0.0.1',
      'fd00::1',
    ],
    ...[
      'fc00::1',
      'fe80::1',
      'ff02::1',
      'fec0::1',
      '::ffff:10.0.0.1',
      '64:ff9b::a00:1',
      '64:ff9b:1::1',
      '2002:a00:1::1',
    ],
    ...['2002:a9fe:a9fe::1', '64:ff9b::c612:1'],
    ...['::ffff:0:10.0.0.1', '100::1', '4000::1', '8000::1', '5f00::1'],
    ...['2001::f5ff:fffe', '2001:0:c000:201::5601:5601'], // Teredo: 10.0.0.1, 169.254.169.254
    ...['168.63.129.16', '192.0.0.192', '64:ff9b::a83f:8110'],
  ];
  const outside = [
    ...[
      '192.0.2.1',
      '172.32.0.1',
      '11.0.0.1',
      '169.253.0.1',
      '100.128.0.1',
      '198.19.0.1',
      '2001:db8::1',
      '::ffff:192.0.2.1',
    ],
    ...['64:ff9b::c000:201', '2002:c000:201::1', '2003:a00:1::1', '2001::3fff:fdfe', '2001:1::1', '2606:4700::1'],
  ];
  t.same(
    inside.filter((address) => !guards('evil.example.', address)),
    [],
  );
  t.same(
    outside.filter((address) => guards('evil.example.', address)),
    [],
  );
  t.notOk(guards('db.shop.svc.cluster.local.', '10.1.2.3'));
  const ofNobody = ['169.254.169.254', 'fe80::1', '127.0.0.1', '::1', '0.0.0.0', '224.0.0.1', 'fd00:ec2::254'];
  ofNobody.push('100.100.100.200', '168.63.129.16', '64:ff9b::a9fe:a9fe', '2002:a9fe:a9fe::1', '2001::5601:5601');
  t.same(
    ofNobody.filter((address) => !guards('external-name.shop.svc.cluster.local.', address)),
    [],
    'an ExternalName leads wherever somebody else says',
  );
  t.same(
    ['fd00::1', '198.18.3.4', '192.0.2.1', '2001:db8::1', '64:ff9b::a00:1'].filter((address) =>
      guards('db.shop.svc.cluster.local.', address),
    ),
    [],
  );
  const linkLocal = { own: [parsePrefix('169.254.20.0/24')] };
  t.notOk(guards('db.shop.svc.cluster.local.', '169.254.20.1', linkLocal), 'a range of pods, wherever it lies');
  t.ok(guards('evil.example.', '169.254.20.1', linkLocal));
  t.ok(guards('db.evilcluster.local.', '10.1.2.3'), 'ends in the letters, not in the labels');
  t.ok(guards('db.cluster.local.', '10.1.2.3', { domain: '' }));
  t.notOk(guards('evil.example.', '10.1.2.3', { isOn: false }));
  t.notOk(guards('evil.example.', '10.1.2.3', { allowed: [parsePrefix('10.1.0.0/16')] }));
  t.notOk(guards('evil.example.', '64:ff9b::a01:203', { allowed: [parsePrefix('64:ff9b::/96')] }));
  t.end();
});

t.test('what is kept is read again: a restart changes nothing', (t) => {
  const rig = new Rig();
  rig.learn(1, 'a.example.', ['192.0.2.1', '2001:db8::1'], 60, 10);
  rig.learn(2, 'a.example.', ['192.0.2.1'], 5, 11);
  const wallMs = Date.parse('2026-03-01T12:00:00Z');
  const lines = [...rig.cache.entries()].map((lookup) => formatKept(keptOf(lookup, wallMs)));
  t.same(JSON.parse(lines[0]), {
    endpoint: 1,
    fqdn: 'a.example.',
    'lookup-time': '2026-03-01T12:00:10.000Z',
    'expiration-time': '2026-03-01T12:01:10.000Z',
    ttl: 60,
    ips: ['192.0.2.1'],
  });
  const next = new Rig();
  const { answers, unread } = readKept(`${lines.join('\n')}\n{"endpoint":1,"fqdn":"cut.exam`);
  t.equal(unread, 1);
  // The next agent's clock reads 1000 at 12:00:30.
  const offset = Date.parse('2026-03-01T12:00:30Z') - 1_000_000;
  for (const { lookedUpMs, expiresMs, ...answer } of answers) {
    const times = { lookedUpSec: (lookedUpMs - offset) / 1000, expiresSec: (expiresMs - offset) / 1000, nowSec: 1000 };
    next.cache.restore(answer, times);
  }
  next.tell();
  t.same(next.names(), rig.names());
  t.same(
    [...next.told],
    [
      ['a.example. 192.0.2.1', 1040],
      ['a.example. 2001:db8::1', 1040],
    ],
  );
  t.same(
    [...next.cache.zombies()].map(({ endpoint }) => endpoint),
    [2],
    'that was over',
  );
  t.equal(next.collect(1001), 1);
  t.end();
});

t.test('what is kept: forgotten addresses, clocks that were set, files of Cilium, lines of no use', (t) => {
  const rig = new Rig();
  rig.learn(1, 'a.example.', ['192.0.2.1'], 60, 0);
  rig.learn(1, 'b.example.', ['192.0.2.1'], 60, 0);
  const [first, second] = [...rig.cache.entries()];
  const text = [formatKept(keptOf(first, 0)), formatKept(keptOf(second, 0)), formatForgotten(first)].join('\n');
  t.same(
    readKept(text).answers.map(({ name }) => name),
    ['b.example.'],
  );
  const back = new Rig();
  back.cache.restore(
    { endpoint: 1, name: 'a.', prefixes: [parsePrefix('192.0.2.1', 'host')], ttlSec: 60 },
    {
      lookedUpSec: 9e6,
      expiresSec: 9e6 + 60,
      nowSec: 5,
    },
  );
  back.tell();
  t.same([...back.told.values()], [65], 'no longer than its TTL from now');
  const cilium = `[{"fqdn":"Cilium.io","lookup-time":"2026-03-01T12:00:00Z","expiration-time":"2026-03-01T12:01:00Z","ttl":60,"ips":["192.0.2.7","::1","x"]}]`;
  t.same(
    readKept(cilium).answers.map(({ endpoint, name, prefixes }) => [endpoint, name, addressOf(prefixes[0])]),
    [
      [0, 'cilium.io.', '192.0.2.7'],
      [0, 'cilium.io.', '::1'],
    ],
  );
  const useless = [
    '{',
    'null',
    '7',
    '{"fqdn":"a."}',
    '{"fqdn":7,"ips":[]}',
    '{"fqdn":"a.","ips":["192.0.2.0/24"],"ttl":1}',
    '[[',
    '{"endpoint":-1,"forget":"a.","ips":["192.0.2.1"]}',
  ];
  for (const line of useless) t.same(readKept(line), { answers: [], unread: 1 }, line);
  t.end();
});

t.test('whatever is learnt, lost and looked at in whichever order, all three views agree, and nothing is left', (t) => {
  for (let round = 0; round < 30; round++) {
    const draw = randomFrom(SEED + round);
    const rig = new Rig({ maxAddresses: 4, maxZombies: 6 }, (_, prefix) => prefix.text.startsWith('192.0.2.7'));
    let now = 0;
    for (let step = 0; step < 400; step++) {
      now += draw(3);
      const name = `n${draw(4)}.`;
      const does = draw(10);
      if (does < 6)
        rig.learn(
          draw(3),
          name,
          Array.from({ length: draw(6) }, () => `192.0.2.${draw(9)}`),
          draw(8),
          now,
        );
      else if (does < 8) rig.collect(now, `192.0.2.${draw(9)}`);
      else if (does === 8) rig.cache.removeEndpoint(draw(3));
      else rig.cache.clean((one) => one === name && draw(2) === 0);
      rig.tell();
      agree(rig, now);
    }
    for (const endpoint of rig.cache.endpoints()) rig.cache.removeEndpoint(endpoint);
    rig.tell();
    t.same([rig.seen.size, rig.told.size, rig.cache.size], [0, 0, { lookups: 0, names: 0, zombies: 0 }]);
  }
  t.end();

  function agree(rig: Rig, now: number): void {
    const lookups = [...rig.cache.entries()];
    const key = ({ pair }: Lookup): string => `${pair.name} ${addressOf(pair.prefix)}`;
    const seen = [...new Set(lookups.filter(({ pair }) => !pair.isGuarded).map(key))].sort();
    const zombies = new Set(rig.cache.zombies());
    const live = [...new Set(lookups.filter((lookup) => !zombies.has(lookup)).map(key))].sort();
    const unnamed = lookups.filter(
      ({ endpoint, pair }) => !rig.cache.namesOf(endpoint, pair.prefix.text).includes(pair.name.slice(0, -1)),
    );
    const fault =
      unnamed.length > 0 ||
      JSON.stringify([rig.names(), [...rig.told.keys()].sort()]) !== JSON.stringify([seen, live]) ||
      [...rig.seen.values()].some((count) => count !== 1) ||
      lookups.length !== rig.cache.size.lookups ||
      zombies.size !== rig.cache.size.zombies;
    if (fault) t.fail(`views differ at second ${now}`);
  }
});

t.test('the names of an address are those that its endpoint was told, and no more than a few', (t) => {
  const rig = new Rig();
  rig.learn(1, 'a.example.', ['192.0.2.1', '2001:db8::1'], 30, 100);
  rig.learn(1, 'b.example.', ['192.0.2.1'], 10, 100);
  rig.learn(2, 'other.example.', ['192.0.2.1'], 30, 100);
  rig.learn(0, 'kept.example.', ['192.0.2.1', '192.0.2.2'], 30, 100);
  t.same(rig.cache.namesOf(1, '192.0.2.1/32'), ['a.example', 'b.example']);
  t.same(rig.cache.namesOf(1, '2001:db8::1/128'), ['a.example']);
  t.same(rig.cache.namesOf(0, '192.0.2.1/32'), ['kept.example'], 'what was known from the start');
  rig.collect(111, '192.0.2.1');
  rig.collect(112, '192.0.2.1');
  t.ok(rig.cache.namesOf(1, '192.0.2.1/32').includes('b.example'), 'told as long as somebody is connected');
  rig.collect(113);
  rig.collect(114);
  t.same(rig.cache.namesOf(1, '192.0.2.1/32'), ['a.example']);
  for (let i = 0; i < 100; i++) rig.learn(2, `n${i}.example.`, ['192.0.2.1'], 30, 100);
  t.equal(rig.cache.namesOf(2, '192.0.2.1/32').length, MAX_NAMES_OF_ADDRESS);
  t.equal(rig.cache.namesOf(1, '192.0.2.1/32').length, 1);
  t.end();
});

t.test('10,000 learnt addresses: the policy world takes them one by one, in under 20 MB', (t) => {
  const cluster = new Cluster();
  const policy = `{apiVersion: cilium.io/v2, kind: CiliumNetworkPolicy, metadata: {name: p, namespace: d}, spec: {endpointSelector: {}, egress: [{toFQDNs: [{matchPattern: "*.example.com"}]}]}}`;
  for (const document of readDocuments(policy, 'p.yaml').documents) cluster.apply(document);
  cluster.setPod({ namespace: 'd', name: 'web', labels: {}, endpointId: 7, ips: ['10.244.0.7'] });
  cluster.flush();
  globalThis.gc?.();
  const before = process.memoryUsage().heapUsed;
  const cache = new NameCache(cluster.names, LIMITS, () => false);
  for (let i = 0; i < 10_000; i++) {
    const prefixes = [parsePrefix(`198.${18 + (i >> 16)}.${(i >> 8) & 255}.${i & 255}`, 'host')];
    cache.learn({ endpoint: i & 7, name: `n${i % 100}.example.com.`, prefixes, ttlSec: 60 }, 0);
    if (i === 0) t.equal(cluster.flush().endpoints.size, 1, 'the first address makes an identity');
  }
  cache.takeChanges();
  const changes = cluster.flush();
  t.equal(changes.ipcache.upsert.length, 9999);
  t.equal(changes.endpoints.size, 0, 'the others have it too: no policy is made anew');
  globalThis.gc?.();
  const megabytes = (process.memoryUsage().heapUsed - before) / 2 ** 20;
  t.comment(`${megabytes.toFixed(1)} MB`);
  t.ok(globalThis.gc === undefined || megabytes < 20, `${megabytes.toFixed(1)} MB`);
  t.equal(cache.size.lookups, 10_000);
  for (const endpoint of cache.endpoints()) cache.removeEndpoint(endpoint);
  cluster.flush();
  t.same(
    [...cluster.addresses.entries()].map(({ prefix }) => prefix),
    ['10.244.0.7/32'],
  );
  t.end();
});
