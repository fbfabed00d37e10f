/**
 * Two TCP endpoints with a TcpProxy between them, in simulated time: the world of tcp-proxy.test.ts and of the bench. The
 * endpoints are strict receivers and go-back-n senders; links lose, repeat, delay and corrupt by a seeded draw.
 */
import { CT_INGRESS_VERDICT, CT_ROW_WORDS, CT_SLOT_GENERATION } from '../policy-maps/conntrack-row.ts';
import type { L7RuleSet } from '../policy-maps/l7-rules.ts';
import { setI32, setU16 } from '../wire/bytes.ts';
import { Frame } from '../wire/frame.ts';
import * as ethernet from '../wire/ethernet.ts';
import * as ipv4 from '../wire/ipv4.ts';
import * as ipv6 from '../wire/ipv6.ts';
import * as offload from '../wire/offload.ts';
import * as tcp from '../wire/tcp.ts';
import * as vnet from '../wire/virtio-net.ts';
import type { BuiltSegment } from './segment-output.ts';
import { TcpProxy, type TcpProxyOptions } from './tcp-proxy.ts';

/** A segment as plain data. */
export interface Segment {
  readonly seq: number;
  readonly ack: number;
  readonly flags: number;
  readonly window: number;
  readonly data: Buffer;
  readonly mss?: number;
  readonly scale?: number;
  readonly timestamps?: readonly [number, number];
  readonly sack?: readonly (readonly [number, number])[];
  /** Options to be put in as they are. */
  readonly options?: readonly number[];
}

export function segment(fields: Partial<Segment>): Segment {
  return { seq: 0, ack: 0, flags: tcp.ACK, window: 0xffff, data: Buffer.alloc(0), ...fields };
}

/** mulberry32: 0 <= answer < below. */
export function draws(seed: number): (below: number) => number {
  let state = seed | 0;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let z = Math.imul(state ^ (state >>> 15), state | 1);
    z ^= z + Math.imul(z ^ (z >>> 7), z | 61);
    return ((z ^ (z >>> 14)) >>> 0) % below;
  };
}

const ARENA_BYTES = 1 << 17;
const FRAME_AT = 64;

/** Writes a segment into a frame, as a NIC with or without checksum offload hands it over. */
export class FrameBuilder {
  readonly frame: Frame = new Frame(new Uint8Array(ARENA_BYTES));
  readonly family: number;

  constructor(family = 4) {
    this.family = family;
  }

  /** @param isReply from the responder @param isUndone leave the checksum to the receiver, as a local sender does */
  build(from: Segment, isReply: boolean, isUndone: boolean): Frame {
    const { frame, family } = this;
    const options = optionBytes(from);
    const { bytes } = frame;
    vnet.clear(bytes, FRAME_AT);
    frame.offset = FRAME_AT;
    frame.family = family;
    frame.protocol = 6;
    frame.l3Offset = FRAME_AT + ethernet.HEADER_BYTES;
    frame.l4Offset = frame.l3Offset + (family === 4 ? ipv4.MIN_HEADER_BYTES : ipv6.HEADER_BYTES);
    const headerBytes = tcp.MIN_HEADER_BYTES + options.length;
    const payloadLength = headerBytes + from.data.length;
    const [src, dst] = isReply ? [0x0a000002, 0x0a000001] : [0x0a000001, 0x0a000002];
    if (family === 4) ipv4.emit(bytes, frame.l3Offset, { src, dst, protocol: 6, payloadLength });
    else ipv6.emit(bytes, frame.l3Offset, { src: [1, 2, 3, src], dst: [1, 2, 3, dst], nextHeader: 6, payloadLength });
    const [srcPort, dstPort] = isReply ? [80, 40000] : [40000, 80];
    const { seq, ack, flags, window } = from;
    tcp.emit(bytes, frame.l4Offset, { srcPort, dstPort, seq, ack, flags, window, headerBytes });
    bytes.set(options, frame.l4Offset + tcp.MIN_HEADER_BYTES);
    frame.payloadOffset = frame.l4Offset + headerBytes;
    frame.payloadLength = from.data.length;
    frame.tcpFlags = flags;
    frame.isFragment = false;
    frame.length = frame.payloadOffset + from.data.length - FRAME_AT;
    bytes.set(from.data, frame.payloadOffset);
    frame.srcIdentity = isReply ? 200 : 100;
    frame.dstIdentity = isReply ? 100 : 200;
    if (isUndone) offload.leaveUndone(frame);
    else offload.complete(frame);
    return frame;
  }

  /** Reads back what went on; what is inconsistent throws. */
  read(): Segment {
    const { frame } = this;
    const { bytes, l4Offset } = frame;
    const l3Bytes = frame.payloadOffset + frame.payloadLength - frame.l3Offset;
    const told =
      this.family === 4 ? ipv4.totalLength(bytes, frame.l3Offset) : ipv6.payloadLength(bytes, frame.l3Offset) + 40;
    if (told !== l3Bytes || frame.length !== l3Bytes + ethernet.HEADER_BYTES) throw new Error('lengths disagree');
    if (this.family === 4 && !ipv4.verifyChecksum(bytes, frame.l3Offset)) throw new Error('IP checksum is wrong');
    if (offload.finish(bytes, frame.offset, frame.length) !== 0) throw new Error('checksum fields are wrong');
    if (!offload.verify(frame)) throw new Error('TCP checksum is wrong');
    const at = tcp.timestamps(bytes, l4Offset);
    const sackAt = tcp.findOption(bytes, l4Offset, tcp.OPTION_SACK);
    const sack: [number, number][] = [];
    for (let i = 0; sackAt > 0 && i < tcp.sackCount(bytes, sackAt); i++) {
      sack.push([tcp.sackLeft(bytes, sackAt, i), tcp.sackRight(bytes, sackAt, i)]);
    }
    return segment({
      seq: tcp.seq(bytes, l4Offset),
      ack: tcp.ack(bytes, l4Offset),
      flags: tcp.flags(bytes, l4Offset),
      window: tcp.window(bytes, l4Offset),
      data: Buffer.from(bytes.slice(frame.payloadOffset, frame.payloadOffset + frame.payloadLength)),
      ...(at > 0 ? { timestamps: [tcp.timestampValue(bytes, at), tcp.timestampEcho(bytes, at)] as const } : {}),
      ...(tcp.mss(bytes, l4Offset) > 0 ? { mss: tcp.mss(bytes, l4Offset) } : {}),
      ...(tcp.windowScale(bytes, l4Offset) >= 0 ? { scale: tcp.windowScale(bytes, l4Offset) } : {}),
      ...(sack.length > 0 ? { sack } : {}),
      options: Array.from(bytes.slice(l4Offset + tcp.MIN_HEADER_BYTES, frame.payloadOffset)),
    });
  }
}

function optionBytes(from: Segment): Uint8Array {
  if (from.options !== undefined) return Uint8Array.from(from.options);
  const out: number[] = [];
  if (from.mss !== undefined) out.push(2, 4, from.mss >>> 8, from.mss & 0xff);
  if (from.scale !== undefined) out.push(1, 3, 3, from.scale);
  if (from.timestamps !== undefined) {
    const option = new Uint8Array(12);
    option.set([1, 1, 8, 10]);
    setI32(option, 4, from.timestamps[0]);
    setI32(option, 8, from.timestamps[1]);
    out.push(...option);
  }
  if (from.sack !== undefined) {
    const option = new Uint8Array(4 + from.sack.length * 8);
    setU16(option, 0, 0x0101);
    option[2] = 5;
    option[3] = 2 + from.sack.length * 8;
    from.sack.forEach(([left, right], i) => {
      setI32(option, 4 + i * 8, left);
      setI32(option, 8 + i * 8, right);
    });
    out.push(...option);
  }
  while (out.length % 4 !== 0) out.push(1);
  return Uint8Array.from(out);
}

/** A rule set source that tests can change. */
export class Rules {
  generation = 1;
  ruleSet: L7RuleSet | undefined;

  constructor(ruleSet: L7RuleSet | undefined) {
    this.ruleSet = ruleSet;
  }

  get(): { generation: number; ruleSet: L7RuleSet } | undefined {
    return this.ruleSet === undefined ? undefined : { generation: this.generation, ruleSet: this.ruleSet };
  }

  change(ruleSet: L7RuleSet | undefined): void {
    this.ruleSet = ruleSet;
    this.generation++;
  }
}

/** A proxy, and what comes out of it. */
export class Rig {
  proxy: TcpProxy;
  readonly words: Int32Array = new Int32Array(8 * CT_ROW_WORDS);
  readonly builder: FrameBuilder;
  readonly rules: Rules;
  /** What left for the responder and for the initiator since `take` was called last. */
  readonly toResponder: Segment[] = [];
  readonly toInitiator: Segment[] = [];
  /** Results of `segment`, in order. */
  readonly results: number[] = [];
  /** Whether frames come with their checksum left undone. */
  isUndone = false;
  readonly #options: Partial<TcpProxyOptions>;

  constructor(ruleSet: L7RuleSet, options: Partial<TcpProxyOptions> = {}, family = 4) {
    this.rules = new Rules(ruleSet);
    this.builder = new FrameBuilder(family);
    this.#options = options;
    for (let slot = 0; slot < 8; slot++) this.words[slot * CT_ROW_WORDS + CT_SLOT_GENERATION] = 2;
    for (let slot = 0; slot < 8; slot++) this.words[slot * CT_ROW_WORDS + CT_INGRESS_VERDICT] = 9;
    this.proxy = this.#makeProxy();
  }

  #makeProxy(): TcpProxy {
    const proxy = new TcpProxy({
      words: this.words,
      ruleSets: this.rules,
      output: { send: (_slot, toResponder, built) => this.#sent(toResponder, built) },
      seed: 1,
      ...this.#options,
    });
    proxy.tick(1);
    return proxy;
  }

  /** The process dies, and another takes over. */
  restart(): void {
    this.proxy = this.#makeProxy();
  }

  #sent(toResponder: boolean, built: BuiltSegment): void {
    const { seq, ack, flags, window, hasTimestamps, tsVal, tsEcr } = built;
    const data = Buffer.from(built.payload.slice(built.start, built.end));
    const timestamps = hasTimestamps ? { timestamps: [tsVal, tsEcr] as const } : {};
    (toResponder ? this.toResponder : this.toInitiator).push(segment({ seq, ack, flags, window, data, ...timestamps }));
  }

  /** One segment through the proxy. @param spoil changed in the finished frame, e.g. to make its checksum wrong */
  pass(from: Segment, isReply: boolean, slot = 1, spoil?: (frame: Frame) => void): number {
    const frame = this.builder.build(from, isReply, this.isUndone);
    frame.ctSlot = slot;
    frame.isReply = isReply;
    spoil?.(frame);
    if (!isReply && (from.flags & tcp.SYN) !== 0) this.proxy.admit(frame, 0, 9);
    const result = this.proxy.segment(frame, slot, isReply);
    this.results.push(result);
    if (result === 0) (isReply ? this.toInitiator : this.toResponder).push(this.builder.read());
    return result;
  }

  client(fields: Partial<Segment>): number {
    return this.pass(segment(fields), false);
  }

  server(fields: Partial<Segment>): number {
    return this.pass(segment(fields), true);
  }

  /** What left since the last call. */
  take(): { toResponder: Segment[]; toInitiator: Segment[] } {
    return { toResponder: this.toResponder.splice(0), toInitiator: this.toInitiator.splice(0) };
  }
}

/** How a link treats frames, in percent. */
export interface Weather {
  readonly loss: number;
  readonly repeat: number;
  readonly corrupt: number;
  readonly maxDelayMs: number;
}

export const CALM: Weather = { loss: 0, repeat: 0, corrupt: 0, maxDelayMs: 1 };

const RTO_MS = 250;

/** One end of a connection. */
export class Peer {
  readonly isServer: boolean;
  readonly received: Buffer[] = [];
  isReset = false;
  hasFinReceived = false;
  isEstablished = false;
  readonly #world: World;
  readonly #isn: number;
  #out: Buffer = Buffer.alloc(0);
  /** Sequence number of out[0]. */
  #base: number;
  #una: number;
  #nxt: number;
  #rcvNxt = 0;
  #peerWindow = 0;
  #peerScale = 0;
  #wantsFin = false;
  #finSent = false;
  #dups = 0;
  #timerMs = Number.POSITIVE_INFINITY;
  #tsRecent = 0;
  readonly #early = new Map<number, Buffer>();
  #earlyFin = -1;
  readonly scale: number;
  readonly mss: number;
  /** Largest burst handed over as one frame. */
  readonly gsoBytes: number;
  readonly window: number;
  readonly hasTimestamps: boolean;
  onData: (data: Buffer) => void = () => {};

  constructor(
    world: World,
    isServer: boolean,
    options: { isn: number; scale: number; mss: number; gsoBytes: number; window: number; hasTimestamps: boolean },
  ) {
    this.#world = world;
    this.isServer = isServer;
    this.#isn = options.isn;
    this.#base = (options.isn + 1) | 0;
    this.#una = options.isn;
    this.#nxt = options.isn;
    this.scale = options.scale;
    this.mss = options.mss;
    this.gsoBytes = options.gsoBytes;
    this.window = options.window;
    this.hasTimestamps = options.hasTimestamps;
  }

  connect(): void {
    this.#nxt = this.#base;
    this.#sendSyn(tcp.SYN);
  }

  #sendSyn(flags: number): void {
    const timestamps = this.hasTimestamps ? { timestamps: [this.#world.nowMs, this.#tsRecent] as const } : {};
    const ack = flags & tcp.ACK ? this.#rcvNxt : 0;
    const window = Math.min(0xffff, this.window);
    this.#world.send(
      this,
      segment({ seq: this.#isn, ack, flags, window, mss: this.mss, scale: this.scale, ...timestamps }),
    );
    this.#timerMs = this.#world.nowMs + RTO_MS;
  }

  write(data: string | Buffer): void {
    this.#out = Buffer.concat([this.#out, typeof data === 'string' ? Buffer.from(data, 'latin1') : data]);
    this.#push();
  }

  end(): void {
    this.#wantsFin = true;
    this.#push();
  }

  get text(): string {
    return Buffer.concat(this.received).toString('latin1');
  }

  get isDone(): boolean {
    return this.isReset || this.#una === this.#nxt;
  }

  #segment(fields: Partial<Segment>): Segment {
    const timestamps = this.hasTimestamps ? { timestamps: [this.#world.nowMs, this.#tsRecent] as const } : {};
    return segment({ ack: this.#rcvNxt, window: this.window >>> this.scale, ...timestamps, ...fields });
  }

  #push(): void {
    if (!this.isEstablished || this.isReset) return;
    for (;;) {
      const sent = (this.#nxt - this.#base) | 0;
      const room = (this.#una + this.#peerWindow - this.#nxt) | 0;
      const count = Math.min(this.#out.length - sent, room, this.gsoBytes);
      if (count <= 0) break;
      const data = this.#out.subarray(sent, sent + count);
      this.#world.send(this, this.#segment({ seq: this.#nxt, flags: tcp.ACK | tcp.PSH, data }));
      this.#nxt = (this.#nxt + count) | 0;
      this.#arm();
    }
    if (this.#wantsFin && !this.#finSent && ((this.#nxt - this.#base) | 0) === this.#out.length) {
      this.#world.send(this, this.#segment({ seq: this.#nxt, flags: tcp.ACK | tcp.FIN }));
      this.#nxt = (this.#nxt + 1) | 0;
      this.#finSent = true;
      this.#arm();
    }
  }

  #arm(): void {
    if (this.#timerMs === Number.POSITIVE_INFINITY) this.#timerMs = this.#world.nowMs + RTO_MS;
  }

  /** Sends again from the first unacknowledged byte, cut where it pleases. */
  #resend(): void {
    if (!this.isEstablished) {
      if (this.#una !== this.#nxt && (!this.isServer || this.#rcvNxt !== 0)) {
        this.#sendSyn(this.isServer ? tcp.SYN | tcp.ACK : tcp.SYN);
      }
      return;
    }
    const at = (this.#una - this.#base) | 0;
    const count = Math.min(this.#out.length - at, 1 + this.#world.draw(this.mss * 2), (this.#nxt - this.#una) | 0);
    const isAll = this.#finSent && at + count === this.#out.length;
    const flags = tcp.ACK | (isAll ? tcp.FIN : 0);
    if (count > 0 || isAll) {
      this.#world.send(this, this.#segment({ seq: this.#una, flags, data: this.#out.subarray(at, at + count) }));
    }
    this.#timerMs = this.#world.nowMs + RTO_MS;
  }

  tick(): void {
    if (this.#world.nowMs < this.#timerMs) return;
    if (this.isReset || this.#una === this.#nxt) this.#timerMs = Number.POSITIVE_INFINITY;
    else this.#resend();
  }

  receive(from: Segment): void {
    if (this.isReset) return;
    if ((from.flags & tcp.SYN) !== 0) {
      this.#receiveSyn(from);
      return;
    }
    if ((from.flags & tcp.RST) !== 0) {
      if (from.seq === this.#rcvNxt || !this.isEstablished) this.isReset = true;
      return;
    }
    if (!this.isEstablished && !(this.isServer && from.ack === this.#base)) return;
    if (this.hasTimestamps) {
      if (from.timestamps === undefined) throw new Error('a segment without timestamps');
      if (((from.timestamps[0] - this.#tsRecent) | 0) < 0) return;
      if (((from.seq - this.#rcvNxt) | 0) <= 0) this.#tsRecent = from.timestamps[0];
    }
    this.#establish();
    this.#receiveAck(from);
    this.#receiveData(from);
  }

  #establish(): void {
    if (this.isEstablished) return;
    this.isEstablished = true;
    this.#una = this.#base;
    this.#timerMs = Number.POSITIVE_INFINITY;
  }

  #receiveSyn(from: Segment): void {
    if (this.isEstablished) {
      this.#world.send(this, this.#segment({ seq: this.#nxt }));
      return;
    }
    this.#rcvNxt = (from.seq + 1) | 0;
    this.#peerScale = from.scale ?? 0;
    this.#peerWindow = from.window;
    if (from.timestamps !== undefined) this.#tsRecent = from.timestamps[0];
    if (this.isServer) {
      this.#nxt = this.#base;
      this.#sendSyn(tcp.SYN | tcp.ACK);
      return;
    }
    this.#establish();
    this.#world.send(this, this.#segment({ seq: this.#nxt }));
    this.#push();
  }

  #receiveAck(from: Segment): void {
    if (((from.ack - this.#nxt) | 0) > 0) throw new Error(`${this.name} was told that it sent what it did not`);
    const isSame = from.ack === this.#una;
    if (((from.ack - this.#una) | 0) >= 0) {
      this.#una = from.ack;
      this.#peerWindow = from.window * 2 ** this.#peerScale;
    }
    if (!isSame || from.data.length > 0) this.#dups = 0;
    else if (this.#una !== this.#nxt && ++this.#dups === 3) this.#resend();
    if (this.#una === this.#nxt) this.#timerMs = Number.POSITIVE_INFINITY;
    else if (!isSame) this.#timerMs = this.#world.nowMs + RTO_MS;
    this.#push();
  }

  #receiveData(from: Segment): void {
    const hasFin = (from.flags & tcp.FIN) !== 0;
    if (from.data.length === 0 && !hasFin) {
      if (((from.seq - this.#rcvNxt) | 0) < 0) this.#ack();
      return;
    }
    if (((from.seq + from.data.length - this.#rcvNxt) | 0) > this.window) {
      this.#ack(); // what the proxy injects comes on top of what the other end may send: TCP makes good for it
      return;
    }
    if (from.data.length > 0) this.#early.set(from.seq, from.data);
    if (hasFin) this.#earlyFin = (from.seq + from.data.length) | 0;
    for (let isMoving = true; isMoving; ) {
      isMoving = false;
      for (const [seq, data] of this.#early) {
        const skip = (this.#rcvNxt - seq) | 0;
        if (skip < 0) continue;
        this.#early.delete(seq);
        if (skip >= data.length) continue;
        const fresh = data.subarray(skip);
        this.#rcvNxt = (this.#rcvNxt + fresh.length) | 0;
        this.received.push(fresh);
        this.onData(fresh);
        isMoving = true;
      }
    }
    if (this.#earlyFin === this.#rcvNxt && !this.hasFinReceived && (hasFin || this.#earlyFin !== -1)) {
      this.hasFinReceived = true;
      this.#rcvNxt = (this.#rcvNxt + 1) | 0;
    }
    this.#ack();
  }

  #ack(): void {
    this.#world.send(this, this.#segment({ seq: this.#nxt }));
  }

  /** Asks the other end whether it is still there (RFC 9293 3.8.4). */
  keepAlive(): void {
    if (!this.isReset) this.#world.send(this, this.#segment({ seq: (this.#nxt - 1) | 0 }));
  }

  get name(): string {
    return this.isServer ? 'server' : 'client';
  }
}

interface Flight {
  readonly atMs: number;
  readonly order: number;
  readonly run: () => void;
}

/** The endpoints, the links, the proxy, and time. */
export class World {
  nowMs = 1;
  readonly draw: (below: number) => number;
  readonly rig: Rig;
  readonly client: Peer;
  readonly server: Peer;
  readonly #weather: Weather;
  readonly #flights: Flight[] = [];
  #order = 0;
  /** Frames that crossed the proxy. */
  frames = 0;
  /** Called every millisecond. */
  onTick: () => void = () => {};
  /** What left the proxy, by direction and sequence number: a position never has two values. */
  readonly #forwarded = [new Map<number, number>(), new Map<number, number>()];
  constructor(
    seed: number,
    rig: Rig,
    weather: Weather,
    peers: { timestamps?: boolean; gso?: boolean; window?: number } = {},
  ) {
    this.draw = draws(seed);
    this.rig = rig;
    this.#weather = weather;
    const options = () => ({
      isn: this.draw(0x7fffffff) * 2,
      scale: this.draw(8),
      mss: 200 + this.draw(1200),
      gsoBytes: peers.gso === true ? 60_000 : 1000,
      window: peers.window ?? 20_000 + this.draw(40_000),
      hasTimestamps: peers.timestamps ?? false,
    });
    this.client = new Peer(this, false, options());
    this.server = new Peer(this, true, options());
  }

  /** A segment leaves an endpoint: over its link to the proxy, and over the other link on. */
  send(from: Peer, sent: Segment): void {
    const copy = { ...sent, data: Buffer.from(sent.data) };
    this.#fly(() => this.#cross(copy, from.isServer));
  }

  #fly(run: () => void): void {
    const { loss, repeat, maxDelayMs } = this.#weather;
    if (this.draw(100) < loss) return;
    const times = this.draw(100) < repeat ? 2 : 1;
    for (let i = 0; i < times; i++) {
      this.#flights.push({ atMs: this.nowMs + 1 + this.draw(maxDelayMs), order: this.#order++, run });
    }
  }

  #cross(sent: Segment, isReply: boolean): void {
    this.frames++;
    this.rig.isUndone = this.draw(2) === 0;
    const isCorrupt = this.draw(100) < this.#weather.corrupt && sent.data.length > 0;
    if (isCorrupt) this.rig.isUndone = false;
    this.rig.pass(sent, isReply, 1, (frame) => {
      if (isCorrupt) frame.bytes[frame.payloadOffset + this.draw(sent.data.length)] ^= 0x20;
    });
    this.deliver();
  }

  /** What the proxy let out goes on its way. */
  deliver(): void {
    const { toResponder, toInitiator } = this.rig.take();
    for (const segment of toResponder) {
      this.#compare(segment, 0);
      this.#fly(() => this.server.receive(segment));
    }
    for (const segment of toInitiator) {
      this.#compare(segment, 1);
      this.#fly(() => this.client.receive(segment));
    }
  }

  #compare(segment: Segment, direction: number): void {
    const values = this.#forwarded[direction];
    segment.data.forEach((byte, i) => {
      const position = (segment.seq + i) | 0;
      const known = values.get(position);
      if (known !== undefined && known !== byte) throw new Error(`position ${position} was sent twice, differently`);
      values.set(position, byte);
    });
  }

  /** Lets time run until `isDone`. @returns false when it was not done in `limitMs` */
  run(isDone: () => boolean, limitMs = 120_000): boolean {
    const untilMs = this.nowMs + limitMs;
    while (!isDone()) {
      if (this.nowMs >= untilMs) return false;
      this.nowMs++;
      this.onTick();
      this.rig.proxy.tick(this.nowMs);
      this.deliver();
      this.#flights.sort((a, b) => a.atMs - b.atMs || a.order - b.order);
      while (this.#flights.length > 0 && this.#flights[0].atMs <= this.nowMs) this.#flights.shift()?.run();
      this.client.tick();
      this.server.tick();
    }
    return true;
  }
}
