/**
 * ICMP in conntrack: what stands for the ports of a message, so that each belongs to the connection of its own kind.
 *
 *                      source            destination
 *   echo request       id                id + 1
 *   its reply          id + 1            id             the request's, turned round
 *   other requests     type              type + 256     timestamp 13, information 15, address mask 17 (ICMPv4)
 *   their replies      type - 1 + 256    type - 1
 *   any other type     type              type + 256
 *
 * The two numbers of a pair differ, and by 1 or by 256: so no identifier and no type makes a message look like another
 * kind, or a request like a reply, whoever sends it. (Cilium and Linux use the identifier and 0, where identifier 0 makes
 * an echo the same as its reply, and as any other type.)
 */
import type { Frame } from '../wire/frame.ts';
import * as icmp from '../wire/header/icmp.ts';
import * as icmpv6 from '../wire/header/icmpv6.ts';
import { PROTO_ICMP } from '../wire/protocols.ts';

const TYPE_STEP = 256;

/** The fields this file sets: of a frame, or of a packet quoted in an error. */
interface PortPair {
  srcPort: number;
  dstPort: number;
}

/** @param identifier bytes 4 and 5 of the message, an echo's identifier */
export function setIcmpPorts(pair: PortPair, protocol: number, type: number, identifier: number): void {
  const isV4 = protocol === PROTO_ICMP;
  if (type === (isV4 ? icmp.ECHO_REQUEST : icmpv6.ECHO_REQUEST)) {
    pair.srcPort = identifier;
    pair.dstPort = (identifier + 1) & 0xffff;
  } else if (type === (isV4 ? icmp.ECHO_REPLY : icmpv6.ECHO_REPLY)) {
    pair.srcPort = (identifier + 1) & 0xffff;
    pair.dstPort = identifier;
  } else if (isV4 && isOtherReply(type)) {
    pair.srcPort = type - 1 + TYPE_STEP;
    pair.dstPort = type - 1;
  } else {
    pair.srcPort = type;
    pair.dstPort = type + TYPE_STEP;
  }
}

/** The type that a pair stands for: of a fragment that does not carry it. */
export function icmpTypeOf(pair: Readonly<PortPair>, protocol: number): number {
  const isV4 = protocol === PROTO_ICMP;
  if (pair.dstPort - pair.srcPort === TYPE_STEP) return pair.srcPort;
  if (pair.srcPort - pair.dstPort === TYPE_STEP) return pair.dstPort + 1;
  const isRequest = ((pair.srcPort + 1) & 0xffff) === pair.dstPort;
  if (isRequest) return isV4 ? icmp.ECHO_REQUEST : icmpv6.ECHO_REQUEST;
  return isV4 ? icmp.ECHO_REPLY : icmpv6.ECHO_REPLY;
}

/** The type of the request that a message answers; its own type when it answers none. */
export function requestTypeOf(f: Pick<Frame, 'protocol' | 'icmpType'>): number {
  if (f.protocol !== PROTO_ICMP) return f.icmpType === icmpv6.ECHO_REPLY ? icmpv6.ECHO_REQUEST : f.icmpType;
  if (f.icmpType === icmp.ECHO_REPLY) return icmp.ECHO_REQUEST;
  return isOtherReply(f.icmpType) ? f.icmpType - 1 : f.icmpType;
}

/** Replies of ICMPv4 whose request is the type before. */
function isOtherReply(type: number): boolean {
  return type === icmp.TIMESTAMP_REPLY || type === icmp.INFORMATION_REPLY || type === icmp.ADDRESS_MASK_REPLY;
}
