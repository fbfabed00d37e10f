// Conntrack as its users see it: both directions, eviction, expiry, death of the writer. SEED=n repeats a run.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import t from 'tap';
import { ConntrackMap, CT_FRESH_SEC, type TupleFields } from './conntrack-map.ts';
import * as row from './conntrack-row.ts';
import { EndpointMap } from './endpoint-map.ts';
import { Ipcache } from './ipcache.ts';
import type { Mapper } from './table/map-file.ts';
import { memoryMapper } from './table/memory-mapper.ts';
import { MetricsMap } from './metrics-map.ts';
import { PolicyStatsMap } from './policy-stats-map.ts';

const SEED = Number(process.env['SEED'] ?? 20240229);
t.comment(`seed ${SEED}`);

const folder = mkdtempSync(join(tmpdir(), 'sluice-conntrack-'));
t.teardown(() => rmSync(folder, { recursive: true, force: true }));
let files = 0;
const seed = [SEED, 7] as const;

function newPath(): string {
  return join(folder, `map_${files++}`);
}

function tuple(src: string, dst: string, protocol = 6): TupleFields {
  const [s, srcPort] = endOf(src);
  const [d, dstPort] = endOf(dst);
  return {
    src0: s[0],
    src1: s[1],
    src2: s[2],
    src3: s[3],
    dst0: d[0],
    dst1: d[1],
    dst2: d[2],
    dst3: d[3],
    srcPort,
    dstPort,
    protocol,
  };
}

/** "10.0.0.1:80", or four hexadecimal words: "20010db8.0.0.1:80". */
function endOf(text: string): [number[], number] {
  const [address, port] = text.split(':');
  const parts = address.split('.');
  const words =
    address.length > 15 || /[a-f]/.test(address)
      ? parts.map((part) => Number.parseInt(part, 16) | 0)
      : [0, 0, 0xffff, parts.reduce((word, part) => (word << 8) | Number(part), 0)];
  return [words, Number(port)];
}

function reversed(f: TupleFields): TupleFields {
  return {
    src0: f.dst0,
    src1: f.dst1,
    src2: f.dst2,
    src3: f.dst3,
    dst0: f.src0,
    dst1: f.src1,
    dst2: f.src2,
    dst3: f.src3,
    srcPort: f.dstPort,
    dstPort: f.srcPort,
    protocol: f.protocol,
  };
}

function newConntrack(capacity: number, mapper: Mapper = memoryMapper()): ConntrackMap {
  const map = ConntrackMap.create(newPath(), { capacity, seed }, mapper);
  map.nowSec = 1000;
  return map;
}

t.test('a connection is found from both ends, and each end knows whether it began', (t) => {
  const cases: [string, TupleFields][] = [
    ['IPv4', tuple('10.0.0.1:40000', '10.0.0.2:80')],
    ['IPv4, the greater address begins', tuple('200.0.0.9:40000', '10.0.0.2:80')],
    ['the same address twice', tuple('10.0.0.1:40000', '10.0.0.1:80')],
    ['the same ports twice', tuple('10.0.0.1:80', '10.0.0.2:80')],
    ['IPv6', tuple('20010db8.0.0.1:1234', '20010db8.0.0.2:443')],
    ['IPv6 that differs in the first word only', tuple('20010db9.0.0.1:1234', '20010db8.0.0.1:443')],
    ['ICMP echo', tuple('10.0.0.1:77', '10.0.0.2:0', 1)],
    ['ports above 32767', tuple('10.0.0.1:65535', '10.0.0.2:65534')],
  ];
  const map = newConntrack(32);
  for (const [name, f] of cases) {
    t.equal(map.lookup(f), -1, `${name}: not there yet`);
    const slot = map.insert(f);
    t.ok(slot >= 0);
    t.equal(map.lookup(f), slot * 2, `${name}: from the initiator`);
    t.equal(map.lookup(reversed(f)), slot * 2 + 1, `${name}: from the responder`);
    t.equal(map.lookup({ ...f, protocol: 17 }), -1, `${name}: not under another protocol`);
    t.equal(map.lookup({ ...f, dstPort: f.dstPort ^ 1 }), -1, `${name}: not with another port`);
    t.equal(map.lookup({ ...f, src0: f.src0 ^ 1 }), -1, `${name}: not with another address`);
  }
  t.equal(map.count, cases.length);
  const described = [...map.entries()].map(
    (e) => `${e.sourcePort}>${e.destinationPort}/${e.protocol} ${e.source.join('.')}`,
  );
  t.same(
    described,
    cases.map(([, f]) => `${f.srcPort}>${f.dstPort}/${f.protocol} ${f.src0}.${f.src1}.${f.src2}.${f.src3}`),
  );
  t.end();
});

t.test('a connection to oneself on one port has one end only, and is found', (t) => {
  const map = newConntrack(4);
  const f = tuple('10.0.0.1:80', '10.0.0.1:80');
  const slot = map.insert(f);
  t.equal(map.lookup(f), slot * 2);
  t.end();
});

t.test('insert() begins a row anew: only key, orientation, created and a short lifetime', (t) => {
  const map = newConntrack(4);
  const f = tuple('10.0.0.9:4000', '10.0.0.2:80');
  const slot = map.insert(f);
  const base = slot * row.CT_ROW_WORDS;
  const generation = map.words[base + row.CT_SLOT_GENERATION];
  map.words.fill(7, base + row.CT_LIFETIME, base + row.CT_SLOT_GENERATION);
  map.words.fill(7, base + row.CT_L7, base + row.CT_L7 + row.CT_L7_WORDS);
  map.nowSec = 2000;
  t.equal(map.insert(reversed(f)), slot, 'the same key, from the other end');
  const words = [...map.words.subarray(base, base + row.CT_ROW_WORDS)];
  t.equal(words[row.CT_LIFETIME], 2000 + CT_FRESH_SEC);
  t.equal(words[row.CT_CREATED], 2000);
  t.not(words[row.CT_SLOT_GENERATION], generation);
  t.equal(map.lookup(f), slot * 2 + 1, 'it has the new initiator');
  const set = [row.CT_FLAGS, row.CT_LIFETIME, row.CT_CREATED, row.CT_SLOT_GENERATION];
  t.same(
    words.slice(row.CT_FLAGS).filter((word, i) => word !== 0 && !set.includes(row.CT_FLAGS + i)),
    [],
  );
  t.equal(map.count, 1);
  t.end();
});

t.test('a slot that went to another connection is not taken for the old one', (t) => {
  const map = newConntrack(4);
  const old = tuple('10.0.0.1:4000', '10.0.0.2:80');
  const slot = map.insert(old);
  map.lookup(old);
  t.ok(map.remove(slot));
  t.notOk(map.remove(slot));
  t.equal(map.lookup(old), -1, 'though it was remembered');
  const other = tuple('10.0.0.1:4001', '10.0.0.2:80');
  t.equal(map.insert(other), slot, 'the row freed last is used first');
  t.equal(map.lookup(old), -1);
  t.equal(map.lookup(other), slot * 2);
  t.end();
});

t.test('account() carries into the high words', (t) => {
  const map = newConntrack(4);
  const slot = map.insert(tuple('10.0.0.1:4000', '10.0.0.2:80'));
  for (let i = 0; i < 5; i++) map.account(slot * row.CT_ROW_WORDS, 0x80000000, 0xffffffff);
  const [entry] = [...map.entries()];
  t.equal(entry.packets, 5 * 0x80000000);
  t.equal(entry.bytes, 5 * 0xffffffff);
  t.end();
});

t.test('expire() removes what is dead, in steps, and tells before it does', (t) => {
  const map = newConntrack(100);
  for (let i = 0; i < 100; i++) {
    const slot = map.insert(tuple(`10.0.0.1:${1000 + i}`, '10.0.0.2:80'));
    map.words[slot * row.CT_ROW_WORDS + row.CT_LIFETIME] = i % 4 === 0 ? 1500 : 3000;
  }
  const told: number[] = [];
  t.equal(map.expire(1500, 1000), 0, 'a lifetime that ends now is not over');
  t.equal(
    map.expire(1501, 40, (slot) => told.push(map.words[slot * row.CT_ROW_WORDS + row.CT_PORTS] >>> 16)),
    10,
    '40 rows looked at',
  );
  t.equal(map.expire(1501, 60), 15);
  t.equal(map.count, 75);
  t.same(
    told,
    range(10).map((i) => 1000 + 4 * i),
  );
  t.equal(map.lookup(tuple('10.0.0.1:1004', '10.0.0.2:80')), -1);
  t.not(map.lookup(tuple('10.0.0.1:1005', '10.0.0.2:80')), -1);
  t.equal(map.expire(5000, 1000), 75, 'a budget beyond the table looks at every row once');
  t.equal(map.count, 0);
  t.equal(map.file.counters.expired, 100);
  t.equal(map.insert(tuple('10.0.0.1:1', '10.0.0.2:80')), 0, 'an empty table begins again at its first row');
  t.end();
});

t.test('a full table gives up the dead, then the closing and the unanswered, then the longest unused', (t) => {
  const fill = (map: ConntrackMap): void => {
    for (let i = 0; i < 8; i++) {
      const base = map.insert(tuple(`10.0.0.1:${1000 + i}`, '10.0.0.2:80')) * row.CT_ROW_WORDS;
      map.words[base + row.CT_LIFETIME] = 9000 + i;
      map.words[base + row.CT_FLAGS] |= row.CT_FLAG_SEEN_REPLY;
    }
  };
  const at = (map: ConntrackMap, port: number): number =>
    (map.lookup(tuple(`10.0.0.1:${port}`, '10.0.0.2:80')) >> 1) * row.CT_ROW_WORDS;
  const cases: [string, (map: ConntrackMap) => void, gone: number][] = [
    ['all answered', () => undefined, 1000],
    [
      'one closing',
      (map) => {
        map.words[at(map, 1005) + row.CT_FLAGS] |= row.CT_FLAG_TX_CLOSING;
      },
      1005,
    ],
    [
      'one unanswered',
      (map) => {
        map.words[at(map, 1003) + row.CT_FLAGS] &= ~row.CT_FLAG_SEEN_REPLY;
      },
      1003,
    ],
    [
      'two unanswered',
      (map) => {
        for (const port of [1006, 1002]) map.words[at(map, port) + row.CT_FLAGS] &= ~row.CT_FLAG_SEEN_REPLY;
      },
      1002,
    ],
    [
      'one dead',
      (map) => {
        map.words[at(map, 1007) + row.CT_LIFETIME] = 999;
        map.words[at(map, 1003) + row.CT_FLAGS] &= ~row.CT_FLAG_SEEN_REPLY;
      },
      1007,
    ],
  ];
  for (const [name, change, gone] of cases) {
    const map = newConntrack(8);
    fill(map);
    change(map);
    const slot = map.insert(tuple('10.0.0.3:1', '10.0.0.2:80'));
    t.ok(slot >= 0, name);
    t.equal(map.lookup(tuple('10.0.0.3:1', '10.0.0.2:80')), slot * 2, name);
    t.equal(map.lookup(tuple(`10.0.0.1:${gone}`, '10.0.0.2:80')), -1, `${name}: ${gone} went`);
    t.equal(map.count, 8);
    t.equal(map.file.counters.evictions, 1);
  }
  t.end();
});

t.test('a SYN flood on a full table costs the established connections little', (t) => {
  const map = newConntrack(1000);
  for (let i = 0; i < 500; i++) {
    const base = map.insert(tuple(`10.0.0.1:${1000 + i}`, '10.0.0.2:80')) * row.CT_ROW_WORDS;
    map.words[base + row.CT_LIFETIME] = 9000;
    map.words[base + row.CT_FLAGS] |= row.CT_FLAG_SEEN_REPLY;
  }
  for (let i = 0; i < 20_000; i++) {
    const base = map.insert(tuple(`10.${(i >> 8) & 255}.9.${i & 255}:${i & 0xffff}`, '10.0.0.2:80')) * row.CT_ROW_WORDS;
    map.words[base + row.CT_LIFETIME] = 1060;
  }
  const left = range(500).filter((i) => map.lookup(tuple(`10.0.0.1:${1000 + i}`, '10.0.0.2:80')) >= 0).length;
  t.ok(left >= 480, `${left} of 500 established connections are left`);
  t.equal(map.count, 1000);
  t.end();
});

const endDraw = fc.tuple(
  fc.constantFrom('10.0.0.1', '10.0.0.2', '192.168.1.1', '20010db8.0.0.1', '20010db8.0.0.2'),
  fc.constantFrom(1, 80, 40000),
);
const tupleDraw = fc
  .tuple(endDraw, endDraw, fc.constantFrom(6, 17))
  .map(([a, b, protocol]) => tuple(a.join(':'), b.join(':'), protocol));

t.test('conntrack agrees with a plain Map over random connections, in both directions', (t) => {
  const nameOf = (f: TupleFields): string =>
    [f.src0, f.src1, f.src2, f.src3, f.srcPort, f.dst0, f.dst1, f.dst2, f.dst3, f.dstPort, f.protocol].join();
  const steps = fc.array(fc.tuple(fc.constantFrom('insert', 'insert', 'remove', 'lookup'), tupleDraw), {
    maxLength: 100,
  });
  const property = fc.property(steps, (steps) => {
    const map = newConntrack(200);
    const twin = new Map<string, number>();
    for (const [what, f] of steps) {
      const known = twin.has(nameOf(f)) ? 0 : twin.has(nameOf(reversed(f))) ? 1 : -1;
      const found = map.lookup(f);
      if ((found < 0 ? -1 : found & 1) !== known) return false;
      if (what === 'insert') {
        twin.delete(nameOf(reversed(f)));
        twin.set(nameOf(f), map.insert(f));
      } else if (what === 'remove' && found >= 0) {
        map.remove(found >> 1);
        twin.delete(nameOf(f));
        twin.delete(nameOf(reversed(f)));
      }
      if (map.count !== twin.size) return false;
    }
    const described = [...map.entries()].map((e) =>
      [...e.source, e.sourcePort, ...e.destination, e.destinationPort, e.protocol].join(),
    );
    if (described.sort().join(' ') !== [...twin.keys()].sort().join(' ')) return false;
    map.expire(1_000_000, 1000);
    return map.count === 0;
  });
  fc.assert(property, { seed: SEED, numRuns: 150 });
  t.end();
});

t.test('a dataplane that died hands its connections on', (t) => {
  const mapper = memoryMapper();
  const path = newPath();
  const first = ConntrackMap.create(path, { capacity: 100, seed }, mapper);
  const kept = range(50).map((i) => tuple(`10.0.0.1:${1000 + i}`, '10.0.0.2:80'));
  for (const f of kept) first.words[first.insert(f) * row.CT_ROW_WORDS + row.CT_LIFETIME] = 9000;
  first.file.header[9] = 4194303; // the owner is a pid that is nobody's
  const second = ConntrackMap.open(path, mapper, { writable: true });
  t.ok(second.file.recovered);
  t.equal(second.count, 50);
  t.same(
    kept.filter((f) => second.lookup(f) < 0 || second.lookup(reversed(f)) < 0),
    [],
  );
  for (let i = 0; i < 50; i++) second.insert(tuple(`10.0.0.1:${3000 + i}`, '10.0.0.2:80'));
  t.equal(second.count, 100);
  t.end();
});

t.test('lookups of conntrack, ipcache and endpoints, and counting, allocate nothing', (t) => {
  const gc = globalThis.gc;
  if (gc === undefined) {
    t.comment('run with --expose-gc to watch the heap');
    t.end();
    return;
  }
  const map = newConntrack(64);
  const f = tuple('10.0.0.1:4000', '10.0.0.2:80');
  const r = reversed(f);
  const slot = map.insert(f);
  const ipcache = Ipcache.create(newPath(), { capacity: 64, seed }, memoryMapper());
  ipcache.upsert([0, 0, 0xffff, 0x0a000000], 104, { identity: 7 });
  const endpoints = EndpointMap.create(newPath(), { capacity: 64, seed }, memoryMapper());
  const metrics = MetricsMap.create(newPath(), {}, memoryMapper());
  const stats = PolicyStatsMap.create(newPath(), { capacity: 64 }, memoryMapper());
  const handle = stats.slotFor(1, 2, 3);
  const run = (): number => {
    let sum = 0;
    for (let i = 0; i < 100_000; i++) {
      sum +=
        map.lookup(f) +
        map.lookup(r) +
        ipcache.lookup(0, 0, 0xffff, 0x0a000000 + (i & 0xffff)) +
        endpoints.lookup(0, 0, 0xffff, 0x0a000000 + (i & 15));
      map.account(slot * row.CT_ROW_WORDS, 1, 1500);
      metrics.add(0, 1, 1, 1500);
      stats.add(handle, 1500);
    }
    return sum;
  };
  // The compiler needs a few rounds, more where its thread has to wait.
  let least = Number.POSITIVE_INFINITY;
  for (let round = 0; round < 100 && least >= 16_384; round++) {
    gc();
    const before = process.memoryUsage().heapUsed;
    run();
    least = Math.min(least, process.memoryUsage().heapUsed - before);
  }
  t.ok(least < 16_384, `heap grew by ${least} bytes over 100,000 rounds`);
  t.end();
});

t.test('a conntrack file full of garbage does no harm', (t) => {
  let state = SEED;
  const random = (): number => {
    state = (Math.imul(state, 1664525) + 1013904223) | 0;
    return state >>> 8;
  };
  for (let round = 0; round < 20; round++) {
    const map = newConntrack(40);
    const words = new Int32Array(map.file.buffer);
    for (let i = 16; i < words.length; i++)
      if (random() % (1 + (round % 5)) === 0) words[i] = random() % 3 === 0 ? random() % 110 : random() << 8;
    for (let i = 0; i < 200; i++) {
      const f = tuple(`10.0.0.${random() % 4}:${random() % 9}`, '10.0.0.2:80');
      map.lookup(f);
      map.insert(f);
      map.expire(random() % 5000, 10);
      map.remove(random() % 40);
    }
    t.ok([...map.entries()].length <= 104);
  }
  t.end();
});

function range(count: number): number[] {
  return Array.from({ length: count }, (_, i) => i);
}
