/**
 * The long way of a segment: everything but an expected segment of a connection in which nothing was ever edited.
 *
 *  1. A SYN begins a connection; it is believed when its SYN-ACK comes. Neither carries data on.
 *  2. In a connection that is over, whatever comes is answered by a reset.
 *  3. A segment must carry ACK and not URG, a timestamp no older than the last in order (RFC 7323 PAWS), and acknowledge
 *     nothing that was not sent. Else it is dropped, for its receiver would drop it and its bytes would be judged in vain.
 *  4. Its acknowledgement is taken into the other stream, and goes on in that stream's terms.
 *  5. Its bytes are, by their place: a repetition, which is compared with or made again from what is kept; next in order,
 *     which are judged; or early, which wait. Where they are several of these, the parts are treated apart.
 *  6. What remains of the frame goes on: whole, cut to the bytes that passed, or as a pure acknowledgement if that says
 *     something new. What was set free beyond it leaves in segments of our own.
 */
import type { Frame } from '../../wire/frame.ts';
import { DROP_STREAM_CLOSED, DROP_STREAM_INVALID, DROP_STREAM_LIMIT, FORWARD, HELD } from '../../wire/reasons.ts';
import * as tcp from '../../wire/header/tcp.ts';
import { CLOSING, DEAD, type Flow, HANDSHAKE, OPEN } from './flow.ts';
import { REQUEST } from '../parser.ts';
import type { ProxyStats } from './proxy-stats.ts';
import { SegmentEnds } from './segment-ends.ts';
import type { Transmitter } from './segment-output.ts';
import type { StreamEditor } from './stream-editor.ts';
import { retarget, translateSack, trim } from './tcp-edit.ts';
import { SegmentFields } from './tcp-segment.ts';
import type { TcpStream } from './tcp-stream.ts';

/** After a restart: probes sent for one stream before it is given up. */
const MAX_PROBES = 8;

export class SegmentPath {
  readonly #editor: StreamEditor;
  readonly #transmitter: Transmitter;
  readonly #stats: ProxyStats;
  readonly #fields: SegmentFields = new SegmentFields();
  readonly #ends: SegmentEnds;
  /** The acknowledgement of the segment at hand says something that the other side does not know. */
  isNews = false;
  /** It acknowledges more than the last did. */
  #isAdvance = false;

  constructor(editor: StreamEditor, transmitter: Transmitter, stats: ProxyStats, keepBytes: number) {
    this.#editor = editor;
    this.#transmitter = transmitter;
    this.#stats = stats;
    this.#ends = new SegmentEnds(this.#fields, editor, transmitter, stats, keepBytes);
  }

  /** Preconditions: the checksum of the frame is right; `stream` is the one it belongs to. */
  segment(flow: Flow, frame: Frame, stream: TcpStream): number {
    const fields = this.#fields;
    fields.read(frame);
    if ((fields.flags & tcp.SYN) !== 0) return this.#ends.syn(flow, frame, stream);
    if (flow.mode >= DEAD) return this.#ends.answerDead(flow, stream);
    if ((fields.flags & tcp.RST) !== 0) return this.#reset(flow, frame, stream);
    if (flow.mode === HANDSHAKE) return this.#ends.beforeOpen(flow, stream);
    if (flow.mode === CLOSING) return this.#ends.closing(flow, stream);
    if (!this.#isBelievable(flow, stream)) return this.#invalid();
    const other = flow.other(stream);
    this.#acknowledge(other);
    if (fields.end === fields.seq) return this.#pureAck(flow, frame, stream);
    return this.#data(flow, frame, stream);
  }

  #invalid(): number {
    this.#stats.invalid++;
    return DROP_STREAM_INVALID;
  }

  // --- 2

  #reset(flow: Flow, frame: Frame, stream: TcpStream): number {
    if (flow.mode === HANDSHAKE) return FORWARD;
    if (flow.mode === CLOSING) {
      if (stream.direction === REQUEST) flow.die();
      return HELD;
    }
    const { seq } = this.#fields;
    const isExact = seq === stream.nextIn;
    if (frame.payloadLength > 0) trim(frame, 0);
    this.#address(flow, frame, stream, isExact ? stream.nxt : stream.toOut(seq));
    if (isExact) flow.die();
    return FORWARD;
  }

  // --- 3

  #isBelievable(flow: Flow, stream: TcpStream): boolean {
    const fields = this.#fields;
    if ((fields.flags & (tcp.ACK | tcp.URG)) !== tcp.ACK) return false;
    if (flow.hasTimestamps && !fields.hasTimestamp && fields.end !== fields.seq) return false;
    const isTimed = flow.hasTimestamps && fields.hasTimestamp;
    if (isTimed && stream.hasTimestamp && ((fields.timestamp - stream.timestamp) | 0) < 0) return false;
    const other = flow.other(stream);
    if (((fields.ack - other.nxt) | 0) > 0 && !this.#mayBeAhead(flow, other)) return false;
    if (!isTimed) return true;
    // After a restart we may have to speak for the other side before we have heard it.
    if (!other.hasTimestamp) other.noteTimestamp(fields.echo, true);
    stream.noteTimestamp(fields.timestamp, ((fields.seq - stream.nextIn) | 0) <= 0);
    return true;
  }

  /** After a restart the other side may acknowledge content that was passed ahead and never seen by this process. */
  #mayBeAhead(flow: Flow, other: TcpStream): boolean {
    const ahead = (this.#fields.ack - other.nxt) | 0;
    if (!other.isLagging || other.heldBytes > 0 || ahead > other.passAhead) return false;
    other.acknowledge(other.nxt, this.#editor.nowMs);
    this.#skip(flow, other, (other.nextIn + ahead) | 0);
    return true;
  }

  // --- 4

  #acknowledge(other: TcpStream): void {
    const { ack, window } = this.#fields;
    const ackBefore = other.ackIn;
    const windowBefore = other.windowIn;
    const ahead = (ack - other.una) | 0;
    this.#isAdvance = ahead > 0;
    if (ahead >= 0) {
      other.acknowledge(ack, this.#editor.nowMs);
      other.window = window;
    }
    this.isNews = other.ackIn !== ackBefore || other.windowIn !== windowBefore;
  }

  /** Puts the sequence number, and the acknowledgement in the terms of the stream it is about, on a frame. */
  #address(flow: Flow, frame: Frame, stream: TcpStream, seq: number): void {
    const { ack, window, flags } = this.#fields;
    const other = flow.other(stream);
    if ((flags & tcp.ACK) === 0) {
      retarget(frame, seq, ack, window);
      return;
    }
    const isOld = ((ack - other.una) | 0) < 0;
    if (other.isUnsure && isOld) retarget(frame, seq, (other.safeAck - other.safeOut + ack) | 0, window);
    else if (other.isShifted || other.hasAckedAhead) {
      translateSack(frame, other);
      retarget(frame, seq, other.ackIn, other.windowIn);
    } else retarget(frame, seq, ack, Math.min(window, other.maxWindow));
  }

  /** The frame as a pure acknowledgement, if there is a point in it. */
  #asPureAck(flow: Flow, frame: Frame, stream: TcpStream): number {
    if (!this.isNews) return HELD;
    trim(frame, 0);
    this.#address(flow, frame, stream, stream.sent);
    return FORWARD;
  }

  #pureAck(flow: Flow, frame: Frame, stream: TcpStream): number {
    if (flow.wantsReset) return this.#giveUp(flow);
    const { seq } = this.#fields;
    // An acknowledgement of what only we had sent is none of the sender's business.
    if (this.#isAdvance && !this.isNews && seq === stream.nextIn) return HELD;
    const behind = (stream.nextIn - seq) | 0;
    let out = stream.nxt;
    if (behind === 1)
      out = (stream.nxt - 1) | 0; // keep-alive probe
    else if (behind > 0) out = stream.toOut(seq);
    else if (!stream.isShifted && stream.heldBytes === 0) out = (stream.nxt - behind) | 0;
    if (behind > 0 && ((out - stream.nxt) | 0) > 0) out = stream.nxt;
    this.#address(flow, frame, stream, out);
    return FORWARD;
  }

  // --- 5

  #data(flow: Flow, frame: Frame, stream: TcpStream): number {
    if (flow.wantsReset || stream.probes > MAX_PROBES) return this.#giveUp(flow);
    const { seq, end } = this.#fields;
    if (!stream.isPlaced) this.#findPlace(flow, stream);
    const ahead = (seq - stream.nextIn) | 0;
    if (ahead > 0) return this.#early(flow, frame, stream);
    if (((end - stream.nextIn) | 0) <= 0) return this.#repeated(flow, frame, stream);
    if (stream.finIn) return this.#invalid(); // bytes behind the end
    return this.#next(flow, frame, stream, -ahead);
  }

  /** After a restart: the first new bytes inside the content that was passed ahead show where the sender is. */
  #findPlace(flow: Flow, stream: TcpStream): void {
    const { seq, end } = this.#fields;
    const ahead = (seq - stream.nextIn) | 0;
    if (ahead > stream.passAhead || ((end - stream.nextIn) | 0) <= 0) return;
    if (ahead > 0) this.#skip(flow, stream, seq);
    stream.isPlaced = true;
  }

  /** Skips content; what waits for its end goes out there. */
  #skip(flow: Flow, stream: TcpStream, position: number): void {
    stream.skipTo(position);
    this.#editor.applyAhead(flow, stream);
    this.#editor.flush(flow, stream);
  }

  #early(flow: Flow, frame: Frame, stream: TcpStream): number {
    const { seq, hasFin } = this.#fields;
    if (((stream.toOut(seq) - stream.rightEdge) | 0) > 0) return this.#invalid();
    const from = frame.payloadOffset;
    const isKept = stream.early.add(seq, frame.bytes, from, from + frame.payloadLength, hasFin);
    if (isKept) this.#stats.early++;
    else this.#stats.earlyDropped++;
    this.#transmitter.ack(flow, stream); // a duplicate acknowledgement: the sender learns that something is missing
    return this.#asPureAck(flow, frame, stream);
  }

  #repeated(flow: Flow, frame: Frame, stream: TcpStream): number {
    this.#stats.repeated++;
    const { seq, end, payloadBytes } = this.#fields;
    const first = stream.toOut(seq);
    const last = stream.finOut && end === stream.nextIn ? stream.nxt : stream.toOut((seq + payloadBytes) | 0);
    const isUnknown = stream.isUnsure || stream.keptBase !== stream.una;
    const isEarlier = ((stream.keptFrom - first) | 0) > 0 || ((seq - stream.contentFrom) | 0) < 0;
    if (isUnknown && isEarlier) return this.#repeatedUnknown(flow, frame, stream, first);
    const from = ((first - stream.una) | 0) > 0 ? first : stream.una;
    const to = ((last - stream.nxt) | 0) > 0 ? stream.nxt : last;
    if (((to - from) | 0) <= 0) {
      this.#transmitter.ack(flow, stream); // the receiver has it: the sender missed that
      return this.#asPureAck(flow, frame, stream);
    }
    const at = frame.payloadOffset;
    const isOneRun = !stream.isShifted && ((last - first) | 0) === ((end - seq) | 0);
    const isWhole = isOneRun && from === first && to === last; // what is held yet is not to be repeated
    const isSame = isWhole && stream.kept.equals(frame.bytes, at, at + payloadBytes, (from - stream.keptBase) | 0);
    if (isSame) {
      this.#address(flow, frame, stream, first);
      return FORWARD;
    }
    if (isWhole) this.#stats.repeatedOtherwise++;
    this.#transmitter.data(flow, stream, from, to);
    return HELD;
  }

  /**
   * A repetition of what a former process forwarded. Content is let through as it is: it was passed by its length, whatever
   * it said. What was judged cannot be compared with anything: the receiver is asked what it has; if it lacks that, the
   * connection cannot be saved.
   */
  #repeatedUnknown(flow: Flow, frame: Frame, stream: TcpStream, first: number): number {
    const { seq } = this.#fields;
    if (((seq - stream.contentFrom) | 0) >= 0) {
      const known = (stream.keptFrom - first) | 0;
      if (known < frame.payloadLength) trim(frame, known);
      this.#address(flow, frame, stream, first);
      return FORWARD;
    }
    this.#transmitter.ask(flow, stream);
    return HELD;
  }

  /** New bytes, `behind` bytes into the segment. */
  #next(flow: Flow, frame: Frame, stream: TcpStream, behind: number): number {
    const fields = this.#fields;
    const editor = this.#editor;
    const { bytes } = frame;
    const start = frame.payloadOffset + behind;
    const end = frame.payloadOffset + frame.payloadLength;
    const count = end - start;
    if (count > 0 && !fields.hasFin && stream.heldBytes === 0 && stream.dropAhead >= count) {
      return this.#dropUnread(flow, frame, stream, count);
    }
    if (!stream.kept.reserve(count)) {
      this.#stats.noMemory++;
      return DROP_STREAM_LIMIT;
    }
    const outBefore = stream.nxt;
    const ackBefore = stream.ackIn;
    if (behind > 0) this.#repeatOldPart(flow, stream);
    let p = start;
    const isStraight = behind === 0 && stream.heldBytes === 0;
    if (isStraight && count > 0) p = editor.straight(flow, stream, bytes, start, end, fields.hasFin);
    return this.#rest(flow, frame, stream, p, isStraight ? p - start : -1, outBefore, ackBefore);
  }

  /**
   * As the end of `segment`, for a segment that the fast path has begun: its acknowledgement was taken and its payload read
   * straight up to `p`. Preconditions: `isNews` says whether the acknowledgement changed anything.
   */
  finish(flow: Flow, frame: Frame, stream: TcpStream, p: number, outBefore: number, ackBefore: number): number {
    this.#fields.read(frame);
    return this.#rest(flow, frame, stream, p, p - frame.payloadOffset, outBefore, ackBefore);
  }

  /** Payload from `p` on could not pass straight, or something waits for what did. */
  #rest(
    flow: Flow,
    frame: Frame,
    stream: TcpStream,
    p: number,
    straight: number,
    outBefore: number,
    ackBefore: number,
  ): number {
    const editor = this.#editor;
    const end = frame.payloadOffset + frame.payloadLength;
    const { hasFin } = this.#fields;
    if (p < end) editor.hold(stream, frame.bytes, p, end);
    if (hasFin) editor.end(stream);
    const isWaitedFor = stream.deferred.length > 0 || flow.other(stream).heldBytes > 0;
    if (p < end || hasFin || isWaitedFor) editor.run(flow, stream);
    this.#takeEarly(flow, stream);
    return this.#send(flow, frame, stream, straight, outBefore, ackBefore);
  }

  /** Content of a denied request, or behind an error: gone without a look. */
  #dropUnread(flow: Flow, frame: Frame, stream: TcpStream, count: number): number {
    const ackBefore = stream.ackIn;
    stream.nextIn = (stream.nextIn + count) | 0;
    stream.dropAhead -= count;
    if (!stream.dropUnheld(count)) return this.#giveUp(flow);
    this.#takeEarly(flow, stream);
    return this.#send(flow, frame, stream, -1, stream.sent, ackBefore);
  }

  /** The part of a segment that was forwarded before goes again as it was, for the receiver may lack it. */
  #repeatOldPart(flow: Flow, stream: TcpStream): void {
    const first = stream.toOut(this.#fields.seq);
    const floor = stream.keptBase;
    const from = ((first - floor) | 0) > 0 ? first : floor;
    if (((stream.sent - from) | 0) > 0) this.#transmitter.data(flow, stream, from, stream.sent);
  }

  #takeEarly(flow: Flow, stream: TcpStream): void {
    for (;;) {
      const segment = flow.mode === OPEN ? stream.early.take(stream.nextIn) : undefined;
      if (segment === undefined) return;
      const behind = (stream.nextIn - segment.seq) | 0;
      const isNew = behind < segment.length || (behind === segment.length && segment.hasFin && !stream.finIn);
      if (isNew && stream.kept.reserve(segment.length - behind)) {
        this.#editor.hold(stream, segment.bytes, behind, segment.length);
        if (segment.hasFin) this.#editor.end(stream);
        this.#editor.run(flow, stream);
      }
      stream.early.give(segment);
    }
  }

  // --- 6

  /**
   * @param straight payload bytes from the first on that passed straight, -1 when the frame does not begin at `outBefore`
   * @param outBefore out-position of the frame's first byte @param ackBefore what the sender could be told before
   */
  #send(flow: Flow, frame: Frame, stream: TcpStream, straight: number, outBefore: number, ackBefore: number): number {
    const editor = this.#editor;
    const other = flow.other(stream);
    if (flow.wantsReset) return this.#giveUp(flow);
    if (flow.mode === CLOSING) {
      this.#stats.closes++;
      if (!editor.flush(flow, flow.response)) this.#transmitter.ack(flow, flow.request);
      return HELD;
    }
    if (stream.heldBytes > 0) stream.ackAhead();
    const wasTold = editor.flush(flow, other);
    if (!wasTold && stream.ackIn !== ackBefore) this.#transmitter.ack(flow, stream);
    const { payloadBytes, hasFin } = this.#fields;
    const passed = Math.max(straight, 0);
    const straightEnd = (outBefore + passed) | 0;
    const wholeEnd = (straightEnd + (hasFin ? 1 : 0)) | 0;
    if (straight === payloadBytes && stream.nxt === wholeEnd && stream.finOut === hasFin) {
      stream.sent = stream.nxt;
      this.#address(flow, frame, stream, outBefore);
      return FORWARD;
    }
    if (stream.nxt !== straightEnd) {
      editor.flush(flow, stream);
      return HELD;
    }
    stream.sent = stream.nxt;
    if (passed === 0) return this.#asPureAck(flow, frame, stream);
    trim(frame, passed);
    this.#address(flow, frame, stream, outBefore);
    return FORWARD;
  }

  #giveUp(flow: Flow): number {
    this.#stats.resets++;
    this.#editor.reset(flow);
    return DROP_STREAM_CLOSED;
  }
}
