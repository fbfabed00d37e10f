/** Turns a TCP segment into the reset that answers it (RFC 9293, 3.10.7.1): nobody is here for its connection any more. */
import * as ethernet from '../wire/header/ethernet.ts';
import type { Frame } from '../wire/frame.ts';
import * as ipv4 from '../wire/header/ipv4.ts';
import * as ipv6 from '../wire/header/ipv6.ts';
import * as tcp from '../wire/header/tcp.ts';
import * as vnet from '../wire/header/virtio-net.ts';
import { complete } from '../wire/offload.ts';
import { PROTO_TCP } from '../wire/protocols.ts';

/** @returns false when it is not owed one: it is a reset itself, or a fragment */
export function isResetOwed(f: Frame): boolean {
  return !f.isFragment && (f.tcpFlags & tcp.RST) === 0 && !ethernet.isGroup(f.bytes, f.offset);
}

/** Preconditions: it is owed one, and has its ports and addresses as its sender wrote them. */
export function toReset(f: Frame): void {
  const { bytes, l4Offset } = f;
  const hasAck = (f.tcpFlags & tcp.ACK) !== 0;
  const spans = f.payloadLength + ((f.tcpFlags & tcp.SYN) !== 0 ? 1 : 0) + ((f.tcpFlags & tcp.FIN) !== 0 ? 1 : 0);
  const seq = hasAck ? tcp.ack(bytes, l4Offset) : 0;
  const ack = hasAck ? 0 : (tcp.seq(bytes, l4Offset) + spans) | 0;
  turnEthernet(f);
  const payloadLength = tcp.MIN_HEADER_BYTES;
  if (f.family === 4) {
    f.l4Offset = f.l3Offset + ipv4.MIN_HEADER_BYTES;
    ipv4.emit(bytes, f.l3Offset, { src: f.dst3, dst: f.src3, protocol: PROTO_TCP, payloadLength });
  } else {
    const src = [f.dst0, f.dst1, f.dst2, f.dst3];
    const dst = [f.src0, f.src1, f.src2, f.src3];
    f.l4Offset = f.l3Offset + ipv6.HEADER_BYTES;
    ipv6.emit(bytes, f.l3Offset, { src, dst, nextHeader: PROTO_TCP, payloadLength });
  }
  f.payloadOffset = f.l4Offset + tcp.MIN_HEADER_BYTES;
  f.payloadLength = 0;
  f.length = f.payloadOffset - f.offset;
  const flags = hasAck ? tcp.RST : tcp.RST | tcp.ACK;
  tcp.emit(bytes, f.l4Offset, { srcPort: f.dstPort, dstPort: f.srcPort, seq, ack, flags, window: 0 });
  vnet.clear(bytes, f.offset);
  complete(f);
}

function turnEthernet({ bytes, offset }: Frame): void {
  const macHigh = ethernet.srcMacHigh(bytes, offset);
  const macLow = ethernet.srcMacLow(bytes, offset);
  ethernet.setSrcMac(bytes, offset, ethernet.dstMacHigh(bytes, offset), ethernet.dstMacLow(bytes, offset));
  ethernet.setDstMac(bytes, offset, macHigh, macLow);
}
