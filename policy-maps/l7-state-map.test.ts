// The pinned state of L7 parsers, against a plain Map, full, torn and stale. SEED=n repeats a run.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import t from 'tap';
import { ConntrackMap } from './conntrack-map.ts';
import { CT_ROW_WORDS, CT_SLOT_GENERATION } from './conntrack-row.ts';
import { L7_STATE_MAX_WORDS, L7StateMap } from './l7-state-map.ts';
import { W_OWNER } from './table/map-header.ts';
import { memoryMapper } from './table/memory-mapper.ts';

const SEED = Number(process.env['SEED'] ?? 20240229);
t.comment(`seed ${SEED}`);

const DATA_WORDS = 56; // of a block
const folder = mkdtempSync(join(tmpdir(), 'sluice-l7-state-'));
t.teardown(() => rmSync(folder, { recursive: true, force: true }));
let files = 0;

function newMap(capacity: number, path = join(folder, `map_${files++}`), mapper = memoryMapper()): L7StateMap {
  return L7StateMap.create(path, { capacity }, mapper);
}

/** `count` words that only this `mark` has. */
function state(count: number, mark: number): Int32Array {
  return Int32Array.from({ length: count }, (_, i) => Math.imul(mark, 1_000_003) + i);
}

function loaded(map: L7StateMap, slot: number, generation: number): readonly number[] | undefined {
  const into = new Int32Array(L7_STATE_MAX_WORDS);
  const count = map.load(slot, generation, into);
  return count < 0 ? undefined : [...into.subarray(0, count)];
}

t.test('a state comes back whole, whatever its length, and only for the connection it belongs to', (t) => {
  const map = newMap(512);
  const lengths = [1, DATA_WORDS - 1, DATA_WORDS, DATA_WORDS + 1, 3 * DATA_WORDS, L7_STATE_MAX_WORDS];
  for (const [slot, length] of lengths.entries()) t.ok(map.save(slot, 7, state(length, slot), length));
  for (const [slot, length] of lengths.entries()) {
    t.strictSame(loaded(map, slot, 7), [...state(length, slot)], `${length} words`);
    t.equal(loaded(map, slot, 8), undefined, 'not for the next connection in the slot');
  }
  t.equal(loaded(map, lengths.length, 7), undefined, 'nothing was kept there');
  t.equal(loaded(map, -1, 7), undefined);
  t.equal(loaded(map, 1 << 20, 7), undefined);
  t.equal(map.load(3, 7, new Int32Array(10)), -1, 'more than the reader has room for');
  t.end();
});

t.test('save() refuses what does not fit, counts it, and keeps nothing that is out of date', (t) => {
  const map = newMap(3);
  t.ok(map.save(1, 1, state(100, 1), 100), 'two blocks');
  t.ok(map.save(2, 1, state(10, 2), 10), 'one');
  t.notOk(map.save(3, 1, state(10, 3), 10), 'no block is free');
  t.equal(map.file.counters.full, 1);
  t.notOk(map.save(2, 1, state(60, 4), 60), 'no second block is free');
  t.equal(loaded(map, 2, 1), undefined, 'the old state is not the truth any more');
  t.equal(map.file.counters.full, 2);
  t.strictSame(loaded(map, 1, 1), [...state(100, 1)], 'another connection keeps its own');
  t.ok(map.save(1, 1, state(5, 5), 5), 'a shorter one gives the rest back');
  t.equal(map.count, 1);
  t.ok(map.save(3, 1, state(112, 6), 112), 'which others can have');
  t.notOk(map.save(4, 1, state(1, 1), 0), 'a state has a word');
  t.notOk(map.save(4, 1, new Int32Array(5000), L7_STATE_MAX_WORDS + 1));
  t.notOk(map.save(-1, 1, state(1, 1), 1), 'no such slot');
  t.equal(map.file.counters.full, 5);
  t.end();
});

t.test('the map agrees with a plain Map over random operations and restarts, and is empty in the end', (t) => {
  const operation = fc.record({
    slot: fc.integer({ min: 0, max: 12 }),
    generation: fc.integer({ min: 1, max: 2 }),
    length: fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 300 })),
    isRestart: fc.integer({ min: 0, max: 20 }).map((n) => n === 0),
  });
  fc.assert(
    fc.property(fc.array(operation, { maxLength: 120 }), (operations) => {
      const path = join(folder, `map_${files++}`);
      const mapper = memoryMapper();
      let map = newMap(24, path, mapper);
      const twin = new Map<number, { generation: number; words: number[] }>();
      for (const [mark, { slot, generation, length, isRestart }] of operations.entries()) {
        if (isRestart) {
          map.close();
          map = L7StateMap.open(path, mapper, { writable: true });
        }
        if (length === 0) {
          if (map.forget(slot) !== twin.delete(slot)) return false;
        } else if (map.save(slot, generation, state(length, mark), length)) {
          twin.set(slot, { generation, words: [...state(length, mark)] });
        } else {
          const others = [...twin].filter(([other]) => other !== slot).map(([, { words }]) => blocksOf(words.length));
          if (others.reduce((sum, one) => sum + one, blocksOf(length)) <= 24) return false; // it would have fitted
          twin.delete(slot);
        }
        for (let one = 0; one <= 12; one++) {
          const wanted = twin.get(one);
          const other = (wanted?.generation ?? 1) === 1 ? 2 : 1;
          if (loaded(map, one, wanted?.generation ?? 1)?.join() !== wanted?.words.join()) return false;
          if (loaded(map, one, other) !== undefined) return false;
        }
        if (map.count !== [...twin.values()].reduce((sum, { words }) => sum + blocksOf(words.length), 0)) return false;
      }
      for (const slot of twin.keys()) map.forget(slot);
      return map.count === 0;
    }),
    { seed: SEED, numRuns: 60 },
  );
  t.end();
});

function blocksOf(words: number): number {
  return Math.ceil(words / DATA_WORDS);
}

t.test('expire() frees what belongs to connections that are gone, in steps', (t) => {
  const conntrack = ConntrackMap.create(join(folder, 'ct'), { capacity: 64 }, memoryMapper());
  const map = newMap(64);
  const generations = new Map<number, number>();
  for (let port = 0; port < 10; port++) {
    const ends = { src0: 0, src1: 0, src2: 0xffff, src3: 1, dst0: 0, dst1: 0, dst2: 0xffff, dst3: 2 };
    const slot = conntrack.insert({ ...ends, srcPort: 1000 + port, dstPort: 80, protocol: 6 });
    const generation = conntrack.words[slot * CT_ROW_WORDS + CT_SLOT_GENERATION];
    generations.set(slot, generation);
    t.ok(map.save(slot, generation, state(100, port), 100));
  }
  t.equal(map.expire(conntrack, 1000), 0, 'all connections live');
  const [gone, renewed, ...others] = generations.keys();
  conntrack.remove(gone);
  conntrack.words[renewed * CT_ROW_WORDS + CT_SLOT_GENERATION]++;
  let expired = 0;
  for (let step = 0; step < 5; step++) expired += map.expire(conntrack, 4);
  t.equal(expired, 2, 'one row is empty, in the other is a newer connection');
  t.equal(map.file.counters.expired, 2);
  t.equal(map.count, 16);
  for (const slot of others) t.ok(loaded(map, slot, generations.get(slot) ?? 0) !== undefined);
  t.end();
});

t.test('a writer killed anywhere in save() leaves the others whole, its own whole or none, and loses no block', (t) => {
  const path = join(folder, 'killed');
  const buffers = new Map<string, SharedArrayBuffer>();
  const mapper = memoryMapper(buffers);
  const map = newMap(16, path, mapper);
  map.save(1, 1, state(120, 1), 120);
  map.save(2, 1, state(120, 2), 120);
  const [buffer] = buffers.values();
  const before = new Uint8Array(buffer.slice(0));
  map.save(1, 1, state(400, 3), 400);
  const after = new Uint8Array(buffer.slice(0));
  map.close();
  const changed = [...new Int32Array(after.buffer).entries()].filter(
    ([at, word]) => word !== new Int32Array(before.buffer)[at],
  );
  // Stores need not be told apart in order: any part of them may have been made, as long as "count" was the last.
  for (let made = 0; made < changed.length; made += 7) {
    const words = new Int32Array(buffer);
    words.set(new Int32Array(before.buffer));
    const head = changed.findIndex(([, word]) => word === 400);
    for (const [index, [at, word]] of changed.entries()) if (index < made && index !== head) words[at] = word;
    words[changed[head][0]] = 0;
    words[W_OWNER] = 0; // nobody lives
    const next = L7StateMap.open(path, mapper, { writable: true });
    t.equal(loaded(next, 1, 1), undefined, 'what was being written is nothing');
    t.strictSame(loaded(next, 2, 1), [...state(120, 2)]);
    t.equal(next.count, 3);
    t.ok(next.save(9, 1, state(13 * DATA_WORDS, 4), 13 * DATA_WORDS), 'all other blocks are free');
    next.close();
  }
  t.end();
});

t.test('a file full of garbage does no harm', (t) => {
  const path = join(folder, 'garbage');
  const buffers = new Map<string, SharedArrayBuffer>();
  const mapper = memoryMapper(buffers);
  newMap(32, path, mapper).close();
  const [buffer] = buffers.values();
  const words = new Int32Array(buffer);
  fc.assert(
    fc.property(fc.array(fc.integer({ min: -4, max: 40 }), { minLength: 200, maxLength: 400 }), (garbage) => {
      for (let at = 16; at < 64; at++) words[at] = garbage[at % garbage.length];
      for (let slot = 0; slot < 40; slot++) words[64 + slot] = garbage[slot];
      const blocks = 64 + (1 << 20);
      for (let at = 0; at < 32 * 64; at++) words[blocks + at] = garbage[(at * 7) % garbage.length];
      const map = L7StateMap.open(path, mapper, { writable: true });
      for (let slot = 0; slot < 40; slot++) loaded(map, slot, 1);
      for (let slot = 0; slot < 40; slot++) map.save(slot, 1, state(100, slot), 100);
      for (let slot = 0; slot < 40; slot++) {
        const found = loaded(map, slot, 1)?.join();
        if (found !== undefined && found !== [...state(100, slot)].join()) return false;
      }
      for (let slot = 0; slot < 40; slot++) map.forget(slot);
      map.close();
      return true;
    }),
    { seed: SEED, numRuns: 100 },
  );
  t.end();
});
