/**
 * What the L7 engine sends itself: segments (a 403, a reset, data it had held), and answers to datagrams. Given TCP fields and payload, this
 * builds the frame around them for the connection in a conntrack row and queues it on the right port. Its source is the one that
 * frames of that connection leave with.
 */
import { isV4Mapped } from '../wire/address.ts';
import { PROTO_TCP, PROTO_UDP } from '../wire/protocols.ts';
import { CT_ROW_WORDS } from '../policy-maps/conntrack-row.ts';
import type { ConnectionRows } from '../policy-maps/connection-rows.ts';
import { setI32 } from '../wire/bytes.ts';
import * as ethernet from '../wire/header/ethernet.ts';
import { Frame } from '../wire/frame.ts';
import * as ipv4 from '../wire/header/ipv4.ts';
import * as ipv6 from '../wire/header/ipv6.ts';
import * as offload from '../wire/offload.ts';
import * as tcp from '../wire/header/tcp.ts';
import * as udp from '../wire/header/udp.ts';
import * as vnet from '../wire/header/virtio-net.ts';
import { type Arena, MAX_FRAME_BYTES } from './port/arena.ts';
import type { Deliverer } from './deliver.ts';
import type { FrameRecorder } from './frame-recorder.ts';
import { type OutwardSource, UNCHANGED } from './nat/outward.ts';
import type { PortTable } from './port/table.ts';

const SACK_BYTES = 4; // NOP NOP kind length, and the blocks
const SACK_BLOCK_BYTES = 8;

/** One segment to be built. Sequence numbers are those of the side that receives it. */
export interface BuiltSegment {
  readonly seq: number;
  readonly ack: number;
  /** TCP flags byte. */
  readonly flags: number;
  /** The raw 16 bits. */
  readonly window: number;
  readonly hasTimestamps: boolean;
  readonly tsVal: number;
  readonly tsEcr: number;
  /** SACK blocks: left and right edge in turn, of `sackCount` blocks. */
  readonly sackCount: number;
  readonly sack: Int32Array;
  readonly payload: Uint8Array;
  readonly start: number;
  readonly end: number;
}

export interface SegmentSenderParts {
  readonly ports: PortTable;
  readonly rows: ConnectionRows;
  readonly deliverer: Deliverer;
  readonly outward: OutwardSource;
  readonly frames: FrameRecorder;
}

export class SegmentSender {
  readonly #arena: Arena;
  readonly #ports: PortTable;
  readonly #rows: ConnectionRows;
  readonly #deliverer: Deliverer;
  readonly #outward: OutwardSource;
  readonly #frames: FrameRecorder;
  readonly #frame: Frame;
  readonly #src = new Int32Array(4);
  readonly #dst = new Int32Array(4);

  constructor(arena: Arena, { ports, rows, deliverer, outward, frames }: SegmentSenderParts) {
    this.#arena = arena;
    this.#ports = ports;
    this.#rows = rows;
    this.#deliverer = deliverer;
    this.#outward = outward;
    this.#frames = frames;
    this.#frame = new Frame(arena.bytes);
  }

  /**
   * Builds and queues one segment of the TCP connection in `ctSlot`.
   * @returns false when there is no slot to build it in, no port to send it by, or it is too long
   */
  send(ctSlot: number, toResponder: boolean, segment: BuiltSegment): boolean {
    const out = this.#rows.portTowards(ctSlot, toResponder);
    const payloadBytes = segment.end - segment.start;
    if (!this.#ports.isUp(out) || payloadBytes > MAX_FRAME_BYTES - 200) return false;
    if (!this.#begin(ctSlot, toResponder, out)) return false;
    const f = this.#frame;
    this.#buildTcp(f, segment, payloadBytes);
    f.bytes.set(segment.payload.subarray(segment.start, segment.end), f.payloadOffset);
    this.#offload(f);
    this.#deliver(f, ctSlot, toResponder);
    return true;
  }

  /**
   * Builds and queues one UDP datagram, payload[start, end), of the conversation in `ctSlot`.
   * @returns as `send`; false also for one that is longer than the port's MTU
   */
  sendDatagram(ctSlot: number, toResponder: boolean, payload: Uint8Array, start: number, end: number): boolean {
    const out = this.#rows.portTowards(ctSlot, toResponder);
    if (!this.#ports.isUp(out) || !this.#begin(ctSlot, toResponder, out)) return false;
    const f = this.#frame;
    this.#buildIp(f, PROTO_UDP, udp.HEADER_BYTES, end - start);
    if (f.offset + f.length - f.l3Offset > this.#ports.mtu[out]) return false;
    udp.emit(f.bytes, f.l4Offset, f, end - start);
    for (let i = start; i < end; i++) f.bytes[f.payloadOffset + i - start] = payload[i];
    offload.complete(f); // short: no receiver need be trusted to do it
    this.#deliver(f, ctSlot, toResponder);
    return true;
  }

  #deliver(f: Frame, ctSlot: number, toResponder: boolean): void {
    this.#deliverer.sendBuilt(f, f.offset, f.length);
    if (this.#frames.isOn) this.#frames.sent(f, this.#rows.words, ctSlot * CT_ROW_WORDS, toResponder);
  }

  /** Takes room for a frame between the two ends of a row. @returns false when there is none, or its sender has lost its address */
  #begin(ctSlot: number, toResponder: boolean, out: number): boolean {
    const offset = this.#arena.scratch();
    if (offset < 0) return false;
    this.#frame.offset = offset;
    this.#frame.outPort = out;
    return this.#loadEnds(ctSlot, toResponder);
  }

  /** Who sends to whom: the row's two ends, in the direction of this segment. @returns false when it has lost its source */
  #loadEnds(ctSlot: number, toResponder: boolean): boolean {
    const rows = this.#rows;
    const source = rows.addressAt(ctSlot, toResponder);
    const destination = rows.addressAt(ctSlot, !toResponder);
    for (let i = 0; i < 4; i++) {
      this.#src[i] = rows.words[source + i];
      this.#dst[i] = rows.words[destination + i];
    }
    this.#frame.srcPort = rows.l4Port(ctSlot, toResponder);
    this.#frame.dstPort = rows.l4Port(ctSlot, !toResponder);
    const outward = this.#outward;
    const found = outward.find(rows.words, ctSlot * CT_ROW_WORDS, !toResponder);
    if (found !== 0) return found === UNCHANGED;
    for (let i = 0; i < 4; i++) this.#src[i] = outward.words[outward.at + i];
    if (outward.port >= 0) this.#frame.srcPort = outward.port;
    return true;
  }

  #buildTcp(f: Frame, segment: BuiltSegment, payloadBytes: number): void {
    const timestampBytes = segment.hasTimestamps ? tcp.TIMESTAMP_BYTES : 0;
    const sackBytes = segment.sackCount > 0 ? SACK_BYTES + segment.sackCount * SACK_BLOCK_BYTES : 0;
    const tcpBytes = tcp.MIN_HEADER_BYTES + timestampBytes + sackBytes;
    this.#buildIp(f, PROTO_TCP, tcpBytes, payloadBytes);
    const { srcPort, dstPort } = f;
    const { seq, ack, flags, window } = segment;
    tcp.emit(f.bytes, f.l4Offset, { srcPort, dstPort, seq, ack, flags, window, headerBytes: tcpBytes });
    if (segment.hasTimestamps) writeTimestamps(f, segment);
    if (sackBytes > 0) writeSack(f, segment, f.l4Offset + tcp.MIN_HEADER_BYTES + timestampBytes);
  }

  /** Places the headers of the frame, and writes those below L4. */
  #buildIp(f: Frame, protocol: number, l4Bytes: number, payloadBytes: number): void {
    const isV4 = isV4Mapped(this.#src[0], this.#src[1], this.#src[2]);
    f.family = isV4 ? 4 : 6;
    f.protocol = protocol;
    f.isFragment = false;
    [f.src0, f.src1, f.src2, f.src3] = this.#src;
    [f.dst0, f.dst1, f.dst2, f.dst3] = this.#dst;
    f.l3Offset = f.offset + ethernet.HEADER_BYTES;
    f.l4Offset = f.l3Offset + (isV4 ? ipv4.MIN_HEADER_BYTES : ipv6.HEADER_BYTES);
    f.payloadOffset = f.l4Offset + l4Bytes;
    f.payloadLength = payloadBytes;
    f.length = f.payloadOffset + payloadBytes - f.offset;
    const payloadLength = l4Bytes + payloadBytes;
    ethernet.setEtherType(f.bytes, f.offset, isV4 ? ethernet.ETHERTYPE_IPV4 : ethernet.ETHERTYPE_IPV6);
    if (isV4) {
      ipv4.emit(f.bytes, f.l3Offset, { src: f.src3, dst: f.dst3, protocol, payloadLength });
    } else {
      ipv6.emit(f.bytes, f.l3Offset, { src: this.#src, dst: this.#dst, nextHeader: protocol, payloadLength });
    }
  }

  /** The checksum is left to the receiver; a segment beyond the MTU is left to the kernel to cut. */
  #offload(f: Frame): void {
    offload.leaveUndone(f);
    const mtu = this.#ports.mtu[f.outPort];
    if (f.offset + f.length - f.l3Offset <= mtu) return;
    vnet.setGsoType(f.bytes, f.offset, f.family === 4 ? vnet.GSO_TCPV4 : vnet.GSO_TCPV6);
    vnet.setGsoSize(f.bytes, f.offset, mtu - (f.payloadOffset - f.l3Offset));
    vnet.setHeaderLength(f.bytes, f.offset, f.payloadOffset - f.offset);
  }
}

function writeTimestamps(f: Frame, segment: BuiltSegment): void {
  const at = f.l4Offset + tcp.MIN_HEADER_BYTES;
  f.bytes[at] = tcp.OPTION_NOP;
  f.bytes[at + 1] = tcp.OPTION_NOP;
  f.bytes[at + 2] = tcp.OPTION_TIMESTAMPS;
  f.bytes[at + 3] = 10;
  setI32(f.bytes, at + 4, segment.tsVal);
  setI32(f.bytes, at + 8, segment.tsEcr);
}

function writeSack(f: Frame, { sack, sackCount }: BuiltSegment, at: number): void {
  f.bytes[at] = tcp.OPTION_NOP;
  f.bytes[at + 1] = tcp.OPTION_NOP;
  f.bytes[at + 2] = tcp.OPTION_SACK;
  f.bytes[at + 3] = 2 + sackCount * SACK_BLOCK_BYTES;
  for (let i = 0; i < 2 * sackCount; i++) setI32(f.bytes, at + SACK_BYTES + 4 * i, sack[i]);
}
