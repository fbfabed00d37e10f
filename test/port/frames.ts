/** Frames with a mark, and what becomes of them, for tests of ports. */
import { Arena, type Batch } from '../../dataplane/port/arena.ts';
import * as bytesOf from '../../wire/bytes.ts';
import { fold, pseudoHeader } from '../../wire/checksum.ts';
import * as ipv4 from '../../wire/header/ipv4.ts';
import * as ipv6 from '../../wire/header/ipv6.ts';
import * as tcp from '../../wire/header/tcp.ts';
import * as udp from '../../wire/header/udp.ts';
import * as vnet from '../../wire/header/virtio-net.ts';
import type { Port } from '../../dataplane/port/port.ts';

export function frameOf(length: number, mark: number): Uint8Array {
  const frame = new Uint8Array(length).fill(mark & 0xff);
  frame.set([2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 0x88, 0xb5]);
  return frame;
}

/** The first payload byte of each frame in the batch: the mark of frameOf(). */
export function marks(batch: Batch): number[] {
  return Array.from({ length: batch.count }, (_, i) => batch.arena.bytes[batch.offsets[i] + 14]);
}

export function forward(batch: Batch, to: Port): void {
  for (let i = 0; i < batch.count; i++) to.queue(batch.offsets[i], batch.lengths[i]);
  to.flush();
  batch.reset();
}

/** A large TCP or UDP frame as an offloading sender hands it over, at the start of an arena's scratch slot. */
export function largeFrame(family: 4 | 6, isTcp: boolean, payloadBytes: number, segmentBytes: number) {
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
    ipv4.fillChecksum(bytes, l3);
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
