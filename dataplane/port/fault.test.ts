import { largeFrame } from '../../test/port/frames.ts';
import t from 'tap';
import { frameOf, marks } from '../../test/port/frames.ts';
import * as vnet from '../../wire/header/virtio-net.ts';
import { Arena, Batch } from './arena.ts';
import { FaultPort, seededRandom, type SomeFaults } from './fault.ts';
import { MemoryPort } from '../../test/port/memory.ts';
import { emitPackets } from './segment.ts';
import { TracePort } from './trace.ts';

/** Marks of what comes out when frames 0 .. 99 go through the weather, one each millisecond. */
function weather(faults: SomeFaults): { marks: number[]; port: FaultPort; times: number[] } {
  const arena = new Arena();
  const batch = new Batch(arena);
  const inner = new MemoryPort(arena);
  const port = new FaultPort(inner, faults);
  const result: number[] = [];
  const times: number[] = [];
  for (batch.nowMs = 1000; batch.nowMs < 1200; batch.nowMs++) {
    if (batch.nowMs < 1100) inner.deliver(frameOf(60, batch.nowMs - 1000));
    port.receive(batch);
    result.push(...marks(batch));
    times.push(...marks(batch).map(() => batch.nowMs));
    batch.reset();
  }
  test0(port.nextDueMs === Number.POSITIVE_INFINITY, 'nothing is held for ever');
  return { marks: result, port, times };
}

function test0(condition: boolean, message: string): void {
  if (!condition) throw new Error(message);
}

t.test('FaultPort without faults changes nothing', (test) => {
  const all = Array.from({ length: 100 }, (_, i) => i);
  const { marks: out, times } = weather({ seed: 1 });
  test.same(out, all);
  test.same(
    times,
    all.map((i) => 1000 + i),
  );
  test.end();
});

t.test('FaultPort drops, duplicates, reorders and delays by its seed', (test) => {
  test.same(weather({ seed: 1, drop: 1 }).marks, []);
  const lossy = weather({ seed: 7, drop: 0.3 });
  test.same(lossy.marks, weather({ seed: 7, drop: 0.3 }).marks, 'the same seed, the same weather');
  test.notSame(lossy.marks, weather({ seed: 8, drop: 0.3 }).marks);
  test.equal(lossy.marks.length, 100 - lossy.port.done.dropped);
  test.ok(lossy.port.done.dropped > 15 && lossy.port.done.dropped < 50);

  const twice = weather({ seed: 3, duplicate: 1 });
  test.same(
    twice.marks,
    Array.from({ length: 200 }, (_, i) => i >> 1),
  );
  const shuffled = weather({ seed: 4, reorder: 0.2 });
  test.notSame(
    shuffled.marks,
    [...shuffled.marks].sort((a, b) => a - b),
  );
  test.same(
    [...shuffled.marks].sort((a, b) => a - b),
    Array.from({ length: 100 }, (_, i) => i),
  );
  test.ok(shuffled.port.done.reordered > 5);

  const late = weather({ seed: 5, delayMs: 20, jitterMs: 10 });
  test.same(
    late.marks,
    Array.from({ length: 100 }, (_, i) => i),
    'jitter alone keeps the order',
  );
  late.times.forEach((time, i) => test.ok(time >= 1020 + i && time <= 1131 + i));
  test.end();
});

t.test('FaultPort corrupts one bit of a frame whose checksum is finished; large segments it drops', (test) => {
  const { arena: from, offset, length } = largeFrame(4, true, 100, 1448);
  const arena = new Arena();
  const inner = new MemoryPort(arena);
  const port = new FaultPort(inner, { seed: 2, corrupt: 1 });
  const batch = new Batch(arena);
  const frame = from.bytes.slice(offset, offset + length);
  const header = from.bytes.slice(offset - 10, offset);
  inner.deliver(frame, header);
  test.equal(port.receive(batch), 0, 'a large segment');
  header[1] = vnet.GSO_NONE;
  inner.deliver(frame, header);
  test.equal(port.receive(batch), 1);
  test.equal(vnet.flags(arena.bytes, batch.offsets[0]), 0);
  emitPackets(from.bytes, (from.bytes.set(header, offset - 10), offset), length, () => {});
  const sent = from.bytes.subarray(offset, offset + length);
  const got = arena.bytes.subarray(batch.offsets[0], batch.offsets[0] + length);
  const bits = sent.reduce((total, byte, i) => total + (byte ^ got[i]).toString(2).replaceAll('0', '').length, 0);
  test.equal(bits, 1);
  test.equal(port.done.corrupted, 2);
  test.end();
});

t.test('FaultPort keeps what a batch has no room for, and nothing beyond its limit', (test) => {
  const arena = new Arena();
  const batch = new Batch(arena);
  const inner = new MemoryPort(arena);
  const port = new FaultPort(inner, { seed: 1, delayMs: 10 });
  for (let i = 0; i < 5000; i++) inner.deliver(frameOf(60, i));
  while (inner.pending > 0) port.receive(batch);
  test.equal(port.done.dropped, 5000 - 4096);
  test.equal(port.nextDueMs, 10);
  batch.nowMs = 10;
  let total = 0;
  for (let got = port.receive(batch); got > 0; got = port.receive(batch)) {
    total += got;
    batch.reset();
  }
  test.equal(total, 4096);
  test.end();
});

t.test('seededRandom() repeats and is even', (test) => {
  const random = seededRandom(42);
  const again = seededRandom(42);
  let total = 0;
  for (let i = 0; i < 10_000; i++) {
    const value = random();
    test0(value === again() && value >= 0 && value < 1, 'in range, repeatable');
    total += value;
  }
  test.ok(Math.abs(total / 10_000 - 0.5) < 0.02);
  test.end();
});

t.test('TracePort tells one line for each frame and passes it on', (test) => {
  const { arena, offset, length } = largeFrame(4, true, 2000, 1448);
  const inner = new MemoryPort(arena, { name: 'red', index: 3 });
  const lines: string[] = [];
  const port = new TracePort(inner, arena, (line) => lines.push(line));
  port.queue(offset, length);
  port.queue(offset, 10);
  test.equal(port.flush(), 2);
  inner.deliver(frameOf(60, 1));
  const batch = new Batch(arena);
  test.equal(port.receive(batch), 1);
  test.same(lines, [
    'out red 2054 02:00:00:00:00:01 > 02:00:00:00:00:02 0x0800 undone-checksum tso4 1448',
    'out red 10 runt',
    'in red 60 02:00:00:00:00:01 > 02:00:00:00:00:02 0x88b5',
  ]);
  port.mtu = 9000;
  test.match(port, { index: 3, kind: inner.kind, name: 'red', fd: -1, mtu: 9000 });
  test.equal(inner.mtu, 9000);
  test.equal(port.counters, inner.counters);
  port.close();
  inner.deliver(frameOf(60, 1));
  test.equal(port.receive(batch), 0, 'close() closes the inner port');
  test.end();
});
