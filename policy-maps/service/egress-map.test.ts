// The table of egress gateway policies against a list that is searched naively. SEED=n repeats a run.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import t from 'tap';
import { holdsWords, prefixOf } from '../../wire/prefix.ts';
import { V4_MAPPED } from '../../wire/address.ts';
import type { AddressWords } from '../ipcache.ts';
import { MapFullError } from '../table/map-error.ts';
import { memoryMapper } from '../table/memory-mapper.ts';
import {
  EGRESS_ADDRESS,
  EGRESS_EXCLUDED,
  EGRESS_NO_GATEWAY,
  EGRESS_NONE,
  type EgressEntry,
  EgressMap,
} from './egress-map.ts';

const SEED = Number(process.env['SEED'] ?? 20240229);
t.comment(`seed ${SEED}`);

const folder = mkdtempSync(join(tmpdir(), 'sluice-egress-'));
t.teardown(() => rmSync(folder, { recursive: true, force: true }));
let files = 0;
const newMap = (capacity: number, mapper = memoryMapper()) =>
  EgressMap.create(join(folder, `map_${files++}`), { capacity, seed: [SEED, 3] }, mapper);

const v4 = (last: number): AddressWords => [0, 0, V4_MAPPED, last | 0];
const source = fc.constantFrom<AddressWords>(v4(1), v4(2), [0xfd000000 | 0, 0, 0, 7]);
/** Few addresses, so that prefixes hold one another. */
const address = fc.oneof(
  fc.integer({ min: 0, max: 15 }).map((n) => v4((n << 28) | (n << 4))),
  fc.integer({ min: 0, max: 3 }).map((n): AddressWords => [0x20010db8, n << 30, 0, n]),
);
const destination = fc
  .record({ address, length: fc.constantFrom(0, 1, 4, 24, 28, 32, 33, 64, 96, 100, 124, 128) })
  .map(({ address: words, length }) => prefixOf(words, words[2] === V4_MAPPED ? Math.max(96, length) : length));
const change = fc.record({
  source,
  destination,
  kind: fc.constantFrom(0, EGRESS_NO_GATEWAY, EGRESS_EXCLUDED, EGRESS_ADDRESS),
});

t.test('lookup() answers the longest prefix of the source, whatever came and went', (t) => {
  fc.assert(
    fc.property(
      fc.array(change, { maxLength: 40 }),
      fc.array(fc.tuple(source, address), { maxLength: 20 }),
      (changes, asked) => {
        const map = newMap(256);
        const rows = new Map<string, EgressEntry>();
        for (const [i, one] of changes.entries()) {
          const key = { source: one.source, destination: one.destination.words, prefixLength: one.destination.bits };
          const name = JSON.stringify(key);
          if (one.kind === 0) {
            if (map.remove(key) !== rows.delete(name)) return false;
          } else {
            const row = { ...key, kind: one.kind, address: v4(i) };
            map.put(row);
            rows.set(name, row);
          }
        }
        for (const { words } of changes.map(({ destination: one }) => one)) {
          if (map.hasAddress(...words) !== [...rows.values()].some((row) => row.address.join() === words.join()))
            return false;
        }
        if (![...rows.values()].every((row) => map.hasAddress(...row.address))) return false;
        for (const [from, to] of asked) {
          const best = [...rows.values()]
            .filter((row) => row.source.join() === from.join() && isHeld(row, to))
            .sort((a, b) => b.prefixLength - a.prefixLength)[0];
          if (map.lookup(from, ...to) !== (best?.kind ?? EGRESS_NONE)) return false;
          if (best !== undefined && [...map.address].join() !== best.address.join()) return false;
        }
        const listed = [...map.entries()].map((row) => JSON.stringify(row)).sort();
        return (
          JSON.stringify(listed) ===
          JSON.stringify([...rows.values()].map((row) => JSON.stringify(inOrder(row))).sort())
        );
      },
    ),
    { seed: SEED, numRuns: 300 },
  );
  t.end();
});

function inOrder({ source: from, prefixLength, destination: to, kind, address: given }: EgressEntry): EgressEntry {
  return { source: from, prefixLength, destination: to, kind, address: given };
}

/** A prefix of IPv6 holds no IPv4 address, however short it is. */
function isHeld(row: EgressEntry, [w0, w1, w2, w3]: AddressWords): boolean {
  const isV4 = w0 === 0 && w1 === 0 && w2 === V4_MAPPED;
  return (!isV4 || row.prefixLength >= 96) && holdsWords(row.destination, 0, row.prefixLength, w0, w1, w2, w3);
}

t.test('a full table refuses, and is as it was', (t) => {
  const map = newMap(5);
  const row = (last: number): EgressEntry => ({
    source: v4(last),
    destination: v4(0),
    prefixLength: 96,
    kind: EGRESS_ADDRESS,
    address: v4(99),
  });
  map.put(row(1));
  map.put(row(2));
  t.throws(() => map.put(row(3)), MapFullError);
  t.equal(map.lookup(v4(3), ...v4(5)), EGRESS_NONE);
  t.equal([...map.entries()].length, 2);
  map.put({ ...row(2), kind: EGRESS_EXCLUDED });
  t.equal(map.lookup(v4(2), ...v4(5)), EGRESS_EXCLUDED, 'a row that is there can change');
  map.remove(row(1));
  map.put(row(3));
  t.equal(map.lookup(v4(3), ...v4(5)), EGRESS_ADDRESS);
  t.end();
});

t.test('the next writer goes on with the lengths that it finds', (t) => {
  const mapper = memoryMapper();
  const map = newMap(64, mapper);
  const row = { source: v4(1), destination: v4(0), kind: EGRESS_ADDRESS, address: v4(99) };
  for (const prefixLength of [100, 104]) map.put({ ...row, prefixLength });
  const { path } = map.file;
  map.close();
  const next = EgressMap.open(path, mapper, { writable: true });
  next.remove({ ...row, prefixLength: 104 });
  t.equal(next.lookup(v4(1), ...v4(5)), EGRESS_ADDRESS, 'the shorter one is still found');
  next.remove({ ...row, prefixLength: 100 });
  t.notOk(next.hasAddress(...v4(99)));
  t.equal(next.count, 0, 'nothing is left of a source without rows');
  t.end();
});
