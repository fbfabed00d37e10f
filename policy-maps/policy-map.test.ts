// The policy map: Cilium's selection scenarios, a linear twin over random policies, publication under the eyes of a
// reader in another thread, and bad input. One seed feeds every draw: SEED=n repeats a run.
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import fc from 'fast-check';
import t from 'tap';
import { memoryMapper } from './table/memory-mapper.ts';
import { type PolicyEntry, PRECEDENCE_ALLOW, PRECEDENCE_DENY, precedence } from './policy-entry.ts';
import { PolicyMap } from './policy-map.ts';
import { PolicyStatsMap } from './policy-stats-map.ts';
import { type ReferenceQuery, referenceVerdict } from '../test/tables/reference-tables.ts';
import { aggregateOf } from '../wire/identities.ts';
import {
  MATCH_ALL,
  MATCH_L3_L4,
  MATCH_L3_ONLY,
  MATCH_L3_PROTO,
  MATCH_L4_ONLY,
  MATCH_NONE,
  MATCH_PROTO_ONLY,
} from '../wire/match.ts';

const SEED = Number(process.env['SEED'] ?? 20240229);
t.comment(`seed ${SEED}`);

const folder = mkdtempSync(join(tmpdir(), 'sluice-policy-map-'));
t.teardown(() => rmSync(folder, { recursive: true, force: true }));
let maps = 0;

function newMap(capacity = 16384, clusterId = 0): PolicyMap {
  return PolicyMap.create(
    join(folder, `policy_${maps++}`),
    { capacity, parameter: clusterId, seed: [SEED, 7] },
    memoryMapper(),
  );
}

const TCP = 6;
const UDP = 17;
const EGRESS = 1;
const INGRESS = 0;
const CLUSTER = 11;
const WORLD = 13;
const REMOTE_NODE = 14;

function entry(fields: Partial<PolicyEntry>): PolicyEntry {
  const isPort = fields.port !== undefined && fields.portPrefix === undefined;
  return {
    identity: 0,
    egress: true,
    protocol: 0,
    port: 0,
    portPrefix: isPort ? 16 : 0,
    deny: false,
    ruleSet: 0,
    authType: 0,
    hasExplicitAuthType: false,
    precedence: LOW,
    cookie: 0,
    ...fields,
  };
}

// --- Cilium's scenarios (bpf/tests: policy selection), with its identities and precedences

const LOW = 0x00ff0000;
const HIGH = 0x00ff0100;
const MAX = 0xffffffff;
const POD = 12345;
const POD_2 = 12346;
const CIDR = 0x01000001;
const RNODE = 0x02000001;
const RESERVED = 2;

interface Scenario {
  readonly name: string;
  readonly entries: readonly PolicyEntry[];
  /** Entries of another endpoint: they must not matter. */
  readonly foreign?: readonly PolicyEntry[];
  readonly ask: readonly [identity: number, isEgress: number, protocol: number, port: number | 'fragment'];
  readonly verdict: number;
  readonly cookie?: number;
  readonly matchType?: number;
  /** Key of the statistics that are counted: identity, protocol, port, prefix length. */
  readonly stats?: readonly [number, number, number, number];
}

const POD_80 = [POD, EGRESS, TCP, 80] as const;

const SCENARIOS: readonly Scenario[] = [
  { name: 'd01: no entry drops', entries: [], ask: POD_80, verdict: -133, matchType: MATCH_NONE },
  {
    name: 'd02: specific L3-only allow',
    entries: [entry({ identity: POD, cookie: 2 })],
    ask: POD_80,
    verdict: 0,
    cookie: 2,
    matchType: MATCH_L3_ONLY,
    stats: [POD, 0, 0, 0],
  },
  {
    name: 'd03: specific L3 and protocol allow',
    entries: [entry({ identity: POD, protocol: TCP, cookie: 3 })],
    ask: POD_80,
    verdict: 0,
    cookie: 3,
    matchType: MATCH_L3_PROTO,
    stats: [POD, TCP, 0, 8],
  },
  {
    name: 'd04: specific L3/L4 allow with proxy redirect',
    entries: [entry({ identity: POD, protocol: TCP, port: 80, ruleSet: 15001, cookie: 4 })],
    ask: POD_80,
    verdict: 15001,
    cookie: 4,
    matchType: MATCH_L3_L4,
    stats: [POD, TCP, 80, 24],
  },
  {
    name: 'd05: aggregate L4 allow',
    entries: [entry({ identity: CLUSTER, protocol: TCP, port: 80, cookie: 5 })],
    ask: POD_80,
    verdict: 0,
    cookie: 5,
    matchType: MATCH_L4_ONLY,
    stats: [CLUSTER, TCP, 80, 24],
  },
  {
    name: 'd06: aggregate protocol-only allow',
    entries: [entry({ identity: CLUSTER, protocol: TCP, cookie: 6 })],
    ask: POD_80,
    verdict: 0,
    cookie: 6,
    matchType: MATCH_PROTO_ONLY,
    stats: [CLUSTER, TCP, 0, 8],
  },
  {
    name: 'd07: aggregate allow-all',
    entries: [entry({ identity: CLUSTER, cookie: 7 })],
    ask: POD_80,
    verdict: 0,
    cookie: 7,
    matchType: MATCH_ALL,
    stats: [CLUSTER, 0, 0, 0],
  },
  {
    name: 'd08: identity 0 when neither specific nor aggregate exists',
    entries: [entry({ protocol: TCP, port: 80, cookie: 8 })],
    ask: POD_80,
    verdict: 0,
    cookie: 8,
    matchType: MATCH_L4_ONLY,
    stats: [0, TCP, 80, 24],
  },
  {
    name: 'd09: the longer aggregate prefix wins over the specific one',
    entries: [
      entry({ identity: POD, protocol: TCP, cookie: 1 }),
      entry({ identity: CLUSTER, protocol: TCP, port: 80, cookie: 2 }),
    ],
    ask: POD_80,
    verdict: 0,
    cookie: 2,
    matchType: MATCH_L4_ONLY,
    stats: [CLUSTER, TCP, 80, 24],
  },
  {
    name: 'd10: the longer specific prefix wins over the aggregate one',
    entries: [
      entry({ identity: POD, protocol: TCP, port: 80, cookie: 1 }),
      entry({ identity: CLUSTER, protocol: TCP, cookie: 2 }),
    ],
    ask: POD_80,
    verdict: 0,
    cookie: 1,
    matchType: MATCH_L3_L4,
    stats: [POD, TCP, 80, 24],
  },
  {
    name: 'd11: equal prefix and precedence: the specific one wins',
    entries: [
      entry({ identity: POD, protocol: TCP, port: 80, cookie: 1 }),
      entry({ identity: CLUSTER, protocol: TCP, port: 80, cookie: 2 }),
    ],
    ask: POD_80,
    verdict: 0,
    cookie: 1,
    matchType: MATCH_L3_L4,
    stats: [POD, TCP, 80, 24],
  },
  {
    name: 'd12: an aggregate of higher precedence wins over a more specific entry',
    entries: [
      entry({ identity: POD, protocol: TCP, port: 80, cookie: 1 }),
      entry({ identity: CLUSTER, precedence: HIGH, ruleSet: 15002, cookie: 2 }),
    ],
    ask: POD_80,
    verdict: 15002,
    cookie: 2,
    matchType: MATCH_ALL,
    stats: [CLUSTER, 0, 0, 0],
  },
  {
    name: 'd13: a specific deny of maximum precedence ends the search',
    entries: [
      entry({ identity: POD, deny: true, precedence: MAX, cookie: 1 }),
      entry({ identity: CLUSTER, protocol: TCP, port: 80, deny: true, precedence: MAX, cookie: 2 }),
    ],
    ask: POD_80,
    verdict: -181,
    cookie: 1,
    matchType: MATCH_L3_ONLY,
    stats: [POD, 0, 0, 0],
  },
  {
    name: 'd14: of denies with the same precedence the longer prefix wins',
    entries: [
      entry({ identity: POD, deny: true, cookie: 1 }),
      entry({ identity: CLUSTER, protocol: TCP, port: 80, deny: true, cookie: 2 }),
    ],
    ask: POD_80,
    verdict: -181,
    cookie: 2,
    matchType: MATCH_L4_ONLY,
    stats: [CLUSTER, TCP, 80, 24],
  },
  {
    name: 'd15: no fallback to identity 0 when a specific entry matched',
    entries: [
      entry({ identity: POD, protocol: TCP, port: 80, cookie: 1 }),
      entry({ protocol: TCP, port: 80, deny: true, precedence: HIGH, cookie: 3 }),
    ],
    ask: POD_80,
    verdict: 0,
    cookie: 1,
    matchType: MATCH_L3_L4,
    stats: [POD, TCP, 80, 24],
  },
  {
    name: 'd16: a port range as a prefix: 8080-8095 holds 8090',
    entries: [entry({ identity: CLUSTER, protocol: TCP, port: 8080, portPrefix: 12, cookie: 16 })],
    ask: [POD, EGRESS, TCP, 8090],
    verdict: 0,
    cookie: 16,
    matchType: MATCH_L4_ONLY,
    stats: [CLUSTER, TCP, 8080, 20],
  },
  {
    name: 'd17: a CIDR identity has the world aggregate',
    entries: [entry({ identity: WORLD, protocol: TCP, port: 80, cookie: 17 })],
    ask: [CIDR, EGRESS, TCP, 80],
    verdict: 0,
    cookie: 17,
    matchType: MATCH_L4_ONLY,
    stats: [WORLD, TCP, 80, 24],
  },
  {
    name: 'd18: a remote-node identity has the remote-node aggregate',
    entries: [entry({ identity: REMOTE_NODE, cookie: 18 })],
    ask: [RNODE, EGRESS, UDP, 53],
    verdict: 0,
    cookie: 18,
    matchType: MATCH_ALL,
    stats: [REMOTE_NODE, 0, 0, 0],
  },
  {
    name: 'd19: a reserved identity falls to identity 0',
    entries: [entry({ protocol: TCP, port: 80, cookie: 19 })],
    ask: [RESERVED, EGRESS, TCP, 80],
    verdict: 0,
    cookie: 19,
    matchType: MATCH_L4_ONLY,
    stats: [0, TCP, 80, 24],
  },
  {
    name: 'd20: ingress specific L3/L4 allow',
    entries: [entry({ identity: POD_2, egress: false, protocol: TCP, port: 80, cookie: 20 })],
    ask: [POD_2, INGRESS, TCP, 80],
    verdict: 0,
    cookie: 20,
    matchType: MATCH_L3_L4,
    stats: [POD_2, TCP, 80, 24],
  },
  {
    name: 'd21: an egress entry does not match ingress',
    entries: [entry({ identity: POD_2, protocol: TCP, port: 80, cookie: 21 })],
    ask: [POD_2, INGRESS, TCP, 80],
    verdict: -133,
  },
  {
    name: 'd22: an untracked fragment without a match',
    entries: [],
    ask: [POD_2, INGRESS, UDP, 'fragment'],
    verdict: -157,
  },
  {
    name: 'd23: an untracked fragment matches an L3-only entry',
    entries: [entry({ identity: POD_2, egress: false, cookie: 23 })],
    ask: [POD_2, INGRESS, UDP, 'fragment'],
    verdict: 0,
    cookie: 23,
    matchType: MATCH_L3_ONLY,
    stats: [POD_2, 0, 0, 0],
  },
  // Cilium's s and l scenarios keep entries of a shared table from leaking into an endpoint's own; here: of another map.
  {
    name: "s01: with an empty map of its own, another endpoint's allow is not used",
    entries: [],
    foreign: [entry({ identity: POD, protocol: TCP, port: 80, cookie: 1 })],
    ask: POD_80,
    verdict: -133,
    matchType: MATCH_NONE,
  },
  {
    name: "s02: an endpoint's own entry is selected",
    entries: [entry({ identity: POD, protocol: TCP, port: 80, cookie: 2 })],
    foreign: [],
    ask: POD_80,
    verdict: 0,
    cookie: 2,
    matchType: MATCH_L3_L4,
    stats: [POD, TCP, 80, 24],
  },
  {
    name: "s03: an endpoint's own aggregate deny is enforced",
    entries: [entry({ identity: CLUSTER, deny: true, cookie: 3 })],
    foreign: [entry({ identity: POD, cookie: 9 })],
    ask: POD_80,
    verdict: -181,
    cookie: 3,
    matchType: MATCH_ALL,
    stats: [CLUSTER, 0, 0, 0],
  },
  {
    name: "s04: another endpoint's entry does not fill in for a port that is missing",
    entries: [entry({ identity: POD, protocol: TCP, port: 81, cookie: 5 })],
    foreign: [entry({ identity: POD, protocol: TCP, port: 80, cookie: 4 })],
    ask: POD_80,
    verdict: -133,
    matchType: MATCH_NONE,
  },
  {
    name: "l01: another endpoint's allow-all is ignored",
    entries: [],
    foreign: [entry({ cookie: 1 })],
    ask: POD_80,
    verdict: -133,
    matchType: MATCH_NONE,
  },
  {
    name: "l02: another endpoint's deny is ignored",
    entries: [entry({ identity: POD, protocol: TCP, port: 80, cookie: 2 })],
    foreign: [entry({ identity: POD, deny: true, precedence: MAX, cookie: 1 })],
    ask: POD_80,
    verdict: 0,
    cookie: 2,
    matchType: MATCH_L3_L4,
    stats: [POD, TCP, 80, 24],
  },
];

t.test('lookup() selects as bpf/lib/policy.h does', (t) => {
  for (const s of SCENARIOS) {
    t.test(s.name, (t) => {
      const map = newMap(64);
      map.publish(s.entries);
      newMap(64).publish(s.foreign ?? []);
      const [identity, isEgress, protocol, port] = s.ask;
      const verdict =
        port === 'fragment'
          ? map.lookupFragment(identity, isEgress, protocol)
          : map.lookup(identity, isEgress, protocol, port);
      t.equal(verdict, s.verdict);
      t.equal(map.cookie, s.cookie ?? 0);
      if (s.matchType !== undefined) t.equal(map.matchType, s.matchType);
      if (s.stats !== undefined) t.same(countOnce(map), [...s.stats, isEgress === EGRESS]);
      t.end();
    });
  }
  t.end();
});

/** Counts the last lookup and tells under which key. */
function countOnce(map: PolicyMap): unknown[] {
  const stats = PolicyStatsMap.create(join(folder, `stats_${maps++}`), { capacity: 16 }, memoryMapper());
  stats.add(stats.slotFor(1, map.entryIdentity, map.entryPoint), 60);
  const [counted] = [...stats.entries()];
  return [counted.identity, counted.protocol, counted.port, counted.prefixLength, counted.egress];
}

t.test('lookup() and authentication', (t) => {
  const cases: [string, PolicyEntry[], number, number][] = [
    ['an entry that demands it drops', [entry({ identity: POD, authType: 1 })], -189, 1],
    [
      'a winner without an explicit type takes over the greater one of the loser',
      [entry({ identity: POD, protocol: TCP, port: 80, authType: 0 }), entry({ identity: CLUSTER, authType: 2 })],
      -189,
      2,
    ],
    [
      'a winner with an explicit type keeps it',
      [
        entry({ identity: POD, protocol: TCP, port: 80, hasExplicitAuthType: true }),
        entry({ identity: CLUSTER, authType: 2 }),
      ],
      0,
      0,
    ],
    [
      'nothing is taken over from another precedence',
      [entry({ identity: POD, protocol: TCP, port: 80, precedence: HIGH }), entry({ identity: CLUSTER, authType: 2 })],
      0,
      0,
    ],
    ['deny comes before it', [entry({ identity: POD, deny: true, authType: 1 })], -181, 0],
  ];
  for (const [name, entries, verdict, authType] of cases) {
    const map = newMap(64);
    map.publish(entries);
    t.equal(map.lookup(POD, EGRESS, TCP, 80), verdict, name);
    t.equal(map.authType, authType, name);
  }
  t.end();
});

t.test('aggregateOf() knows own and other clusters, scopes and reserved identities', (t) => {
  const cases: [identity: number, clusterId: number, aggregate: number][] = [
    [0, 0, 0],
    [2, 0, 0],
    [9, 0, 0],
    [99, 0, 0],
    [11, 0, 11],
    [12, 0, 12],
    [13, 0, 13],
    [14, 0, 14],
    [100, 0, 11],
    [400, 0, 11],
    [0x1aabb, 0, 12],
    [0x1aabb, 1, 11],
    [400, 1, 12],
    [0x1000001, 0, 13],
    [0x2000000, 0, 14],
  ];
  for (const [identity, clusterId, aggregate] of cases) {
    t.equal(aggregateOf(identity, clusterId), aggregate, `identity ${identity} seen from cluster ${clusterId}`);
  }
  t.end();
});

// --- random policies against the twin

const identityDraw = fc.constantFrom(0, 1, 2, 11, 12, 13, 14, 100, POD, POD_2, 0x1aabb, CIDR, CIDR + 1, RNODE);
const portDraw = fc.constantFrom(0, 1, 53, 79, 80, 81, 443, 8080, 8090, 8095, 8096, 32768, 65535);
const precedenceDraw = fc.constantFrom(LOW, HIGH, MAX, precedence(0, PRECEDENCE_ALLOW), precedence(1, PRECEDENCE_DENY));

const entryDraw: fc.Arbitrary<PolicyEntry> = fc
  .record({
    identity: identityDraw,
    egress: fc.boolean(),
    protocol: fc.constantFrom(0, TCP, UDP, 1),
    port: portDraw,
    portPrefix: fc.constantFrom(0, 1, 4, 10, 12, 15, 16),
    deny: fc.boolean(),
    ruleSet: fc.constantFrom(0, 0, 15001, 65535),
    authType: fc.constantFrom(0, 0, 1, 2),
    hasExplicitAuthType: fc.boolean(),
    precedence: precedenceDraw,
    cookie: fc.nat(0xffffffff),
  })
  .map((draw) => {
    const portPrefix = draw.protocol === 0 ? 0 : draw.portPrefix;
    return { ...draw, portPrefix, port: portPrefix === 0 ? 0 : draw.port & (0xffff << (16 - portPrefix)) & 0xffff };
  });

const queryDraw = fc.record({
  identity: identityDraw,
  egress: fc.boolean(),
  protocol: fc.constantFrom(TCP, UDP, 1, 132),
  port: fc.option(portDraw, { nil: undefined }),
});

function ask(map: PolicyMap, query: ReferenceQuery): number {
  const isEgress = query.egress ? EGRESS : INGRESS;
  return query.port === undefined
    ? map.lookupFragment(query.identity, isEgress, query.protocol)
    : map.lookup(query.identity, isEgress, query.protocol, query.port);
}

/** One entry for each key: which of two with one key counts is said elsewhere. */
function withoutDoubles(entries: readonly PolicyEntry[]): PolicyEntry[] {
  const byKey = new Map(entries.map((e) => [`${e.identity} ${e.egress} ${e.protocol} ${e.port} ${e.portPrefix}`, e]));
  return [...byKey.values()];
}

t.test('lookup() agrees with a linear search over random policies, publication after publication', (t) => {
  const map = newMap(256, 1);
  const policies = fc.array(
    fc.tuple(fc.array(entryDraw, { maxLength: 60 }), fc.array(queryDraw, { minLength: 30, maxLength: 60 })),
    {
      minLength: 1,
      maxLength: 4,
    },
  );
  const property = fc.property(policies, (rounds) => {
    for (const [drawn, queries] of rounds) {
      const entries = withoutDoubles(drawn);
      map.publish(entries);
      for (const draw of queries) {
        const query = { ...draw, clusterId: 1 };
        const wanted = referenceVerdict(entries, query);
        const found = {
          verdict: ask(map, query),
          matchType: map.matchType,
          cookie: map.cookie >>> 0,
          authType: map.authType,
        };
        const isSame =
          found.verdict === wanted.verdict &&
          found.matchType === wanted.matchType &&
          found.cookie === (wanted.entry?.cookie ?? 0) &&
          found.authType === wanted.authType;
        if (!isSame)
          throw new Error(`${JSON.stringify(query)}: found ${JSON.stringify(found)}, wanted ${JSON.stringify(wanted)}`);
      }
      const held = map.entries();
      if (
        held.length !== entries.length ||
        !held.every((e) => entries.some((x) => JSON.stringify(sorted(x)) === JSON.stringify(sorted(e))))
      )
        return false;
    }
    return true;
  });
  fc.assert(property, { seed: SEED, numRuns: 150 });
  t.end();
});

function sorted(e: PolicyEntry): [string, unknown][] {
  return Object.entries(e).sort(([a], [b]) => (a < b ? -1 : 1));
}

t.test('lookup() of a large policy agrees with the entry it was made for', (t) => {
  const map = newMap();
  const entries: PolicyEntry[] = [];
  for (let i = 0; i < 10_000; i++) {
    entries.push(entry({ identity: 1000 + (i >> 2), protocol: TCP, port: 8000 + (i & 3), cookie: i + 1 }));
  }
  map.publish(entries);
  const wrong = entries.filter((e) => map.lookup(e.identity, EGRESS, TCP, e.port) !== 0 || map.cookie !== e.cookie);
  t.same(wrong, []);
  t.equal(map.lookup(1000, EGRESS, TCP, 8004), -133);
  t.equal(map.lookup(999, EGRESS, TCP, 8000), -133);
  t.end();
});

// --- publication

t.test('before the first publication everything is dropped for want of a policy', (t) => {
  const map = newMap(8);
  t.equal(map.lookup(POD, EGRESS, TCP, 80), -203);
  t.equal(map.lookupFragment(POD, INGRESS, TCP), -203);
  t.equal(map.generation, 0);
  t.same(map.entries(), []);
  t.end();
});

t.test('publish() keeps the entry of higher precedence of two with one key', (t) => {
  const map = newMap(8);
  map.publish([
    entry({ identity: POD, precedence: HIGH, cookie: 1 }),
    entry({ identity: POD, precedence: LOW, cookie: 2 }),
  ]);
  t.equal(map.lookup(POD, EGRESS, TCP, 80), 0);
  t.equal(map.cookie, 1);
  t.equal(map.count, 1);
  t.end();
});

t.test('publish() of too many entries leaves the old policy in force', (t) => {
  const map = newMap(2);
  map.publish([entry({ identity: POD, cookie: 1 })]);
  const many = [1, 2, 3].map((i) => entry({ identity: 100 + i, cookie: i }));
  t.throws(() => map.publish(many), { code: 'ERR_MAP_FULL', found: 3 });
  t.equal(map.lookup(POD, EGRESS, TCP, 80), 0);
  t.equal(map.lookup(101, EGRESS, TCP, 80), -133);
  t.equal(map.file.counters.full, 1);
  t.end();
});

t.test('publish() refuses an entry that cannot be, by name', (t) => {
  const map = newMap(2);
  map.publish([entry({ identity: POD, cookie: 1 })]);
  const cases: [Partial<PolicyEntry>, RegExp][] = [
    [{ identity: -1 }, /identity: found -1, wanted 0 to 4294967295/],
    [{ protocol: 256 }, /protocol: found 256/],
    [{ port: 80 }, /port: found 80, wanted 0 to 0/],
    [{ protocol: TCP, port: 81, portPrefix: 12 }, /port: found bits beyond the prefix/],
    [{ protocol: TCP, portPrefix: 17 }, /portPrefix: found 17/],
    [{ ruleSet: 65536 }, /ruleSet: found 65536/],
    [{ precedence: 1.5 }, /precedence: found 1.5/],
    [{ cookie: Number.NaN }, /cookie: found NaN/],
  ];
  for (const [fields, message] of cases) t.throws(() => map.publish([{ ...entry({}), ...fields }]), message);
  t.equal(map.lookup(POD, EGRESS, TCP, 80), 0);
  t.equal(map.generation, 1);
  t.end();
});

t.test('lookup() allocates nothing', (t) => {
  if (globalThis.gc === undefined) {
    t.comment('run with --expose-gc to watch the heap');
    t.end();
    return;
  }
  const map = newMap(64);
  map.publish([entry({ identity: POD, protocol: TCP, port: 80, cookie: 1 }), entry({ identity: CLUSTER, cookie: 2 })]);
  const run = (): number => {
    let sum = 0;
    for (let i = 0; i < 100_000; i++)
      sum += map.lookup(POD + (i & 1), EGRESS, TCP, 80 + (i & 3)) + map.cookie + map.matchType;
    return sum;
  };
  // The compiler needs a few rounds, more where its thread has to wait; after that a round is as good as any.
  let least = Number.POSITIVE_INFINITY;
  for (let round = 0; round < 100 && least >= 16_384; round++) {
    globalThis.gc();
    const before = process.memoryUsage().heapUsed;
    run();
    least = Math.min(least, process.memoryUsage().heapUsed - before);
  }
  t.ok(least < 16_384, `heap grew by ${least} bytes over 100,000 lookups`);
  t.end();
});

// --- a reader in another thread

/** Round n: the size of the policy depends on n, and every entry carries n as cookie and rule set. A mix would show. */
function roundPolicy(round: number): PolicyEntry[] {
  const entries: PolicyEntry[] = [entry({ identity: CLUSTER, cookie: round, ruleSet: round, precedence: LOW })];
  const size = 20 + (round % 7) * 40;
  for (let i = 0; i < size; i++) {
    entries.push(
      entry({ identity: 1000 + i, protocol: TCP, port: 80, cookie: round, ruleSet: round, precedence: HIGH }),
    );
  }
  return entries;
}

t.test('a reader in another thread never sees a mix of two publications', async (t) => {
  const buffers = new Map<string, SharedArrayBuffer>();
  const path = join(folder, `policy_${maps++}`);
  const map = PolicyMap.create(path, { capacity: 1024, seed: [SEED, 7] }, memoryMapper(buffers));
  map.publish(roundPolicy(1));
  const control = new Int32Array(new SharedArrayBuffer(4)); // 0 = nothing yet, 1 = reading, 2 = has seen enough, -1 = stop
  const worker = new Worker(new URL('./policy-map.test-reader.js', import.meta.url), {
    workerData: { path, buffers, control },
  });
  const answer = once(worker, 'message') as Promise<[{ lookups: number; generations: number; mixes: string[] }]>;
  while (Atomics.load(control, 0) === 0) await new Promise((resolve) => setImmediate(resolve));
  worker.once('error', () => Atomics.store(control, 0, 2));
  for (let round = 2; round < 3000 || Atomics.load(control, 0) !== 2; round++) {
    map.publish(roundPolicy(round));
    if (round % 100 === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  Atomics.store(control, 0, -1);
  const [{ lookups, generations, mixes }] = await answer;
  t.same(mixes, []);
  t.comment(`${lookups} lookups over ${generations} generations`);
  await worker.terminate();
});
