/**
 * ICMP errors that a router owes the sender (RFC 792, RFC 1812 section 4.3, RFC 4443): time exceeded and packet too big. And
 * what the sender to a service is told that has no backend, if so configured, or whose backend has gone: port unreachable, or
 * by TCP a reset, as if nobody listened there.
 *
 * The offending frame is turned into the error in place: its headers move back to become the quotation, new headers are
 * written before them, and the frame is ready to go out by the port it came in by. No error is ever made about an ICMP
 * error, a later fragment, or a frame to a group address.
 *
 * Limits: 1000 errors a second for all ports together, and 100 more for each port that finds nothing left of these (budget.ts),
 * so that nobody's flood of expired hop counts takes "packet too big" from others. What is over is counted.
 */
import { complement, pseudoHeader, sum } from '../wire/checksum.ts';
import * as ethernet from '../wire/header/ethernet.ts';
import type { Frame } from '../wire/frame.ts';
import * as icmp from '../wire/header/icmp.ts';
import * as icmpv6 from '../wire/header/icmpv6.ts';
import * as ipv4 from '../wire/header/ipv4.ts';
import * as ipv6 from '../wire/header/ipv6.ts';
import * as vnet from '../wire/header/virtio-net.ts';
import { PROTO_ICMP, PROTO_ICMPV6, PROTO_TCP } from '../wire/protocols.ts';
import { DROP_BACKEND_GONE, DROP_FRAG_NEEDED, DROP_NO_SERVICE_BACKEND, DROP_TTL_EXCEEDED } from '../wire/reasons.ts';
import { Budget } from './budget.ts';
import { isIcmpError } from './parse.ts';
import type { PortTable } from './port/table.ts';
import { isResetOwed, toReset } from './reset.ts';

const QUOTE_V4_BYTES = 548; // an error of at most 576 bytes with its own headers (RFC 1812 4.3.2.3)
const QUOTE_V6_BYTES = 1232; // at most 1280 (RFC 4443 2.4 c)
const TTL = 64;
/** For all, and for each port that finds nothing left of that. */
const ERRORS_PER_SEC = 1000;
const OWN_ERRORS_PER_SEC = 100;

/** Addresses of the router itself, the source of its errors: one word for IPv4, four for IPv6; 0 when it has none. */
export interface RouterAddress {
  readonly v4: number;
  readonly v6: Int32Array;
}

/** Sends the errors of one dataplane. */
export class IcmpErrors {
  readonly #ports: PortTable;
  readonly #router: RouterAddress;
  readonly #budget = new Budget(ERRORS_PER_SEC, OWN_ERRORS_PER_SEC);
  /** Who asks a service without backends is answered (service-no-backend-response). */
  isRejecting = false;

  constructor(ports: PortTable, router: RouterAddress) {
    this.#ports = ports;
    this.#router = router;
  }

  /** @param nowMs monotonic */
  beginBatch(nowMs: number): void {
    this.#budget.beginBatch(nowMs);
  }

  /** Errors that were owed and not sent: more than the budget. */
  get limited(): number {
    return this.#budget.refused;
  }

  /** Tells the sender of a frame why it was dropped, where a router owes that. The frame becomes the error. */
  answer(f: Frame, reason: number): void {
    if (reason === DROP_BACKEND_GONE || (reason === DROP_NO_SERVICE_BACKEND && this.isRejecting)) this.#reject(f);
    if (reason !== DROP_TTL_EXCEEDED && reason !== DROP_FRAG_NEEDED) return;
    if (!isOwed(f, this.#router) || !this.#budget.take(f.port)) return;
    if (reason === DROP_TTL_EXCEEDED) {
      toError(f, this.#router, f.family === 4 ? icmp.TIME_EXCEEDED : icmpv6.TIME_EXCEEDED, 0, 0);
    } else {
      toTooBig(f, this.#router, f.outPort >= 0 ? this.#ports.mtu[f.outPort] : 0);
    }
    this.#ports.queue(f.port, f.offset, f.length);
  }

  #reject(f: Frame): void {
    const isOwn = f.protocol === PROTO_TCP ? isResetOwed(f) : isOwed(f, this.#router);
    if (!isOwn || !this.#budget.take(f.port)) return;
    if (f.protocol === PROTO_TCP) toReset(f);
    else if (f.family === 4) toError(f, this.#router, icmp.DESTINATION_UNREACHABLE, icmp.CODE_PORT_UNREACHABLE, 0);
    else toError(f, this.#router, icmpv6.DESTINATION_UNREACHABLE, icmpv6.CODE_PORT_UNREACHABLE, 0);
    this.#ports.queue(f.port, f.offset, f.length);
  }
}

/** Whether an error may be sent about this frame, and there is an address to send it from. */
function isOwed(f: Frame, router: RouterAddress): boolean {
  if (isIcmpError(f) || (f.isFragment && !f.isFirstFragment)) return false;
  if (ethernet.isGroup(f.bytes, f.offset)) return false;
  return f.family === 4 ? router.v4 !== 0 : router.v6[0] !== 0;
}

/**
 * Turns `f` into "fragmentation needed" or "packet too big".
 * @param mtu of the link that the frame did not fit on, in bytes of IP packet
 */
function toTooBig(f: Frame, router: RouterAddress, mtu: number): void {
  if (f.family === 4) toError(f, router, icmp.DESTINATION_UNREACHABLE, icmp.CODE_FRAGMENTATION_NEEDED, mtu);
  else toError(f, router, icmpv6.PACKET_TOO_BIG, 0, mtu);
}

/** Turns `f` into an error about itself, back to its sender. Preconditions: it is owed. */
function toError(f: Frame, router: RouterAddress, type: number, code: number, word: number): void {
  const macHigh = ethernet.srcMacHigh(f.bytes, f.offset);
  const macLow = ethernet.srcMacLow(f.bytes, f.offset);
  const ownHigh = ethernet.dstMacHigh(f.bytes, f.offset);
  const ownLow = ethernet.dstMacLow(f.bytes, f.offset);
  if (f.family === 4) quoteV4(f, router, type, code, word);
  else quoteV6(f, router, type, code, word);
  ethernet.setDstMac(f.bytes, f.offset, macHigh, macLow);
  ethernet.setSrcMac(f.bytes, f.offset, ownHigh, ownLow);
  vnet.clear(f.bytes, f.offset);
}

/** Moves the quotation behind room for new headers. @returns bytes quoted */
function makeRoom(f: Frame, limit: number, headerBytes: number): number {
  const available = f.offset + f.length - f.l3Offset;
  const quoted = available < limit ? available : limit;
  f.bytes.copyWithin(f.l3Offset + headerBytes, f.l3Offset, f.l3Offset + quoted);
  f.length = f.l3Offset - f.offset + headerBytes + quoted;
  return quoted;
}

function quoteV4(f: Frame, router: RouterAddress, type: number, code: number, word: number): void {
  const quoted = makeRoom(f, QUOTE_V4_BYTES, ipv4.MIN_HEADER_BYTES + icmp.HEADER_BYTES);
  const l4 = f.l3Offset + ipv4.MIN_HEADER_BYTES;
  const payloadLength = icmp.HEADER_BYTES + quoted;
  ipv4.emit(f.bytes, f.l3Offset, {
    src: router.v4,
    dst: f.src3,
    protocol: PROTO_ICMP,
    payloadLength,
    ttl: TTL,
    tos: 0xc0, // internetwork control, RFC 1812 4.3.2.5
  });
  icmp.emit(f.bytes, l4, type, code, word);
  icmp.fillChecksum(f.bytes, l4, payloadLength);
}

function quoteV6(f: Frame, router: RouterAddress, type: number, code: number, word: number): void {
  const quoted = makeRoom(f, QUOTE_V6_BYTES, ipv6.HEADER_BYTES + icmpv6.HEADER_BYTES);
  const l4 = f.l3Offset + ipv6.HEADER_BYTES;
  const payloadLength = icmpv6.HEADER_BYTES + quoted;
  ipv6.emit(f.bytes, f.l3Offset, {
    src: router.v6,
    dst: [f.src0, f.src1, f.src2, f.src3],
    nextHeader: PROTO_ICMPV6,
    payloadLength,
    hopLimit: TTL,
  });
  icmpv6.emit(f.bytes, l4, type, code, word);
  const pseudo = pseudoHeader(f.bytes, f.l3Offset, 6, PROTO_ICMPV6, payloadLength);
  icmpv6.setChecksum(f.bytes, l4, complement(sum(f.bytes, l4, payloadLength, pseudo)));
}
