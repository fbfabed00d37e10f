/** An L7 engine with what goes in and comes out as plain segments. */
import {
  CT_FLAG_SEEN_REPLY,
  CT_FLAGS,
  CT_INGRESS_VERDICT,
  CT_ROW_WORDS,
  CT_SLOT_GENERATION,
} from '../../policy-maps/conntrack-row.ts';
import type { L7RuleSet } from '../../policy-maps/l7-rules.ts';
import { setI32, setU16 } from '../../wire/bytes.ts';
import { Frame } from '../../wire/frame.ts';
import * as ethernet from '../../wire/header/ethernet.ts';
import * as ipv4 from '../../wire/header/ipv4.ts';
import * as ipv6 from '../../wire/header/ipv6.ts';
import * as offload from '../../wire/offload.ts';
import * as tcp from '../../wire/header/tcp.ts';
import * as vnet from '../../wire/header/virtio-net.ts';
import type { BuiltSegment } from '../../l7proxy/stream/segment-output.ts';
import { L7Engine, type L7EngineOptions } from '../../l7proxy/engine.ts';
import type { TcpConnections } from '../../l7proxy/stream/connections.ts';
import { assertStates } from './states.ts';

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
  readonly allowsSack?: boolean;
  /** Options to be put in as they are. */
  readonly options?: readonly number[];
}

export function segment(fields: Partial<Segment>): Segment {
  return { seq: 0, ack: 0, flags: tcp.ACK, window: 0xffff, data: Buffer.alloc(0), ...fields };
}

/** Rules that let these methods reach the paths that begin with /ok, and nothing else. */
export function okOnly(method: string): L7RuleSet {
  const rules = [{ remotes: [100], cookie: 7, http: [{ method, path: '/ok.*' }] }];
  return { parser: 'http', endpoint: 1, ingress: true, port: 80, rules };
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
class FrameBuilder {
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
      data: Buffer.from(bytes.subarray(frame.payloadOffset, frame.payloadOffset + frame.payloadLength)),
      ...(at > 0 ? { timestamps: [tcp.timestampValue(bytes, at), tcp.timestampEcho(bytes, at)] as const } : {}),
      ...(tcp.mss(bytes, l4Offset) > 0 ? { mss: tcp.mss(bytes, l4Offset) } : {}),
      ...(tcp.windowScale(bytes, l4Offset) >= 0 ? { scale: tcp.windowScale(bytes, l4Offset) } : {}),
      ...(sack.length > 0 ? { sack } : {}),
      ...(tcp.findOption(bytes, l4Offset, tcp.OPTION_SACK_PERMITTED) > 0 ? { allowsSack: true } : {}),
      options: Array.from(bytes.slice(l4Offset + tcp.MIN_HEADER_BYTES, frame.payloadOffset)),
    });
  }
}

function optionBytes(from: Segment): Uint8Array {
  if (from.options !== undefined) return Uint8Array.from(from.options);
  const out: number[] = [];
  if (from.mss !== undefined) out.push(2, 4, from.mss >>> 8, from.mss & 0xff);
  if (from.scale !== undefined) out.push(1, 3, 3, from.scale);
  if (from.allowsSack === true) out.push(1, 1, 4, 2);
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
class Rules {
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

/** An engine, and what comes out of it. After each segment its connections must be as their modes say. */
export class Rig {
  engine: L7Engine;
  readonly words: Int32Array;
  readonly builder: FrameBuilder;
  readonly rules: Rules;
  /** What left for the responder and for the initiator since `take` was called last. */
  readonly toResponder: Segment[] = [];
  readonly toInitiator: Segment[] = [];
  /** Results of `segment`, in order. */
  readonly results: number[] = [];
  /** The rules are those of the client's egress policy, not of the server's ingress. */
  isEgress = false;
  /** Each segment is followed by a look at every connection. */
  checksStates = true;
  /** Whether frames come with their checksum left undone. */
  isUndone = false;
  readonly #options: Partial<L7EngineOptions>;

  constructor(ruleSet: L7RuleSet, options: Partial<L7EngineOptions> = {}, family = 4, slots = 8) {
    this.words = new Int32Array(slots * CT_ROW_WORDS);
    this.rules = new Rules(ruleSet);
    this.builder = new FrameBuilder(family);
    this.#options = options;
    for (let row = 0; row < this.words.length; row += CT_ROW_WORDS) {
      this.words[row + CT_SLOT_GENERATION] = 2;
      this.words[row + CT_INGRESS_VERDICT] = 9;
      this.words[row + CT_FLAGS] = CT_FLAG_SEEN_REPLY;
    }
    this.engine = this.#makeEngine();
  }

  get streams(): TcpConnections {
    return this.engine.streams;
  }

  #makeEngine(): L7Engine {
    const engine = new L7Engine({
      words: this.words,
      anyWords: this.words,
      ruleSets: this.rules,
      output: { send: (_slot, toResponder, built) => this.#sent(toResponder, built) },
      seed: 1,
      ...this.#options,
    });
    engine.tick(1);
    return engine;
  }

  /** The process dies, and another takes over. */
  restart(): void {
    this.engine = this.#makeEngine();
    this.streams.rouse(1);
  }

  #sent(toResponder: boolean, built: BuiltSegment): void {
    const { seq, ack, flags, window, hasTimestamps, tsVal, tsEcr, sackCount } = built;
    const data = Buffer.from(built.payload.slice(built.start, built.end));
    const timestamps = hasTimestamps ? { timestamps: [tsVal, tsEcr] as const } : {};
    const blocks = Array.from({ length: sackCount }, (_, i) => [built.sack[2 * i], built.sack[2 * i + 1]] as const);
    const sack = sackCount > 0 ? { sack: blocks } : {};
    const sent = segment({ seq, ack, flags, window, data, ...timestamps, ...sack });
    (toResponder ? this.toResponder : this.toInitiator).push(sent);
  }

  /** One segment through the proxy. @param spoil changed in the finished frame, e.g. to make its checksum wrong */
  pass(from: Segment, isReply: boolean, slot = 1, spoil?: (frame: Frame) => void): number {
    const frame = this.builder.build(from, isReply, this.isUndone);
    frame.ctSlot = slot;
    frame.isReply = isReply;
    spoil?.(frame);
    if (!isReply && (from.flags & tcp.SYN) !== 0)
      this.engine.admit(frame, this.isEgress ? 9 : 0, this.isEgress ? 0 : 9);
    const result = this.engine.segment(frame, slot, isReply);
    if (this.checksStates) assertStates(this.streams.table);
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
