/**
 * The cursor of one frame on its way through the dataplane.
 *
 * One Frame object is used over and over (no allocation per frame): a port fills the first group, `parse` the second,
 * the later steps the third. All fields exist from construction on, so that V8 sees one shape. Addresses are four signed
 * 32-bit words in host order; IPv4 is held as v4-mapped IPv6 (`::ffff:a.b.c.d`), so that no later step has two cases.
 * Ports are host order. Offsets are absolute in `bytes`.
 */
export class Frame {
  // --- filled by the port
  /** The arena that holds the frame, and much else: only [offset, offset + length) is the frame. */
  bytes: Uint8Array;
  /** First byte of the Ethernet header. The 10 bytes before it are the virtio-net header (VNET_HEADER_BYTES). */
  offset = 0;
  /** Bytes from `offset` on; parse cuts it to the IP packet, so that nothing behind that goes on. */
  length = 0;
  /** Index of the port the frame came in by. */
  port = 0;

  // --- filled by parse
  etherType = 0;
  /** 4 or 6; 0 when not IP. */
  family = 0;
  /** IP protocol after extension headers: 6 TCP, 17 UDP, 132 SCTP, 1 ICMP, 58 ICMPv6. */
  protocol = 0;
  l3Offset = 0;
  l4Offset = 0;
  /** First byte after the L4 header; equals l4Offset for non-first fragments. */
  payloadOffset = 0;
  /** Bytes of L4 payload: to the end that IP gives, or to that of a UDP datagram when it is shorter. */
  payloadLength = 0;
  src0 = 0;
  src1 = 0;
  src2 = 0;
  src3 = 0;
  dst0 = 0;
  dst1 = 0;
  dst2 = 0;
  dst3 = 0;
  /** Source port, or the ICMP identifier by direction as Cilium's conntrack has it. */
  srcPort = 0;
  dstPort = 0;
  /** TCP flags byte (CWR ECE URG ACK PSH RST SYN FIN, 0x80 .. 0x01); 0 for other protocols. */
  tcpFlags = 0;
  icmpType = 0;
  icmpCode = 0;
  ttl = 0;
  isFragment = false;
  isFirstFragment = false;
  /** IP identification of a fragment (IPv4 16 bits, IPv6 32 bits). */
  fragmentId = 0;

  // --- filled by the later steps
  srcIdentity = 0;
  dstIdentity = 0;
  /** Endpoint id of the source when it is local, else 0. */
  srcEndpoint = 0;
  dstEndpoint = 0;
  /** Slot in the conntrack table of the frame's protocol, -1 when none. */
  ctSlot = -1;
  /** 0 new, 1 established, 2 reply, 3 related (cilium bpf/lib/common.h CT_*). */
  ctStatus = 0;
  /** True when the frame goes against the direction of the connection's first packet. */
  isReply = false;
  /** Index of the port the frame leaves by, -1 while unknown. */
  outPort = -1;
  /** The service that the frame's connection was opened to (a handle of ReverseNatMap), 0 for none. */
  frontend = 0;
  /** TRANSLATED_* bits: what dataplane/nat has made of the frame. */
  translation = 0;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }
}

/** `Frame.translation`: its destination is not the one it came in with. */
export const TRANSLATED_DESTINATION = 1;
/** Its source is not the one it came in with. */
export const TRANSLATED_SOURCE = 2;
/** Both ends of its connection are one pod, which knows the other end as a loopback address. */
export const TRANSLATED_LOOPBACK = 4;
