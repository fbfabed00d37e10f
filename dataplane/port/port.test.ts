import t from 'tap';
import { frameOf, marks } from '../../test/port/frames.ts';
import { Arena, BATCH_FRAMES, Batch, HEADROOM_BYTES, MAX_FRAME_BYTES, SLOT_STRIDE } from './arena.ts';
import { createMemoryPair, MemoryPort } from '../../test/port/memory.ts';

t.test('Arena slots keep their headroom and do not overlap', (test) => {
  const arena = new Arena();
  for (let i = 0; i < BATCH_FRAMES; i++) {
    test.equal(arena.slotOffset(i) % 64, 0);
    test.equal(arena.slotOffset(i + 1) - arena.slotOffset(i), HEADROOM_BYTES + MAX_FRAME_BYTES);
  }
  test.equal((SLOT_STRIDE / 64) % 2, 1, 'headers of successive slots lie in different cache sets');
  test.equal(arena.slotOffset(0), HEADROOM_BYTES);
  const scratch = Array.from({ length: BATCH_FRAMES }, () => arena.scratch());
  test.equal(scratch[0], arena.slotOffset(BATCH_FRAMES));
  test.ok(scratch[BATCH_FRAMES - 1] + MAX_FRAME_BYTES <= arena.bytes.length);
  test.equal(arena.scratch(), -1);
  test.equal(arena.scratchUsed, BATCH_FRAMES);
  arena.bytes.fill(9, scratch[0] - 10, scratch[0]);
  arena.reset();
  test.equal(arena.scratch(), scratch[0]);
  test.same(arena.bytes.slice(scratch[0] - 10, scratch[0]), new Uint8Array(10), 'with a clean virtio-net header');
  test.end();
});

t.test('receive() appends to a batch within its room and byte budget', (test) => {
  const arena = new Arena();
  const batch = new Batch(arena, 1000);
  const port = new MemoryPort(arena);
  for (let i = 0; i < 100; i++) port.deliver(frameOf(400, i), Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8, 9, i));
  test.equal(port.receive(batch), 3, 'one frame beyond the budget');
  test.equal(port.receive(batch), 3);
  test.equal(batch.count, 6);
  test.same(marks(batch), [0, 1, 2, 3, 4, 5]);
  test.equal(arena.bytes[batch.offsets[5] - 1], 5, 'the virtio-net header lies before the frame');
  batch.byteBudget = 1 << 20;
  test.equal(port.receive(batch), 58);
  test.equal(port.receive(batch), 0, 'a full batch takes no more');
  batch.reset();
  test.equal(port.receive(batch), 36);
  test.equal(port.pending, 0);
  test.same([port.counters.receivedFrames, port.counters.receivedBytes], [100, 40_000]);
  port.close();
  port.deliver(frameOf(60, 1));
  test.equal(port.receive(batch), 0, 'closed');
  test.end();
});

t.test('a pair of memory ports carries frames across, and drops what the other side has no room for', (test) => {
  const arena = new Arena();
  const batch = new Batch(arena);
  const [left, right] = createMemoryPair(arena);
  const source = new MemoryPort(arena);
  right.capacity = 70;
  for (let i = 0; i < 80; i++) source.deliver(frameOf(60 + i, i));
  for (let round = 0; round < 2; round++) {
    source.receive(batch);
    for (let i = 0; i < batch.count; i++) left.queue(batch.offsets[i], batch.lengths[i]);
    left.flush();
    batch.reset();
  }
  test.equal(right.pending, 70);
  test.same([left.counters.sentFrames, left.counters.sendDrops], [70, 10]);
  right.receive(batch);
  test.same(
    marks(batch),
    Array.from({ length: 64 }, (_, i) => i),
  );
  test.equal(batch.lengths[63], 123);
  left.close();
  left.queue(batch.offsets[0], 60);
  test.equal(left.flush(), 0);
  test.equal(left.counters.sendDrops, 11, 'a closed port sends nothing, and says so');
  test.end();
});

t.test('queue() flushes by itself after 64 frames; flush() of nothing is nothing', (test) => {
  const arena = new Arena();
  const port = new MemoryPort(arena);
  test.equal(port.flush(), 0);
  for (let i = 0; i < 65; i++) port.queue(arena.slotOffset(0), 60);
  test.equal(port.sent.length, 64);
  test.equal(port.flush(), 1);
  port.isDiscarding = true;
  port.queue(arena.slotOffset(0), 100);
  port.flush();
  test.equal(port.sent.length, 65);
  test.same([port.counters.sentFrames, port.counters.sentBytes], [66, 65 * 60 + 100]);
  test.end();
});

t.test('MemoryPort repeat hands out its inbox over and over', (test) => {
  const arena = new Arena();
  const batch = new Batch(arena);
  const port = new MemoryPort(arena);
  port.repeat = true;
  for (let i = 0; i < 3; i++) port.deliver(frameOf(60, i));
  port.deliver(new Uint8Array(MAX_FRAME_BYTES + 1));
  test.equal(port.counters.receiveDrops, 1, 'longer than a slot');
  test.equal(port.receive(batch), 64);
  test.same(marks(batch).slice(0, 7), [0, 1, 2, 0, 1, 2, 0]);
  test.end();
});
