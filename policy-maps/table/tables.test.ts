// The tables under the maps, each beside its slow twin: one suite for both, then random operations on the two at once,
// then what only the real one has: files, locks, recovery, readers in another thread. SEED=n repeats a run.
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import fc from 'fast-check';
import t from 'tap';
import { ArrayTable, arrayTableBytes } from './array-table.ts';
import { EVENT_BYTES } from '../../wire/event.ts';
import { EventRing } from '../event-ring.ts';
import { halfSipHash, halfSipHash3 } from './half-sip-hash.ts';
import { hashTableBytes, LIVE, ROW_STATE } from './hash-row.ts';
import { HashTable } from './hash-table.ts';
import { Ipcache } from '../ipcache.ts';
import { LpmTable } from './lpm-table.ts';
import { LruHashTable, lruHashTableBytes } from './lru-hash-table.ts';
import { MapError } from './map-error.ts';
import { HEADER_BYTES, W_FREE_HEAD, W_GENERATION, W_HIGH_WATER } from './map-header.ts';
import { memoryMapper } from './memory-mapper.ts';
import { ReferenceArray, ReferenceHash, ReferenceLru } from '../../test/tables/reference-tables.ts';
import { LPM, SEED, create, layout, newPath } from '../../test/tables/files.ts';

const HASH = layout('hash', (capacity) => hashTableBytes({ keyWords: 2, valueWords: 2, capacity }));
const LRU = layout('lru_hash', (capacity) => lruHashTableBytes({ keyWords: 2, valueWords: 2, capacity }));
const ARRAY = layout('array', (capacity) => arrayTableBytes(4, capacity));

// --- hash and LRU hash: one interface, two twins

interface KeyValue {
  readonly size: number;
  get(key: readonly number[]): readonly number[] | undefined;
  /** False when there is no room. */
  set(key: readonly number[], value: readonly number[]): boolean;
  delete(key: readonly number[]): boolean;
  keys(): string[];
}

class HashUnderTest implements KeyValue {
  readonly table: HashTable;

  constructor(capacity: number) {
    this.table = new HashTable(create(HASH, capacity), HEADER_BYTES, { keyWords: 2, valueWords: 2, capacity });
  }

  get size(): number {
    return this.table.count;
  }

  get(key: readonly number[]): number[] | undefined {
    this.table.key.set(key);
    return valueAt(this.table, this.table.lookup());
  }

  set(key: readonly number[], value: readonly number[]): boolean {
    this.table.key.set(key);
    try {
      const slot = this.table.stage();
      this.table.rows.set(value, slot * this.table.rowWords + this.table.valueWord);
      this.table.publish(slot);
      return true;
    } catch (error) {
      if (error instanceof MapError && error.code === 'ERR_MAP_FULL') return false;
      throw error;
    }
  }

  delete(key: readonly number[]): boolean {
    this.table.key.set(key);
    return this.table.remove();
  }

  keys(): string[] {
    return keysOf(this.table);
  }
}

class LruUnderTest implements KeyValue {
  readonly table: LruHashTable;

  constructor(capacity: number) {
    this.table = new LruHashTable(create(LRU, capacity), HEADER_BYTES, { keyWords: 2, valueWords: 2, capacity });
  }

  get size(): number {
    return this.table.count;
  }

  get(key: readonly number[]): number[] | undefined {
    this.table.key.set(key);
    return valueAt(this.table, this.table.find());
  }

  set(key: readonly number[], value: readonly number[]): boolean {
    this.table.now++;
    this.table.key.set(key);
    const slot = this.table.acquire();
    this.table.rows.set(value, slot * this.table.rowWords + this.table.valueWord);
    return true;
  }

  delete(key: readonly number[]): boolean {
    this.table.key.set(key);
    return this.table.remove();
  }

  keys(): string[] {
    return keysOf(this.table);
  }
}

function valueAt(table: HashTable, slot: number): number[] | undefined {
  const at = slot * table.rowWords + table.valueWord;
  return slot < 0 ? undefined : [...table.rows.subarray(at, at + 2)];
}

function keysOf(table: HashTable): string[] {
  const keys: string[] = [];
  for (const slot of table.slots()) {
    table.loadKey(slot);
    keys.push(table.key.join());
  }
  return keys.sort();
}

const KEY_VALUE_TABLES: [name: string, make: (capacity: number) => KeyValue, isLru: boolean][] = [
  ['the hash table', (capacity) => new HashUnderTest(capacity), false],
  ['its twin', (capacity) => new ReferenceHash(capacity), false],
  ['the LRU hash table', (capacity) => new LruUnderTest(capacity), true],
  ['its twin', (capacity) => new ReferenceLru(capacity), true],
];

for (const [name, make, isLru] of KEY_VALUE_TABLES) {
  t.test(`${name} (${isLru ? 'LRU' : 'hash'}) keeps the common law`, (t) => {
    const table = make(4);
    t.equal(table.get([1, 2]), undefined, 'an empty table has nothing');
    t.ok(table.set([1, 2], [10, 20]));
    t.same(table.get([1, 2]), [10, 20], 'what was set is found');
    t.equal(table.get([2, 1]), undefined, 'the order of the words matters');
    t.ok(table.set([1, 2], [11, 21]));
    t.same(table.get([1, 2]), [11, 21], 'a second value replaces the first');
    t.equal(table.size, 1);
    t.ok(table.set([0, 0], [0, 0]));
    t.same(table.get([0, 0]), [0, 0], 'a key of zeroes is a key, a value of zeroes a value');
    t.ok(table.set([-1, -2147483648], [-3, 4]));
    t.same(table.get([-1, -2147483648]), [-3, 4], 'words are signed');
    t.ok(table.delete([0, 0]));
    t.notOk(table.delete([0, 0]), 'what is gone cannot be deleted again');
    t.same(table.keys(), ['-1,-2147483648', '1,2'].sort());
    t.ok(table.set([3, 3], [3, 3]) && table.set([4, 4], [4, 4]));
    t.equal(table.size, 4);
    if (isLru) {
      t.ok(table.set([1, 2], [12, 22]) && table.set([5, 5], [5, 5]), 'a full table makes room');
      t.equal(table.get([-1, -2147483648]), undefined, 'by giving up the key used longest ago');
      t.same(table.get([1, 2]), [12, 22]);
    } else {
      t.notOk(table.set([5, 5], [5, 5]), 'a full table refuses a new key');
      t.ok(table.set([4, 4], [40, 40]), 'but not a new value');
      t.same(table.get([4, 4]), [40, 40]);
    }
    t.equal(table.size, 4);
    t.end();
  });
}

const keyDraw = fc.tuple(fc.integer({ min: 0, max: 5 }), fc.constantFrom(0, 1, -1));
const operationDraw = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      what: fc.constant('set' as const),
      key: keyDraw,
      value: fc.tuple(fc.integer(), fc.integer()),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({ what: fc.constant('delete' as const), key: keyDraw, value: fc.constant([0, 0]) }),
  },
);

for (const [name, real, twin] of [
  ['hash table', (n: number) => new HashUnderTest(n), (n: number) => new ReferenceHash(n)],
  ['LRU hash table', (n: number) => new LruUnderTest(n), (n: number) => new ReferenceLru(n)],
] as [string, (capacity: number) => KeyValue, (capacity: number) => KeyValue][]) {
  t.test(`the ${name} agrees with its twin over random operations`, (t) => {
    const property = fc.property(
      fc.integer({ min: 1, max: 12 }),
      fc.array(operationDraw, { maxLength: 120 }),
      (capacity, operations) => {
        const a = real(capacity);
        const b = twin(capacity);
        for (const { what, key, value } of operations) {
          if (what === 'set' && a.set(key, value) !== b.set(key, value)) return false;
          if (what === 'delete' && a.delete(key) !== b.delete(key)) return false;
          if (a.size !== b.size || String(a.get(key)) !== String(b.get(key))) return false;
        }
        return (
          a.keys().join(';') === b.keys().join(';') &&
          b.keys().every((k) => String(a.get(k.split(',').map(Number))) === String(b.get(k.split(',').map(Number))))
        );
      },
    );
    fc.assert(property, { seed: SEED, numRuns: 200 });
    t.end();
  });
}

t.test('a hash table filled to its capacity and emptied again, in another order, is empty and as good as new', (t) => {
  const table = new HashUnderTest(5000);
  for (let i = 0; i < 5000; i++) table.set([i, 1], [i, i]);
  t.notOk(table.set([5000, 1], [0, 0]));
  const missing = range(5000).filter((i) => table.get([i, 1])?.[0] !== i);
  t.same(missing, []);
  for (const i of range(5000)) table.delete([(i * 7) % 5000, 1]);
  t.equal(table.size, 0);
  t.same(table.keys(), []);
  t.equal(
    table.table.index.findIndex((word) => word !== 0),
    -1,
    'no word is left in the index',
  );
  for (let i = 0; i < 5000; i++) table.set([i, 2], [i, i]);
  t.equal(table.size, 5000);
  t.end();
});

t.test('a freed row rests: it stays readable while the next 32 rows are freed', (t) => {
  const table = new HashUnderTest(64);
  for (let i = 0; i < 64; i++) table.set([i, 0], [i, -i]);
  table.table.key.set([5, 0]);
  const slot = table.table.lookup();
  table.delete([5, 0]);
  for (let i = 0; i < 31; i++) table.set([7, 0], [i, i]);
  t.same(valueAt(table.table, slot), [5, -5]);
  t.end();
});

t.test('recover() after a writer that stopped half way', (t) => {
  const cases: [string, (table: HashTable) => void][] = [
    ['between the odd and the even generation', (table) => void (table.file.header[W_GENERATION] |= 1)],
    [
      'with a row staged',
      (table) => {
        table.key.set([77, 77]);
        table.stage();
      },
    ],
    [
      'with a row live that no index word leads to',
      (table) => {
        table.key.set([78, 78]);
        table.rows[table.stage() * table.rowWords + ROW_STATE] = LIVE;
      },
    ],
    [
      'with two rows of one key live',
      (table) => {
        table.key.set([3, 0]);
        table.rows[table.stage() * table.rowWords + ROW_STATE] = LIVE;
      },
    ],
    [
      'with a broken free list',
      (table) => {
        table.file.header[W_FREE_HEAD] = 999;
      },
    ],
    [
      'with a high-water mark that cannot be',
      (table) => {
        table.file.header[W_HIGH_WATER] = -5;
      },
    ],
  ];
  for (const [name, damage] of cases) {
    const under = new HashUnderTest(20);
    for (let i = 0; i < 12; i++) under.set([i, 0], [i, i]);
    under.delete([2, 0]);
    damage(under.table);
    const isLost = name.includes('high-water');
    t.same(under.get([3, 0]), [3, 3], `${name}: readers find what there was, before`);
    under.table.prepare();
    under.table.recover();
    t.equal(under.size, isLost ? 0 : 11, `${name}: and after`);
    for (let i = 0; i < 20; i++) under.set([i, 0], [i, -i]);
    t.same(under.keys().length, 20);
    t.same(
      range(20).map((i) => under.get([i, 0])),
      range(20).map((i) => [i, 0 - i]),
      name,
    );
    t.notOk(under.set([21, 0], [0, 0]), `${name}: and the table is full when it is full`);
  }
  t.end();
});

t.test('LruHashTable tells a handle of a row from one of its next life', (t) => {
  const { table } = new LruUnderTest(1);
  table.key.set([1, 1]);
  const slot = table.acquire();
  const generation = table.rowGeneration(slot);
  table.key.set([1, 1]);
  t.equal(table.acquire(), slot);
  t.equal(table.rowGeneration(slot), generation, 'the same key keeps it');
  table.key.set([2, 2]);
  t.equal(table.acquire(), slot, 'another key takes the slot over');
  t.not(table.rowGeneration(slot), generation);
  t.end();
});

// --- array

t.test('the array table agrees with its twin over random operations', (t) => {
  const row = fc.tuple(fc.integer(), fc.integer(), fc.integer());
  const property = fc.property(fc.array(fc.tuple(fc.nat(7), row), { maxLength: 40 }), (writes) => {
    const real = new ArrayTable(create(ARRAY, 8), HEADER_BYTES, 4);
    const twin = new ReferenceArray(3);
    for (const [index, values] of writes) {
      real.set(index, Int32Array.from(values));
      twin.set(index, values);
    }
    const read = new Int32Array(3);
    return (
      range(8).every((index) => real.get(index, read) && read.join() === twin.get(index).join()) &&
      real.generation === writes.length
    );
  });
  fc.assert(property, { seed: SEED, numRuns: 100 });
  t.end();
});

t.test('the array table refuses rows it does not have, and does not give out a half-written one', (t) => {
  const table = new ArrayTable(create(ARRAY, 8), HEADER_BYTES, 4);
  const row = new Int32Array(3);
  t.throws(() => table.set(8, row), /row: found 8, wanted 0 to 7/);
  t.throws(() => table.get(-1, row), /row: found -1/);
  table.words[4] = 1; // a writer that died in the middle of row 1
  t.notOk(table.get(1, row));
  t.ok(table.get(2, row));
  table.set(1, Int32Array.of(1, 2, 3));
  t.ok(table.get(1, row), 'the next writer makes it whole');
  t.end();
});

// --- the hash itself

t.test('halfSipHash() gives the values of the Linux kernel (lib/siphash_kunit.c, hsiphash-1-3 for 32 bits)', (t) => {
  const bytes = Uint8Array.from({ length: 64 }, (_, i) => i);
  const words = new Int32Array(bytes.buffer);
  const wanted: [words: number, hash: number][] = [
    [0, 0x5814c896],
    [1, 0x7e059ea6],
    [2, 0x577999b1],
    [3, 0x6b28096c],
  ];
  for (const [count, hash] of wanted)
    t.equal(halfSipHash(words, 0, count, 0x03020100, 0x07060504) >>> 0, hash, `${count} words`);
  t.equal(
    halfSipHash3(words[0], words[1], words[2], 12, 0x03020100, 0x07060504) >>> 0,
    0x66dd9cd6,
    'three words and a byte',
  );
  t.end();
});

// --- readers in another thread

/** Addresses whose places in the index of a table of this capacity are all close together: one long chain. */
function collidingHosts(capacity: number, wanted: number): number[] {
  const table = new LpmTable(create(LPM, capacity), HEADER_BYTES, { valueWords: 1, capacity });
  const hosts: number[] = [];
  for (let host = 0; hosts.length < wanted; host++) {
    table.setPrefix(0, 0, 0xffff, 0x0a000000 + host, 128);
    table.publish(table.stage());
    if (table.index.findIndex((word) => word !== 0) < 8) hosts.push(0x0a000000 + host);
    table.remove();
  }
  return hosts;
}

t.test('a reader in another thread always finds what was there all the time, whole', async (t) => {
  const buffers = new Map<string, SharedArrayBuffer>();
  const control = new Int32Array(new SharedArrayBuffer(4)); // 0 = nothing yet, 1 = reading, 2 = has seen enough, -1 = stop
  const path = newPath();
  const map = Ipcache.create(path, { capacity: 256, seed: [SEED, 7] }, memoryMapper(buffers));
  const ring = EventRing.create(`${path}_events`, { capacity: 16 }, memoryMapper(buffers));
  const hosts = collidingHosts(256, 160);
  const coming = hosts.filter((_, i) => i % 2 === 1); // they come and go; the others are always there
  const write = (host: number, value: number): void => {
    map.upsert([0, 0, 0xffff, host], 128, { identity: value, tunnelEndpoint: [value, value, value, value], key: 1 });
  };
  const tell = (value: number): void => {
    const at = ring.next();
    ring.bytes.fill(value & 0xff, at, at + EVENT_BYTES);
    new DataView(ring.bytes.buffer, ring.bytes.byteOffset).setUint32(at, value, true);
    ring.commit();
  };
  for (const host of hosts) write(host, 1);
  const worker = new Worker(new URL('./tables.test-reader.js', import.meta.url), {
    workerData: { path, buffers, control, hosts: hosts.filter((_, i) => i % 2 === 0) },
  });
  const answer = once(worker, 'message') as Promise<[{ lookups: number; events: number; faults: string[] }]>;
  while (Atomics.load(control, 0) === 0) await new Promise((resolve) => setImmediate(resolve));
  worker.once('error', () => Atomics.store(control, 0, 2));
  for (let round = 2; round < 700 || Atomics.load(control, 0) !== 2; round++) {
    if (round % 50 === 0) await new Promise((resolve) => setImmediate(resolve));
    for (const host of coming) map.remove([0, 0, 0xffff, host], 128);
    for (const host of hosts) if (host % 2 === 0 || ((round ^ (host >> 1)) & 1) === 0) write(host, round);
    for (let i = 0; i < 20; i++) tell(round * 20 + i);
  }
  Atomics.store(control, 0, -1);
  const [{ lookups, events, faults }] = await answer;
  t.same(faults, []);
  t.comment(`${lookups} lookups, ${events} events`);
  await worker.terminate();
});

function range(count: number): number[] {
  return Array.from({ length: count }, (_, i) => i);
}
