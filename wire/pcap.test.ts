import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { hex } from '../test/packets.ts';
import { randomFrom, SEED } from '../test/random.ts';
import * as pcap from './pcap.ts';
import * as pcapng from './pcapng.ts';

t.comment(`seed ${SEED}`);

const frames = [
  hex('02aabbccddee 021122334455 0800 4500001c00004000401126ce0a0000010a000002 c35000350008 0000'),
  hex('ffffffffffff 020000000001 0806 0001080006040001 020000000001 0a000001 000000000000 0a000002'),
];

/** Fields that tshark reads from a file, one line a packet; null without tshark. */
function tshark(bytes: Uint8Array, suffix: string, fields: readonly string[]): string[] | null {
  const directory = mkdtempSync(join(tmpdir(), 'sluice-wire-'));
  const path = join(directory, `capture.${suffix}`);
  writeFileSync(path, bytes);
  const list = fields.flatMap((field) => ['-e', field]);
  const run = spawnSync('tshark', ['-r', path, '-t', 'e', '-T', 'fields', '-E', 'separator=|', ...list], {
    encoding: 'utf8',
  });
  rmSync(directory, { recursive: true });
  return run.error ? null : run.stdout.trimEnd().split('\n');
}

t.test('pcap: written and read back, in both byte orders and resolutions', (t) => {
  const packets = frames.map((bytes, index) => ({ seconds: 1700000000 + index, nanoseconds: 123456789, bytes }));
  const file = pcap.writePcap([
    ...packets,
    { seconds: 5, nanoseconds: 0, bytes: frames[0].subarray(0, 20), originalLength: 42 },
  ]);
  const read = pcap.readPcap(file);
  t.equal(read.problem, null);
  t.equal(read.linkType, 1);
  t.same(
    read.packets.map(({ seconds, nanoseconds }) => [seconds, nanoseconds]),
    [
      [1700000000, 123456789],
      [1700000001, 123456789],
      [5, 0],
    ],
  );
  t.same(
    read.packets.slice(0, 2).map(({ bytes }) => bytes),
    frames,
  );
  t.same([read.packets[2].bytes.length, read.packets[2].originalLength], [20, 42]);
  const big = hex('a1b2c3d4 0002 0004 00000000 00000000 00040000 00000001 65000000 0001e240 00000002 00000040 beef');
  const old = pcap.readPcap(big);
  t.same(
    old.packets.map((p) => [p.seconds, p.nanoseconds, p.originalLength, Buffer.from(p.bytes).toString('hex')]),
    [[0x65000000, 123456000, 64, 'beef']],
  );
  t.match(pcap.readPcap(hex('00')).problem, /no magic number/);
  t.match(pcap.readPcap(file.subarray(0, file.length - 1)).problem, /packet 3 at byte \d+ does not fit/);
  t.equal(pcap.readPcap(file.subarray(0, file.length - 1)).packets.length, 2, 'what is before the damage is read');
  t.same(pcap.timeOf(1700000000123.5), { seconds: 1700000000, nanoseconds: 123500000 });
  for (const odd of [Number.NaN, -1, 2 ** 60]) t.same(pcap.timeOf(odd), { seconds: 0, nanoseconds: 0 });
  const lines = tshark(file, 'pcap', ['frame.time_epoch', 'frame.len', 'frame.cap_len', 'frame.protocols']);
  if (lines === null) t.comment('tshark is not installed: what it would read was not compared');
  else {
    t.same(
      lines.map((line) => line.split('|').slice(0, 3)),
      [
        ['1700000000.123456789', '42', '42'],
        ['1700000001.123456789', '42', '42'],
        ['5.000000000', '42', '20'],
      ],
    );
    t.match(lines[0], /eth:ethertype:ip:udp/);
  }
  t.end();
});

t.test('pcapng: written and read back with interfaces, comments and directions', (t) => {
  const file = pcap.concat([
    pcapng.sectionHeader(),
    pcapng.interfaceDescription('shop/web-0'),
    pcapng.interfaceDescription('sluice_host'),
    pcapng.enhancedPacket({ seconds: 1700000000, nanoseconds: 123456789, bytes: frames[0] }),
    pcapng.enhancedPacket({
      seconds: 1700000001,
      nanoseconds: 1,
      bytes: frames[1].subarray(0, 41),
      originalLength: 42,
      interface: 1,
      comment: 'Policy denied',
      direction: pcapng.PACKET_OUTBOUND,
    }),
  ]);
  const read = pcapng.readPcapng(file);
  t.equal(read.problem, null);
  t.match(read.interfaces, [
    { name: 'shop/web-0', linkType: 1 },
    { name: 'sluice_host', linkType: 1 },
  ]);
  t.match(read.packets[0], { seconds: 1700000000, nanoseconds: 123456789, interface: 0, comment: '', direction: 0 });
  t.same(read.packets[0].bytes, frames[0]);
  t.match(read.packets[1], {
    nanoseconds: 1,
    interface: 1,
    comment: 'Policy denied',
    direction: 2,
    originalLength: 42,
  });
  t.same(read.packets[1].bytes, frames[1].subarray(0, 41));
  const fields = ['frame.time_epoch', 'frame.interface_name', 'frame.comment', 'frame.cap_len'];
  const lines = tshark(file, 'pcapng', fields);
  if (lines === null) t.comment('tshark is not installed: what it would read was not compared');
  else {
    t.same(lines, ['1700000000.123456789|shop/web-0||42', '1700000001.000000001|sluice_host|Policy denied|41']);
  }

  const again = pcapng.readPcapng(pcap.concat([file, file]));
  t.same(
    again.packets.map((packet) => packet.interface),
    [0, 1, 2, 3],
    'a second section has interfaces of its own',
  );
  // Big endian, microseconds (no if_tsresol), a simple packet, and a block of a type nobody knows.
  const big = hex(`0a0d0d0a 0000001c 1a2b3c4d 0001 0000 ffffffffffffffff 0000001c
    00000001 00000014 0001 0000 00000000 00000014
    00000bad 00000010 01020304 00000010
    00000006 00000024 00000000 00000000 000f4240 00000002 00000002 beef0000 00000024
    00000003 00000014 00000003 aabbcc00 00000014`);
  const other = pcapng.readPcapng(big);
  t.equal(other.problem, null);
  t.same(
    other.packets.map((p) => [p.seconds, p.nanoseconds, Buffer.from(p.bytes).toString('hex')]),
    [
      [1, 0, 'beef'],
      [0, 0, 'aabbcc'],
    ],
  );
  t.match(pcapng.readPcapng(file.subarray(0, file.length - 4)).problem, /does not fit the file/);
  t.match(pcapng.readPcapng(hex('a1b2c3d4')).problem, /no section header/);
  t.end();
});

t.test('pcap and pcapng readers survive any damage', (t) => {
  const random = randomFrom(SEED + 7);
  const whole = [
    pcap.writePcap(frames.map((bytes) => ({ seconds: 1, nanoseconds: 2, bytes }))),
    pcap.concat([
      pcapng.sectionHeader(),
      pcapng.interfaceDescription('eth0'),
      ...frames.map((bytes) =>
        pcapng.enhancedPacket({ seconds: 1, nanoseconds: 2, bytes, comment: 'c', direction: 1 }),
      ),
    ]),
  ];
  for (let round = 0; round < 4000; round++) {
    const bytes = whole[round % 2].slice();
    for (let flips = random(6); flips >= 0; flips--) bytes[random(bytes.length)] = random(4) === 0 ? 0xff : random(256);
    const cut = bytes.subarray(0, random(3) === 0 ? random(bytes.length) : bytes.length);
    const { packets } = round % 2 === 0 ? pcap.readPcap(cut) : pcapng.readPcapng(cut);
    if (packets.some((packet) => packet.bytes.length > cut.length)) t.fail('a packet longer than its file');
  }
  t.pass('4000 damaged files');
  t.end();
});
