// The event ring and its readers, against a twin and through the wrap of positions. SEED=n repeats a run.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import t from 'tap';
import { EVENT_BYTES } from '../wire/event.ts';
import { EventReader, EventRing } from './event-ring.ts';
import { memoryMapper } from './table/memory-mapper.ts';
import { ReferenceRing } from '../test/tables/reference-tables.ts';

const SEED = Number(process.env['SEED'] ?? 20240229);
t.comment(`seed ${SEED}`);

const folder = mkdtempSync(join(tmpdir(), 'sluice-events-'));
t.teardown(() => rmSync(folder, { recursive: true, force: true }));
let files = 0;

function newPath(): string {
  return join(folder, `map_${files++}`);
}

function writeEvent(ring: EventRing, value: number): void {
  const at = ring.next();
  ring.bytes.fill(value & 0xff, at, at + EVENT_BYTES);
  new DataView(ring.bytes.buffer, ring.bytes.byteOffset).setUint32(at, value, true);
  ring.commit();
}

function readEvents(reader: EventReader, limit: number): { records: number[]; lost: number } {
  const records: number[] = [];
  const { lost } = reader.read(
    (bytes, offset) => records.push(new DataView(bytes.buffer).getUint32(offset, true)),
    limit,
  );
  return { records, lost };
}

t.test('the event ring agrees with its twin over random writes and reads', (t) => {
  const steps = fc.array(fc.tuple(fc.nat(14), fc.integer({ min: 1, max: 10 })), { maxLength: 40 });
  const property = fc.property(steps, (steps) => {
    const real = EventRing.create(newPath(), { capacity: 8 }, memoryMapper());
    const twin = new ReferenceRing(8);
    const reader = new EventReader(real, 'now');
    let next = 1;
    for (const [writes, limit] of steps) {
      for (let i = 0; i < writes; i++) {
        writeEvent(real, next);
        twin.write(next++);
      }
      const a = readEvents(reader, limit);
      const b = twin.read(limit);
      if (a.lost !== b.lost || a.records.join() !== b.records.join()) return false;
    }
    return true;
  });
  fc.assert(property, { seed: SEED, numRuns: 100 });
  t.end();
});

t.test('EventReader', (t) => {
  const ring = EventRing.create(newPath(), { capacity: 4 }, memoryMapper());
  for (let i = 1; i <= 3; i++) writeEvent(ring, i);
  const late = new EventReader(ring, 'now');
  const early = new EventReader(ring, 'oldest');
  t.same(readEvents(late, 10), { records: [], lost: 0 }, "'now' starts at the next record");
  t.same(readEvents(early, 2), { records: [1, 2], lost: 0 }, "'oldest' at the first that is left");
  t.equal(early.pending, 1);
  for (let i = 4; i <= 9; i++) writeEvent(ring, i);
  t.same(readEvents(early, 10), { records: [6, 7, 8, 9], lost: 3 }, 'a slow reader learns how many it lost');
  t.same(readEvents(late, 10), { records: [6, 7, 8, 9], lost: 2 });
  ring.next();
  t.same(
    readEvents(new EventReader(ring, 'oldest'), 10),
    { records: [7, 8, 9], lost: 1 },
    'the record being overwritten is not handed out',
  );
  ring.commit();
  t.throws(
    () => EventRing.create(newPath(), { capacity: 12 }, memoryMapper()),
    /capacity: found 12, wanted a power of two/,
  );
  t.end();
});

t.test('the event ring goes on through the wrap of its 32-bit positions, and of their sign', (t) => {
  for (const start of [-3, 0x7fffffff - 2]) {
    const path = newPath();
    const buffers = new Map<string, SharedArrayBuffer>();
    EventRing.create(path, { capacity: 4 }, memoryMapper(buffers)).close();
    const words = new Int32Array([...buffers.values()][0]);
    words[48] = words[49] = start; // reserved, committed
    const ring = EventRing.open(path, memoryMapper(buffers), { writable: true });
    const reader = new EventReader(ring, 'now');
    for (let i = 1; i <= 5; i++) writeEvent(ring, i);
    t.same(readEvents(reader, 10), { records: [2, 3, 4, 5], lost: 1 });
  }
  t.end();
});

t.test('readBlock() fills what it is given, across the end of the ring, and says where it stands', (t) => {
  const ring = EventRing.create(newPath(), { capacity: 8 }, memoryMapper());
  const reader = new EventReader(ring, 'oldest');
  const block = new Uint8Array(5 * EVENT_BYTES);
  const read = (one: EventReader): number[] => {
    const { read: count } = one.readBlock(block);
    return Array.from({ length: count }, (_, i) => block[i * EVENT_BYTES]);
  };
  for (let i = 1; i <= 6; i++) writeEvent(ring, i);
  t.same(read(reader), [1, 2, 3, 4, 5], 'as many as there is room for');
  t.equal(reader.position, 5);
  for (let i = 7; i <= 10; i++) writeEvent(ring, i);
  t.same(read(reader), [6, 7, 8, 9, 10], 'in two pieces');
  t.same(read(reader), [], 'and no more');
  const next = new EventReader(ring, 7);
  t.same(read(next), [8, 9, 10], 'another goes on from a position');
  for (let i = 11; i <= 20; i++) writeEvent(ring, i);
  t.same(
    [read(reader), read(reader)],
    [
      [13, 14, 15, 16, 17],
      [18, 19, 20],
    ],
  );
  t.equal(new EventReader(ring, 25).pending, 2 ** 32 - 5, 'a place that cannot be');
  t.same(new EventReader(ring, 25).readBlock(block), { read: 0, lost: 0 }, 'is the newest');
  t.end();
});
