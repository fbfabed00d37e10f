/**
 * Ports behind which there are strangers: the uplink and the host. There the next hop's MAC has to be found out
 * (neighbor-table.ts), and frames may have to wait for it; one that waits in vain is a drop (169). A pod's MAC is known, so
 * pods never come here.
 *
 * IPv6 neighbours are asked from the interface's own address, or from the link-local address that follows from its MAC:
 * a solicitation without a source is a probe for duplicates, which nobody answers with what we want (RFC 4861 4.3).
 */
import type { Arena } from './port/arena.ts';
import { EGRESS } from '../wire/direction.ts';
import { DROP_FIB_LOOKUP_FAILED } from '../wire/reasons.ts';
import { isV4Mapped, V4_MAPPED } from '../wire/address.ts';
import { Frame } from '../wire/frame.ts';
import * as ethernet from '../wire/header/ethernet.ts';
import * as icmpv6 from '../wire/header/icmpv6.ts';
import { VNET_HEADER_BYTES } from '../wire/header/virtio-net.ts';
import { emitRequest } from './neighbor.ts';
import { NeighborTable, type WaitingFrame } from './neighbor-table.ts';
import { parse } from './parse.ts';
import type { PortTable } from './port/table.ts';
import type { Recorder } from './record.ts';
import { Decision } from './verdict.ts';

export class Uplinks {
  readonly #ports: PortTable;
  readonly #arena: Arena;
  readonly #recorder: Recorder;
  readonly #neighbors = new NeighborTable((frame) => this.#giveUp(frame));
  readonly #request: Frame;
  readonly #words = new Int32Array(4);
  /** Monotonic seconds, set once a batch. */
  nowSec = 0;
  /** The dataplane's own address on each uplink, by port index: one word for IPv4, four for IPv6; 0 when it has none. */
  readonly own4 = new Map<number, number>();
  readonly own6 = new Map<number, Int32Array>();

  /** Frames dropped because a gateway did not answer. */
  gateway4Drops = 0;
  gateway6Drops = 0;

  constructor(ports: PortTable, arena: Arena, recorder: Recorder) {
    this.#ports = ports;
    this.#recorder = recorder;
    this.#arena = arena;
    this.#request = new Frame(arena.bytes);
  }

  /** Frames dropped because a next hop did not answer. */
  get dropped(): number {
    return this.#neighbors.dropped;
  }

  isOwnAddress(port: number, w0: number, w1: number, w2: number, w3: number): boolean {
    if (isV4Mapped(w0, w1, w2)) return this.own4.get(port) === w3 && w3 !== 0;
    const own = this.#source6(port);
    return own[0] === w0 && own[1] === w1 && own[2] === w2 && own[3] === w3;
  }

  learnV4(port: number, ip: number, macHigh: number, macLow: number): void {
    this.#words.fill(0);
    this.#words[2] = V4_MAPPED;
    this.#words[3] = ip;
    this.#learn(port, macHigh, macLow);
  }

  /** Learns from a neighbour message: the sender of a solicitation, the target of an advertisement. */
  learnV6(f: Frame): void {
    const isSolicitation = f.icmpType === icmpv6.NEIGHBOR_SOLICITATION;
    const kind = isSolicitation ? icmpv6.OPTION_SOURCE_LINK_ADDRESS : icmpv6.OPTION_TARGET_LINK_ADDRESS;
    const length = f.payloadLength + icmpv6.HEADER_BYTES;
    const option = icmpv6.findOption(f.bytes, f.l4Offset, length, kind);
    if (option < 0) return;
    this.#words[0] = isSolicitation ? f.src0 : icmpv6.target(f.bytes, f.l4Offset, 0);
    this.#words[1] = isSolicitation ? f.src1 : icmpv6.target(f.bytes, f.l4Offset, 1);
    this.#words[2] = isSolicitation ? f.src2 : icmpv6.target(f.bytes, f.l4Offset, 2);
    this.#words[3] = isSolicitation ? f.src3 : icmpv6.target(f.bytes, f.l4Offset, 3);
    this.#learn(f.port, icmpv6.optionMacHigh(f.bytes, option), icmpv6.optionMacLow(f.bytes, option));
  }

  /**
   * Writes the MAC of the next hop of `f.dst` into the bytes at `offset`, or keeps a copy of them and asks for it.
   * @param offset of the Ethernet header of the frame, or of a fragment of it @param length from there
   * @returns true when the frame can go now
   */
  address(f: Frame, offset: number, length: number): boolean {
    const ports = this.#ports;
    const port = f.outPort;
    const words = this.#words;
    const at = port * 4;
    const viaGateway = f.family === 4 ? ports.gateway4[port] !== 0 : ports.gateway6[at] !== 0;
    if (f.family === 4) {
      words.fill(0);
      words[2] = V4_MAPPED;
      words[3] = viaGateway ? ports.gateway4[port] : f.dst3;
    } else {
      words[0] = viaGateway ? ports.gateway6[at] : f.dst0;
      words[1] = viaGateway ? ports.gateway6[at + 1] : f.dst1;
      words[2] = viaGateway ? ports.gateway6[at + 2] : f.dst2;
      words[3] = viaGateway ? ports.gateway6[at + 3] : f.dst3;
    }
    const slot = this.#neighbors.lookup(port, words[0], words[1], words[2], words[3], this.nowSec);
    if (this.#neighbors.shouldAsk(slot, this.nowSec)) this.#ask(port);
    if (!this.#neighbors.isReachable(slot, this.nowSec)) {
      this.#neighbors.hold(slot, {
        bytes: f.bytes.slice(offset - VNET_HEADER_BYTES, offset + length),
        port: f.port,
        srcIdentity: f.srcIdentity,
        dstIdentity: f.dstIdentity,
        srcEndpoint: f.srcEndpoint,
        isForGateway: viaGateway,
      });
      return false;
    }
    ethernet.setDstMac(f.bytes, offset, this.#neighbors.macHigh[slot], this.#neighbors.macLow[slot]);
    return true;
  }

  /** Call it when a port is closed. */
  forget(port: number): void {
    this.#neighbors.forgetPort(port);
    this.own4.delete(port);
    this.own6.delete(port);
  }

  tick(nowSec: number): void {
    this.nowSec = nowSec;
    this.#neighbors.tick(nowSec);
  }

  #learn(port: number, macHigh: number, macLow: number): void {
    for (const { bytes: waiting } of this.#neighbors.confirm(port, this.#words, macHigh, macLow, this.nowSec)) {
      const offset = this.#arena.scratch();
      if (offset < 0) return;
      this.#arena.bytes.set(waiting, offset - VNET_HEADER_BYTES);
      ethernet.setDstMac(this.#arena.bytes, offset, macHigh, macLow);
      this.#ports.queue(port, offset, waiting.length - VNET_HEADER_BYTES);
    }
  }

  #ask(port: number): void {
    const ports = this.#ports;
    const offset = this.#arena.scratch();
    if (offset < 0) return;
    const [w0, w1, w2, w3] = this.#words;
    this.#request.offset = offset;
    emitRequest(
      this.#request,
      { w0, w1, w2, w3 },
      {
        macHigh: ports.ownHigh[port],
        macLow: ports.ownLow[port],
        v4: this.own4.get(port) ?? 0,
        v6: this.#source6(port),
      },
    );
    ports.queue(port, offset, this.#request.length);
  }

  #source6(port: number): ArrayLike<number> {
    const own = this.own6.get(port);
    if (own !== undefined && own[0] !== 0) return own;
    return linkLocalOf(this.#ports.ownHigh[port], this.#ports.ownLow[port]);
  }

  #giveUp({ bytes, port, srcIdentity, dstIdentity, srcEndpoint, isForGateway }: WaitingFrame): void {
    const f = new Frame(bytes);
    f.offset = VNET_HEADER_BYTES;
    f.length = bytes.length - VNET_HEADER_BYTES;
    f.port = port;
    parse(f);
    f.srcIdentity = srcIdentity;
    f.dstIdentity = dstIdentity;
    f.srcEndpoint = srcEndpoint;
    if (isForGateway && f.family === 4) this.gateway4Drops++;
    if (isForGateway && f.family === 6) this.gateway6Drops++;
    this.#recorder.drop(f, DROP_FIB_LOOKUP_FAILED, EGRESS, NO_VERDICT);
  }
}

const NO_VERDICT = new Decision(EGRESS);

/** The link-local address of an interface by its MAC (RFC 4291 appendix A). */
function linkLocalOf(macHigh: number, macLow: number): readonly number[] {
  return [
    0xfe800000 | 0,
    0,
    ((macHigh << 16) ^ 0x02000000) | ((macLow >>> 24) << 8) | 0xff,
    (0xfe << 24) | (macLow & 0xffffff),
  ];
}
