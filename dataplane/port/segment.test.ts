import t from 'tap';
import { largeFrame } from '../../test/port/frames.ts';
import { complement, pseudoHeader, sum } from '../../wire/checksum.ts';
import * as ipv4 from '../../wire/header/ipv4.ts';
import * as ipv6 from '../../wire/header/ipv6.ts';
import * as tcp from '../../wire/header/tcp.ts';
import * as udp from '../../wire/header/udp.ts';
import * as vnet from '../../wire/header/virtio-net.ts';
import { emitPackets } from './segment.ts';

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
