/**
 * Who has which MAC: the dataplane's side of ARP (RFC 826) and Neighbor Discovery (RFC 4861).
 *
 * Towards pods the answer is always "the router has it": every address but the asker's own is reached through the
 * dataplane, so a pod never learns another pod's MAC and its frames never pass by unjudged. The request is turned into
 * the reply in place and goes back by the port it came in by.
 *
 * Towards an uplink the dataplane is a host among others: it answers only for the addresses behind it, learns the MAC
 * of whoever asks or answers, and asks by itself for a next hop it does not know (`resolve`). Until the answer comes the
 * frames of that next hop wait in the table, at most PENDING_FRAMES each; more are dropped.
 */
import { isV4Mapped } from '../wire/address.ts';
import type { MacWords } from '../policy-maps/endpoint-map.ts';
import type { AddressWords } from '../policy-maps/ipcache.ts';
import * as arp from '../wire/header/arp.ts';
import * as ethernet from '../wire/header/ethernet.ts';
import type { Frame } from '../wire/frame.ts';
import * as icmpv6 from '../wire/header/icmpv6.ts';
import * as ipv6 from '../wire/header/ipv6.ts';
import { complement, pseudoHeader, sum } from '../wire/checksum.ts';
import * as vnet from '../wire/header/virtio-net.ts';
import { PROTO_ICMPV6 } from '../wire/protocols.ts';

const ALL_NODES = [0xff020000 | 0, 0, 0, 1]; // RFC 4291 2.7.1
const ALL_NODES_MAC: MacWords = { high: 0x3333, low: 1 };
const ND_HOP_LIMIT = 255; // anything less crossed a router (RFC 4861 7.1.1)

/** Turns the ARP request in `f` into the router's reply. */
export function toArpReply(f: Frame, macHigh: number, macLow: number): void {
  const { bytes, l3Offset } = f;
  const askerHigh = arp.senderMacHigh(bytes, l3Offset);
  const askerLow = arp.senderMacLow(bytes, l3Offset);
  const askerIp = arp.senderIp(bytes, l3Offset);
  const askedIp = arp.targetIp(bytes, l3Offset);
  arp.setOperation(bytes, l3Offset, arp.OP_REPLY);
  arp.setSender(bytes, l3Offset, macHigh, macLow, askedIp);
  arp.setTarget(bytes, l3Offset, askerHigh, askerLow, askerIp);
  ethernet.setDstMac(bytes, f.offset, askerHigh, askerLow);
  ethernet.setSrcMac(bytes, f.offset, macHigh, macLow);
  vnet.clear(bytes, f.offset);
}

/** Whether `f` is a well-formed neighbour solicitation or advertisement from the same link, about one neighbour (RFC 4861 7.1). */
export function isValidNeighborMessage(f: Frame): boolean {
  if (icmpv6.target(f.bytes, f.l4Offset, 0) >>> 24 === 0xff) return false;
  return f.ttl === ND_HOP_LIMIT && icmpv6.checkNeighbor(f.bytes, f.l4Offset, f.payloadLength + icmpv6.HEADER_BYTES) > 0;
}

/** Turns the neighbour solicitation in `f` into the router's advertisement. Preconditions: valid, source not `::`. */
export function toAdvertisement(f: Frame, macHigh: number, macLow: number): void {
  const { bytes, l3Offset } = f;
  const target = [0, 1, 2, 3].map((word) => icmpv6.target(bytes, f.l4Offset, word));
  const l4 = l3Offset + ipv6.HEADER_BYTES;
  ethernet.setDstMac(bytes, f.offset, ethernet.srcMacHigh(bytes, f.offset), ethernet.srcMacLow(bytes, f.offset));
  ethernet.setSrcMac(bytes, f.offset, macHigh, macLow);
  ipv6.emit(bytes, l3Offset, {
    src: target,
    dst: [f.src0, f.src1, f.src2, f.src3],
    nextHeader: PROTO_ICMPV6,
    payloadLength: icmpv6.NEIGHBOR_BYTES + 8,
    hopLimit: ND_HOP_LIMIT,
  });
  const type = icmpv6.NEIGHBOR_ADVERTISEMENT;
  const flags = icmpv6.FLAG_ROUTER | icmpv6.FLAG_SOLICITED | icmpv6.FLAG_OVERRIDE;
  icmpv6.emitNeighbor(bytes, l4, { type, flags, target, macHigh, macLow });
  finishNeighbor(f);
}

/** Writes an ARP request or a neighbour solicitation for the next hop into an empty frame. */
export function emitRequest(f: Frame, hop: NextHop, own: OwnAddress): void {
  if (isIpv4(hop)) emitArpRequest(f, hop, own);
  else emitSolicitation(f, hop, own);
  vnet.clear(f.bytes, f.offset);
}

/** Writes into an empty frame that an address is at a MAC, for everybody on the link. */
export function emitAnnouncement(f: Frame, address: AddressWords, mac: MacWords): void {
  const [w0, w1, w2, w3] = address;
  if (isV4Mapped(w0, w1, w2)) {
    emitArpRequest(f, { w0, w1, w2, w3 }, { macHigh: mac.high, macLow: mac.low, v4: w3, v6: address });
    return;
  }
  const to = { mac: ALL_NODES_MAC, address: ALL_NODES };
  emitNeighbor(f, {
    type: icmpv6.NEIGHBOR_ADVERTISEMENT,
    flags: icmpv6.FLAG_OVERRIDE,
    target: address,
    from: address,
    to,
    mac,
  });
}

/** An address as four words. */
export interface NextHop {
  readonly w0: number;
  readonly w1: number;
  readonly w2: number;
  readonly w3: number;
}

/** What the dataplane calls itself on a link. */
export interface OwnAddress {
  readonly macHigh: number;
  readonly macLow: number;
  readonly v4: number;
  readonly v6: ArrayLike<number>;
}

function isIpv4(hop: NextHop): boolean {
  return isV4Mapped(hop.w0, hop.w1, hop.w2);
}

function emitArpRequest(f: Frame, hop: NextHop, own: OwnAddress): void {
  f.l3Offset = f.offset + ethernet.HEADER_BYTES;
  f.length = ethernet.HEADER_BYTES + arp.PACKET_BYTES;
  ethernet.setDstMac(f.bytes, f.offset, 0xffff, -1);
  ethernet.setSrcMac(f.bytes, f.offset, own.macHigh, own.macLow);
  ethernet.setEtherType(f.bytes, f.offset, ethernet.ETHERTYPE_ARP);
  arp.emit(f.bytes, f.l3Offset, {
    operation: arp.OP_REQUEST,
    senderMacHigh: own.macHigh,
    senderMacLow: own.macLow,
    senderIp: own.v4,
    targetMacHigh: 0,
    targetMacLow: 0,
    targetIp: hop.w3,
  });
}

function emitSolicitation(f: Frame, hop: NextHop, own: OwnAddress): void {
  const solicitedNode = [0xff020000 | 0, 0, 1, 0xff000000 | (hop.w3 & 0xffffff)]; // RFC 4291 2.7.1
  emitNeighbor(f, {
    type: icmpv6.NEIGHBOR_SOLICITATION,
    flags: 0,
    target: [hop.w0, hop.w1, hop.w2, hop.w3],
    from: own.v6,
    to: { mac: { high: 0x3333, low: solicitedNode[3] }, address: solicitedNode },
    mac: { high: own.macHigh, low: own.macLow },
  });
}

interface NeighborMessage {
  readonly type: number;
  readonly flags: number;
  readonly target: ArrayLike<number>;
  readonly from: ArrayLike<number>;
  readonly to: { readonly mac: MacWords; readonly address: ArrayLike<number> };
  /** Of the sender, and in the option. */
  readonly mac: MacWords;
}

function emitNeighbor(f: Frame, { type, flags, target, from, to, mac }: NeighborMessage): void {
  f.l3Offset = f.offset + ethernet.HEADER_BYTES;
  ethernet.setDstMac(f.bytes, f.offset, to.mac.high, to.mac.low);
  ethernet.setSrcMac(f.bytes, f.offset, mac.high, mac.low);
  ethernet.setEtherType(f.bytes, f.offset, ethernet.ETHERTYPE_IPV6);
  ipv6.emit(f.bytes, f.l3Offset, {
    src: from,
    dst: to.address,
    nextHeader: PROTO_ICMPV6,
    payloadLength: icmpv6.NEIGHBOR_BYTES + 8,
    hopLimit: ND_HOP_LIMIT,
  });
  const l4 = f.l3Offset + ipv6.HEADER_BYTES;
  icmpv6.emitNeighbor(f.bytes, l4, { type, flags, target, macHigh: mac.high, macLow: mac.low });
  finishNeighbor(f);
}

function finishNeighbor(f: Frame): void {
  const l4 = f.l3Offset + ipv6.HEADER_BYTES;
  const bytes = icmpv6.NEIGHBOR_BYTES + 8;
  const pseudo = pseudoHeader(f.bytes, f.l3Offset, 6, PROTO_ICMPV6, bytes);
  icmpv6.setChecksum(f.bytes, l4, complement(sum(f.bytes, l4, bytes, pseudo)));
  f.length = l4 + bytes - f.offset;
  vnet.clear(f.bytes, f.offset);
}
