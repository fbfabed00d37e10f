/** Learning in the agent: from the ring to policies and maps, in an order in which no answer goes on too early. */
import { appendFileSync, mkdtempSync, readFileSync, rmSync, statSync, truncateSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { CONFIG_DNS_ACKNOWLEDGED, CONFIG_DNS_PUBLISHED, CONFIG_FQDN_ACTIVE } from '../../policy-maps/config-map.ts';
import { CT_DEST_ENDPOINT, CT_LIFETIME, CT_ROW_WORDS, CT_SOURCE_ENDPOINT } from '../../policy-maps/conntrack-row.ts';
import { ConntrackMap } from '../../policy-maps/conntrack-map.ts';
import { DNS_ASK, DNS_RENEW, DnsEventRing } from '../../policy-maps/dns-events.ts';
import { memoryMapper } from '../../policy-maps/table/memory-mapper.ts';
import { Cluster } from '../../policy/cluster.ts';
import { readDocuments } from '../../policy/document/document.ts';
import { addressWords, formatIp } from '../../wire/address.ts';
import { DomainName } from '../../wire/dns/name.ts';
import { parsePrefix } from '../../wire/prefix.ts';
import { PROTO_TCP } from '../../wire/protocols.ts';
import { smallMaps } from '../../test/tables/small-maps.ts';
import { parseConfig } from '../config/config.ts';
import { PinnedMaps } from '../publish/pinned-maps.ts';
import { Publisher } from '../publish/publisher.ts';
import { Learning } from './learning.ts';
import { learningSettings } from './settings.ts';

type Tap = typeof t;

const WALL_MS = Date.parse('2026-03-01T12:00:00Z');

/** An agent's maps and policy, a dataplane's end of the ring, and a clock. */
class Rig {
  readonly directory: string;
  readonly order: string[] = [];
  readonly problems: string[] = [];
  readonly warned: object[] = [];
  /** Endpoints and addresses whose names are others than before. */
  readonly told: string[] = [];
  readonly mapper = memoryMapper();
  readonly #settings;
  readonly #capacities: Readonly<Record<string, number>>;
  nowMs = 1_000_000;
  #ring: DnsEventRing | undefined;
  maps!: PinnedMaps;
  cluster!: Cluster;
  learning!: Learning;
  publisher!: Publisher;
  /** Why publishing fails. */
  failure: () => Error | undefined = () => undefined;
  writer!: ReturnType<DnsEventRing['writer']>;

  constructor(t: Tap, { yaml = '', capacities = {} }: { yaml?: string; capacities?: Record<string, number> } = {}) {
    this.directory = mkdtempSync('/tmp/slfqu-');
    t.teardown(() => rmSync(this.directory, { recursive: true, force: true }));
    this.#settings = learningSettings(parseConfig(yaml, 'sluice.yaml'));
    this.#capacities = smallMaps(capacities);
    this.begin();
  }

  /** An agent begins, beside a dataplane that may be there already. */
  begin(isInUse = false): void {
    this.#ring?.close();
    this.maps?.close();
    const options = { directory: join(this.directory, 'maps'), capacities: this.#capacities, isInUse };
    this.maps = new PinnedMaps({ ...options, mapper: this.mapper });
    this.cluster = new Cluster();
    this.publisher = new Publisher(this.maps, () => undefined);
    this.learning = new Learning({
      settings: this.#settings,
      path: join(this.directory, 'names.jsonl'),
      maps: this.maps,
      names: this.cluster.names,
      publish: () => this.publish(),
      poke: () => this.order.push('poke'),
      hasEndpoint: (id) => id === 7 || id === 8,
      onProblems: (problems) => this.problems.splice(0, Number.POSITIVE_INFINITY, ...problems),
      onNames: (places) => this.told.push(...places.map(({ endpoint, prefix }) => `${endpoint} ${prefix}`)),
      log: { warn: (details: object) => this.warned.push(details) } as never,
      monotonicMs: () => this.nowMs,
      wallMs: () => WALL_MS + this.nowMs,
    });
    this.#ring = DnsEventRing.open(join(this.directory, 'maps/events_dns'), this.mapper, { writable: true });
    this.writer = this.#ring.writer(this.maps.config);
    const note = <T extends object>(target: T, method: keyof T & string, name: string) => {
      const original = (target[method] as (...given: unknown[]) => unknown).bind(target);
      Object.assign(target, { [method]: (...given: unknown[]) => (this.order.push(name), original(...given)) });
    };
    note(this.maps.fqdn, 'set', 'pair in');
    note(this.maps.fqdn, 'remove', 'pair out');
    note(this.maps.ipcache, 'upsert', 'ipcache');
    note(this.maps.ipcache, 'remove', 'ipcache out');
    note(this.maps.policy(7), 'publish', 'policy');
    const { config } = this.maps;
    const store = config.store.bind(config);
    Object.assign(config, {
      store: (word: number, value: number) => {
        if (word === CONFIG_DNS_PUBLISHED) this.order.push('answers go on');
        store(word, value);
      },
    });
  }

  publish(): void {
    const failure = this.failure();
    if (failure !== undefined) throw failure;
    this.publisher.publish(this.cluster.flush());
  }

  policy(fqdns: string): void {
    const text = `{apiVersion: cilium.io/v2, kind: CiliumNetworkPolicy, metadata: {name: p, namespace: d}, spec: {endpointSelector: {}, egress: [{toFQDNs: [${fqdns}]}]}}`;
    for (const document of readDocuments(text, 'p.yaml').documents) this.cluster.apply(document);
    this.cluster.setPod({ namespace: 'd', name: 'web', labels: {}, endpointId: 7, ips: ['10.244.0.7'] });
  }

  answer(name: string, addresses: string[], more: { ttlSec?: number; kind?: number; endpoint?: number } = {}): void {
    const domain = new DomainName();
    domain.loadText(name);
    const words = new Int32Array(addresses.flatMap((text) => addressWords(text)));
    const taught = { addresses: words, count: addresses.length, ttlSec: more.ttlSec ?? 30, isCut: false };
    const asker = { srcEndpoint: more.endpoint ?? 7, egressRuleSet: 1 };
    this.writer.write(more.kind ?? DNS_ASK, asker, domain, taught);
  }

  /** Whether an answer with this pair passes at once; until which second. */
  known(name: string, address: string): number {
    const domain = new DomainName();
    domain.loadText(name);
    this.maps.fqdn.setName(domain.bytes, domain.length);
    return this.maps.fqdn.lookup(...addressWords(address));
  }

  /** Addresses of the outside that have an identity of their own. */
  learnt(): string[] {
    const all = [...this.maps.ipcache.entries()].map(({ address }) =>
      formatIp(address[0], address[1], address[2], address[3]),
    );
    return all.filter((text) => text !== '10.244.0.7').sort();
  }
}

t.test('an answer goes on when policy, identity and address are published, and its pair after them', (t) => {
  const rig = new Rig(t as Tap);
  rig.learning.restore();
  rig.policy('{matchPattern: "*.example.com"}');
  rig.learning.announce();
  t.equal(rig.maps.config.load(CONFIG_FQDN_ACTIVE), 1);
  rig.publish();
  rig.learning.start();
  rig.learning.stop();
  rig.order.length = 0;
  rig.answer('Api.Example.com', ['192.0.2.1', '2001:db8::1']);
  t.equal(rig.learning.look(), 1);
  t.same(rig.order, ['policy', 'ipcache', 'ipcache', 'pair in', 'pair in', 'answers go on', 'poke']);
  t.same(rig.learnt(), ['192.0.2.1', '2001:db8::1']);
  t.same(rig.told, ['7 192.0.2.1/32', '7 2001:db8::1/128'], 'who keeps names hears of it');
  t.equal(rig.known('api.example.com', '192.0.2.1'), 1030);
  t.equal(rig.maps.config.load(CONFIG_DNS_ACKNOWLEDGED), rig.maps.config.load(CONFIG_DNS_PUBLISHED));
  t.ok(rig.writer.isPublished(rig.writer.sequence));

  rig.order.length = 0;
  rig.answer('unrelated.example', ['192.0.2.9']);
  rig.answer('api.example.com', ['192.0.2.1'], { kind: DNS_RENEW, ttlSec: 60 });
  t.equal(rig.learning.look(), 2);
  t.same(
    rig.order,
    ['pair in', 'pair in', 'answers go on', 'poke'],
    'a name of no policy is known too, and changes nothing',
  );
  t.equal(rig.known('api.example.com', '192.0.2.1'), 1060);
  t.same(rig.learnt(), ['192.0.2.1', '2001:db8::1']);

  rig.order.length = 0;
  rig.answer('api.example.com', ['192.0.2.1'], { kind: DNS_RENEW });
  rig.answer('api.example.com', ['192.0.2.5'], { endpoint: 9 });
  rig.answer('a\\.b.example.com', ['192.0.2.6']);
  rig.answer('empty.example.com', []);
  rig.learning.look();
  t.same(rig.learnt(), ['192.0.2.1', '2001:db8::1'], 'no endpoint, a dot in a label, no address: nothing is reachable');
  t.equal(rig.learning.look(), 0);
  t.end();
});

t.test('a policy that comes later has the names that were learnt before', (t) => {
  const rig = new Rig(t as Tap);
  rig.learning.announce();
  t.equal(rig.maps.config.load(CONFIG_FQDN_ACTIVE), 0);
  rig.answer('api.example.com', ['192.0.2.1'], { kind: DNS_RENEW });
  rig.learning.look();
  t.same(rig.learnt(), []);
  t.notOk(rig.order.includes('poke'), 'nobody waits');
  rig.policy('{matchName: api.example.com}');
  rig.publish();
  t.same(rig.learnt(), ['192.0.2.1']);
  t.end();
});

t.test('when its time is over a pair is new again first, and forgotten by policies a round later', (t) => {
  const rig = new Rig(t as Tap);
  rig.policy('{matchName: api.example.com}');
  rig.answer('api.example.com', ['192.0.2.1', '192.0.2.2'], { ttlSec: 5 });
  rig.learning.look();
  rig.order.length = 0;
  rig.nowMs += 6000;
  rig.learning.collect();
  t.same(rig.order, ['pair out', 'pair out']);
  t.equal(rig.learnt().length, 2);
  rig.order.length = 0;
  rig.nowMs += 5000;
  // A connection of another pod to .2 keeps nothing, its own to .1 does.
  connect(rig, ['10.244.0.7', 40_000], ['192.0.2.1', 443], 7);
  connect(rig, ['10.244.0.8', 40_000], ['192.0.2.2', 443], 8);
  rig.learning.collect();
  t.same(rig.order, ['ipcache out']);
  t.same(rig.learnt(), ['192.0.2.1']);
  rig.nowMs += 60_000;
  rig.learning.collect();
  t.same(rig.learnt(), [], 'the entry of the connection is over');
  t.equal(rig.learning.counts.collected, 2);
  t.same(
    [...rig.maps.policy(7).entries()].filter(({ egress }) => egress),
    [],
    'the identity is gone from the policy',
  );
  t.end();
});

t.test('the guard: an address of the inside is known and not reachable, and told once', (t) => {
  const rig = new Rig(t as Tap);
  rig.policy('{matchPattern: "**.example.com"}, {matchPattern: "**.svc.cluster.local"}');
  const inside = [
    '169.254.169.254',
    '127.0.0.1',
    '10.96.0.10',
    '10.244.3.4',
    'fd00:10:244::5',
    '::ffff:10.0.0.1',
    '192.168.1.1',
  ];
  for (let i = 0; i < 30; i++) rig.answer(`n${i}.example.com`, inside);
  rig.answer('api.example.com', ['192.0.2.1']);
  rig.answer('db.shop.svc.cluster.local', ['10.1.2.3']);
  rig.learning.look();
  t.same(rig.learnt(), ['10.1.2.3', '192.0.2.1']);
  t.ok(rig.known('n3.example.com', '169.254.169.254') > 0, 'an answer with it does not wait each time');
  t.equal(rig.learning.counts.guarded, 30 * inside.length);
  t.equal(rig.warned.length, 10, 'not a line for each');
  t.same(rig.warned[0], { name: 'n0.example.com.', address: '169.254.169.254' });
  const open = new Rig(t as Tap, { yaml: 'dns: { guard: true, guardExcept: [10.1.0.0/16] }' });
  open.policy('{matchPattern: "**.example.com"}');
  open.answer('api.example.com', ['10.1.2.3', '10.2.2.3']);
  open.learning.look();
  t.same(open.learnt(), ['10.1.2.3']);
  t.end();
});

t.test('the next agent knows the names before it publishes anything, and pairs that nobody knows are out', (t) => {
  const rig = new Rig(t as Tap);
  rig.policy('{matchPattern: "*.example.com"}');
  rig.answer('api.example.com', ['192.0.2.1']);
  rig.answer('short.example.com', ['192.0.2.2'], { ttlSec: 1 });
  rig.learning.look();
  rig.answer('late.example.com', ['192.0.2.3']);
  // Killed here; the last line of another answer is cut.
  appendFileSync(join(rig.directory, 'names.jsonl'), '{"endpoint":7,"fqdn":"cut.exam');
  const stray = new DomainName();
  stray.loadText('stray.example.com');
  rig.maps.fqdn.set(rig.maps.fqdn.hashOf(stray.bytes, stray.length), addressWords('192.0.2.66'), 99_999);
  rig.nowMs += 3000;
  rig.order.length = 0;
  rig.begin(true);
  rig.learning.restore();
  t.same(rig.problems, []);
  t.same([rig.known('stray.example.com', '192.0.2.66'), rig.known('short.example.com', '192.0.2.2')], [0, 0]);
  t.equal(rig.known('api.example.com', '192.0.2.1'), 1030);
  rig.policy('{matchPattern: "*.example.com"}');
  rig.publish();
  t.same(rig.learnt(), ['192.0.2.1', '192.0.2.2'], 'what is over too: a connection may need it');
  t.notOk(rig.order.includes('ipcache out'));
  rig.learning.look();
  t.same(rig.learnt(), ['192.0.2.1', '192.0.2.2', '192.0.2.3'], 'what was not acknowledged is read again');
  rig.nowMs += 2000;
  rig.learning.collect();
  t.same(rig.learnt(), ['192.0.2.1', '192.0.2.3']);
  t.end();
});

t.test('clean() forgets names at once, and the next agent does not know them either', (t) => {
  const rig = new Rig(t as Tap);
  rig.policy('{matchPattern: "*.example.com"}');
  rig.answer('a.example.com', ['192.0.2.1']);
  rig.answer('b.example.com', ['192.0.2.2']);
  rig.learning.look();
  rig.order.length = 0;
  t.equal(rig.learning.clean('a.*.com'), 1);
  t.same(rig.order, ['pair out', 'ipcache out']);
  rig.begin(true);
  rig.learning.restore();
  t.same(
    [...rig.learning.cache.entries()].map(({ pair }) => pair.name),
    ['b.example.com.'],
  );
  t.equal(rig.learning.clean(''), 1);
  t.end();
});

t.test('what cannot be published is not told as published: no identities, no room', (t) => {
  const rig = new Rig(t as Tap, { capacities: { 'bpf-fqdn-map-max': 16 } });
  rig.policy('{matchPattern: "*.example.com"}');
  rig.publish();
  rig.failure = () => new RangeError('allocate identity: found all in use');
  rig.answer('a.example.com', ['192.0.2.1']);
  rig.learning.look();
  t.match(rig.problems, [/^names: allocate identity: found all in use: addresses/]);
  t.equal(rig.known('a.example.com', '192.0.2.1'), 0);
  t.ok(rig.writer.isPublished(rig.writer.sequence), 'the answer goes on: it leads nowhere');
  rig.failure = () => undefined;
  rig.answer('a.example.com', ['192.0.2.1']);
  rig.learning.look();
  t.same(rig.problems, []);
  t.equal(rig.known('a.example.com', '192.0.2.1'), 1030);
  for (let i = 0; i < 40; i++) rig.answer(`n${i}.example.com`, ['192.0.2.7']);
  rig.learning.look();
  t.ok(rig.learning.counts.unplaced > 20);
  t.same(rig.learnt(), ['192.0.2.1', '192.0.2.7'], 'what is left out is reachable all the same');
  t.end();
});

t.test(
  'when there are no identities left, only the names that lack one are unlearnt: others go on, of whichever pod',
  (t) => {
    const rig = new Rig(t as Tap);
    rig.policy('{matchPattern: "*.example.com"}');
    rig.publish();
    rig.answer('a.example.com', ['192.0.2.1']);
    rig.learning.look();
    rig.failure = () =>
      rig.learning.cache.knows('new.example.com.', parsePrefix('192.0.2.9/32')) ? new RangeError('full') : undefined;
    rig.nowMs += 20_000;
    rig.answer('new.example.com', ['192.0.2.9']);
    rig.answer('a.example.com', ['192.0.2.1'], { kind: DNS_RENEW });
    rig.answer('a.example.com', ['192.0.2.1', '192.0.2.2'], { endpoint: 8 });
    rig.answer('new.example.com', ['192.0.2.9'], { endpoint: 8 });
    rig.order.length = 0;
    rig.learning.look();
    t.match(rig.problems, [/^names: full: addresses/]);
    t.equal(rig.known('new.example.com', '192.0.2.9'), 0);
    t.equal(rig.known('a.example.com', '192.0.2.1'), 1050, 'renewed, and by another pod too');
    t.same(rig.learnt(), ['192.0.2.1']);
    t.same(
      [...rig.learning.cache.entries()].map(({ endpoint, pair }) => `${endpoint} ${pair.name}`),
      ['7 a.example.com.', '8 a.example.com.'],
    );
    t.notMatch(rig.order, ['ipcache out'], 'what was known is not withdrawn for a moment');
    rig.failure = () => undefined;
    rig.answer('a.example.com', ['192.0.2.2']);
    rig.learning.look();
    t.same([rig.problems, rig.learnt()], [[], ['192.0.2.1', '192.0.2.2']]);
    t.end();
  },
);

t.test('what is kept does not grow for ever, and what cannot be kept is told', (t) => {
  const rig = new Rig(t as Tap);
  for (let i = 0; i < 9000; i++) {
    rig.answer('api.example.com', ['192.0.2.1'], { kind: DNS_RENEW });
    if (i % 500 === 0) rig.learning.look();
  }
  while (rig.learning.look() > 0);
  const lines = () => readFileSync(join(rig.directory, 'names.jsonl'), 'utf8').split('\n').length - 1;
  t.ok(lines() < 4096, 'nobody waits for a round');
  const many = Array.from({ length: 1000 }, (_, i) => `2001:db8:ffff:ffff:ffff:ffff:ffff:${(i + 4096).toString(16)}`);
  for (let i = 0; i < 100; i++) {
    rig.answer('api.example.com', many, { kind: DNS_RENEW });
    rig.learning.look();
  }
  const bytes = () => statSync(join(rig.directory, 'names.jsonl')).size;
  t.ok(bytes() < 1_000_000, 'few lines may be many bytes');
  rmSync(rig.directory, { recursive: true, force: true });
  rig.answer('api.example.com', ['192.0.2.1'], { kind: DNS_RENEW });
  rig.learning.look();
  t.match(rig.problems, [/names\.jsonl: ENOENT.*lost when the agent ends/]);
  t.end();
});

t.test('what cannot be read is told, and not forgotten when something is written', (t) => {
  const rig = new Rig(t as Tap);
  const path = join(rig.directory, 'names.jsonl');
  rig.answer('api.example.com', ['192.0.2.1']);
  rig.learning.look();
  appendFileSync(path, 'damaged\n');
  rig.begin(true);
  rig.learning.restore();
  t.match(rig.problems, [/names\.jsonl: found 1 lines that are no answers/]);
  t.equal(rig.learning.cache.size.lookups, 1);
  truncateSync(path, 2 ** 28 + 1);
  rig.begin(true);
  rig.learning.restore();
  t.match(rig.problems, [/names\.jsonl: found 268435457 bytes, wanted at most 268435456/]);
  rig.answer('api.example.com', ['192.0.2.1']);
  rig.learning.look();
  t.equal(rig.problems.length, 1);
  t.ok(statSync(path).size < 1000, 'it begins anew');
  t.end();
});

t.test('a round ends, however fast somebody asks', (t) => {
  const rig = new Rig(t as Tap);
  rig.policy('{matchPattern: "*.example.com"}');
  let asked = 0;
  const publish = rig.publish.bind(rig);
  rig.publish = () => {
    publish();
    if (asked++ < 50) rig.answer(`n${asked}.example.com`, ['192.0.2.1']);
  };
  rig.answer('n.example.com', ['192.0.2.1']);
  rig.learning.collect();
  t.equal(asked, 2, 'what was there, and what was over');
  t.equal(rig.learning.look(), 2, 'the others have their turn');
  t.end();
});

t.test('a name that no policy can say is not kept, however long it is', (t) => {
  const rig = new Rig(t as Tap);
  rig.policy('{matchPattern: "*"}');
  const label = '\\001'.repeat(60);
  rig.answer(`${label}.${label}.${label}.example.com`, ['192.0.2.1']);
  rig.answer('api.example.com', ['192.0.2.2']);
  t.equal(rig.learning.look(), 2);
  t.same(rig.learnt(), ['192.0.2.2']);
  rig.begin(true);
  rig.learning.restore();
  t.same(rig.problems, []);
  t.equal(rig.learning.cache.size.lookups, 1);
  t.end();
});

type End = readonly [string, number];

function connect(rig: Rig, [from, srcPort]: End, [to, dstPort]: End, endpoint: number): void {
  const [src0, src1, src2, src3] = addressWords(from);
  const [dst0, dst1, dst2, dst3] = addressWords(to);
  const ct = ConntrackMap.open(join(rig.directory, 'maps/ct_tcp'), rig.mapper, { writable: true });
  const tuple = { src0, src1, src2, src3, dst0, dst1, dst2, dst3, srcPort, dstPort, protocol: PROTO_TCP };
  const base = ct.insert(tuple, endpoint) * CT_ROW_WORDS;
  ct.words[base + CT_LIFETIME] = rig.nowMs / 1000 + 20;
  ct.words[base + CT_SOURCE_ENDPOINT] = endpoint;
  ct.words[base + CT_DEST_ENDPOINT] = 0;
  ct.close();
}
