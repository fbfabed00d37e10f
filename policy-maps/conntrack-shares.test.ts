// Who makes room when a conntrack table is full: many connections of one endpoint cost others none. SEED=n repeats a run.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { V4_MAPPED } from '../wire/address.ts';
import { ConntrackMap, type TupleFields } from './conntrack-map.ts';
import * as row from './conntrack-row.ts';
import { memoryMapper } from './table/memory-mapper.ts';

const SEED = Number(process.env['SEED'] ?? 20261130);
t.comment(`seed ${SEED}`);

const folder = mkdtempSync(join(tmpdir(), 'sluice-shares-'));
t.teardown(() => rmSync(folder, { recursive: true, force: true }));
const CAPACITY = 1000;
const ATTACKER = 9;
let files = 0;

/** The nth connection of an endpoint. */
function tuple(owner: number, nth: number): TupleFields {
  const [src3, dst3] = [(10 << 24) | owner, (192 << 24) | (nth >>> 14)];
  const v4 = { src0: 0, src1: 0, src2: V4_MAPPED, dst0: 0, dst1: 0, dst2: V4_MAPPED };
  return { ...v4, src3, dst3, srcPort: 1024 + (nth & 0x3fff), dstPort: 80, protocol: 6 };
}

interface Kind {
  readonly isAnswered?: boolean;
  readonly lifetime?: number;
}

/** Makes connections `from` to `from + count` of an endpoint. */
function make(map: ConntrackMap, owner: number, count: number, kind: Kind & { from?: number } = {}): void {
  const { isAnswered = true, lifetime = 9000, from = 0 } = kind;
  for (let nth = from; nth < from + count; nth++) {
    const base = map.insert(tuple(owner, nth), owner) * row.CT_ROW_WORDS;
    map.words[base + row.CT_LIFETIME] = lifetime;
    if (isAnswered) map.words[base + row.CT_FLAGS] |= row.CT_FLAG_SEEN_REPLY;
  }
}

function left(map: ConntrackMap, owner: number, count: number): number {
  return Array.from({ length: count }, (_, nth) => map.lookup(tuple(owner, nth))).filter((found) => found >= 0).length;
}

function newMap(): ConntrackMap {
  const map = ConntrackMap.create(
    join(folder, `map_${files++}`),
    { capacity: CAPACITY, seed: [SEED, 7] },
    memoryMapper(),
  );
  map.nowSec = 1000;
  return map;
}

t.test('whoever has more than its share makes room, wherever the rows of others lie and however old they are', (t) => {
  const victims = [1, 2, 3, 4];
  const cases: [string, (map: ConntrackMap) => void][] = [
    ['side by side, at the beginning', (map) => victims.forEach((one) => make(map, one, 25, { lifetime: 2000 }))],
    [
      'in the middle',
      (map) => {
        make(map, ATTACKER, 400, { from: 100_000 });
        victims.forEach((one) => make(map, one, 25, { lifetime: 2000 }));
      },
    ],
    [
      'all over the table',
      (map) => {
        for (let nth = 0; nth < 25; nth++) {
          for (const one of victims) {
            make(map, ATTACKER, 5, { from: 100_000 + 20 * nth + 5 * one });
            make(map, one, 1, { from: nth, lifetime: 2000 });
          }
        }
      },
    ],
  ];
  for (const [name, fill] of cases) {
    const map = newMap();
    fill(map);
    make(map, ATTACKER, 6 * CAPACITY);
    t.same(
      victims.map((one) => left(map, one, 25)),
      [25, 25, 25, 25],
      name,
    );
    t.equal(map.count, CAPACITY);
    t.equal(map.evictedWithin, 0);
    t.ok(map.evictedOver >= 5 * CAPACITY, `${map.evictedOver} of its own`);
    t.equal(map.evictedEndpoint, ATTACKER);
  }
  t.end();
});

t.test('an accomplice takes no more than its own share', (t) => {
  const map = newMap();
  make(map, 1, 50, { lifetime: 2000 });
  for (let turn = 0; turn < 100; turn++) {
    make(map, ATTACKER, 100, { from: 100 * turn });
    make(map, ATTACKER + 1, 100, { from: 100 * turn });
  }
  t.equal(left(map, 1, 50), 50);
  t.equal(map.evictedWithin, 0);
  t.end();
});

t.test('what is half open goes before what is in use, and that of whoever has more first', (t) => {
  const map = newMap();
  make(map, 1, 300, { lifetime: 2000 });
  make(map, 2, 10, { isAnswered: false, lifetime: 1500 });
  make(map, ATTACKER, 20 * CAPACITY, { isAnswered: false, lifetime: 1600 });
  t.equal(left(map, 1, 300), 300, 'a SYN flood eats itself');
  t.ok(left(map, 2, 10) >= 8, `${left(map, 2, 10)} of 10 that another has just begun`);
  t.equal(map.evictedOver + map.evictedWithin, 0);
  t.ok(map.evictedIdle > 0);
  t.end();
});

t.test('one endpoint alone loses what was used longest ago', (t) => {
  const map = newMap();
  for (let nth = 0; nth < CAPACITY; nth++) make(map, 1, 1, { from: nth, lifetime: nth % 2 === 0 ? 9000 : 2000 });
  make(map, 1, 100, { from: 5000 });
  const recent = Array.from({ length: CAPACITY / 2 }, (_, i) => map.lookup(tuple(1, 2 * i)));
  t.equal(recent.filter((found) => found >= 0).length, CAPACITY / 2, 'the recent ones stay');
  t.equal(map.evictedWithin, 100, 'and it is told that the table is too small');
  t.end();
});

t.test('shares are counted again by the next writer, and given back by whatever removes a row', (t) => {
  const path = join(folder, 'reopened');
  const mapper = memoryMapper();
  const first = ConntrackMap.create(path, { capacity: CAPACITY, seed: [SEED, 7] }, mapper);
  first.nowSec = 1000;
  make(first, 1, 100, { lifetime: 2000 });
  make(first, ATTACKER, CAPACITY - 100);
  first.close();
  const map = ConntrackMap.open(path, mapper, { writable: true });
  map.nowSec = 1000;
  make(map, ATTACKER, 2 * CAPACITY, { from: CAPACITY });
  t.equal(left(map, 1, 100), 100);
  t.equal(map.evictedWithin, 0);
  map.expire(20_000, 2 * CAPACITY);
  t.equal(map.count, 0);
  map.nowSec = 1000;
  make(map, 2, CAPACITY, { lifetime: 5000 });
  make(map, 2, 10, { from: CAPACITY });
  t.equal(map.evictedWithin, 10, 'nobody else has any: those who had have given theirs back');
  t.end();
});
