/**
 * The long way of a segment: everything but an expected segment of a connection in which nothing was ever edited.
 *
 *  1. A SYN begins a connection; it is believed when its SYN-ACK comes. Neither carries data on.
 *  2. In a connection that is over, whatever comes is answered by a reset.
 *  3. A segment must carry ACK and not URG, a timestamp no older than the last in order (RFC 7323 PAWS), and acknowledge
 *     nothing that was not sent. Else it is dropped, for its receiver would drop it and its bytes would be judged in vain.
 *  4. Its acknowledgement is taken into the other stream, and goes on in that stream's terms. What it shows to be missing there
 *     is sent again, when only we can.
 *  5. Its bytes are, by their place: a repetition, which is compared with or made again from what is kept; next in order,
 *     which are judged; or early, which wait, and are acknowledged selectively (RFC 2018). Where they are several of these, the parts are treated apart.
 *  6. What remains of the frame goes on: whole, cut to the bytes that passed, or as a pure acknowledgement if that says
 *     something new. What was set free beyond it leaves in segments of our own.
 */
import { DROP_STREAM_CLOSED, DROP_STREAM_INVALID, DROP_STREAM_LIMIT, FORWARD, HELD } from '../../wire/reasons.ts';
import * as tcp from '../../wire/header/tcp.ts';
import { CLOSING, type Connection, DEAD, HANDSHAKE, OPEN } from './connection.ts';
import { REQUEST } from '../parser.ts';
import type { StreamCounters } from './counters.ts';
import { SegmentEnds } from './segment-ends.ts';
import { MAX_BURST, type Transmitter } from './segment-output.ts';
import type { StreamEditor } from './stream-editor.ts';
import { retarget, translateSack, trim } from './tcp-edit.ts';
import type { SegmentAtHand } from './segment-at-hand.ts';
import type { TcpStream } from './tcp-stream.ts';

/** After a restart: probes sent for one stream before it is given up. */
const MAX_PROBES = 8;
/** Acknowledgements that say nothing new, after which something is taken for lost. */
const DUPLICATES = 3;
/** The same, when they say what came instead: what we send leaves in order, and little of it may follow. */
const SACK_DUPLICATES = 1;

export class SegmentPath {
  readonly #editor: StreamEditor;
  readonly #transmitter: Transmitter;
  readonly #counters: StreamCounters;
  readonly #ends: SegmentEnds;

  constructor(editor: StreamEditor, transmitter: Transmitter, counters: StreamCounters, ends: SegmentEnds) {
    this.#editor = editor;
    this.#transmitter = transmitter;
    this.#counters = counters;
    this.#ends = ends;
  }

  /** Preconditions: the checksum of the frame is right, `at` was read from it. */
  segment(at: SegmentAtHand): number {
    const { connection, flags } = at;
    if ((flags & tcp.SYN) !== 0) return this.#ends.syn(at);
    if (connection.mode >= DEAD) return this.#ends.answerDead(at);
    if ((flags & tcp.RST) !== 0) return this.#reset(at);
    if (connection.mode === HANDSHAKE) return this.#ends.beforeOpen(at);
    if (connection.mode === CLOSING) return this.#ends.closing(at);
    if (!this.#isBelievable(at)) return this.#invalid();
    this.#acknowledge(at);
    if (at.other.early.length > 0) {
      this.#takeEarly(at, at.other); // after a restart `ack` may have shown that these are next: nobody sends them again
      if (connection.wantsReset || connection.mode !== OPEN) return this.#send(at, -1);
      this.#editor.flush(connection, at.other);
    }
    const outcome = connection.isHeldBack && !connection.isCrowded ? this.#goOn(at) : -1;
    if (outcome >= 0) return outcome;
    return at.end === at.seq ? this.#pureAck(at) : this.#data(at);
  }

  #invalid(): number {
    this.#counters.invalid++;
    return DROP_STREAM_INVALID;
  }

  // --- 2

  #reset(at: SegmentAtHand): number {
    const { connection, frame, stream, seq } = at;
    if (connection.mode === HANDSHAKE) return FORWARD;
    if (connection.mode === CLOSING) {
      if (stream.way === REQUEST) connection.die();
      return HELD;
    }
    const isExact = seq === stream.nextIn;
    if (frame.payloadLength > 0) trim(frame, 0);
    this.#address(at, isExact ? stream.nxt : stream.toOut(seq));
    if (isExact) connection.die();
    return FORWARD;
  }

  // --- 3

  #isBelievable(at: SegmentAtHand): boolean {
    const { connection, stream, other } = at;
    if ((at.flags & (tcp.ACK | tcp.URG)) !== tcp.ACK) return false;
    if (connection.hasTimestamps && !at.hasTimestamp && at.end !== at.seq) return false;
    const isTimed = connection.hasTimestamps && at.hasTimestamp;
    if (isTimed && stream.hasTimestamp && ((at.timestamp - stream.timestamp) | 0) < 0) return false;
    if (((at.ack - other.nxt) | 0) > 0 && !this.#mayBeAhead(at)) return false;
    if (!isTimed) return true;
    // After a restart we may have to speak for the other side before we have heard it.
    if (!other.hasTimestamp) other.noteTimestamp(at.echo, true);
    stream.noteTimestamp(at.timestamp, ((at.seq - stream.nextIn) | 0) <= 0);
    return true;
  }

  /** After a restart the other side may acknowledge content that was passed ahead and never seen by this process. */
  #mayBeAhead(at: SegmentAtHand): boolean {
    const { connection, other } = at;
    const ahead = (at.ack - other.nxt) | 0;
    if (!other.isLagging || other.heldBytes > 0 || ahead > other.passAhead) return false;
    other.acknowledge(other.nxt, other.window, this.#editor.nowMs);
    this.#skip(connection, other, (other.nextIn + ahead) | 0);
    return true;
  }

  // --- 4

  #acknowledge(at: SegmentAtHand): void {
    const { other, ack, window } = at;
    const ackBefore = other.ackIn;
    const windowBefore = other.windowIn;
    const ahead = (ack - other.una) | 0;
    at.isAdvance = ahead > 0;
    if (ahead >= 0) other.acknowledge(ack, window, this.#editor.nowMs);
    at.isNews = other.ackIn !== ackBefore || other.windowIn !== windowBefore;
    const isDuplicate = ahead === 0 && at.end === at.seq && (at.sackFrom !== at.sackTo || !at.isNews);
    if (other.owes && at.connection.mode === OPEN) this.#recover(at, Math.max(0, ahead), isDuplicate);
  }

  /**
   * Sends again what the other side's receiver lacks and only we can send: the first gap, when it says thrice that there is one
   * (RFC 5681 3.2), and then, as acknowledgements come, twice as much as they acknowledge, or up to the next gap's end (RFC
   * 6582, with the blocks of RFC 2018). A timer of ours begins the same when nothing comes (timers.ts).
   */
  #recover(at: SegmentAtHand, advance: number, isDuplicate: boolean): void {
    const { connection, other } = at;
    const enough = at.sackFrom === at.sackTo ? DUPLICATES : SACK_DUPLICATES;
    const isBegun = !other.isRecovering && isDuplicate && other.noteDuplicate() >= enough;
    if (!isBegun && (!other.isRecovering || advance === 0)) return;
    const base = other.keptBase;
    const from = !isBegun && ((other.resentTo - base) | 0) > 0 ? other.resentTo : base;
    let to = (from + (isBegun ? other.mss : Math.max(2 * advance, other.mss))) | 0;
    if (at.sackFrom !== at.sackTo && ((at.sackFrom - from) | 0) > 0)
      to = isBegun ? at.sackFrom : lower(to, at.sackFrom);
    to = lower(lower(to, (from + MAX_BURST * other.mss) | 0), isBegun ? other.owedTo : other.recoverTo);
    if (((to - from) | 0) <= 0) return;
    this.#counters.resent++;
    this.#transmitter.data(connection, other, from, to);
    other.recover(to);
  }

  /** Its acknowledgement made room: what was held back goes on. @returns -1 when its own bytes are yet to be looked at */
  #goOn(at: SegmentAtHand): number {
    const { connection, stream, other } = at;
    const isPure = at.end === at.seq;
    at.noteBefore(stream.nxt, stream.ackIn);
    this.#editor.run(at);
    if (isPure || connection.wantsReset || connection.mode !== OPEN) return this.#send(at, isPure ? 0 : -1);
    this.#editor.flush(connection, other);
    this.#editor.flush(connection, stream);
    return -1;
  }

  /** Puts the sequence number, and the acknowledgement in the terms of the stream it is about, on a frame. */
  #address(at: SegmentAtHand, seq: number): void {
    const { frame, other, ack, window, flags } = at;
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
  #asPureAck(at: SegmentAtHand): number {
    if (!at.isNews) return HELD;
    trim(at.frame, 0);
    this.#address(at, at.stream.sent);
    return FORWARD;
  }

  #pureAck(at: SegmentAtHand): number {
    const { connection, stream, seq } = at;
    if (connection.wantsReset) return this.#giveUp(connection);
    // An acknowledgement of what only we had sent is none of the sender's business.
    if (at.isAdvance && !at.isNews && seq === stream.nextIn) return HELD;
    const behind = (stream.nextIn - seq) | 0;
    let out = stream.nxt;
    if (behind === 1)
      out = (stream.nxt - 1) | 0; // keep-alive probe
    else if (behind > 0) out = stream.toOut(seq);
    else if (!stream.isShifted && stream.heldBytes === 0) out = (stream.nxt - behind) | 0;
    if (behind > 0 && ((out - stream.nxt) | 0) > 0) out = stream.nxt;
    this.#address(at, out);
    return FORWARD;
  }

  // --- 5

  #data(at: SegmentAtHand): number {
    const { connection, stream, seq, end } = at;
    if (connection.wantsReset || stream.probes > MAX_PROBES) return this.#giveUp(connection);
    if (!stream.isPlaced) this.#findPlace(at);
    const ahead = (seq - stream.nextIn) | 0;
    if (ahead > 0) return this.#early(at);
    if (((end - stream.nextIn) | 0) <= 0) return this.#repeated(at);
    if (stream.finIn) return this.#invalid(); // bytes behind the end
    return this.#next(at, -ahead);
  }

  /** After a restart: the first new bytes inside the content that was passed ahead show where the sender is. */
  #findPlace(at: SegmentAtHand): void {
    const { connection, stream, seq, end } = at;
    const ahead = (seq - stream.nextIn) | 0;
    if (ahead > stream.passAhead || ((end - stream.nextIn) | 0) <= 0) return;
    if (ahead > 0) this.#skip(connection, stream, seq);
    stream.place();
  }

  /** Skips content; what waits for its end goes out there. */
  #skip(connection: Connection, stream: TcpStream, position: number): void {
    stream.skipTo(position);
    this.#editor.applyAhead(connection, stream);
    this.#editor.flush(connection, stream);
  }

  #early(at: SegmentAtHand): number {
    const { connection, frame, stream, seq, hasFin } = at;
    if (((stream.toOut(seq) - stream.rightEdge) | 0) > 0) return this.#invalid();
    const from = frame.payloadOffset;
    const isKept = stream.early.add(seq, frame.bytes, from, from + frame.payloadLength, hasFin);
    this.#counters[isKept ? 'early' : 'earlyDropped']++;
    // What came in order may be under way to the receiver yet: to its sender, all before a selective block looks lost.
    if (isKept && connection.hasSack) stream.ackAhead();
    this.#transmitter.ack(connection, stream); // a duplicate acknowledgement: the sender learns that something is missing
    return this.#asPureAck(at);
  }

  #repeated(at: SegmentAtHand): number {
    this.#counters.repeated++;
    const { connection, frame, stream, seq, end, payloadBytes } = at;
    const first = stream.toOut(seq);
    const last = stream.finOut && end === stream.nextIn ? stream.nxt : stream.toOut((seq + payloadBytes) | 0);
    const isUnknown = stream.isUnsure || stream.keptBase !== stream.una;
    const isEarlier = ((stream.keptFrom - first) | 0) > 0 || ((seq - stream.contentFrom) | 0) < 0;
    if (isUnknown && isEarlier) return this.#repeatedUnknown(at, first);
    const from = ((first - stream.una) | 0) > 0 ? first : stream.una;
    const to = ((last - stream.nxt) | 0) > 0 ? stream.nxt : last;
    if (((to - from) | 0) <= 0) {
      this.#transmitter.ack(connection, stream); // the receiver has it: the sender missed that
      return this.#asPureAck(at);
    }
    const start = frame.payloadOffset;
    const isOneRun = !stream.isShifted && ((last - first) | 0) === ((end - seq) | 0);
    const isWhole = isOneRun && from === first && to === last; // what is held yet is not to be repeated
    const isSame =
      isWhole && stream.kept.equals(frame.bytes, start, start + payloadBytes, (from - stream.keptBase) | 0);
    if (isSame) {
      this.#address(at, first);
      return FORWARD;
    }
    if (isWhole) this.#counters.repeatedOtherwise++;
    this.#transmitter.data(connection, stream, from, to);
    return HELD;
  }

  /**
   * A repetition of what is not kept: what a former process forwarded, or long content. Content was passed by its length, whatever it said.
   * What was judged cannot be compared with anything: the receiver is asked, unless it is known to have it.
   */
  #repeatedUnknown(at: SegmentAtHand, first: number): number {
    const { connection, frame, stream, seq } = at;
    if (((seq - stream.contentFrom) | 0) >= 0) {
      const known = (stream.keptFrom - first) | 0;
      if (known < frame.payloadLength) trim(frame, known);
      this.#address(at, first);
      return FORWARD;
    }
    if (!stream.isUnsure && ((stream.ackIn - stream.contentFrom) | 0) >= 0) {
      this.#transmitter.ack(connection, stream);
      return this.#asPureAck(at);
    }
    this.#transmitter.ask(connection, stream);
    return HELD;
  }

  /** New bytes, `behind` bytes into the segment. */
  #next(at: SegmentAtHand, behind: number): number {
    const { connection, frame, stream, hasFin } = at;
    const start = frame.payloadOffset + behind;
    const count = frame.payloadLength - behind;
    if (count > 0 && !hasFin && stream.heldBytes === 0 && stream.dropAhead >= count) return this.#dropUnread(at, count);
    if (!stream.kept.reserve(count)) {
      this.#counters.noMemory++;
      return DROP_STREAM_LIMIT;
    }
    at.noteBefore(stream.nxt, stream.ackIn);
    if (behind > 0) this.#repeatOldPart(at);
    const isStraight = behind === 0 && stream.heldBytes === 0;
    const p = isStraight && count > 0 ? this.#editor.straight(at, connection, stream, frame, hasFin) : start;
    return this.finish(at, p, isStraight);
  }

  /**
   * The last part of a segment's way: what of it could not pass straight, and what waits for what did. The fast path ends
   * here when it cannot go on, having taken the acknowledgement (`isNews`) and noted what held before.
   * @param p payload from here on did not pass @param isStraight the frame begins at the next byte, and nothing was held
   */
  finish(at: SegmentAtHand, p: number, isStraight: boolean): number {
    const { frame, stream, other, hasFin } = at;
    const straight = isStraight ? p - frame.payloadOffset : -1;
    const end = frame.payloadOffset + frame.payloadLength;
    if (p < end) stream.hold(frame.bytes, p, end);
    if (hasFin) stream.endIn();
    if (p < end || hasFin || stream.hasDeferred || other.heldBytes > 0) this.#editor.run(at);
    this.#takeEarly(at, stream);
    return this.#send(at, straight);
  }

  /** Content of a denied request, or behind an error: gone without a look. */
  #dropUnread(at: SegmentAtHand, count: number): number {
    const { connection, stream } = at;
    at.noteBefore(stream.sent, stream.ackIn);
    if (!stream.dropStraight(count)) return this.#giveUp(connection);
    this.#takeEarly(at, stream);
    return this.#send(at, -1);
  }

  /** The part of a segment that was forwarded before goes again as it was, for the receiver may lack it. */
  #repeatOldPart(at: SegmentAtHand): void {
    const { connection, stream } = at;
    const first = stream.toOut(at.seq);
    const floor = stream.keptBase;
    const from = ((first - floor) | 0) > 0 ? first : floor;
    if (((stream.sent - from) | 0) > 0) this.#transmitter.data(connection, stream, from, stream.sent);
  }

  #takeEarly(at: SegmentAtHand, stream: TcpStream): void {
    const { connection } = at;
    for (;;) {
      const segment = connection.mode === OPEN ? stream.early.take(stream.nextIn) : undefined;
      if (segment === undefined) return;
      const behind = (stream.nextIn - segment.seq) | 0;
      const isNew = behind < segment.length || (behind === segment.length && segment.hasFin && !stream.finIn);
      if (isNew && stream.kept.reserve(segment.length - behind)) {
        stream.hold(segment.bytes, behind, segment.length);
        if (segment.hasFin) stream.endIn();
        this.#editor.run(at, stream);
      }
      stream.early.give(segment);
    }
  }

  // --- 6

  /** @param straight payload bytes from the first on that passed straight, -1 when the frame does not begin at `outBefore` */
  #send(at: SegmentAtHand, straight: number): number {
    const editor = this.#editor;
    const { connection, frame, stream, payloadBytes, hasFin, outBefore } = at;
    if (connection.wantsReset) return this.#giveUp(connection);
    if (connection.mode === CLOSING) {
      this.#counters.closes++;
      if (!editor.flush(connection, connection.response)) this.#transmitter.ack(connection, connection.request);
      return HELD;
    }
    if (stream.heldBytes > 0) stream.ackAhead();
    const wasTold = editor.flush(connection, at.other);
    if (!wasTold && stream.ackIn !== at.ackBefore) this.#transmitter.ack(connection, stream);
    const passed = Math.max(straight, 0);
    const straightEnd = (outBefore + passed) | 0;
    const wholeEnd = (straightEnd + (hasFin ? 1 : 0)) | 0;
    if (straight === payloadBytes && stream.nxt === wholeEnd && stream.finOut === hasFin) {
      stream.noteSentTo(stream.nxt);
      this.#address(at, outBefore);
      return FORWARD;
    }
    if (stream.nxt !== straightEnd) {
      editor.flush(connection, stream);
      return HELD;
    }
    stream.noteSentTo(stream.nxt);
    if (passed === 0) return this.#asPureAck(at);
    trim(frame, passed);
    this.#address(at, outBefore);
    return FORWARD;
  }

  #giveUp(connection: Connection): number {
    this.#counters.resets++;
    this.#editor.reset(connection);
    return DROP_STREAM_CLOSED;
  }
}

function lower(a: number, b: number): number {
  return ((a - b) | 0) < 0 ? a : b;
}
