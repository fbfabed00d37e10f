/**
 * TCP connections under L7 rules, judged where they pass.
 *
 *              admit (a forward frame was allowed at L4, with rule sets)
 *                |
 *     frame -- segment --> FORWARD  as it is, or edited in place
 *                |         HELD     taken
 *                |         >= 130   dropped, with the reason
 *                +-------> SegmentOutput: 403, ACK, RST, what was held, what is sent again
 *
 * A connection is never ended and begun anew: both ends talk to each other, and see at most a few bytes more or less. The
 * work is done by http1/parser.ts (what the bytes mean), stream-editor.ts (which of them go on) and segment-path.ts (what a
 * segment is); here are the table of flows, the fast path, and the clock.
 *
 * The fast path is for a segment that is next in order, in a connection in which nothing was edited and nothing is held:
 * its payload is read in the frame, and when the parser lets all of it pass, the frame is not touched.
 *
 * Nothing is unbounded: flows, bytes kept for all flows, bytes kept for one direction of one flow, edits in flight, early
 * segments. A flow beyond the first limit is refused with a reset; bytes beyond the second and third are dropped, which TCP
 * takes for loss.
 */
import { CT_EGRESS_VERDICT, CT_INGRESS_VERDICT, CT_ROW_WORDS } from '../../policy-maps/conntrack-row.ts';
import type { Frame } from '../../wire/frame.ts';
import { i32 } from '../../wire/bytes.ts';
import * as offload from '../../wire/offload.ts';
import { DROP_CSUM_L4, DROP_STREAM_CLOSED, DROP_STREAM_LIMIT, FORWARD } from '../../wire/reasons.ts';
import * as tcp from '../../wire/header/tcp.ts';
import { Flow, HANDSHAKE, OPEN, REFUSED } from './flow.ts';
import { forgetFlow, isLost, isMarkOld, resumeFlow, saveFlow } from './flow-state.ts';
import { FlowTable } from './flow-table.ts';
import { FlowTimers } from './flow-timers.ts';
import { HttpJudges, type RuleSetSource } from '../http/judge.ts';
import type { PathReadings } from '../http/rules.ts';
import { Http1Parser } from '../http1/parser.ts';
import { Http1Shared } from '../http1/shared.ts';
import { BytePool } from './kept-bytes.ts';
import { ProxyStats } from './proxy-stats.ts';
import { FlowRecorder, type RecordSink } from '../http/record.ts';
import { type SegmentOutput, Transmitter } from './segment-output.ts';
import { SegmentPath } from './segment-path.ts';
import { StreamEditor } from './stream-editor.ts';
import type { TcpStream } from './tcp-stream.ts';

/** NOP NOP timestamps(10): how every stack we know lays out a segment with timestamps. */
const USUAL_TIMESTAMPS = 0x0101080a;

export interface TcpProxyOptions {
  /** Rows of the TCP conntrack map (ConntrackMap.words): slot generations, verdicts, and eight words for our state. */
  readonly words: Int32Array;
  readonly ruleSets: RuleSetSource;
  readonly output: SegmentOutput;
  /** Told of each request and response while `recording` is true. */
  readonly onRecord?: RecordSink;
  /** Flows at one time; default 32768. */
  readonly maxFlows?: number;
  /** Bytes kept for all flows; default 64 MiB. */
  readonly memoryBytes?: number;
  /** Bytes kept for one direction of one flow; default 1 MiB, at most 2 MiB. */
  readonly streamBytes?: number;
  /** How long a request head may take; default 60 s. */
  readonly headTimeoutMs?: number;
  /** Default 'all'. */
  readonly pathReadings?: PathReadings;
  /** Seeds the memo of heads; default random. */
  readonly seed?: number;
}

export class TcpProxy {
  readonly stats: ProxyStats = new ProxyStats();
  /** Counters of requests and of parse errors. */
  readonly http: Http1Shared;
  readonly pool: BytePool;
  readonly #words: Int32Array;
  readonly #recorder: FlowRecorder;
  readonly #judges: HttpJudges;
  readonly #table: FlowTable;
  readonly #timers: FlowTimers;
  readonly #editor: StreamEditor;
  readonly #path: SegmentPath;
  readonly #transmitter: Transmitter;

  constructor(options: TcpProxyOptions) {
    const streamBytes = options.streamBytes ?? 1 << 20;
    this.#words = options.words;
    this.#recorder = new FlowRecorder(options.onRecord);
    this.http = new Http1Shared(options.seed ?? Math.floor(Math.random() * 2 ** 32), this.#recorder);
    this.pool = new BytePool(options.memoryBytes ?? 1 << 26);
    this.#judges = new HttpJudges(options.ruleSets, options.pathReadings ?? 'all', () => this.#recorder.isOn);
    this.#transmitter = new Transmitter(options.output);
    this.#editor = new StreamEditor(this.#transmitter);
    this.#path = new SegmentPath(this.#editor, this.#transmitter, this.stats, streamBytes);
    this.#table = new FlowTable(options.words, options.maxFlows ?? 32768, (index) =>
      this.#makeFlow(index, streamBytes),
    );
    this.#timers = new FlowTimers(this.#editor, this.#transmitter, this.stats, options.headTimeoutMs ?? 60_000);
  }

  #makeFlow(index: number, streamBytes: number): Flow {
    const nobody = this.#judges.judgeOf({ egressRuleSet: 0, ingressRuleSet: 0, srcIdentity: 0, dstIdentity: 0 });
    const makeParser = (flow: Flow) => new Http1Parser(this.http, nobody, flow);
    return new Flow(index, this.pool, streamBytes, nobody, makeParser);
  }

  /** Whether requests and responses are told to `onRecord`. */
  get recording(): boolean {
    return this.#recorder.isOn;
  }

  set recording(isOn: boolean) {
    this.#recorder.isOn = isOn;
  }

  /** Flows now. */
  get flowCount(): number {
    return this.#table.count;
  }

  /**
   * A forward frame of a redirected connection was allowed at L4: its first, or one after policy changed. The rule sets
   * apply from the next request head on.
   * @param frame with ctSlot and identities found
   * @param egress rule set of the sender's policy, 0 none @param ingress of the receiver's, 0 none
   * @returns 0; what cannot be judged is refused by `segment`, with a reset
   */
  admit(frame: Frame, egress: number, ingress: number): number {
    const flow = this.#table.find(frame.ctSlot) ?? this.#open(frame, false, Math.max(egress, 0), Math.max(ingress, 0));
    if (flow === undefined) return 0;
    this.#setRules(flow, frame, false, Math.max(egress, 0), Math.max(ingress, 0));
    if (flow.mode !== HANDSHAKE && flow.mode !== REFUSED) return 0;
    flow.mode = flow.judge.isUsable ? HANDSHAKE : REFUSED;
    return 0;
  }

  /**
   * One TCP segment of a redirected connection, whole (no fragment).
   * @param frame parsed; its checksum is verified here
   * @param ctSlot row of the connection @param isReply it comes from the responder
   * @returns FORWARD (the frame may have been edited or cut; its fields follow), HELD, or a drop reason
   */
  segment(frame: Frame, ctSlot: number, isReply: boolean): number {
    const flow = this.#table.find(ctSlot) ?? this.#adopt(frame, ctSlot, isReply);
    if (!offload.validate(frame)) {
      this.stats.badChecksum++;
      return DROP_CSUM_L4;
    }
    if (flow === undefined) return this.#refuse(frame, ctSlot, isReply);
    const stream = isReply ? flow.response : flow.request;
    // Fast path.
    const outcome = flow.isPlain ? this.#segmentPlain(flow, frame, stream) : -1;
    if (outcome >= 0) return outcome;
    // Slow path.
    return this.#settle(flow, this.#path.segment(flow, frame, stream));
  }

  /** @returns -1 when the segment is not an expected one, having changed nothing */
  #segmentPlain(flow: Flow, frame: Frame, stream: TcpStream): number {
    const { bytes, l4Offset } = frame;
    const other = flow.other(stream);
    if ((frame.tcpFlags & ~tcp.PSH) !== tcp.ACK || tcp.seq(bytes, l4Offset) !== stream.nextIn) return -1;
    const ack = tcp.ack(bytes, l4Offset);
    const window = tcp.window(bytes, l4Offset);
    if (((ack - other.una) | 0) < 0 || ((ack - other.nxt) | 0) > 0 || window > other.maxWindow) return -1;
    if (flow.hasTimestamps) {
      if (i32(bytes, l4Offset + 20) !== USUAL_TIMESTAMPS || frame.payloadOffset < l4Offset + 32) return -1;
      const timestamp = i32(bytes, l4Offset + 24);
      if (((timestamp - stream.timestamp) | 0) < 0 || !stream.hasTimestamp) return -1;
      stream.noteTimestamp(timestamp, true);
    }
    const count = frame.payloadLength;
    if (!stream.kept.reserve(count)) {
      this.stats.noMemory++;
      return DROP_STREAM_LIMIT;
    }
    this.#path.isNews = ack !== other.una || window !== other.window;
    if (ack !== other.una) other.acknowledge(ack, this.#editor.nowMs);
    other.window = window;
    return count === 0 ? FORWARD : this.#readPlain(flow, frame, stream, other);
  }

  #readPlain(flow: Flow, frame: Frame, stream: TcpStream, other: TcpStream): number {
    const outBefore = stream.nxt;
    const ackBefore = stream.ackIn;
    const start = frame.payloadOffset;
    const end = start + frame.payloadLength;
    const p = this.#editor.straight(flow, stream, frame.bytes, start, end, false);
    if (p < end || stream.deferred.length > 0 || other.heldBytes > 0) {
      return this.#settle(flow, this.#path.finish(flow, frame, stream, p, outBefore, ackBefore));
    }
    stream.sent = stream.nxt;
    if (this.#editor.wasAsked || isMarkOld(stream)) this.#save(flow);
    return FORWARD;
  }

  /** What is due after the slow path. */
  #settle(flow: Flow, outcome: number): number {
    flow.refreshPlain();
    this.#timers.watch(flow);
    this.#save(flow);
    return outcome;
  }

  #save(flow: Flow): void {
    if (this.#editor.wasAsked) {
      this.#editor.wasAsked = false;
      flow.request.setMark();
      flow.response.setMark();
    }
    saveFlow(flow, this.#words);
  }

  /**
   * After a restart, for each TCP connection in conntrack: if it cannot be taken up, both ends are made to speak, so that
   * they are reset now and not when one of them has waited long enough.
   * @returns whether it was one
   */
  rouse(ctSlot: number): boolean {
    if (!isLost(ctSlot, this.#words)) return false;
    this.#transmitter.knock(ctSlot, true);
    this.#transmitter.knock(ctSlot, false);
    return true;
  }

  /** The conntrack entry went away. */
  close(ctSlot: number): void {
    this.#table.close(ctSlot);
  }

  /**
   * Sets the clock and does what is due by it: repetitions, timeouts, and a look for flows whose row is gone.
   * @param nowMs milliseconds of any steady clock; call it once a batch, at least every 50 ms while flows exist
   */
  tick(nowMs: number): void {
    this.#editor.nowMs = nowMs;
    this.#recorder.nowMs = nowMs;
    this.#timers.tick(nowMs, this.#table);
  }

  /** A connection of which this process knows nothing: a new one, or one that a former process judged. */
  #open(frame: Frame, isReply: boolean, egress: number, ingress: number): Flow | undefined {
    const flow = this.#table.open(frame.ctSlot);
    if (flow === undefined) {
      this.stats.tableFull++;
      return undefined;
    }
    this.stats.opened++;
    flow.hasPendingSyn = false;
    flow.wantsClose = false;
    flow.wantsReset = false;
    flow.isPlain = false;
    flow.mode = HANDSHAKE;
    flow.egressRuleSet = -1;
    this.#setRules(flow, frame, isReply, egress, ingress);
    flow.parser.begin(flow.judge, flow);
    const isSyn = (frame.tcpFlags & tcp.SYN) !== 0;
    const isNew = isSyn && (frame.tcpFlags & tcp.ACK) === 0;
    if (isNew) forgetFlow(flow.slot, this.#words);
    else if (resumeFlow(flow, this.#words)) this.stats.resumed++;
    else if (!isSyn) this.#abandon(flow, frame, isReply);
    return flow;
  }

  /** A connection in mid-stream whose state is lost: nobody can say where its next message begins. */
  #abandon(flow: Flow, frame: Frame, isReply: boolean): void {
    this.stats.unresumed++;
    flow.die();
    const { bytes, l4Offset } = frame;
    const end = tcp.seq(bytes, l4Offset);
    // The far end; the near end is answered by the segment itself, the flow being dead.
    this.#transmitter.bareReset(flow.slot, !isReply, end, tcp.ack(bytes, l4Offset), true);
  }

  /** `segment` came before `admit`: the row says which rule sets were found for the connection. */
  #adopt(frame: Frame, ctSlot: number, isReply: boolean): Flow | undefined {
    const row = ctSlot * CT_ROW_WORDS;
    const egress = Math.max(0, this.#words[row + CT_EGRESS_VERDICT]);
    const ingress = Math.max(0, this.#words[row + CT_INGRESS_VERDICT]);
    frame.ctSlot = ctSlot;
    const flow = this.#open(frame, isReply, egress, ingress);
    if (flow?.mode === HANDSHAKE && !flow.judge.isUsable) flow.mode = REFUSED;
    return flow;
  }

  #setRules(flow: Flow, frame: Frame, isReply: boolean, egress: number, ingress: number): void {
    const srcIdentity = isReply ? frame.dstIdentity : frame.srcIdentity;
    const dstIdentity = isReply ? frame.srcIdentity : frame.dstIdentity;
    flow.srcEndpoint = isReply ? frame.dstEndpoint : frame.srcEndpoint;
    flow.dstEndpoint = isReply ? frame.srcEndpoint : frame.dstEndpoint;
    const isSame =
      flow.egressRuleSet === egress &&
      flow.ingressRuleSet === ingress &&
      flow.srcIdentity === srcIdentity &&
      flow.dstIdentity === dstIdentity;
    if (isSame) return;
    flow.egressRuleSet = egress;
    flow.ingressRuleSet = ingress;
    flow.srcIdentity = srcIdentity;
    flow.dstIdentity = dstIdentity;
    flow.judge = this.#judges.judgeOf({ egressRuleSet: egress, ingressRuleSet: ingress, srcIdentity, dstIdentity });
    flow.parser.setJudge(flow.judge);
  }

  /** No room for another flow: its sender is reset. */
  #refuse(frame: Frame, ctSlot: number, isReply: boolean): number {
    this.stats.refused++;
    const { bytes, l4Offset, tcpFlags } = frame;
    if ((tcpFlags & tcp.RST) !== 0) return DROP_STREAM_CLOSED;
    const hasAck = (tcpFlags & tcp.ACK) !== 0;
    const virtual = (tcpFlags & tcp.SYN ? 1 : 0) + (tcpFlags & tcp.FIN ? 1 : 0);
    const end = (tcp.seq(bytes, l4Offset) + frame.payloadLength + virtual) | 0;
    this.#transmitter.bareReset(ctSlot, isReply, hasAck ? tcp.ack(bytes, l4Offset) : 0, end, !hasAck);
    return DROP_STREAM_LIMIT;
  }

  /** True when nothing waits for the clock; for tests that look for leaks. */
  get isQuiet(): boolean {
    return this.#timers.count === 0;
  }

  /** The state of a flow: OPEN and so on (flow.ts), -1 when unknown. */
  modeOf(ctSlot: number): number {
    return this.#table.find(ctSlot)?.mode ?? -1;
  }
}

export { OPEN };
