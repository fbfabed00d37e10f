// The policy map: Cilium's selection scenarios, a linear twin over random policies, publication under the eyes of a
// reader in another thread, and bad input. One seed feeds every draw: SEED=n repeats a run.
import t from 'tap';
import { memoryMapper } from './table/memory-mapper.ts';
import { type PolicyEntry } from './policy-entry.ts';
import { PolicyMap } from './policy-map.ts';
import { PolicyStatsMap } from './policy-stats-map.ts';
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
import {
  CIDR,
  CLUSTER,
  HIGH,
  MAX,
  POD,
  POD_2,
  RNODE,
  TCP,
  UDP,
  entry,
  newMap,
  newPath,
} from '../test/tables/policy-entries.ts';
import { type Direction, EGRESS, INGRESS } from '../wire/direction.ts';

const WORLD = 13;
const REMOTE_NODE = 14;
const RESERVED = 2;

interface Scenario {
  readonly name: string;
  readonly entries: readonly PolicyEntry[];
  /** Entries of another endpoint: they must not matter. */
  readonly foreign?: readonly PolicyEntry[];
  readonly ask: readonly [identity: number, direction: Direction, protocol: number, port: number | 'fragment'];
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
      const [identity, direction, protocol, port] = s.ask;
      const verdict =
        port === 'fragment'
          ? map.lookupFragment(identity, direction, protocol)
          : map.lookup(identity, direction, protocol, port);
      t.equal(verdict, s.verdict);
      t.equal(map.cookie, s.cookie ?? 0);
      if (s.matchType !== undefined) t.equal(map.matchType, s.matchType);
      if (s.stats !== undefined) t.same(countOnce(map), [...s.stats, direction === EGRESS]);
      t.end();
    });
  }
  t.end();
});

/** Counts the last lookup and tells under which key. */
function countOnce(map: PolicyMap): unknown[] {
  const stats = PolicyStatsMap.create(newPath('stats'), { capacity: 16 }, memoryMapper());
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
