// Map files: what is refused and how, creation, the one pen. SEED=n repeats a run.
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { hashTableBytes } from './hash-row.ts';
import { HashTable } from './hash-table.ts';
import { Ipcache } from '../ipcache.ts';
import { LpmTable, lpmTableBytes } from './lpm-table.ts';
import { LruHashTable, lruHashTableBytes } from './lru-hash-table.ts';
import { MapError } from './map-error.ts';
import { MapFile } from './map-file.ts';
import { HEADER_BYTES, type MapLayout } from './map-header.ts';
import { ownerWord } from './map-owner.ts';
import { memoryMapper } from './memory-mapper.ts';

const SEED = Number(process.env['SEED'] ?? 20240229);
t.comment(`seed ${SEED}`);

const folder = mkdtempSync(join(tmpdir(), 'sluice-map-file-'));
t.teardown(() => rmSync(folder, { recursive: true, force: true }));
let files = 0;

function newPath(): string {
  return join(folder, `map_${files++}`);
}

function layout(kind: 'hash' | 'lpm' | 'lru_hash' | 'array', bytes: (capacity: number) => number): MapLayout {
  return {
    kind,
    version: 1,
    keyBytes: 8,
    valueBytes: 8,
    capacity: 64,
    maxCapacity: 1 << 16,
    fileBytes: (capacity) => HEADER_BYTES + bytes(capacity),
  };
}

const HASH = layout('hash', (capacity) => hashTableBytes({ keyWords: 2, valueWords: 2, capacity }));
const LRU = layout('lru_hash', (capacity) => lruHashTableBytes({ keyWords: 2, valueWords: 2, capacity }));
const LPM = layout('lpm', (capacity) => lpmTableBytes({ valueWords: 1, capacity }));

function create(layout: MapLayout, capacity: number): MapFile {
  return MapFile.create(newPath(), layout, { capacity, seed: [SEED, 7] }, memoryMapper());
}

const RANDOM = randomFrom(SEED);

/** mulberry32: 0 <= answer < below. */
function randomFrom(seed: number): (below: number) => number {
  let state = seed | 0;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}

t.test('a file that is not the map asked for is refused by name', (t) => {
  const patch = (word: number, value: number) => (path: string) => patchWord(path, word, value);
  const cases: [string, (path: string) => void, { code: string; message: RegExp }][] = [
    [
      'missing',
      (path) => rmSync(path),
      { code: 'ERR_MAP_MISSING', message: /found ENOENT, wanted a readable map file/ },
    ],
    [
      'a folder',
      (path) => {
        rmSync(path);
        mkdirSync(path);
      },
      { code: 'ERR_MAP_FORMAT', message: /file type: found not a regular file/ },
    ],
    [
      'empty',
      (path) => truncateSync(path, 0),
      { code: 'ERR_MAP_FORMAT', message: /file size: found 0, wanted at least 256 bytes/ },
    ],
    [
      'shorter than a header',
      (path) => truncateSync(path, 100),
      { code: 'ERR_MAP_FORMAT', message: /file size: found 100/ },
    ],
    [
      'truncated',
      (path) => truncateSync(path, 4000),
      { code: 'ERR_MAP_FORMAT', message: /file size: found 4000, wanted \d+/ },
    ],
    [
      'of another program',
      (path) => writeFileSync(path, 'hello\n'.repeat(500)),
      { code: 'ERR_MAP_FORMAT', message: /magic word: found 0x6c6c6568, wanted 0x534c4d50/ },
    ],
    [
      'of a machine with the other byte order',
      patch(0, 0x504d4c53),
      { code: 'ERR_MAP_FORMAT', message: /magic word: found 0x504d4c53/ },
    ],
    ['of an older layout', patch(1, 0), { code: 'ERR_MAP_FORMAT', message: /layout version: found 0, wanted 1/ }],
    ['of another kind', patch(2, 1), { code: 'ERR_MAP_FORMAT', message: /map kind: found 1, wanted 2/ }],
    ['with other keys', patch(3, 12), { code: 'ERR_MAP_FORMAT', message: /key bytes: found 12, wanted 20/ }],
    ['with other values', patch(4, 4), { code: 'ERR_MAP_FORMAT', message: /value bytes: found 4, wanted 24/ }],
    ['with no capacity', patch(5, 0), { code: 'ERR_MAP_FORMAT', message: /capacity: found 0, wanted 1 to 1048576/ }],
    [
      'with a capacity that cannot be',
      patch(5, 0x7fffffff),
      { code: 'ERR_MAP_FORMAT', message: /capacity: found 2147483647/ },
    ],
    [
      'with a capacity that is not its own',
      patch(5, 65),
      { code: 'ERR_MAP_FORMAT', message: /file size in the header: found \d+, wanted \d+/ },
    ],
  ];
  for (const [name, damage, wanted] of cases) {
    const path = newPath();
    Ipcache.create(path, { capacity: 64 }, memoryMapper()).close();
    damage(path);
    for (const writable of [false, true]) {
      const error = caught(() => Ipcache.open(path, memoryMapper(), { writable }));
      t.type(error, MapError, name);
      t.match(error, { code: wanted.code, path, message: wanted.message }, name);
      t.match(error?.message, path);
    }
  }
  t.end();
});

function patchWord(path: string, word: number, value: number): void {
  const bytes = readFileSync(path);
  bytes.writeInt32LE(value, word * 4);
  writeFileSync(path, bytes);
}

function caught(action: () => unknown): MapError | undefined {
  try {
    action();
    return undefined;
  } catch (error) {
    return error as MapError;
  }
}

t.test('create() leaves one file, refuses a capacity that cannot be, and replaces a map that nobody writes', (t) => {
  const path = newPath();
  const first = Ipcache.create(path, { capacity: 64 }, memoryMapper());
  t.same(
    readdirSync(folder).filter((name) => name.includes('.new-')),
    [],
  );
  for (const capacity of [0, -1, 1.5, 2 ** 21, Number.NaN]) {
    t.throws(() => Ipcache.create(newPath(), { capacity }, memoryMapper()), /capacity: found .*, wanted 1 to 1048576/);
  }
  t.match(
    caught(() => Ipcache.create(path, { capacity: 64 }, memoryMapper())),
    { code: 'ERR_MAP_BUSY' },
  );
  patchWord(path, 9, 0); // closed, in the file too
  const second = Ipcache.create(path, { capacity: 128 }, memoryMapper());
  t.equal(second.file.capacity, 128);
  t.equal(first.file.capacity, 64, 'who has the old file keeps it');
  t.end();
});

t.test('a map has one writer', (t) => {
  const path = newPath();
  const mapper = memoryMapper();
  const first = Ipcache.create(path, { capacity: 64 }, mapper);
  t.match(
    caught(() => Ipcache.open(path, mapper, { writable: true })),
    { code: 'ERR_MAP_BUSY', found: `process ${process.pid}` },
  );
  t.doesNotThrow(() => Ipcache.open(path, mapper), 'readers are welcome');
  first.close();
  const second = Ipcache.open(path, mapper, { writable: true });
  t.notOk(second.file.recovered, 'a pen laid down is a pen in order');
  second.file.header[9] = ownerWord(process.ppid);
  t.match(
    caught(() => Ipcache.open(path, mapper, { writable: true })),
    { code: 'ERR_MAP_BUSY', found: `process ${process.ppid}` },
  );
  second.file.header[9] = ownerWord(process.ppid) ^ (1 << 25);
  const third = Ipcache.open(path, mapper, { writable: true });
  t.ok(third.file.recovered, 'the pen of a process that is dead, though its pid lives on, is taken over');
  third.file.header[9] = 4194303;
  t.ok(Ipcache.open(path, mapper, { writable: true }).file.recovered, 'and that of a pid that is nobody');
  t.end();
});

t.test(
  'tables in a file full of garbage answer something, refuse or throw a MapError, and always come to an end',
  (t) => {
    for (let round = 0; round < 30; round++) {
      const capacity = 1 + RANDOM(60);
      const hash = new HashTable(scrambled(HASH, capacity), HEADER_BYTES, { keyWords: 2, valueWords: 2, capacity });
      const lru = new LruHashTable(scrambled(LRU, capacity), HEADER_BYTES, { keyWords: 2, valueWords: 2, capacity });
      const lpm = new LpmTable(scrambled(LPM, capacity), HEADER_BYTES, { valueWords: 1, capacity });
      for (let i = 0; i < 40; i++) {
        for (const table of [hash, lru, lpm]) table.key.set([RANDOM(128), RANDOM(9)]);
        for (const table of [hash, lru, lpm]) table.lookup();
        lpm.match(0, 0, 0xffff, RANDOM(1 << 30));
        lpm.match(RANDOM(1 << 30), 0, 0, 1);
        orMapError(() => hash.publish(hash.stage()));
        orMapError(() => lru.acquire());
        orMapError(() => lpm.publish(lpm.stage()));
        for (const table of [hash, lru, lpm]) table.remove();
      }
      for (const table of [hash, lru, lpm]) t.ok([...table.slots()].length <= capacity + 64);
      hash.prepare();
      lru.prepare();
      lpm.prepare();
    }
    t.end();
  },
);

function scrambled(layout: MapLayout, capacity: number): MapFile {
  const file = create(layout, capacity);
  const words = new Int32Array(file.buffer);
  const density = 1 + RANDOM(8);
  for (let i = 16; i < words.length; i++)
    if (RANDOM(density) === 0) words[i] = RANDOM(3) === 0 ? RANDOM(capacity + 2) : RANDOM(0xffffffff) | 0;
  return file;
}

function orMapError(action: () => unknown): void {
  try {
    action();
  } catch (error) {
    if (!(error instanceof MapError)) throw error;
  }
}
