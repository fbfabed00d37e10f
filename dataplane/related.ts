/**
 * The packet that an ICMP error quotes, as a tuple to look up: an error is let through because of the connection it is
 * about (cilium bpf/lib/conntrack.h, CT_RELATED). A quotation is cut short, so lengths in it say nothing; only the
 * addresses and the first eight bytes of L4 are read.
 */
import { V4_MAPPED } from '../wire/address.ts';
import type { Frame } from '../wire/frame.ts';
import * as icmp from '../wire/header/icmp.ts';
import * as ipv4 from '../wire/header/ipv4.ts';
import * as ipv6 from '../wire/header/ipv6.ts';
import * as tcp from '../wire/header/tcp.ts';
import { PROTO_ICMP, PROTO_ICMPV6 } from '../wire/protocols.ts';
import { Tuple } from './tuple.ts';
import { requestTypeOf, setIcmpPorts } from './icmp-tuple.ts';

const MIN_L4_BYTES = 8;

/** The tuple of a quoted packet, and what reading it leaves behind. */
export class QuotedTuple extends Tuple {
  icmpType = 0;
  // What the extension-header walk leaves behind.
  l4Offset = 0;
  isFragment = false;
  isFirstFragment = false;

  /** @returns false when the quotation is too short, of a later fragment, or of a packet `f.dst` cannot have sent */
  readFrom(f: Frame): boolean {
    const at = f.payloadOffset;
    const end = at + f.payloadLength;
    const isRead = f.family === 4 ? this.#readV4(f, at, end) : this.#readV6(f, at, end);
    if (!isRead || this.l4Offset + MIN_L4_BYTES > end) return false;
    this.#readPorts(f.bytes);
    return this.src3 === f.dst3 && this.src2 === f.dst2 && this.src1 === f.dst1 && this.src0 === f.dst0;
  }

  #readV4(f: Frame, at: number, end: number): boolean {
    if (end - at < ipv4.MIN_HEADER_BYTES || f.bytes[at] >>> 4 !== 4) return false;
    if (ipv4.fragmentOffset(f.bytes, at) !== 0) return false;
    this.l4Offset = at + ipv4.headerBytes(f.bytes, at);
    this.protocol = ipv4.protocol(f.bytes, at);
    this.src0 = this.src1 = this.dst0 = this.dst1 = 0;
    this.src2 = this.dst2 = V4_MAPPED;
    this.src3 = ipv4.src(f.bytes, at);
    this.dst3 = ipv4.dst(f.bytes, at);
    return true;
  }

  #readV6(f: Frame, at: number, end: number): boolean {
    if (end - at < ipv6.HEADER_BYTES || f.bytes[at] >>> 4 !== 6) return false;
    this.protocol = ipv6.walkExtensions(f.bytes, at, end, this);
    if (this.protocol < 0 || (this.isFragment && !this.isFirstFragment)) return false;
    this.src0 = ipv6.src(f.bytes, at, 0);
    this.src1 = ipv6.src(f.bytes, at, 1);
    this.src2 = ipv6.src(f.bytes, at, 2);
    this.src3 = ipv6.src(f.bytes, at, 3);
    this.dst0 = ipv6.dst(f.bytes, at, 0);
    this.dst1 = ipv6.dst(f.bytes, at, 1);
    this.dst2 = ipv6.dst(f.bytes, at, 2);
    this.dst3 = ipv6.dst(f.bytes, at, 3);
    return true;
  }

  #readPorts(bytes: Uint8Array): void {
    const at = this.l4Offset;
    if (this.protocol !== PROTO_ICMP && this.protocol !== PROTO_ICMPV6) {
      this.srcPort = tcp.srcPort(bytes, at);
      this.dstPort = tcp.dstPort(bytes, at);
      return;
    }
    this.icmpType = icmp.type(bytes, at);
    setIcmpPorts(this, this.protocol, this.icmpType, icmp.identifier(bytes, at));
  }

  /** The port, or ICMP type, that the connection of the quoted packet was opened to. @param isReply it went back */
  policyPoint(isReply: boolean): number {
    if (this.protocol === PROTO_ICMP || this.protocol === PROTO_ICMPV6)
      return isReply ? requestTypeOf(this) : this.icmpType;
    return isReply ? this.srcPort : this.dstPort;
  }
}
