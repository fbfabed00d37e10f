/**
 * Step 8: out by the port that was found, as a router does it. TTL down by one, MACs rewritten, too big refused;
 * checksums below L3 are not touched, since nothing they cover changes.
 */
import * as ethernet from '../wire/header/ethernet.ts';
import type { Frame } from '../wire/frame.ts';
import * as ipv4 from '../wire/header/ipv4.ts';
import * as ipv6 from '../wire/header/ipv6.ts';
import * as offload from '../wire/offload.ts';
import { DROP_FRAG_NEEDED, DROP_TTL_EXCEEDED, DROP_UNKNOWN_TARGET } from '../wire/reasons.ts';
import * as vnet from '../wire/header/virtio-net.ts';
import { ROLE_POD } from '../wire/port-kinds.ts';
import type { Arena } from './port/arena.ts';
import type { PortTable } from './port/table.ts';
import type { Uplinks } from './uplink.ts';

const MORE_FRAGMENTS = 0x2000;

export class Deliverer {
  readonly #ports: PortTable;
  readonly #uplinks: Uplinks;
  readonly #arena: Arena;

  constructor(ports: PortTable, uplinks: Uplinks, arena: Arena) {
    this.#ports = ports;
    this.#uplinks = uplinks;
    this.#arena = arena;
  }

  /** @returns 0, or a drop reason: 136 too big, 150 port gone, 196 TTL exceeded */
  deliver(f: Frame): number {
    if (f.ttl <= 1) return DROP_TTL_EXCEEDED;
    const port = this.#ports.port[f.outPort];
    if (port == null) return DROP_UNKNOWN_TARGET;
    const mtu = this.#ports.mtu[f.outPort];
    if (segmentBytes(f) > mtu) return this.#fragmentOrRefuse(f, mtu);
    return this.send(f);
  }

  /** Hop count, MACs, queue. Preconditions: it fits, the port is up. */
  send(f: Frame): number {
    if (f.family === 4) ipv4.decrementTtl(f.bytes, f.l3Offset);
    else ipv6.setHopLimit(f.bytes, f.l3Offset, f.ttl - 1);
    this.sendBuilt(f, f.offset, f.length);
    return 0;
  }

  /**
   * As `send` for bytes that begin their way here: their hop count stays. They are the frame, or a fragment of it.
   * @param offset of the Ethernet header @param length from there
   */
  sendBuilt(f: Frame, offset: number, length: number): void {
    const ports = this.#ports;
    const out = f.outPort;
    ethernet.setSrcMac(f.bytes, offset, ports.ownHigh[out], ports.ownLow[out]);
    if (ports.role[out] === ROLE_POD) ethernet.setDstMac(f.bytes, offset, ports.macHigh[out], ports.macLow[out]);
    else if (!this.#addressStranger(f, offset, length)) return;
    ports.queue(out, offset, length);
  }

  /** On host and uplink: the MAC given by the ports map if there is one, else that of the next hop. */
  #addressStranger(f: Frame, offset: number, length: number): boolean {
    const ports = this.#ports;
    const out = f.outPort;
    if (ports.macHigh[out] === 0 && ports.macLow[out] === 0) return this.#uplinks.address(f, offset, length);
    ethernet.setDstMac(f.bytes, offset, ports.macHigh[out], ports.macLow[out]);
    return true;
  }

  /** IPv4 without DF is cut as a router must (RFC 791); everything else is told to send less. */
  #fragmentOrRefuse(f: Frame, mtu: number): number {
    const isWhole = vnet.gsoType(f.bytes, f.offset) === vnet.GSO_NONE;
    if (f.family !== 4 || !isWhole || ipv4.dontFragment(f.bytes, f.l3Offset)) return DROP_FRAG_NEEDED;
    if (offload.finish(f.bytes, f.offset, f.length) < 0) return DROP_FRAG_NEEDED;
    const headerBytes = ipv4.headerBytes(f.bytes, f.l3Offset);
    const step = (mtu - headerBytes) & ~7;
    const total = ipv4.totalLength(f.bytes, f.l3Offset) - headerBytes;
    if (step <= 0) return DROP_FRAG_NEEDED;
    for (let at = 0; at < total; at += step) {
      if (!this.#sendFragment(f, headerBytes, at, Math.min(step, total - at), total)) return DROP_FRAG_NEEDED;
    }
    return 0;
  }

  #sendFragment(f: Frame, headerBytes: number, at: number, size: number, total: number): boolean {
    const offset = this.#arena.scratch();
    if (offset < 0) return false;
    const { bytes } = f;
    const l3 = offset + ethernet.HEADER_BYTES;
    bytes.copyWithin(offset, f.offset, f.l3Offset + headerBytes);
    const from = f.l3Offset + headerBytes + at;
    bytes.copyWithin(l3 + headerBytes, from, from + size);
    const before = ipv4.fragmentOffset(bytes, f.l3Offset);
    const isLast = at + size === total && !ipv4.moreFragments(bytes, f.l3Offset);
    ipv4.setTotalLength(bytes, l3, headerBytes + size);
    ipv4.setFragmentField(bytes, l3, ((before + at) >>> 3) | (isLast ? 0 : MORE_FRAGMENTS));
    ipv4.setTtl(bytes, l3, f.ttl - 1);
    ipv4.fillChecksum(bytes, l3);
    this.sendBuilt(f, offset, ethernet.HEADER_BYTES + headerBytes + size);
    return true;
  }
}

/** Bytes of the IP packets that go out: the frame's own, or those of the segments it will be cut into. */
function segmentBytes(f: Frame): number {
  if (vnet.gsoType(f.bytes, f.offset) === vnet.GSO_NONE) return f.offset + f.length - f.l3Offset;
  return f.payloadOffset - f.l3Offset + vnet.gsoSize(f.bytes, f.offset);
}
