/** The LPM table, by itself and beside its twin. */
import fc from 'fast-check';
import t from 'tap';
import { LpmTable } from './lpm-table.ts';
import { HEADER_BYTES } from './map-header.ts';
import { ReferenceLpm } from '../../test/tables/reference-tables.ts';
import { LPM, SEED, create } from '../../test/tables/files.ts';

// --- longest prefix match

class LpmUnderTest {
  readonly table: LpmTable;

  constructor(capacity: number) {
    this.table = new LpmTable(create(LPM, capacity), HEADER_BYTES, { valueWords: 1, capacity });
  }

  get size(): number {
    return this.table.count;
  }

  set([a, b, c, d]: readonly number[], length: number, value: number): void {
    this.table.setPrefix(a, b, c, d, length);
    const slot = this.table.stage();
    this.table.rows[slot * this.table.rowWords + this.table.valueWord] = value;
    this.table.publish(slot);
  }

  delete([a, b, c, d]: readonly number[], length: number): boolean {
    this.table.setPrefix(a, b, c, d, length);
    return this.table.remove();
  }

  match([a, b, c, d]: readonly number[]): number | undefined {
    const slot = this.table.match(a, b, c, d);
    return slot < 0 ? undefined : this.table.rows[slot * this.table.rowWords + this.table.valueWord];
  }
}

const v4 = (a: number, b: number, c: number, d: number): number[] => [
  0,
  0,
  0xffff,
  (a << 24) | (b << 16) | (c << 8) | d,
];

for (const [name, make] of [
  ['the LPM table', () => new LpmUnderTest(64)],
  ['its twin', () => new ReferenceLpm()],
] as const) {
  t.test(`${name} (longest prefix) keeps the common law`, (t) => {
    const table = make();
    t.equal(table.match(v4(10, 0, 0, 1)), undefined);
    table.set([0, 0, 0, 0], 0, 1);
    t.equal(table.match(v4(10, 0, 0, 1)), 1, '::/0 holds IPv4 too');
    table.set(v4(0, 0, 0, 0), 96, 2);
    t.equal(table.match(v4(10, 0, 0, 1)), 2, '0.0.0.0/0');
    t.equal(table.match([0x20010db8, 0, 0, 1]), 1, 'and not IPv6');
    table.set(v4(10, 0, 0, 0), 104, 3);
    table.set(v4(10, 1, 2, 3), 128, 4);
    t.equal(table.match(v4(10, 1, 2, 3)), 4);
    t.equal(table.match(v4(10, 1, 2, 4)), 3);
    t.equal(table.match(v4(11, 1, 2, 4)), 2);
    table.set(v4(10, 9, 8, 7), 104, 5);
    t.equal(table.match(v4(10, 1, 2, 4)), 5, 'bits beyond the length do not count: the same prefix');
    table.set([0x20010db8, 0, 0, 0], 32, 6);
    table.set([0x20010db8, 0, 0, 0], 33, 7);
    t.equal(table.match([0x20010db8, 1, 0, 1]), 7);
    t.equal(table.match([0x20010db8, -1, 0, 1]), 6);
    t.equal(table.size, 6);
    t.ok(table.delete(v4(10, 1, 2, 3), 128));
    t.notOk(table.delete(v4(10, 1, 2, 3), 128));
    t.equal(table.match(v4(10, 1, 2, 3)), 5);
    t.ok(table.delete([0, 0, 0, 0], 0));
    t.equal(table.match([1, 2, 3, 4]), undefined);
    t.end();
  });
}

const addressDraw = fc.oneof(
  fc.tuple(
    fc.constant(0),
    fc.constant(0),
    fc.constant(0xffff),
    fc.constantFrom(0, 1, 0x0a000000, 0x0a000001, 0x0a0000ff, 0x0a800000, -1, -2147483648),
  ),
  fc.tuple(
    fc.constantFrom(0x20010db8, 0x20010db9, 0),
    fc.constantFrom(0, -1),
    fc.constantFrom(0, 1, 0xffff),
    fc.constantFrom(0, 1, -1),
  ),
);
const lengthDraw = fc.oneof(
  fc.constantFrom(0, 32, 64, 95, 96, 97, 104, 120, 127, 128),
  fc.integer({ min: 0, max: 128 }),
);

t.test('the LPM table agrees with its twin over random operations, and is empty after removing all', (t) => {
  const operations = fc.array(fc.tuple(fc.boolean(), addressDraw, lengthDraw, fc.nat(1000)), { maxLength: 80 });
  const property = fc.property(
    operations,
    fc.array(addressDraw, { minLength: 20, maxLength: 20 }),
    (operations, asked) => {
      const real = new LpmUnderTest(200);
      const twin = new ReferenceLpm();
      for (const [isSet, address, length, value] of operations) {
        if (isSet || value > 500) {
          real.set(address, length, value);
          twin.set(address, length, value);
        } else if (real.delete(address, length) !== twin.delete(address, length)) return false;
      }
      if (real.size !== twin.size || !asked.every((address) => real.match(address) === twin.match(address)))
        return false;
      real.table.recover();
      if (!asked.every((address) => real.match(address) === twin.match(address))) return false;
      for (const [, address, length] of operations) real.delete(address, length);
      return real.size === 0 && asked.every((address) => real.match(address) === undefined);
    },
  );
  fc.assert(property, { seed: SEED, numRuns: 150 });
  t.end();
});
