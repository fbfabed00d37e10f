/**
 * Step 3: who sends this frame, to whom, and by which port it would leave.
 *
 *  1. A pod speaks with its own MAC and its own addresses only; anything else is 132 (invalid source ip). An outsider may
 *     not speak with the address of a pod or of the host, nor with one of the pods' ranges that no pod has, nor with a service's.
 *     Not even the host speaks with an address and port that pods have outside: that is a pod, whose frame was turned round.
 *  2. ARP and neighbour discovery are answered here; group traffic ends here.
 *  3. Destination: a local endpoint if the address is one's, else outside. Identity: the endpoint's, else the longest
 *     prefix in the ipcache, else world. What is the host's goes to the host's port, everything else outside goes out, but
 *     for what would be a pod's and is nobody's (151).
 */
import { V4_MAPPED } from '../wire/address.ts';
import type { EndpointMap } from '../policy-maps/endpoint-map.ts';
import type { Ipcache } from '../policy-maps/ipcache.ts';
import * as arp from '../wire/header/arp.ts';
import * as ethernet from '../wire/header/ethernet.ts';
import { type Frame, TRANSLATED_LOOPBACK } from '../wire/frame.ts';
import * as icmpv6 from '../wire/header/icmpv6.ts';
import { IDENTITY_HOST, IDENTITY_WORLD, isLocalScope } from '../wire/identities.ts';
import { PROTO_ICMPV6 } from '../wire/protocols.ts';
import {
  CONSUMED,
  DROP_FORBIDDEN_ICMP6,
  DROP_INVALID_SIP,
  DROP_INVALID_DMAC,
  DROP_EP_NOT_READY,
  DROP_FIB_LOOKUP_FAILED,
  DROP_UNKNOWN_TARGET,
  DROP_UNROUTABLE,
} from '../wire/reasons.ts';
import { ROLE_HOST, ROLE_NONE, ROLE_POD, ROLE_UPLINK } from '../wire/port-kinds.ts';
import { isValidNeighborMessage, toAdvertisement, toArpReply } from './neighbor.ts';
import type { AddressFilter } from '../policy-maps/service/address-filter.ts';
import { SCOPE_EXTERNAL, type ServiceMap } from '../policy-maps/service/service-map.ts';
import type { Masquerade } from './nat/masquerade.ts';
import type { L2Map } from '../policy-maps/service/l2-map.ts';
import type { PodRanges } from './pod-ranges.ts';
import type { PortTable } from './port/table.ts';
import type { Uplinks } from './uplink.ts';

export interface IdentifierParts {
  readonly ports: PortTable;
  readonly endpoints: EndpointMap;
  readonly ipcache: Ipcache;
  readonly uplinks: Uplinks;
  readonly podRanges: PodRanges;
  readonly addressFilter: AddressFilter;
  readonly services: ServiceMap;
  readonly l2: L2Map;
  readonly masquerade: Masquerade;
}

export class Identifier {
  readonly #ports: PortTable;
  readonly #endpoints: EndpointMap;
  readonly #ipcache: Ipcache;
  readonly #uplinks: Uplinks;
  readonly #podRanges: PodRanges;
  readonly #addressFilter: AddressFilter;
  readonly #services: ServiceMap;
  readonly #l2: L2Map;
  readonly #masquerade: Masquerade;
  /** Identity of an address that nobody knows: 2, or 9 and 10 in dual-stack mode. */
  worldV4 = IDENTITY_WORLD;
  worldV6 = IDENTITY_WORLD;

  constructor(parts: IdentifierParts) {
    this.#ports = parts.ports;
    this.#endpoints = parts.endpoints;
    this.#ipcache = parts.ipcache;
    this.#uplinks = parts.uplinks;
    this.#podRanges = parts.podRanges;
    this.#addressFilter = parts.addressFilter;
    this.#services = parts.services;
    this.#l2 = parts.l2;
    this.#masquerade = parts.masquerade;
  }

  /** @returns 0, CONSUMED, or a drop reason: 131, 132, 150, 151, 169, 176, 203 */
  identify(f: Frame): number {
    const ports = this.#ports;
    const role = ports.role[f.port];
    if (role === ROLE_NONE) return DROP_EP_NOT_READY;
    if (role === ROLE_POD && !this.#hasOwnSourceMac(f)) return DROP_INVALID_SIP;
    if (f.family === 0) return this.#arp(f);
    if (f.protocol === PROTO_ICMPV6 && isNeighborDiscovery(f.icmpType)) return this.#neighborDiscovery(f);
    return this.#sender(f, role) || this.#destination(f);
  }

  /** Who sends this frame of IP, before it is known where it goes. @returns 0, CONSUMED, or a drop reason: 131, 132, 203 */
  identifySender(f: Frame): number {
    const role = this.#ports.role[f.port];
    if (role === ROLE_NONE) return DROP_EP_NOT_READY;
    if (role === ROLE_POD && !this.#hasOwnSourceMac(f)) return DROP_INVALID_SIP;
    return this.#sender(f, role);
  }

  #sender(f: Frame, role: number): number {
    if (ethernet.isGroup(f.bytes, f.offset)) return CONSUMED;
    if (!this.#isForUs(f)) return role === ROLE_UPLINK ? CONSUMED : DROP_INVALID_DMAC;
    return this.#source(f, role);
  }

  /** True when the frame's destination MAC is the dataplane's on this port. */
  #isForUs(f: Frame): boolean {
    const ports = this.#ports;
    return (
      ethernet.dstMacLow(f.bytes, f.offset) === ports.ownLow[f.port] &&
      ethernet.dstMacHigh(f.bytes, f.offset) === ports.ownHigh[f.port]
    );
  }

  #hasOwnSourceMac(f: Frame): boolean {
    const ports = this.#ports;
    return (
      ethernet.srcMacLow(f.bytes, f.offset) === ports.macLow[f.port] &&
      ethernet.srcMacHigh(f.bytes, f.offset) === ports.macHigh[f.port]
    );
  }

  #source(f: Frame, role: number): number {
    const ports = this.#ports;
    const slot = this.#endpoints.lookup(f.src0, f.src1, f.src2, f.src3);
    if (slot >= 0 && this.#endpoints.portIndex(slot) !== f.port) return DROP_INVALID_SIP;
    if (role === ROLE_POD) {
      if (slot < 0) return DROP_INVALID_SIP;
      f.srcEndpoint = ports.endpoint[f.port];
      f.srcIdentity = ports.identity[f.port];
      return 0;
    }
    if (isUnroutable(f.family, f.src0, f.src1, f.src2, f.src3)) return DROP_INVALID_SIP;
    f.srcEndpoint = slot >= 0 ? this.#endpoints.lxcId(slot) : 0;
    f.srcIdentity = this.#identityOf(f.family, slot, f.src0, f.src1, f.src2, f.src3);
    if (
      slot < 0 &&
      this.#isStranger(f.srcIdentity) &&
      this.#podRanges.holds(f.family, f.src0, f.src1, f.src2, f.src3)
    ) {
      return DROP_INVALID_SIP; // a pod that is none
    }
    const isForged =
      (role === ROLE_UPLINK && f.srcIdentity === IDENTITY_HOST) ||
      this.#masquerade.isOwnSource(f) ||
      (slot < 0 && this.#isVirtualSource(f));
    return isForged ? DROP_INVALID_SIP : 0;
  }

  /** Nobody speaks with the address of a service but those who answer for it, and they do that here. */
  #isVirtualSource(f: Frame): boolean {
    if (!this.#addressFilter.mayConcern(f.src0, f.src1, f.src2, f.src3)) return false;
    this.#services.setAddress(f.src0, f.src1, f.src2, f.src3);
    return this.#services.find(0, 0, SCOPE_EXTERNAL);
  }

  #destination(f: Frame): number {
    if (isUnroutable(f.family, f.dst0, f.dst1, f.dst2, f.dst3)) return DROP_UNROUTABLE;
    const slot = this.#endpoints.lookup(f.dst0, f.dst1, f.dst2, f.dst3);
    f.dstIdentity = this.#identityOf(f.family, slot, f.dst0, f.dst1, f.dst2, f.dst3);
    f.dstEndpoint = slot >= 0 ? this.#endpoints.lxcId(slot) : 0;
    if (
      slot < 0 &&
      this.#isStranger(f.dstIdentity) &&
      this.#podRanges.holds(f.family, f.dst0, f.dst1, f.dst2, f.dst3)
    ) {
      return DROP_UNROUTABLE; // a pod that is none, or is gone
    }
    f.outPort = slot >= 0 ? this.#endpoints.portIndex(slot) : this.#outside(f.dstIdentity);
    if (f.outPort < 0) return DROP_FIB_LOOKUP_FAILED;
    if (f.outPort === f.port && (f.translation & TRANSLATED_LOOPBACK) === 0) return DROP_UNKNOWN_TARGET;
    if (!this.#ports.isUp(f.outPort)) return DROP_UNKNOWN_TARGET;
    return 0;
  }

  /** A whole prefix can be the host's (`ip route add local`): it has no row among the endpoints. */
  #outside(identity: number): number {
    return identity === IDENTITY_HOST ? this.#ports.hostPort : this.#ports.defaultPort;
  }

  /** An identity that comes from no more than the address: the world, or a prefix. */
  #isStranger(identity: number): boolean {
    return identity === this.worldV4 || identity === this.worldV6 || isLocalScope(identity);
  }

  /** Identity of any address. */
  identityAt(family: number, w0: number, w1: number, w2: number, w3: number): number {
    return this.#identityOf(family, this.#endpoints.lookup(w0, w1, w2, w3), w0, w1, w2, w3);
  }

  #identityOf(family: number, slot: number, w0: number, w1: number, w2: number, w3: number): number {
    const own = slot >= 0 ? this.#endpoints.secId(slot) : 0;
    if (own !== 0) return own;
    return this.#ipcache.lookup(w0, w1, w2, w3) || (family === 4 ? this.worldV4 : this.worldV6);
  }

  #arp(f: Frame): number {
    const ports = this.#ports;
    const { bytes, l3Offset, port } = f;
    const sender = arp.senderIp(bytes, l3Offset);
    const target = arp.targetIp(bytes, l3Offset);
    const role = ports.role[port];
    const isForLink = this.#isForLink(f, 0, 0, V4_MAPPED, target);
    if (role === ROLE_POD) {
      // A pod that probes for its own address (sender 0 or itself) must not be told that it is taken.
      const slot = this.#endpoints.lookup(0, 0, V4_MAPPED, target);
      if (slot >= 0 && this.#endpoints.portIndex(slot) === port) return CONSUMED;
      const owner = this.#endpoints.lookup(0, 0, V4_MAPPED, sender);
      if (sender !== 0 && (owner < 0 || this.#endpoints.portIndex(owner) !== port)) return DROP_INVALID_SIP;
    } else if (!isForLink) {
      this.#uplinks.learnV4(port, sender, arp.senderMacHigh(bytes, l3Offset), arp.senderMacLow(bytes, l3Offset));
    }
    if (arp.operation(bytes, l3Offset) !== arp.OP_REQUEST) return CONSUMED;
    if (role !== ROLE_POD && !isForLink && !this.#isBehindUs(port, 0, 0, V4_MAPPED, target)) return CONSUMED;
    const macHigh = isForLink ? ethernet.dstMacHigh(bytes, f.offset) : ports.ownHigh[port];
    toArpReply(f, macHigh, isForLink ? ethernet.dstMacLow(bytes, f.offset) : ports.ownLow[port]);
    ports.queue(port, f.offset, f.length);
    return CONSUMED;
  }

  /**
   * Whether somebody on a link of the host's asks for an address that this machine answers for there: such a frame has the MAC of the
   * link as its destination (daemon/attach/return-table.ts), and is answered with it.
   */
  #isForLink(f: Frame, w0: number, w1: number, w2: number, w3: number): boolean {
    if (this.#ports.role[f.port] !== ROLE_HOST) return false;
    const { bytes, offset } = f;
    return this.#l2.has(w0, w1, w2, w3, ethernet.dstMacHigh(bytes, offset), ethernet.dstMacLow(bytes, offset));
  }

  /** On a host or uplink port we answer only for addresses that are reached through another port. */
  #isBehindUs(port: number, w0: number, w1: number, w2: number, w3: number): boolean {
    const slot = this.#endpoints.lookup(w0, w1, w2, w3);
    if (slot >= 0) return this.#endpoints.portIndex(slot) !== port;
    if (this.#uplinks.isOwnAddress(port, w0, w1, w2, w3)) return true;
    const { ownHigh, ownLow, role } = this.#ports;
    return role[port] === ROLE_UPLINK && this.#l2.has(w0, w1, w2, w3, ownHigh[port], ownLow[port]);
  }

  #neighborDiscovery(f: Frame): number {
    const ports = this.#ports;
    const { bytes, l4Offset, port } = f;
    const role = ports.role[port];
    if (f.icmpType === icmpv6.ROUTER_SOLICITATION || f.icmpType === icmpv6.ROUTER_ADVERTISEMENT) return CONSUMED;
    if (f.icmpType === icmpv6.REDIRECT || !isValidNeighborMessage(f)) return DROP_FORBIDDEN_ICMP6;
    const t0 = icmpv6.target(bytes, l4Offset, 0);
    const t1 = icmpv6.target(bytes, l4Offset, 1);
    const t2 = icmpv6.target(bytes, l4Offset, 2);
    const t3 = icmpv6.target(bytes, l4Offset, 3);
    const isForLink = this.#isForLink(f, t0, t1, t2, t3);
    if (role !== ROLE_POD && !isForLink) this.#uplinks.learnV6(f);
    if (f.icmpType !== icmpv6.NEIGHBOR_SOLICITATION) return CONSUMED;
    if (f.src0 === 0 && f.src1 === 0 && f.src2 === 0 && f.src3 === 0) return CONSUMED; // duplicate address detection
    const isOwn = role === ROLE_POD && this.#isAddressOf(port, t0, t1, t2, t3);
    if (isOwn || (role !== ROLE_POD && !isForLink && !this.#isBehindUs(port, t0, t1, t2, t3))) return CONSUMED;
    const macHigh = isForLink ? ethernet.dstMacHigh(bytes, f.offset) : ports.ownHigh[port];
    toAdvertisement(f, macHigh, isForLink ? ethernet.dstMacLow(bytes, f.offset) : ports.ownLow[port]);
    ports.queue(port, f.offset, f.length);
    return CONSUMED;
  }

  #isAddressOf(port: number, w0: number, w1: number, w2: number, w3: number): boolean {
    const slot = this.#endpoints.lookup(w0, w1, w2, w3);
    return slot >= 0 && this.#endpoints.portIndex(slot) === port;
  }
}

function isNeighborDiscovery(type: number): boolean {
  return type >= icmpv6.ROUTER_SOLICITATION && type <= icmpv6.REDIRECT;
}

/** Unspecified, loopback, multicast, link-local IPv6, and IPv4's class E and 0/8: never forwarded (RFC 6890). */
function isUnroutable(family: number, w0: number, w1: number, w2: number, w3: number): boolean {
  if (family === 4) {
    const top = w3 >>> 24;
    return top === 0 || top === 127 || top >= 224;
  }
  const top = w0 >>> 22; // ten bits
  return top >>> 2 === 0xff || top === 0x3fa || (w0 === 0 && w1 === 0 && w2 === 0 && (w3 === 0 || w3 === 1));
}
