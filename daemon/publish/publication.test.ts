import { EGRESS, INGRESS } from '../../wire/direction.ts';
import { NO_CONDITIONS } from '../../policy-maps/condition-map.ts';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import type { Changes, EndpointChange } from '../../policy/cluster.ts';
import { precedence, PRECEDENCE_ALLOW, type PolicyEntry } from '../../policy-maps/policy-entry.ts';
import type { L7RuleSet } from '../../policy-maps/l7-rules.ts';
import { memoryMapper } from '../../policy-maps/table/memory-mapper.ts';
import { smallMaps } from '../../test/tables/small-maps.ts';
import { PinnedMaps } from './pinned-maps.ts';
import { type WantedPort, PortPublisher } from '../attach/port-publisher.ts';
import { addressWords, macWords } from '../../wire/address.ts';
import { Publisher } from './publisher.ts';
import { RuleSetIds } from './rule-set-ids.ts';

type Tap = typeof t;

const RULES = (path: string): L7RuleSet => ({
  parser: 'http',
  endpoint: 7,
  ingress: true,
  port: 80,
  rules: [{ remotes: null, http: [{ path }], cookie: 1 }],
});

function allow(more: Partial<PolicyEntry> = {}): PolicyEntry {
  return {
    identity: 0,
    egress: false,
    protocol: 0,
    port: 0,
    portPrefix: 0,
    deny: false,
    ruleSet: 0,
    authType: 0,
    hasExplicitAuthType: false,
    precedence: precedence(0, PRECEDENCE_ALLOW),
    cookie: 0,
    ...more,
  };
}

const endpoint = (entries: readonly PolicyEntry[], shadow?: readonly PolicyEntry[]): EndpointChange => ({
  identity: 300,
  labels: [],
  entries,
  shadow,
  audit: false,
  ingress: { enforced: true, defaultDenyCookie: 0 },
  egress: { enforced: false, defaultDenyCookie: 0 },
} as unknown as EndpointChange); // biome-ignore format: one object

function changes(more: Partial<Changes>): Changes {
  return {
    identities: { added: [], removed: [] },
    ipcache: { upsert: [], remove: [] },
    endpoints: new Map(),
    removedEndpoints: [],
    ruleSets: { put: new Map(), remove: [] },
    cookies: new Map(),
    removedCookies: [],
    egress: { put: [], remove: [] },
    problems: [],
    ...more,
  };
}

/** Maps of a test's own, and a note of every write in its order. */
function world(t: Tap, capacities: Record<string, number> = {}) {
  const directory = mkdtempSync('/tmp/sldae-');
  t.teardown(() => rmSync(directory, { recursive: true, force: true }));
  const mapper = memoryMapper();
  const open = () =>
    new PinnedMaps({ directory: join(directory, 'maps'), capacities: smallMaps(capacities), isInUse: false, mapper });
  const maps = open();
  const order: string[] = [];
  const note = <T extends object>(target: T, method: keyof T & string, name: string) => {
    const original = (target[method] as (...given: unknown[]) => unknown).bind(target);
    Object.assign(target, { [method]: (...given: unknown[]) => (order.push(name), original(...given)) });
  };
  note(maps.l7Rules, 'put', 'rules put');
  note(maps.l7Rules, 'remove', 'rules removed');
  note(maps.ipcache, 'upsert', 'ipcache');
  note(maps.policy(7), 'publish', 'policy');
  note(maps.ports, 'set', 'port');
  note(maps.endpoints, 'upsert', 'address');
  note(maps.config, 'bumpWorldGeneration', 'world');
  const publisher = new Publisher(maps, () => order.push('wake'));
  return { maps, publisher, order, open, directory };
}

const PORT: WantedPort = {
  index: 3,
  port: {
    kind: 'veth',
    ifname: 'sluice_3',
    ifindex: 9,
    mac: macWords('02:00:00:00:00:07'),
    endpointId: 7,
    secId: 300,
    mtu: 1500,
    flags: 0,
  },
  conditions: NO_CONDITIONS,
  addresses: ['10.9.0.7', 'fd00:9::7'],
  isHost: false,
};

t.test(
  'publish() writes rules, policy, ipcache; then addresses and port; then raises the world and wakes',
  async (t) => {
    const { maps, publisher, order } = world(t as Tap);
    publisher.publish(
      changes({
        ruleSets: { put: new Map([[1, RULES('/a')]]), remove: [] },
        endpoints: new Map([[7, endpoint([allow({ ruleSet: 1, protocol: 6, port: 80, portPrefix: 16 })])]]),
        ipcache: { upsert: [{ prefix: '10.9.0.7/32', identity: 300 }], remove: [] },
      }),
    );
    new PortPublisher(maps, '02:00:00:00:00:01').publish([PORT]);
    publisher.commit();
    t.strictSame(order, ['rules put', 'policy', 'ipcache', 'address', 'address', 'port', 'world', 'wake']);
    t.equal(maps.ipcache.lookup(...addressWords('10.9.0.7')), 300);
    t.equal(maps.policy(7).lookup(1, INGRESS, 6, 80), 1, 'redirected to the rules');
  },
);

t.test('publish() removes rules only after the policies that named them are replaced', async (t) => {
  const { publisher, order } = world(t as Tap);
  const redirect = (ruleSet: number) =>
    new Map([[7, endpoint([allow({ ruleSet, protocol: 6, port: 80, portPrefix: 16 })])]]);
  publisher.publish(changes({ ruleSets: { put: new Map([[1, RULES('/a')]]), remove: [] }, endpoints: redirect(1) }));
  order.length = 0;
  publisher.publish(changes({ ruleSets: { put: new Map([[2, RULES('/b')]]), remove: [1] }, endpoints: redirect(2) }));
  t.strictSame(order, ['rules put', 'policy', 'rules removed']);
});

t.test(
  'an address that gets another identity is allowed all the time, and the old one is gone afterwards',
  async (t) => {
    const { maps, publisher, order } = world(t as Tap, { 'bpf-policy-map-max': 16 });
    const CIDR = 1 << 24;
    const named = (identity: number, count = 1) =>
      Array.from({ length: count }, (_, i) =>
        allow({ identity, egress: true, protocol: 6, port: 443 + i, portPrefix: 16 }),
      );
    const to = (identity: number): number => maps.policy(7).lookup(identity, EGRESS, 6, 443);
    const seen: number[][] = [];
    const upsert = maps.ipcache.upsert.bind(maps.ipcache);
    maps.ipcache.upsert = (...given) => {
      seen.push([to(CIDR + 1), to(CIDR + 2)]);
      upsert(...given);
    };
    const publish = (identity: number, leaving: number[], count?: number): void => {
      publisher.publish(
        changes({
          identities: { added: [], removed: leaving },
          endpoints: new Map([[7, endpoint(named(identity, count))]]),
          ipcache: { upsert: [{ prefix: '192.0.2.1/32', identity }], remove: [] },
        }),
      );
    };
    publish(CIDR + 1, []);
    publish(CIDR + 2, [CIDR + 1]);
    t.strictSame(seen[1], [0, 0], 'both, while the address has the old one');
    t.strictSame([to(CIDR + 1), to(CIDR + 2)], [-133, 0]);
    order.length = 0;
    publish(CIDR + 1, [CIDR + 2], 16);
    t.strictSame(order, ['policy', 'policy', 'ipcache'], 'no room for both: what is wanted alone');
    t.strictSame([to(CIDR + 1), to(CIDR + 2)], [0, -133]);
    t.strictSame(publisher.sentences(), []);
  },
);

t.test('a policy that does not fit closes its endpoint, is told, and heals with the next that fits', async (t) => {
  const { maps, publisher } = world(t as Tap, { 'bpf-policy-map-max': 16 });
  const entries = Array.from({ length: 17 }, (_, i) => allow({ protocol: 6, port: i + 1, portPrefix: 16 }));
  publisher.publish(changes({ endpoints: new Map([[7, endpoint([allow()])]]) }));
  t.equal(maps.policy(7).lookup(1, INGRESS, 6, 1), 0);
  publisher.publish(changes({ endpoints: new Map([[7, endpoint(entries)]]) }));
  t.equal(maps.policy(7).lookup(1, INGRESS, 6, 1), -133);
  t.match(publisher.sentences(), [/endpoint 7 is closed: .*policy_7/]);
  t.ok(publisher.isClosed(7));
  publisher.publish(changes({ endpoints: new Map([[7, endpoint([allow()], entries)]]) }));
  t.match(publisher.sentences(), [/endpoint 7 has no policy on trial: .*policy_7_trial/]);
  t.notOk(publisher.isClosed(7), 'a policy on trial that does not fit closes nothing');
  publisher.publish(changes({ endpoints: new Map([[7, endpoint([allow()])]]) }));
  t.equal(maps.policy(7).lookup(1, INGRESS, 6, 1), 0);
  t.strictSame(publisher.sentences(), []);
});

t.test('a prefix that found no room is tried again until it has', async (t) => {
  const { maps, publisher } = world(t as Tap, { 'bpf-ipcache-map-max': 16 });
  const prefix = (i: number) => `10.0.${i}.0/24`;
  const upsert = Array.from({ length: 17 }, (_, i) => ({ prefix: prefix(i), identity: 300 + i }));
  publisher.publish(changes({ ipcache: { upsert, remove: [] } }));
  t.match(publisher.sentences(), [/ipcache/]);
  t.equal(maps.ipcache.lookup(...addressWords('10.0.16.1')), 0);
  publisher.publish(changes({ ipcache: { upsert: [], remove: [prefix(0)] } }));
  t.strictSame(publisher.sentences(), []);
  t.equal(maps.ipcache.lookup(...addressWords('10.0.16.1')), 316);
});

t.test('a prefix without room closes the endpoints that it would open, and no other', async (t) => {
  const { maps, publisher } = world(t as Tap, { 'bpf-ipcache-map-max': 16 });
  const CIDR = 1 << 24;
  const any = (more: Partial<PolicyEntry>) => [0, 11, 12, 13, 14].map((identity) => allow({ ...more, identity }));
  const deny = { deny: true, precedence: precedence(0, 255) };
  const WORLD = 2;
  const others = Array.from({ length: 15 }, (_, i) => ({ prefix: `192.0.${i}.0/24`, identity: CIDR + 100 + i }));
  const upsert = [
    { prefix: '10.0.0.0/8', identity: CIDR + 1 },
    ...others,
    { prefix: '203.0.30.0/24', identity: CIDR + 2 }, // from here on there is no room
    { prefix: '10.1.0.0/16', identity: CIDR + 3 },
    { prefix: '10.2.0.0/16', identity: CIDR + 4 },
  ];
  const policies: Record<string, [id: number, isClosed: boolean, entries: PolicyEntry[]]> = {
    'denies a prefix of the world': [7, true, [
      allow({ identity: WORLD }), allow({ identity: 13 }), allow({ identity: CIDR + 2, ...deny }),
    ]],
    'allows a prefix except for one inside': [8, true, [allow({ identity: CIDR + 1 }), allow({ identity: CIDR + 4 })]],
    'allows both': [9, false, [1, 3, 4].map((n) => allow({ identity: CIDR + n }))],
    'allows only the one inside': [10, false, [allow({ identity: CIDR + 3 })]],
    'allows anybody': [11, false, any({})],
    'denies anybody a port': [12, false, [...any({}), ...any({ ...deny, protocol: 6, port: 80, portPrefix: 16 })]],
    'denies the one inside, outwards': [13, true, [...any({ egress: true }), allow({ identity: CIDR + 3, egress: true, ...deny })]],
    'allows the one inside another port': [14, true, [
      allow({ identity: CIDR + 1, protocol: 6, port: 80, portPrefix: 16 }), allow({ identity: CIDR + 3, protocol: 6, port: 81, portPrefix: 16 }),
      allow({ identity: CIDR + 4, protocol: 6, port: 80, portPrefix: 16 }),
    ]],
  }; // biome-ignore format: a table
  const endpoints = new Map(Object.values(policies).map(([id, , entries]) => [id, endpoint(entries)]));
  publisher.publish(changes({ endpoints, ipcache: { upsert, remove: [] } }));
  for (const [name, [id, isClosed, entries]] of Object.entries(policies)) {
    t.equal(maps.policy(id).count, isClosed ? 0 : entries.length, name);
    t.strictSame([publisher.problems.has(id), publisher.isClosed(id)], [isClosed, isClosed], name);
  }
  t.match(publisher.problems.get(7), /203\.0\.30\.0\/24 .* ipcache is full/);
  publisher.publish(changes({ endpoints: new Map([[7, endpoint(policies['denies a prefix of the world'][2])]]) }));
  t.equal(maps.policy(7).count, 0, 'published anew it is closed again');
  publisher.publish(changes({ ipcache: { upsert: [], remove: others.slice(0, 3).map(({ prefix }) => prefix) } }));
  for (const [name, [id, , entries]] of Object.entries(policies)) t.equal(maps.policy(id).count, entries.length, name);
  t.strictSame(publisher.sentences(), [], 'with room all are as they were');
});

t.test('a policy under trial has a file of its own, which goes with the trial', async (t) => {
  const { maps, publisher, directory } = world(t as Tap);
  const files = () =>
    readdirSync(join(directory, 'maps'))
      .filter((name) => name.startsWith('policy_'))
      .sort();
  const told = () => maps.ports.generation;
  const before = told();
  publisher.publish(changes({ endpoints: new Map([[7, endpoint([allow()], [])]]) }));
  t.strictSame(files(), ['policy_7', 'policy_7_trial']);
  t.equal(told(), before + 1, 'the dataplane is told that it has begun');
  publisher.publish(changes({ endpoints: new Map([[7, endpoint([allow()], [allow()])]]) }));
  t.equal(told(), before + 1, 'and not that it has changed, which it sees');
  publisher.publish(changes({ endpoints: new Map([[7, endpoint([allow()], [])]]) }));
  t.equal(maps.policy(7, true).lookup(1, INGRESS, 6, 1), -133);
  publisher.publish(changes({ endpoints: new Map([[7, endpoint([allow()])]]) }));
  t.strictSame(files(), ['policy_7']);
  t.equal(told(), before + 2, 'and that it has ended');
  publisher.publish(changes({ removedEndpoints: [7] }));
  t.strictSame(files(), []);
});

t.test('retire() takes away what an earlier agent published and this one did not', async (t) => {
  const { maps, publisher } = world(t as Tap);
  publisher.publish(
    changes({
      ruleSets: { put: new Map([[1, RULES('/a')]]), remove: [] },
      endpoints: new Map([7, 8].map((id) => [id, endpoint([allow()])])),
      ipcache: { upsert: [{ prefix: '10.9.0.0/24', identity: 1 }, { prefix: '10.8.0.0/24', identity: 2 }], remove: [] },
    }),
  ); // biome-ignore format: a table
  const next = new Publisher(maps, () => {});
  next.publish(
    changes({
      ruleSets: { put: new Map([[1, RULES('/b')]]), remove: [] },
      endpoints: new Map([[7, endpoint([allow({ ruleSet: 1 })])]]),
      ipcache: { upsert: [{ prefix: '10.9.0.0/24', identity: 1 }], remove: [] },
    }),
  );
  t.equal(maps.l7Rules.count, 2, 'rules of both agents, until every policy is the new one');
  next.retire(new Set([7]), new Set(['10.9.0.0/24']));
  t.strictSame(maps.pinnedPolicies(), [7]);
  t.equal(maps.ipcache.lookup(...addressWords('10.8.0.1')), 0);
  t.equal(maps.ipcache.lookup(...addressWords('10.9.0.1')), 1);
  const [entry] = [...maps.l7Rules.entries()];
  t.equal(maps.l7Rules.count, 1);
  t.strictSame(entry?.ruleSet, RULES('/b'));
  t.equal(maps.policy(7).lookup(1, INGRESS, 6, 1), entry?.id, 'the policy names the new rules by their pinned id');
});

t.test('RuleSetIds never gives an id that policies of an earlier agent may name, before retire()', async (t) => {
  const ids = new RuleSetIds([1, 2]);
  t.equal(ids.pin(1), 3);
  t.equal(ids.pin(1), 3);
  t.strictSame(
    ids.translate([allow({ ruleSet: 1 }), allow()]).map(({ ruleSet }) => ruleSet),
    [3, 0],
  );
  t.strictSame(ids.retire(), [1, 2]);
  t.strictSame(ids.retire(), []);
  t.equal(ids.unpin(1), 3);
  t.equal(ids.unpin(1), undefined);
});

t.test('PortPublisher leaves rows that have not changed, and clears what is gone', async (t) => {
  const { maps } = world(t as Tap);
  const ports = new PortPublisher(maps, '02:00:00:00:00:01');
  t.ok(ports.publish([PORT]));
  const { generation } = maps.ports;
  t.notOk(ports.publish([PORT]));
  t.equal(maps.ports.generation, generation);
  t.ok(ports.publish([{ ...PORT, addresses: ['10.9.0.7'] }]));
  t.equal(maps.endpoints.lookup(...addressWords('fd00:9::7')), -1);
  t.ok(maps.endpoints.lookup(...addressWords('10.9.0.7')) >= 0);
  ports.publish([]);
  t.equal(maps.ports.get(3), undefined);
  t.equal(maps.endpoints.count, 0);
});

t.test('PinnedMaps makes a map anew for another capacity, unless a dataplane uses it', async (t) => {
  const directory = mkdtempSync('/tmp/sldae-');
  t.teardown(() => rmSync(directory, { recursive: true, force: true }));
  const open = (capacity: number, isInUse: boolean) => {
    const capacities = smallMaps({ 'bpf-ct-global-tcp-max': capacity });
    return new PinnedMaps({ directory, capacities, isInUse });
  };
  open(2048, false).close();
  const beside = open(4096, true);
  t.equal(beside.ctTcp.capacity, 2048);
  t.match(beside.mismatches, [/ct_tcp: found capacity 2048, configured 4096/]);
  beside.close();
  t.equal(open(4096, false).ctTcp.capacity, 4096);
});
