/**
 * One way of one TCP connection, between the side that sends and the side that receives.
 *
 * There are two sequence spaces: `in` numbers are the sender's, `out` numbers are those the receiver sees
 * (position-map.ts).
 *
 *     in:    ...  passedIn   nextIn              all below nextIn has arrived in order (FIN counts)
 *     out:   una ... sent ... nxt                una: acknowledged; sent: has left here once; nxt: passed
 *
 * What lies from una to nxt is kept, byte for byte (kept-bytes.ts), so that a position never gets a second value: what a
 * sender repeats is compared with what is kept, and what it no longer repeats is sent from here. The latter is what was
 * put in, and what the sender was told had arrived before the receiver said so (`owedTo`). It is sent again up to `recoverTo`,
 * as acknowledgements come, from the first duplicates or the first timeout on.
 *
 * Of long content only the end is kept (`passUnkept`): nothing in it was judged, so that whatever is sent for its positions may pass; all that
 * was judged before has arrived by then. Meanwhile the receiver's window is told as it is; near the end it is cut to what can be kept
 * again, and a sender that is beyond it loses what it sends behind the content, as on any wire.
 *
 * A stream that was taken up after a restart (`resume`) does not know where its sender is. It knows where the parser was
 * asked last (`mark`) and how many bytes of content the parser had passed from there, but not how many of them have come
 * and gone. The first segment inside that content tells (`place`). What lies before that segment is not kept; it is
 * content, and passes unseen.
 *
 * Only this file writes the fields: everybody else sees a `TcpStream`, which is `Readonly`. Who may call what depends on
 * the mode of the connection (connection.ts). The test rigs assert the right column after each segment (test/stream/states.ts).
 *
 *   mode       may be called                                          holds afterwards
 *   HANDSHAKE  begin, resume, knowReceiver (all of them lead to OPEN)  nothing kept, no timer
 *   OPEN       all but begin and resume                               una <= sent <= nxt; what is kept is what lies
 *                                                                     from keptBase to dataEnd
 *   CLOSING    request: discardTo, noteTimestamp                      request: discards, keeps nothing, owes nothing
 *              response: acknowledge, noteSentTo, isResendDue,        response: its FIN is out, nothing is held
 *              backOff
 *   DEAD,      release                                                nothing kept, no timer
 *   REFUSED
 */
import type { BytePool, KeptBytes } from './kept-bytes.ts';
import type { Way } from '../parser.ts';
import { DEFAULT_MSS, FIRST_TIMEOUT_MS, type ReceiverLimits, type SavedStream, StreamState } from './stream-state.ts';

const MAX_TIMEOUT_MS = 10_000;

class Stream extends StreamState {
  /** The endpoint whose share of the memory is used. Preconditions: nothing is kept. */
  setOwner(endpoint: number): void {
    this.kept.setOwner(endpoint);
    this.early.setOwner(endpoint);
  }

  // --- beginning and end

  /** Begins at `first`, the sender's first byte (initial sequence number + 1), which the receiver sees as `firstOut`. */
  begin(first: number, firstOut: number): void {
    this.release();
    this.nextIn = first;
    this.una = firstOut;
    this.sent = firstOut;
    this.nxt = firstOut;
    this.finIn = false;
    this.finOut = false;
    this.passAhead = 0;
    this.dropAhead = 0;
    this.owedTo = firstOut;
    this.hasAckedAhead = false;
    this.isDiscarding = false;
    this.timestamp = 0;
    this.hasTimestamp = false;
    this.mark = first;
    this.markBytes = 0;
    this.keptFrom = firstOut;
    this.isUnsure = false;
    this.isLagging = false;
    this.isPlaced = true;
    this.probes = 0;
    this.positions.begin(first, firstOut);
  }

  /** Takes over what limits the stream. */
  knowReceiver(limits: ReceiverLimits): void {
    this.mss = limits.mss;
    this.windowShift = limits.windowShift;
    this.window = limits.window;
    this.maxWindow = limits.maxWindow;
  }

  /** Begins at a mark that was saved before a restart. */
  resume(saved: SavedStream): void {
    const { mark, markBytes, shift, unacked } = saved;
    this.begin(mark, (mark + shift) | 0);
    this.safeAck = (mark - unacked) | 0;
    this.safeOut = (this.una - unacked) | 0;
    this.passAhead = markBytes;
    this.markBytes = markBytes;
    this.isUnsure = true;
    this.contentFrom = mark;
    this.isLagging = markBytes > 0;
    this.isPlaced = markBytes === 0;
    this.mss = DEFAULT_MSS;
    this.windowShift = saved.windowShift;
    this.maxWindow = 0xffff;
    this.window = 0; // nobody has told yet: see `windowIn`, `rightEdge`
  }

  /** From now on what comes is acknowledged and forgotten; nothing is owed any more. */
  discard(): void {
    this.release();
    this.isDiscarding = true;
    this.owedTo = this.una;
    this.sent = this.nxt;
  }

  /** A segment came that is discarded: it is to be acknowledged up to `end` (in). */
  discardTo(end: number, hasFin: boolean): void {
    this.nextIn = end;
    if (hasFin) this.finIn = true;
  }

  /** Ends the stream here: what is held goes away, and a FIN of ours follows what was passed. */
  endOut(nowMs: number): void {
    this.kept.dropAllHeld();
    this.early.drop();
    if (!this.finOut) {
      this.finOut = true;
      this.nxt = (this.nxt + 1) | 0;
    }
    this.owedTo = this.nxt;
    this.startTimer(nowMs);
  }

  /** Gives all memory back, and waits for nothing. */
  release(): void {
    this.hasContent = this.leavesContent = false;
    this.kept.release();
    this.early.drop();
    this.#clearDeferred();
    this.resendAtMs = 0;
    this.resends = 0;
    this.isRecovering = false;
    this.duplicates = 0;
  }

  // --- what the sender sends

  /** A segment with this timestamp has come. @param isInOrder its first byte is not beyond nextIn */
  noteTimestamp(timestamp: number, isInOrder: boolean): void {
    if (isInOrder || !this.hasTimestamp) this.timestamp = timestamp;
    if (!this.hasTimestamp || ((timestamp - this.latestTimestamp) | 0) > 0) this.latestTimestamp = timestamp;
    this.hasTimestamp = true;
  }

  /** Puts bytes[start, end), the next in order, behind what is held. Preconditions: room for them is reserved. */
  hold(bytes: Uint8Array, start: number, end: number): void {
    this.hasContent = this.leavesContent = false;
    this.kept.hold(bytes, start, end);
    this.nextIn = (this.nextIn + end - start) | 0;
  }

  /** The sender's FIN is next in order. */
  endIn(): void {
    this.finIn = true;
    this.nextIn = (this.nextIn + 1) | 0;
  }

  /** As much of bytes[start, end), the next in order, as was passed ahead goes on where it is. @returns how much
   * Preconditions: nothing is held; room for them is reserved. */
  passStraight(bytes: Uint8Array, start: number, end: number): number {
    const count = Math.min(this.passAhead, end - start);
    this.kept.hold(bytes, start, start + count);
    this.kept.passHeld(count);
    this.leavesContent = false;
    this.nextIn = (this.nextIn + count) | 0;
    this.nxt = (this.nxt + count) | 0;
    this.passAhead -= count;
    return count;
  }

  /** Passes the next `count` bytes without keeping them, if they are in content whose end cannot be under way yet, and all that
   * was judged has arrived. Preconditions: isPlain. @returns whether it did */
  passUnkept(count: number): boolean {
    if (this.passAhead - count < this.kept.limit) return false;
    if (!this.hasContent) this.contentSince = this.nextIn;
    this.hasContent = true;
    if (!this.leavesContent) {
      if (((this.una - this.contentSince) | 0) < 0) return false;
      this.kept.release();
      this.leavesContent = true;
    }
    this.contentFrom = this.una;
    this.nextIn = (this.nextIn + count) | 0;
    this.nxt = (this.nxt + count) | 0;
    this.passAhead -= count;
    this.keptFrom = this.nxt;
    return true;
  }

  /** Drops `count` bytes, the next in order, that were dropped ahead. @returns false when there are too many edits */
  dropStraight(count: number): boolean {
    this.nextIn = (this.nextIn + count) | 0;
    this.dropAhead -= count;
    const at = this.passedIn;
    return this.positions.edit((at - count) | 0, at, this.nxt);
  }

  /** Skips to `position` (in), inside the content that was passed ahead. Preconditions: nothing is kept. */
  skipTo(position: number): void {
    const bytes = (position - this.nextIn) | 0;
    this.nextIn = position;
    this.passAhead -= bytes;
    this.nxt = (this.nxt + bytes) | 0;
    this.sent = this.nxt;
    this.keptFrom = this.nxt;
    this.owedTo = this.una;
  }

  /** The sender has shown that its next byte is at nextIn. */
  place(): void {
    this.isPlaced = true;
  }

  // --- what the parser says

  /** The parser lets the first `held` held bytes pass, and `ahead` more before it is asked again. */
  pass(held: number, ahead: number): void {
    this.hasContent = this.leavesContent = false;
    this.#passHeld(held);
    this.passAhead = ahead;
    this.isLagging = false;
  }

  /** The parser takes away the first `held` held bytes, and `ahead` more. @returns false when there are too many edits */
  drop(held: number, ahead: number): boolean {
    this.dropAhead = ahead;
    return this.#dropHeld(held);
  }

  /** Puts `payload` in, once all that was passed is through. @returns false when there are too many edits, or no memory */
  inject(payload: Uint8Array): boolean {
    if (this.passAhead === 0) return this.#insert(payload);
    this.deferred.push(payload);
    this.deferredBytes += payload.length;
    return true;
  }

  /** Applies to held bytes what was said before they came. @returns false when there are too many edits, or no memory */
  applyAhead(): boolean {
    let isDone = true;
    if (this.passAhead > 0) {
      const count = Math.min(this.passAhead, this.kept.heldBytes);
      this.#passHeld(count);
      this.passAhead -= count;
    }
    if (this.passAhead === 0 && this.deferred.length > 0) {
      for (const payload of this.deferred) isDone &&= this.#insert(payload);
      this.#clearDeferred();
    }
    if (this.dropAhead > 0 && this.kept.heldBytes > 0) {
      const count = Math.min(this.dropAhead, this.kept.heldBytes);
      isDone &&= this.#dropHeld(count);
      this.dropAhead -= count;
    }
    return isDone;
  }

  /** A FIN goes on when all before it has gone on or away. */
  passFin(): void {
    if (!this.finIn || this.finOut || this.heldBytes > 0 || this.isDiscarding) return;
    this.#clearDeferred(); // the end came in the middle of what they waited for
    this.finOut = true;
    this.nxt = (this.nxt + 1) | 0;
  }

  #clearDeferred(): void {
    this.deferred.length = 0;
    this.deferredBytes = 0;
  }

  /** Notes that the parser was asked at the present position, and what it passed ahead. */
  setMark(): void {
    this.mark = this.nextIn;
    this.markBytes = this.passAhead;
  }

  /** From now on held bytes are ours to deliver. */
  #passHeld(count: number): void {
    if (count === 0) return;
    this.kept.passHeld(count);
    this.nxt = (this.nxt + count) | 0;
    this.owedTo = this.nxt;
  }

  #dropHeld(count: number): boolean {
    if (count === 0) return true;
    const at = this.passedIn;
    this.kept.dropHeld(count);
    return this.positions.edit(at, (at + count) | 0, this.nxt);
  }

  #insert(payload: Uint8Array): boolean {
    if (this.finOut) return true; // too late: the stream has ended
    if (!this.kept.reserve(payload.length)) return false;
    this.kept.insert(payload);
    const at = this.passedIn;
    this.nxt = (this.nxt + payload.length) | 0;
    this.owedTo = this.nxt;
    return this.positions.edit(at, at, this.nxt);
  }

  // --- what the receiver says, and what is sent to it

  /** The receiver has everything below `position` (una <= position <= nxt), and this window field. */
  acknowledge(position: number, window: number, nowMs: number): void {
    const isAdvance = position !== this.una;
    const from = this.keptBase;
    const data = Math.min((position - from) | 0, this.kept.held - this.kept.start);
    this.una = position;
    if (((this.keptFrom - position) | 0) <= 0) this.keptFrom = position;
    this.isUnsure = false;
    this.probes = 0;
    if (isAdvance) this.duplicates = 0;
    if (this.isRecovering && ((this.recoverTo - position) | 0) <= 0) this.isRecovering = false;
    if (data > 0) this.kept.acknowledge(data);
    this.positions.prune(position);
    if (this.hasAckedAhead && ((this.ackedIn - this.toIn(position)) | 0) <= 0) this.hasAckedAhead = false;
    if (((this.owedTo - position) | 0) > 0) {
      if (isAdvance || this.resendAtMs === 0) this.startTimer(nowMs);
      else if (this.window === 0) this.resends = 0; // a receiver that answers may keep us waiting (RFC 1122 4.2.2.17)
    } else {
      this.owedTo = position; // follows una, lest it be overtaken by 2^31
      this.resendAtMs = 0;
    }
    this.window = window;
  }

  /** The receiver has nothing new, but this window field. */
  setWindow(window: number): void {
    this.window = window;
  }

  /** What was passed up to `position` (out) has left. */
  noteSentTo(position: number): void {
    if (((position - this.sent) | 0) > 0) this.sent = position;
  }

  noteProbe(): void {
    this.probes++;
  }

  /**
   * Tells the sender that all that came has arrived, on our own account: but not while the receiver may lack bytes that a
   * former process forwarded, which only the sender can repeat.
   */
  ackAhead(): void {
    if (this.isUnsure || ((this.keptFrom - this.una) | 0) > 0) return;
    this.ackedIn = (this.nextIn - (this.finIn && !this.finOut ? 1 : 0)) | 0;
    this.hasAckedAhead = ((this.ackedIn - this.toIn(this.una)) | 0) > 0;
    if (this.hasAckedAhead) this.owedTo = this.dataEnd;
  }

  startTimer(nowMs: number): void {
    this.timeoutMs = FIRST_TIMEOUT_MS;
    this.resends = 0;
    this.resendAtMs = nowMs + this.timeoutMs;
  }

  /** An acknowledgement came that says nothing new. @returns how many there were in a row */
  noteDuplicate(): number {
    return ++this.duplicates;
  }

  /** What is owed now is to be sent again, and has been up to `to` (out). */
  recover(to: number): void {
    if (!this.isRecovering) this.recoverTo = this.owedTo;
    this.isRecovering = true;
    this.resentTo = to;
  }

  isResendDue(nowMs: number): boolean {
    return this.resendAtMs !== 0 && nowMs >= this.resendAtMs && this.owes;
  }

  /** What was due is sent again, or is given up. Waits twice as long for the next time. @returns how often it was due */
  backOff(nowMs: number): number {
    this.resends++;
    this.timeoutMs = Math.min(this.timeoutMs * 2, MAX_TIMEOUT_MS);
    this.resendAtMs = nowMs + this.timeoutMs;
    return this.resends;
  }
}

/** Of the bytes that a stream keeps, what can be read; and room for more, which changes nothing. */
type Kept = Pick<Readonly<KeptBytes>, 'bytes' | 'start' | 'held' | 'end' | 'reserve' | 'equals'>;

/** A stream as everybody but this file sees it: its fields are changed by its methods only. */
export type TcpStream = Readonly<Omit<Stream, 'kept'>> & { readonly kept: Kept };

/** @param limitBytes most that the stream may keep */
export function makeTcpStream(way: Way, pool: BytePool, limitBytes: number): TcpStream {
  return new Stream(way, pool, limitBytes);
}
