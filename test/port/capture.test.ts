import { CaptureFile, CapturePort } from './capture.ts';
import { largeFrame } from './frames.ts';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { forward, frameOf, marks } from './frames.ts';
import { readPcapng } from '../../wire/pcapng.ts';
import { type Packet, writePcap } from '../../wire/pcap.ts';
import { Arena, Batch } from '../../dataplane/port/arena.ts';
import { createMemoryPair, MemoryPort } from './memory.ts';
import { PcapFilePort, readCapture } from './pcap-file.ts';

const directory = mkdtempSync(join(tmpdir(), 'slnat-'));
t.teardown(() => rmSync(directory, { recursive: true, force: true }));

t.test('CapturePort writes both directions of several ports to one pcapng file', (test) => {
  const arena = new Arena();
  const batch = new Batch(arena);
  const chunks: Uint8Array[] = [];
  const file = new CaptureFile(
    (bytes) => chunks.push(bytes),
    () => 1_700_000_000_123.5,
    100,
  );
  const [red, blue] = createMemoryPair(arena, ['red', 'blue']);
  const [left, right] = [new CapturePort(red, arena, file), new CapturePort(blue, arena, file)];
  const source = new MemoryPort(arena);
  source.deliver(frameOf(60, 1));
  source.deliver(frameOf(200, 2));
  source.receive(batch);
  forward(batch, left);
  right.receive(batch);
  const capture = readPcapng(Buffer.concat(chunks));
  test.equal(capture.problem, null);
  test.same(
    capture.interfaces.map((one) => one.name),
    ['red', 'blue'],
  );
  test.same(
    capture.packets.map((one) => [one.interface, one.direction, one.bytes.length, one.originalLength]),
    [
      [0, 2, 60, 60],
      [0, 2, 100, 200],
      [1, 1, 60, 60],
      [1, 1, 100, 200],
    ],
  );
  test.same([capture.packets[0].seconds, capture.packets[0].nanoseconds], [1_700_000_000, 123_500_000]);
  test.same(Uint8Array.from(capture.packets[2].bytes), frameOf(60, 1));
  test.end();
});

function packetAt(ms: number, mark: number, length = 60): Required<Packet> {
  const bytes = frameOf(length, mark);
  return { seconds: Math.floor(ms / 1000), nanoseconds: (ms % 1000) * 1e6, bytes, originalLength: length };
}

t.test('PcapFilePort replays a capture and writes another', (test) => {
  const path = join(directory, 'in.pcap');
  writeFileSync(path, writePcap([packetAt(5000, 1), packetAt(5001, 2), packetAt(9000, 3)]));
  const arena = new Arena();
  const batch = new Batch(arena);
  const chunks: Uint8Array[] = [];
  const port = new PcapFilePort(arena, { packets: readCapture(path), write: (bytes) => chunks.push(bytes) });
  test.equal(port.receive(batch), 3);
  test.same(marks(batch), [1, 2, 3]);
  test.equal(port.nextDueMs, Number.POSITIVE_INFINITY);
  forward(batch, port);
  const large = largeFrame(4, true, 3000, 1448);
  arena.bytes.set(large.arena.bytes.subarray(large.offset - 10, large.offset + large.length), arena.slotOffset(0) - 10);
  port.queue(arena.slotOffset(0), large.length);
  port.flush();
  const out = join(directory, 'out.pcapng');
  writeFileSync(out, Buffer.concat(chunks));
  const written = readCapture(out);
  test.same(
    written.map((packet) => packet.bytes.length),
    [60, 60, 60, 1502, 1502, 158],
  );
  test.ok(
    written.every((packet) => packet.seconds === 9),
    'the time of what was received last',
  );
  test.same([port.counters.receivedFrames, port.counters.sentFrames], [3, 4]);
  port.close();
  port.queue(arena.slotOffset(0), 60);
  test.equal(port.flush(), 0);
  test.end();
});

t.test('PcapFilePort keeps the pace of the recording when asked to', (test) => {
  const arena = new Arena();
  const batch = new Batch(arena);
  const packets = [packetAt(5000, 1), packetAt(5010, 2), packetAt(5010, 3), packetAt(6000, 4)];
  packets.splice(1, 0, { ...packetAt(5005, 9), bytes: new Uint8Array(70_000) });
  const port = new PcapFilePort(arena, { packets, isPaced: true });
  const seen: [number, number][] = [];
  for (const nowMs of [77, 86, 87, 1000, 1077]) {
    batch.nowMs = nowMs;
    port.receive(batch);
    seen.push(...marks(batch).map((mark): [number, number] => [nowMs, mark]));
    batch.reset();
  }
  test.same(seen, [
    [77, 1],
    [87, 2],
    [87, 3],
    [1077, 4],
  ]);
  test.equal(port.counters.receiveDrops, 1, 'too long for a slot');
  test.end();
});

t.test('readCapture() names the file and what is wrong with it', (test) => {
  const path = join(directory, 'bad.pcap');
  const whole = writePcap([packetAt(1, 1)]);
  writeFileSync(path, whole.subarray(0, whole.length - 5));
  test.throws(() => readCapture(path), { message: /bad\.pcap: packet 1 at byte 24 does not fit the file/ });
  writeFileSync(path, writePcap([], 101));
  test.throws(() => readCapture(path), { message: /found link type 101, wanted 1/ });
  writeFileSync(path, 'xy');
  test.throws(() => readCapture(path), { message: /not a pcap file/ });
  test.throws(() => readCapture(join(directory, 'none')), { code: 'ENOENT' });
  test.end();
});
