import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import t, { type Test } from 'tap';
import * as bytesOf from '../../wire/bytes.ts';
import { complement, fold, pseudoHeader, sum } from '../../wire/checksum.ts';
import * as ipv4 from '../../wire/header/ipv4.ts';
import * as ipv6 from '../../wire/header/ipv6.ts';
import { readPcapng } from '../../wire/pcapng.ts';
import { type Packet, writePcap } from '../../wire/pcap.ts';
import * as tcp from '../../wire/header/tcp.ts';
import * as udp from '../../wire/header/udp.ts';
import * as vnet from '../../wire/header/virtio-net.ts';
import { Arena, BATCH_FRAMES, Batch, HEADROOM_BYTES, MAX_FRAME_BYTES, SLOT_STRIDE } from './arena.ts';
import * as native from '../native/index.ts';
import type { Port } from './port.ts';
import { CaptureFile, CapturePort } from '../../test/port/capture.ts';
import { FaultPort, seededRandom, type SomeFaults } from './fault.ts';
import { createMemoryPair, MemoryPort } from '../../test/port/memory.ts';
import { PcapPort } from './pcap.ts';
import { PcapFilePort, readCapture } from '../../test/port/pcap-file.ts';
import { emitPackets } from './segment.ts';
import { TapPort } from './tap.ts';
import { TracePort } from './trace.ts';
import { VethPort } from './veth.ts';

const needsRoot = process.getuid?.() === 0 ? {} : { skip: 'needs root' };
const directory = mkdtempSync(join(tmpdir(), 'slnat-'));
t.teardown(() => rmSync(directory, { recursive: true, force: true }));

function frameOf(length: number, mark: number): Uint8Array {
  const frame = new Uint8Array(length).fill(mark & 0xff);
  frame.set([2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 0x88, 0xb5]);
  return frame;
}

/** The first payload byte of each frame in the batch: the mark of frameOf(). */
function marks(batch: Batch): number[] {
  return Array.from({ length: batch.count }, (_, i) => batch.arena.bytes[batch.offsets[i] + 14]);
}

function forward(batch: Batch, to: Port): void {
  for (let i = 0; i < batch.count; i++) to.queue(batch.offsets[i], batch.lengths[i]);
  to.flush();
  batch.reset();
}

/** A large TCP or UDP frame as an offloading sender hands it over, at the start of an arena's scratch slot. */
function largeFrame(family: 4 | 6, isTcp: boolean, payloadBytes: number, segmentBytes: number) {
  const arena = new Arena();
  const offset = arena.scratch();
  const { bytes } = arena;
  const l3 = offset + 14;
  const l4Bytes = isTcp ? 20 : 8;
  const l4 = l3 + (family === 4 ? 20 : 40);
  const end = l4 + l4Bytes + payloadBytes;
  bytes.set([2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, family === 4 ? 8 : 0x86, family === 4 ? 0 : 0xdd], offset);
  if (family === 4) {
    bytes.set([0x45, 0, 0, 0, 0xff, 0xfe, 0x40, 0, 64, isTcp ? 6 : 17, 0, 0, 10, 77, 0, 1, 10, 77, 0, 2], l3);
    ipv4.setTotalLength(bytes, l3, end - l3);
  } else {
    bytes.set([0x60, 0, 0, 0, 0, 0, isTcp ? 6 : 17, 64, 0xfd], l3);
    bytes[l3 + 23] = 1;
    bytes[l3 + 24] = 0xfd;
    bytes[l3 + 39] = 2;
    ipv6.setPayloadLength(bytes, l3, end - l4);
  }
  bytesOf.setU16(bytes, l4, 4000);
  bytesOf.setU16(bytes, l4 + 2, 80);
  if (isTcp) {
    bytesOf.setI32(bytes, l4 + 4, 0xfffffff0 | 0);
    bytes[l4 + 12] = 0x50;
    tcp.setFlags(bytes, l4, tcp.CWR | tcp.ACK | tcp.PSH | tcp.FIN);
  } else {
    udp.setLength(bytes, l4, end - l4);
  }
  for (let i = 0; i < payloadBytes; i++) bytes[l4 + l4Bytes + i] = (i * 7) & 0xff;
  const protocol = isTcp ? 6 : 17;
  const field = isTcp ? 16 : 6;
  bytesOf.setU16(bytes, l4 + field, fold(pseudoHeader(bytes, l3, family, protocol, end - l4)));
  vnet.setFlags(bytes, offset, vnet.FLAG_NEEDS_CSUM);
  vnet.setGsoType(bytes, offset, isTcp ? (family === 4 ? vnet.GSO_TCPV4 : vnet.GSO_TCPV6) : vnet.GSO_UDP_L4);
  vnet.setGsoSize(bytes, offset, segmentBytes);
  vnet.setCsumStart(bytes, offset, l4 - offset);
  vnet.setCsumOffset(bytes, offset, field);
  return { arena, offset, length: end - offset, l3: 14, l4: l4 - offset, payload: l4 + l4Bytes - offset };
}

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

for (const family of [4, 6] as const) {
  for (const isTcp of [true, false]) {
    t.test(`emitPackets() cuts ${isTcp ? 'TCP' : 'UDP'} over IPv${family} as a network card does`, (test) => {
      const large = largeFrame(family, isTcp, 3500, 1448);
      const packets: Uint8Array[] = [];
      const count = emitPackets(large.arena.bytes, large.offset, large.length, (bytes, at, length) => {
        packets.push(bytes.slice(at, at + length));
      });
      test.equal(count, 3);
      const { l3, l4, payload } = large;
      packets.forEach((packet, i) => {
        const size = i < 2 ? 1448 : 604;
        test.equal(packet.length, payload + size);
        test.same(
          packet.subarray(payload),
          large.arena.bytes.slice(large.offset + payload + i * 1448, large.offset + payload + i * 1448 + size),
        );
        const l4Bytes = packet.length - l4;
        const pseudo = pseudoHeader(packet, l3, family, isTcp ? 6 : 17, l4Bytes);
        test.equal(complement(sum(packet, l4, l4Bytes, pseudo)), 0, 'L4 checksum');
        if (family === 4) {
          test.ok(ipv4.verifyChecksum(packet, l3));
          test.equal(ipv4.totalLength(packet, l3), packet.length - 14);
          test.equal(ipv4.identification(packet, l3), (0xfffe + i) & 0xffff);
        } else {
          test.equal(ipv6.payloadLength(packet, l3), packet.length - 54);
        }
        if (!isTcp) test.equal(udp.length(packet, l4), 8 + size);
        else test.equal(tcp.seq(packet, l4) | 0, (0xfffffff0 + i * 1448) | 0);
      });
      const flags = packets.map((packet) => tcp.flags(packet, l4));
      if (isTcp) test.same(flags, [tcp.CWR | tcp.ACK, tcp.ACK, tcp.ACK | tcp.PSH | tcp.FIN]);
      test.end();
    });
  }
}

for (const family of [4, 6] as const) {
  for (const isTcp of [true, false]) {
    t.test(
      `emitPackets() makes no ${isTcp ? 'TCP' : 'UDP'} payload of what is behind an IPv${family} packet`,
      (test) => {
        for (const flags of [0, vnet.FLAG_NEEDS_CSUM]) {
          const large = largeFrame(family, isTcp, 2000, 1000);
          vnet.setFlags(large.arena.bytes, large.offset, flags);
          large.arena.bytes.fill(0x42, large.offset + large.length, large.offset + large.length + 1000);
          let payload = 0;
          const count = emitPackets(large.arena.bytes, large.offset, large.length + 1000, (_bytes, _at, length) => {
            payload += length - large.payload;
          });
          test.same([count, payload], [2, 2000]);
        }
        test.end();
      },
    );
  }
}

t.test('emitPackets() finishes a checksum, and refuses headers that contradict the frame', (test) => {
  const count = (large: ReturnType<typeof largeFrame>, edit: (bytes: Uint8Array, offset: number) => void) => {
    edit(large.arena.bytes, large.offset);
    return emitPackets(large.arena.bytes, large.offset, large.length, () => {});
  };
  const frame = largeFrame(4, false, 100, 1448);
  const emitted: Uint8Array[] = [];
  vnet.setGsoType(frame.arena.bytes, frame.offset, vnet.GSO_NONE);
  emitPackets(frame.arena.bytes, frame.offset, frame.length, (bytes, at, length) =>
    emitted.push(bytes.slice(at, at + length)),
  );
  const pseudo = pseudoHeader(emitted[0], 14, 4, 17, 108);
  test.equal(complement(sum(emitted[0], 34, 108, pseudo)), 0);
  const cases: Record<string, (bytes: Uint8Array, offset: number) => void> = {
    'segments of no bytes': (bytes, offset) => vnet.setGsoSize(bytes, offset, 0),
    'L4 before L3': (bytes, offset) => vnet.setCsumStart(bytes, offset, 10),
    'segments of no kind': (bytes, offset) => {
      vnet.setGsoType(bytes, offset, vnet.GSO_ECN);
      vnet.setGsoSize(bytes, offset, 0);
    },
    'an IP packet longer than the frame': (bytes, offset) => ipv4.setTotalLength(bytes, offset + 14, 51),
    'L4 behind the end': (bytes, offset) => vnet.setCsumStart(bytes, offset, 60_000),
    'TCP header too short': (bytes, offset) => (bytes[offset + 34 + 12] = 0x40),
    'TCP header behind the end': (bytes, offset) => (bytes[offset + 34 + 12] = 0xf0),
  };
  for (const [name, edit] of Object.entries(cases)) test.equal(count(largeFrame(4, true, 10, 5), edit), 0, name);
  test.equal(
    count(largeFrame(4, false, 10, 5), (bytes, offset) => {
      vnet.setGsoType(bytes, offset, vnet.GSO_NONE);
      vnet.setCsumStart(bytes, offset, 9999);
    }),
    0,
    'checksum outside the frame',
  );
  test.end();
});

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

t.test('PcapPort refuses to be made outside the main thread', async (test) => {
  const source = `import(${JSON.stringify(new URL('./pcap.js', import.meta.url).href)}).then(({ PcapPort }) => {
    new PcapPort({}, { name: 'lo', index: 0, mtu: 1, mac: new Uint8Array(6), onFrame() {} }); });`;
  const worker = new Worker(source, { eval: true });
  const error = await new Promise<Error>((resolve) => worker.once('error', resolve));
  test.match(error.message, /^open lo: a pcap port works on the main thread only/);
});

// --- with root: two namespaces, slnat-PID-a and -b, whose eth0 end in ports of this process

const spaces = [`slnat-${process.pid}-a`, `slnat-${process.pid}-b`];

function ip(...args: string[]): void {
  execFileSync('ip', args, { stdio: ['ignore', 'ignore', 'pipe'] });
}

function makeNamespaces(test: Test): void {
  for (const name of spaces) {
    ip('netns', 'add', name);
    test.teardown(() => ip('netns', 'del', name));
    execFileSync('ip', ['netns', 'exec', name, 'sysctl', '-qw', 'net.ipv6.conf.default.disable_ipv6=1']);
  }
}

function addAddresses(): void {
  spaces.forEach((name, i) => {
    ip('-n', name, 'addr', 'add', `10.77.0.${i + 1}/24`, 'dev', 'eth0');
    ip('-n', name, 'link', 'set', 'eth0', 'up');
  });
}

/**
 * Pings from a to b while the given step is run over and over; resolves to the exit code. With -w, ping goes on until three
 * answers have come; without, it ends two round trips after the third request, answered or not.
 */
async function ping(size: number, step: () => void): Promise<number> {
  const { spawn } = await import('node:child_process');
  const options = `-q -c 3 -i 0.2 -w 60 -s ${size} 10.77.0.2`.split(' ');
  const args = ['netns', 'exec', spaces[0], 'ping', ...options];
  const child = spawn('ip', args, { stdio: 'ignore' });
  let code: number | null = null;
  child.on('exit', (exit) => {
    code = exit ?? 1;
  });
  while (code === null) {
    step();
    await new Promise((resolve) => setImmediate(resolve));
  }
  return code;
}

function shovel(ports: readonly [Port, Port], batch: Batch): void {
  ports.forEach((port, i) => {
    port.receive(batch);
    forward(batch, ports[1 - i]);
  });
}

const options = (i: number) => ({ index: i, mtu: 1500, mac: new Uint8Array(6) });

t.test('TapPort carries pings of any size between two namespaces (needs root)', needsRoot, async (test) => {
  makeNamespaces(test);
  const arena = new Arena();
  const taps = spaces.map((netns) => native.openTap('eth0', { netns }));
  const ports = taps.map((tap, i) => new TapPort(arena, { ...options(i), name: `tap${i}`, fd: tap.fd })) as [
    TapPort,
    TapPort,
  ];
  addAddresses();
  const batch = new Batch(arena);
  test.equal(await ping(56, () => shovel(ports, batch)), 0);
  test.equal(await ping(20_000, () => shovel(ports, batch)), 0, 'in fragments');
  const [left, right] = ports.map((port) => port.counters);
  test.ok(left.receivedFrames >= 3 && left.sentBytes > 60_000);
  test.equal(left.receivedFrames, right.sentFrames + right.sendDrops);
  for (const port of ports) {
    port.close();
    port.close();
  }
});

t.test('VethPort carries pings of any size between two namespaces (needs root)', needsRoot, async (test) => {
  makeNamespaces(test);
  const arena = new Arena();
  const batch = new Batch(arena);
  spaces.forEach((name, i) => ip('-n', name, 'link', 'add', 'eth0', 'type', 'veth', 'peer', 'name', `host${i}`));
  for (const [i, name] of spaces.entries()) ip('-n', name, 'link', 'set', `host${i}`, 'up');
  addAddresses();
  const ports = spaces.map((netns, i) => new VethPort(arena, { ...options(i), name: `host${i}`, netns }));
  const pair = ports as unknown as [VethPort, VethPort];
  test.equal(await ping(56, () => shovel(pair, batch)), 0);
  test.equal(await ping(20_000, () => shovel(pair, batch)), 0, 'in fragments');
  for (const port of pair) {
    port.countDrops();
    test.equal(port.counters.receiveDrops, 0);
  }
  ip('-n', spaces[1], 'link', 'set', 'host1', 'down');
  pair[1].queue(arena.slotOffset(0), 60);
  test.equal(pair[1].flush(), 0);
  test.equal(pair[1].counters.sendDrops, 1);
  test.equal(pair[1].lastSendError, 100, 'ENETDOWN');
  for (const port of pair) port.close();
  test.throws(() => new VethPort(arena, { ...options(0), name: 'slnat-none' }), { code: 'ENODEV' });
});

t.test('PcapPort takes the first packet that comes, and none of its own end (needs root)', needsRoot, async (test) => {
  makeNamespaces(test);
  const arena = new Arena();
  const host = `slnat${process.pid}`;
  ip('link', 'add', host, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', spaces[0]);
  test.teardown(() => ip('link', 'del', host));
  execFileSync('sysctl', ['-qw', `net.ipv6.conf.${host}.disable_ipv6=1`]);
  ip('link', 'set', host, 'up');
  ip('-n', spaces[0], 'link', 'set', 'eth0', 'up');
  const received: number[] = [];
  const batch = new Batch(arena);
  let arrived = () => {};
  const port = new PcapPort(arena, {
    ...options(0),
    name: host,
    onFrame: (one) => {
      one.receive(batch);
      received.push(...batch.lengths.slice(0, batch.count));
      batch.reset();
      arrived();
    },
  });
  test.teardown(() => port.close()); // before its interface goes
  const here = native.openPacket(host);
  const there = native.openPacket('eth0', { netns: spaces[0] });
  const send = (fd: number, mac: Uint8Array, length: number) => {
    const offset = arena.scratch();
    arena.bytes
      .fill(0, offset - 10, offset + length)
      .fill(255, offset, offset + 6)
      .set(mac, offset + 6);
    arena.bytes.set([0x88, 0xb5], offset + 12);
    const [offsets, lengths] = [Int32Array.of(offset), Int32Array.of(length)];
    native.sendBatch(fd, native.KIND_PACKET, arena.bytes, offsets, lengths, 0, 1, new Int32Array(2));
    arena.reset();
  };
  send(here, native.interfaceInfo(host).mac, 70);
  const first = new Promise<void>((resolve) => {
    arrived = resolve;
  });
  send(there, native.interfaceInfo('eth0', spaces[0]).mac, 80);
  await first;
  test.same(received, [80]);
  native.closeFd(here);
  native.closeFd(there);
});

t.test('PcapPort carries pings through libpcap, cutting large frames itself (needs root)', needsRoot, async (test) => {
  makeNamespaces(test);
  const arena = new Arena();
  const batch = new Batch(arena);
  const host = `slnat${process.pid}`;
  const tap = native.openTap('eth0', { netns: spaces[0] });
  ip('link', 'add', host, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', spaces[1]);
  test.teardown(() => ip('link', 'del', host));
  execFileSync('sysctl', ['-qw', `net.ipv6.conf.${host}.disable_ipv6=1`]);
  ip('link', 'set', host, 'up');
  addAddresses();
  const left = new TapPort(arena, { ...options(0), name: 'left', fd: tap.fd });
  let notTaken = 0;
  const right = new PcapPort(arena, {
    ...options(1),
    name: host,
    onFrame: (port) => {
      if (notTaken > 0) {
        notTaken--;
        return;
      }
      port.receive(batch);
      forward(batch, left);
    },
  });
  const step = () => {
    left.receive(batch);
    forward(batch, right);
  };
  test.equal(await ping(56, step), 0);
  test.equal(await ping(4000, step), 0, 'in fragments');
  test.ok(right.counters.receivedFrames >= 3 && right.counters.sentFrames >= 3);
  const large = largeFrame(4, true, 3000, 1448);
  arena.bytes.set(large.arena.bytes.subarray(large.offset - 10, large.offset + large.length), arena.slotOffset(0) - 10);
  const witness = native.openPacket('eth0', { netns: spaces[1] });
  const before = right.counters.sentFrames;
  right.queue(arena.slotOffset(0), large.length);
  test.equal(right.flush(), 1);
  test.equal(right.counters.sentFrames, before + 1, 'one frame');
  const lengths = new Int32Array(64);
  const arrived = (length: number) => lengths.filter((one) => one === length).length;
  for (let seen = 0; seen >= 0 && arrived(1502) + arrived(158) < 3 && native.waitReadable(witness, 60_000); ) {
    const room = lengths.length - seen;
    seen += native.receiveBatch(
      witness,
      native.KIND_PACKET,
      arena.bytes,
      128,
      SLOT_STRIDE,
      room,
      1 << 20,
      lengths,
      seen,
    );
  }
  test.same([arrived(1502), arrived(158)], [2, 1], 'in three packets');
  native.closeFd(witness);
  notTaken = 1;
  const drops = right.counters.receiveDrops;
  test.equal(await ping(56, step), 0);
  test.equal(right.counters.receiveDrops, drops + 1, 'a frame that the turn did not take');
  right.close();
  right.close();
  test.equal(right.receive(batch), 0);
  left.close();
  test.throws(() => new PcapPort(arena, { ...options(0), name: 'slnat-none', onFrame: () => {} }));
});
