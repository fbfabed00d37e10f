// The tables of services: what the writer publishes, what a reader finds, and the writer that comes after. SEED=n repeats a run.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import t from 'tap';
import { addressWords } from '../../wire/address.ts';
import type { AddressWords } from '../ipcache.ts';
import { eachMap, type Maps } from '../pinned.ts';
import { MapFullError } from '../table/map-error.ts';
import { W_GENERATION, W_OWNER } from '../table/map-header.ts';
import { memoryMapper } from '../table/memory-mapper.ts';
import { BACKEND_ACTIVE, BACKEND_MAINTENANCE, BACKEND_QUARANTINED, BACKEND_TERMINATING } from './backend-map.ts';
import { BlockAllocator } from './block-allocator.ts';
import { maglevTable, randomTable } from './maglev.ts';
import { murmur3 } from './murmur3.ts';
import { ReverseNatMap } from './reverse-nat-map.ts';
import * as row from './service-map.ts';
import { type Backend, type Service, type ServiceMaps, ServiceWriter } from './service-writer.ts';
import { STALE_BLOCK } from './slot-map.ts';
import { TranslationSettings } from './translation-settings.ts';

const SEED = Number(process.env['SEED'] ?? 20240229);
t.comment(`seed ${SEED}`);

const folder = mkdtempSync(join(tmpdir(), 'sluice-services-'));
t.teardown(() => rmSync(folder, { recursive: true, force: true }));
let sets = 0;

interface Made {
  readonly maps: Maps;
  /** The maps as another process would open them that finds their writer dead. */
  readonly reopen: (writable: boolean) => Maps;
}

function make(capacities: Partial<Record<string, number>> = {}): Made {
  const mapper = memoryMapper();
  const prefix = join(folder, `${sets++}_`);
  const maps = eachMap(({ file, map }) =>
    map.create(prefix + file, { capacity: capacities[file] ?? map.layout.minCapacity ?? 64 }, mapper),
  );
  const reopen = (writable: boolean): Maps =>
    eachMap(({ file, map }) => {
      const opened = map.open(prefix + file, mapper);
      if (!writable) return opened;
      opened.file.header[W_OWNER] = 0;
      return map.open(prefix + file, mapper, { writable });
    });
  return { maps, reopen };
}

const VIP: AddressWords = addressWords('10.96.0.1');
const KEY = { address: VIP, port: 80, protocol: 6, scope: row.SCOPE_EXTERNAL };

function backend(address: string, fields: Partial<Backend> = {}): Backend {
  return { address: addressWords(address), port: 8080, protocol: 6, state: BACKEND_ACTIVE, weight: 100, ...fields };
}

function service(backends: readonly Backend[], fields: Partial<Service> = {}): Service {
  return { flags: 0, affinitySec: 0, sourceRanges: [], backends, ...fields };
}

/** Addresses that draws 0 to n lead to, as the dataplane finds them. */
function chosen(maps: ServiceMaps, key: row.FrontendKey, draws = 256): Map<string, number> {
  const counts = new Map<string, number>();
  maps.services.setAddress(...key.address);
  if (!maps.services.find(key.port, key.protocol, key.scope)) return counts;
  const { frontend, block } = maps.services.found;
  for (let draw = 0; draw < draws; draw++) {
    const id = maps.slots.pick(block, frontend, draw);
    const found = maps.backends.load(id) ? String(maps.backends.loaded.a3 & 0xff) : 'none';
    counts.set(found, (counts.get(found) ?? 0) + 1);
  }
  return counts;
}

function namesOf(maps: ServiceMaps, key: row.FrontendKey): string {
  return [...chosen(maps, key).keys()].sort().join();
}

t.test('a frontend leads to its backends, and from its id back to itself', (t) => {
  const { maps, reopen } = make();
  const writer = new ServiceWriter(maps);
  const flags = row.SERVICE_AFFINITY | row.SERVICE_LOAD_BALANCER;
  const id = writer.set(KEY, service([backend('10.0.0.3'), backend('10.0.0.4')], { flags, affinitySec: 90 }));
  const reader = reopen(false);
  t.equal(namesOf(reader, KEY), '3,4');
  const { frontend, affinitySec } = reader.services.found;
  t.strictSame([frontend, affinitySec], [id, 90]);
  t.strictSame([...reader.services.entries()][0].flagNames, ['sessionAffinity', 'LoadBalancer']);
  const kinds = row.SERVICE_EXTERNAL_IP | row.SERVICE_NODE_PORT | row.SERVICE_HOST_PORT | row.SERVICE_ROUTABLE;
  const policies = row.SERVICE_EXTERNAL_LOCAL | row.SERVICE_INTERNAL_LOCAL | row.SERVICE_TWO_SCOPES;
  writer.set(KEY, service([backend('10.0.0.3'), backend('10.0.0.4')], { flags: kinds | policies }));
  const names = ['ExternalIPs', 'NodePort', 'Local', 'HostPort', 'routable', 'InternalLocal', 'two-scopes'];
  t.strictSame([...reader.services.entries()][0].flagNames, names);
  const denied = [{ address: addressWords('192.0.2.0'), prefixLength: 120 }];
  const deny = { flags: row.SERVICE_SOURCE_RANGE_DENY, sourceRanges: denied };
  writer.set(KEY, service([backend('10.0.0.3'), backend('10.0.0.4')], deny));
  t.strictSame([...reader.services.entries()][0].flagNames, ['check source-range', 'source-range-deny']);
  t.ok(reader.addressFilter.mayConcern(...VIP));
  t.notOk(reader.addressFilter.mayConcern(...addressWords('10.96.0.2')));
  const at = reader.reverseNat.at(reader.reverseNat.handleOf(id));
  t.strictSame([...reader.reverseNat.words.subarray(at, at + 4)], VIP);
  t.equal(reader.reverseNat.words[at + 4] & 0xffff, 80);
  t.strictSame(
    [...reader.backends.entries()].map(({ id: n, stateName }) => [n, stateName]),
    [
      [1, 'active'],
      [2, 'active'],
    ],
  );
  reader.services.setAddress(...VIP);
  t.equal(reader.services.find(81, 6, 0), false);
  t.equal(reader.services.find(80, 17, 0), false);
  t.equal(reader.services.find(80, 6, row.SCOPE_INTERNAL), false);
  t.end();
});

t.test('what takes new connections: active backends, terminating ones only where no other does', (t) => {
  const { maps } = make();
  const writer = new ServiceWriter(maps);
  const cases: [string, Backend[], string][] = [
    ['both active', [backend('10.0.0.3'), backend('10.0.0.4')], '3,4'],
    ['one terminating', [backend('10.0.0.3'), backend('10.0.0.4', { state: BACKEND_TERMINATING })], '3'],
    ['all terminating', [backend('10.0.0.3', { state: BACKEND_TERMINATING })], '3'],
    ['quarantined', [backend('10.0.0.3', { state: BACKEND_QUARANTINED }), backend('10.0.0.4')], '4'],
    ['in maintenance', [backend('10.0.0.3', { state: BACKEND_MAINTENANCE })], 'none'],
    ['weight 0', [backend('10.0.0.3', { weight: 0 }), backend('10.0.0.4')], '4'],
    ['none', [], 'none'],
  ];
  for (const [name, backends, wanted] of cases) {
    const id = writer.set(KEY, service(backends));
    t.equal(namesOf(maps, KEY), wanted, name);
    const { block } = maps.services.found;
    t.equal(maps.slots.read(block, id)?.members.length, backends.length, `${name}: all are members`);
    for (const member of maps.slots.read(block, id)?.members ?? []) t.equal(maps.slots.has(block, id, member), 1);
    t.equal(maps.slots.has(block, id, 63), 0);
  }
  t.equal(maps.backends.file.counters.count, 0, 'backends that nobody uses are gone');
  t.end();
});

t.test('weights: a backend is drawn as often as its weight says', (t) => {
  const { maps } = make({ lb_slots: 1 << 16 });
  const writer = new ServiceWriter(maps);
  writer.set(KEY, service([backend('10.0.0.3', { weight: 300 }), backend('10.0.0.4', { weight: 100 })]));
  t.strictSame(
    chosen(maps, KEY),
    new Map([
      ['3', 192],
      ['4', 64],
    ]),
  );
  const flags = row.SERVICE_MAGLEV;
  const uneven = [backend('10.0.0.3', { weight: 300 }), backend('10.0.0.4', { weight: 100 })];
  writer.set(KEY, service(uneven, { flags, maglevTableSize: 4093 }));
  const share = (chosen(maps, KEY, 4093).get('3') ?? 0) / 4093;
  t.ok(share > 0.7 && share < 0.8, `Maglev: found ${share}, wanted 0.75`);
  t.strictSame(
    randomTable([
      { id: 1, name: 'a', weight: 65535 },
      { id: 2, name: 'b', weight: 1 },
    ]).filter((id) => id === 2),
    [2],
  );
  t.ok(
    randomTable([
      { id: 1, name: 'a', weight: 65535 },
      { id: 2, name: 'b', weight: 32768 },
    ]).length <= 1026,
  );
  t.end();
});

t.test('Maglev: a table is the same whatever the order, and loses few places with a backend', (t) => {
  const choices = Array.from({ length: 20 }, (_, i) => ({ id: i + 1, name: `10.0.0.${i}:80/6`, weight: 100 }));
  const table = maglevTable(choices, 16381);
  t.equal(table.length, 16381);
  t.strictSame(maglevTable([...choices].reverse(), 16381), table);
  const counts = choices.map(({ id }) => table.filter((place) => place === id).length);
  t.ok(Math.max(...counts) - Math.min(...counts) <= 1, 'all have the same share');
  const fewer = maglevTable(choices.slice(1), 16381);
  const moved = table.filter((id, place) => id !== 1 && fewer[place] !== id).length;
  t.ok(moved < 16381 * 0.06, `${moved} places of others moved`);
  t.throws(() => maglevTable(choices, 1000), RangeError);
  t.strictSame(maglevTable([], 251), []);
  const hash = murmur3('hello', 0)
    .map((half) => half.toString(16))
    .join();
  t.equal(hash, 'cbd8a7b341bd9b02,5b1e906a48ae1d19', 'MurmurHash3 x64 128 of "hello"');
  t.end();
});

t.test('a block that was given to another frontend is not read as the old one', (t) => {
  const { maps } = make();
  const writer = new ServiceWriter(maps);
  const id = writer.set(KEY, service([backend('10.0.0.3')]));
  chosen(maps, KEY, 1);
  const { block } = maps.services.found;
  t.equal(maps.slots.pick(block, id, 5), 1);
  t.equal(maps.slots.pick(block, id + 1, 5), STALE_BLOCK);
  maps.slots.write(block, { frontend: id + 1, members: [9], table: [9] });
  t.equal(maps.slots.pick(block, id, 5), STALE_BLOCK);
  t.equal(maps.slots.has(block, id, 1), STALE_BLOCK);
  t.equal(maps.slots.read(block, id), undefined);
  for (const wild of [0, -1, 1 << 20, 2 ** 31]) t.equal(maps.slots.pick(wild, id, 0), STALE_BLOCK, `block ${wild}`);
  t.end();
});

t.test('a handle of a frontend, or of a backend, is good for that one only', (t) => {
  const { maps } = make({ lb_reverse_nat: 2, lb_backends: 3 });
  const writer = new ServiceWriter(maps);
  const id = writer.set(KEY, service([backend('10.0.0.3')]));
  const handle = maps.reverseNat.handleOf(id);
  t.ok(maps.backends.load(1));
  const { generation } = maps.backends.loaded;
  writer.set(KEY, service([backend('10.0.0.3')]));
  t.equal(maps.reverseNat.handleOf(id), handle, 'published again as it was: the same handle');
  t.ok(maps.backends.load(1) && maps.backends.loaded.generation === generation);
  t.ok(writer.remove(KEY));
  t.notOk(writer.remove(KEY));
  t.equal(maps.reverseNat.at(handle), -1);
  t.notOk(maps.backends.load(1));
  const other = { ...KEY, port: 81 };
  t.equal(writer.set(other, service([backend('10.0.0.9')])), id, 'the only id there is');
  t.equal(maps.reverseNat.at(handle), -1, 'is not the old one');
  t.not(maps.reverseNat.at(maps.reverseNat.handleOf(id)), -1);
  t.equal(ReverseNatMap.frontendOf(handle), id);
  t.throws(() => writer.set(KEY, service([])), MapFullError);
  t.end();
});

t.test('a table without room refuses the new service, and leaves the old one as it was', (t) => {
  const tables = ['lb_services', 'lb_slots', 'lb_backends', 'lb_source_range'];
  for (const file of tables) {
    const { maps } = make({ [file]: 2 });
    const writer = new ServiceWriter(maps);
    const sourceRanges = [{ address: addressWords('192.0.2.0'), prefixLength: 120 }];
    writer.set(KEY, service([backend('10.0.0.3')], { sourceRanges }));
    const before = [maps.services, maps.slots, maps.backends, maps.sourceRanges].map((map) => map.file.counters.count);
    const big = Array.from({ length: 40 }, (_, i) => backend(`10.1.0.${i}`));
    const many = Array.from({ length: 3 }, (_, i) => ({ address: addressWords(`198.51.${i}.0`), prefixLength: 120 }));
    if (file === 'lb_services') {
      writer.set({ ...KEY, port: 81 }, service([]));
      t.throws(() => writer.set({ ...KEY, port: 82 }, service(big, { sourceRanges: many })), MapFullError, file);
      writer.remove({ ...KEY, port: 81 });
    } else {
      t.throws(() => writer.set(KEY, service(big, { sourceRanges: many })), MapFullError, file);
    }
    t.equal(namesOf(maps, KEY), '3', `${file}: still the old backend`);
    const refused = { ...KEY, address: addressWords('10.96.0.77') };
    if (file !== 'lb_services') t.throws(() => writer.set(refused, service(big, { sourceRanges: many })), MapFullError);
    t.notOk(maps.addressFilter.mayConcern(...refused.address), `${file}: frames to a refused address are left alone`);
    const after = [maps.services, maps.slots, maps.backends, maps.sourceRanges].map((map) => map.file.counters.count);
    t.strictSame(after, before, `${file}: nothing is left behind`);
  }
  t.end();
});

t.test('a new writer goes on with what is in force, and settle() takes out what it was not told of', (t) => {
  const { maps, reopen } = make();
  const first = new ServiceWriter(maps);
  const id = first.set(KEY, service([backend('10.0.0.3')]));
  const other = { ...KEY, port: 443 };
  const sourceRanges = [{ address: addressWords('192.0.2.0'), prefixLength: 120 }];
  first.set(other, service([backend('10.0.0.3'), backend('10.0.0.4')], { sourceRanges }));
  first.set({ ...KEY, address: addressWords('10.96.0.9') }, service([]));
  const handle = maps.reverseNat.handleOf(id);

  const after = reopen(true);
  const second = new ServiceWriter(after);
  t.equal(namesOf(after, other), '3,4', 'before it says anything');
  t.equal(second.set(KEY, service([backend('10.0.0.3')])), id, 'the same id');
  t.equal(after.reverseNat.handleOf(id), handle, 'connections keep their way back');
  t.equal(second.settle(), 2);
  t.equal(namesOf(after, KEY), '3');
  t.equal(chosen(after, other).size, 0);
  t.ok(after.addressFilter.mayConcern(...VIP));
  t.notOk(after.addressFilter.mayConcern(...addressWords('10.96.0.9')));
  t.strictSame(
    [...after.backends.entries()].map(({ address }) => address[3] & 255),
    [3],
  );
  t.equal(after.sourceRanges.count, 0);
  t.ok(second.remove(KEY));
  for (const map of [after.services, after.slots, after.backends, after.reverseNat, after.addressFilter])
    t.equal(map.file.counters.count, 0, `${map.file.path} is empty`);
  t.end();
});

t.test('a new writer that is told the same writes nothing', (t) => {
  const { maps, reopen } = make();
  const first = new ServiceWriter(maps);
  const web = service([backend('10.0.0.1'), backend('10.0.0.2', { weight: 50 })], { affinitySec: 60 });
  const id = first.set(KEY, web);
  const others = reopen(true);
  const files = [others.services, others.slots, others.backends, others.reverseNat].map(({ file }) => file);
  const bytes = () => files.map(({ header }) => header[W_GENERATION]);
  const before = bytes();
  const second = new ServiceWriter(others);
  t.equal(second.set(KEY, web), id);
  t.equal(second.settle(), 0);
  t.same(bytes(), before, 'no table has changed');
  second.set(KEY, service([backend('10.0.0.2')]));
  t.same(
    [...others.backends.entries()].map(({ id }) => id),
    [2],
  );
  t.not(bytes()[1], before[1]);
  second.remove(KEY);
  t.equal(others.slots.file.counters.count, 0, 'every unit is free again');
  t.end();
});

t.test('source ranges: a client is held by the prefixes of its frontend alone', (t) => {
  const { maps } = make();
  const { sourceRanges } = maps;
  sourceRanges.add(1, { address: addressWords('192.0.2.0'), prefixLength: 120 });
  sourceRanges.add(1, { address: addressWords('2001:db8::'), prefixLength: 32 });
  sourceRanges.add(2, { address: addressWords('0.0.0.0'), prefixLength: 96 });
  for (const [frontend, client, isHeld] of [
    [1, '192.0.2.77', true],
    [1, '192.0.3.1', false],
    [1, '2001:db8:1::1', true],
    [1, '2001:db9::1', false],
    [2, '203.0.113.9', true],
    [2, '2001:db8::1', false],
    [3, '192.0.2.77', false],
  ] as const)
    t.equal(sourceRanges.holds(frontend, ...addressWords(client)), isHeld, `${client} of ${frontend}`);
  t.end();
});

t.test('affinity: a client keeps its backend for the time that its service says', (t) => {
  const { affinity } = make({ lb_affinity: 16 }).maps;
  const [src0, src1, src2, src3] = addressWords('10.0.0.2');
  const client = { src0, src1, src2, src3 };
  affinity.note(client, 7, 3, 100);
  const found = affinity.lookup(client, 7, 10, 110);
  t.equal(affinity.backend(found), 3);
  t.equal(affinity.lookup(client, 7, 10, 111), -1, 'too long ago');
  t.equal(affinity.lookup(client, 8, 10, 105), -1, 'another service');
  for (let i = 0; i < 100; i++) affinity.note({ ...client, src3: src3 + i }, 7, 1, 200 + i);
  t.equal(affinity.count, 16, 'full: the oldest go');
  t.equal([...affinity.entries()].length, 16);
  t.end();
});

t.test('blocks: none overlaps another, and all together are whole again in the end', (t) => {
  const steps = fc.array(fc.record({ units: fc.integer({ min: 1, max: 40 }), isTake: fc.boolean() }), {
    maxLength: 200,
  });
  fc.assert(
    fc.property(steps, (operations) => {
      const blocks = new BlockAllocator(256);
      const taken: { unit: number; units: number }[] = [];
      for (const { units, isTake } of operations) {
        if (isTake) {
          const unit = blocks.take(units);
          if (unit < 0) continue;
          if (taken.some((b) => unit < b.unit + b.units && b.unit < unit + units) || unit + units > 256) return false;
          taken.push({ unit, units });
        } else {
          const [gone] = taken.splice(units % Math.max(taken.length, 1), 1);
          if (gone !== undefined) blocks.give(gone.unit, gone.units);
        }
      }
      const again = new BlockAllocator(256);
      if (!taken.every(({ unit, units }) => again.claim(unit, units)) || again.unitsInUse !== blocks.unitsInUse)
        return false;
      for (const { unit, units } of taken) blocks.give(unit, units);
      return blocks.unitsInUse === 0 && blocks.take(256) === 0;
    }),
    { seed: SEED, numRuns: 300 },
  );
  const blocks = new BlockAllocator(64);
  t.notOk(blocks.claim(3, 2), 'a place where no such block can be');
  t.ok(blocks.claim(4, 3) && !blocks.claim(6, 1), 'a place that is taken');
  t.end();
});

t.test('settings of translation are read as they were written', (t) => {
  const settings = new TranslationSettings(make().maps.config);
  t.notOk(settings.isRejecting);
  settings.isRejecting = true;
  t.ok(settings.isRejecting);
  for (const [family, address] of [
    [4, '169.254.42.1'],
    [6, 'fd00::42'],
  ] as const) {
    const inWords = addressWords(address);
    settings.setLoopback(inWords);
    settings.setMasquerade(family, inWords);
    t.strictSame(settings.loopback(family), inWords);
    t.strictSame(settings.masquerade(family), inWords);
  }
  settings.masqueradePorts = { first: 32768, last: 65535 };
  t.strictSame(settings.masqueradePorts, { first: 32768, last: 65535 });
  t.throws(() => (settings.masqueradePorts = { first: 2, last: 1 }), RangeError);
  const prefix = (i: number) => ({ address: addressWords(`10.${i}.0.0`), prefixLength: 112 });
  const prefixes = [prefix(1), prefix(2), { address: addressWords('0.0.0.0'), prefixLength: 0 }];
  settings.setNativePrefixes(prefixes);
  t.strictSame(settings.nativePrefixes(), prefixes);
  settings.setNativePrefixes([prefix(3)]);
  t.strictSame(settings.nativePrefixes(), [prefix(3)]);
  t.throws(() => settings.setNativePrefixes(Array.from({ length: 9 }, (_, i) => prefix(i))), RangeError);
  t.end();
});

t.test('an agent that dies in the middle of a change takes no service with it', (t) => {
  const { maps, reopen } = make();
  const writer = new ServiceWriter(maps);
  const sourceRanges = [{ address: addressWords('192.0.2.0'), prefixLength: 120 }];
  const id = writer.set(KEY, service([backend('10.0.0.3')], { sourceRanges }));
  const reader = reopen(false);
  for (const map of [maps.services, maps.sourceRanges]) map.file.header[W_GENERATION] |= 1;
  t.equal(namesOf(reader, KEY), '3');
  t.ok(reader.sourceRanges.holds(id, ...addressWords('192.0.2.7')));
  t.notOk(reader.sourceRanges.holds(id, ...addressWords('192.0.3.7')));
  t.equal(new ServiceWriter(reopen(true)).set(KEY, service([backend('10.0.0.4')])), id, 'and the next one goes on');
  t.equal(namesOf(reader, KEY), '4');
  t.end();
});
