// Pairs of names and addresses, as the agent writes them and the dataplane asks for them.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { DomainName, MAX_NAME_BYTES } from '../wire/dns/name.ts';
import { addressWords } from '../wire/address.ts';
import { FqdnMap } from './fqdn-map.ts';
import { MapFullError } from './table/map-error.ts';
import { memoryMapper } from './table/memory-mapper.ts';

const folder = mkdtempSync(join(tmpdir(), 'sluice-fqdn-'));
t.teardown(() => rmSync(folder, { recursive: true, force: true }));
let files = 0;

function newMap(capacity = 64, seed?: [number, number]) {
  const path = join(folder, `map_${files++}`);
  const mapper = memoryMapper();
  const writer = FqdnMap.create(path, { capacity, ...(seed === undefined ? {} : { seed }) }, mapper);
  return { writer, reader: FqdnMap.open(path, mapper) };
}

function wire(text: string): Uint8Array {
  const name = new DomainName();
  if (!name.loadText(text)) throw new Error(`name ${text}: found none`);
  return name.bytes.slice(0, name.length);
}

function expiryOf(map: FqdnMap, name: Uint8Array, address: string): number {
  map.setName(name, name.length);
  return map.lookup(...addressWords(address));
}

t.test('a pair is found under its name and address only, until it is taken out', async (t) => {
  const { writer, reader } = newMap();
  const name = wire('api.example.com');
  const hash = writer.hashOf(name, name.length);
  writer.set(hash, addressWords('192.0.2.1'), 1000);
  writer.set(hash, addressWords('2001:db8::1'), 1001);
  t.equal(expiryOf(reader, name, '192.0.2.1'), 1000);
  t.equal(expiryOf(reader, name, '2001:db8::1'), 1001);
  t.equal(expiryOf(reader, name, '192.0.2.2'), 0, 'another address');
  t.equal(expiryOf(reader, wire('app.example.com'), '192.0.2.1'), 0, 'another name');
  t.equal(expiryOf(reader, wire('example.com'), '192.0.2.1'), 0, 'its end alone');
  writer.set(hash, addressWords('192.0.2.1'), 2 ** 40);
  t.equal(expiryOf(reader, name, '192.0.2.1'), 2 ** 31 - 1, 'given another end, however late');
  t.equal(reader.count, 2);
  t.same(
    [...reader.entries()].map(({ name: entry, expirySec }) => [entry, expirySec]),
    [
      [hash, 2 ** 31 - 1],
      [hash, 1001],
    ],
  );
  t.equal(writer.remove(hash, addressWords('192.0.2.1')), true);
  t.equal(writer.remove(hash, addressWords('192.0.2.1')), false);
  t.equal(expiryOf(reader, name, '192.0.2.1'), 0);
});

t.test('names of any length have hashes of their own, whatever was asked before', async (t) => {
  const { writer } = newMap();
  const names = Array.from({ length: 127 }, (_, i) => wire('a.'.repeat(i)));
  names.push(wire(`${'b'.repeat(63)}.${'b'.repeat(63)}.${'b'.repeat(63)}.${'b'.repeat(61)}`));
  t.equal(names.at(-1)?.length, MAX_NAME_BYTES);
  const texts = (order: Uint8Array[]) => order.map((name) => writer.hashOf(name, name.length).join());
  const forth = texts(names);
  t.equal(new Set(forth).size, names.length);
  t.same(texts(names.toReversed()).toReversed(), forth, 'longer names leave nothing behind');
  const halves = forth.map((text) => text.split(','));
  for (const half of [0, 1]) t.equal(new Set(halves.map((words) => words[half])).size, names.length, 'in each half');
});

t.test('hashes follow the seed of the file', async (t) => {
  const name = wire('api.example.com');
  const [a, b, c] = [newMap(64, [1, 2]), newMap(64, [1, 2]), newMap(64, [3, 2])];
  t.same(a.writer.hashOf(name, name.length), b.writer.hashOf(name, name.length));
  t.notSame(a.writer.hashOf(name, name.length), c.writer.hashOf(name, name.length));
  t.same(a.writer.hashOf(name, name.length), a.reader.hashOf(name, name.length));
});

t.test('a full map keeps what it has, and lets pairs that it has be given another end', async (t) => {
  const { writer, reader } = newMap(16);
  const name = wire('many.example');
  const hash = writer.hashOf(name, name.length);
  for (let i = 1; i <= 16; i++) writer.set(hash, addressWords(`10.0.0.${i}`), 50);
  t.throws(() => writer.set(hash, addressWords('10.0.1.0'), 50), MapFullError);
  t.equal(expiryOf(reader, name, '10.0.1.0'), 0);
  writer.set(hash, addressWords('10.0.0.16'), 60);
  t.equal(expiryOf(reader, name, '10.0.0.16'), 60);
});

t.test('a lookup allocates nothing', async (t) => {
  const { writer, reader } = newMap();
  const name = wire('a-longer-name.of.some.service.example.com');
  const words = addressWords('192.0.2.1');
  writer.set(writer.hashOf(name, name.length), words, 9);
  let found = 0;
  const ask = (times: number) => {
    for (let i = 0; i < times; i++) {
      reader.setName(name, name.length);
      found += reader.lookup(words[0], words[1], words[2], words[3]);
    }
  };
  ask(20_000);
  const { gc } = globalThis as { gc?: () => void };
  if (gc === undefined) throw new Error('found no gc(), wanted node --expose-gc');
  gc();
  const before = process.memoryUsage().heapUsed;
  ask(100_000);
  const grown = process.memoryUsage().heapUsed - before;
  // One number kept for each would be 1.2 MB at the least; the engine itself leaves some.
  t.ok(grown < 600_000, `${grown} bytes for 100,000 lookups`);
  t.equal(found, 120_000 * 9);
});
