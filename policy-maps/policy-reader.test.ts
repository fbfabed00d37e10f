/** lookup() beside a linear search, over random policies and a large one. */
import fc from 'fast-check';
import t from 'tap';
import { type PolicyEntry, PRECEDENCE_ALLOW, PRECEDENCE_DENY, precedence } from './policy-entry.ts';
import { referenceVerdict } from '../test/tables/reference-tables.ts';
import {
  CIDR,
  HIGH,
  LOW,
  MAX,
  POD,
  POD_2,
  RNODE,
  SEED,
  TCP,
  UDP,
  ask,
  entry,
  newMap,
} from '../test/tables/policy-entries.ts';
import { EGRESS } from '../wire/direction.ts';

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
