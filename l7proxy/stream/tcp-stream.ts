/**
 * One direction of one TCP connection, between the side that sends it and the side that receives it.
 *
 * There are two sequence spaces: `in` numbers are the sender's, `out` numbers are those the receiver sees
 * (position-map.ts).
 *
 *     in:    ...  passedIn()   nextIn            all below nextIn has arrived in order (FIN counts)
 *     out:   una ... sent ... nxt                una: acknowledged; sent: has left here once; nxt: passed
 *
 * What lies from una to nxt is kept, byte for byte (kept-bytes.ts), so that a position never gets a second value: what a
 * sender repeats is compared with what is kept, and what it no longer repeats is sent from here. The latter is what was
 * put in, and what the sender was told had arrived before the receiver said so (`owedTo`).
 *
 * A stream that was taken up after a restart (`resume`) begins in the dark: it knows where the parser was asked last
 * (`mark`) and how many bytes of content it had passed from there, but not how many of them have come and gone. The first
 * segment inside that content tells; what lies before it is not kept, and being content, is let through unseen.
 */
import { EarlyQueue } from './early-queue.ts';
import { type BytePool, KeptBytes } from './kept-bytes.ts';
import type { Direction } from '../parser.ts';
import { PositionMap } from './position-map.ts';

const FIRST_TIMEOUT_MS = 200;
export const DEFAULT_MSS = 536;
/** What we tell a sender after a restart, in the name of a receiver whose window we do not know yet. */
const CAUTIOUS_WINDOW = 4096;
/** The largest window there is: 65535 << 14. */
const MAX_WINDOW = 1 << 30;

export class TcpStream {
  readonly direction: Direction;
  readonly kept: KeptBytes;
  nextIn = 0;
  una = 0;
  sent = 0;
  nxt = 0;
  /** A FIN arrived in order; its position is the last below nextIn. */
  finIn = false;
  /** A FIN was forwarded or made; its position is the last below nxt. */
  finOut = false;
  /** Bytes that the parser passed or dropped before they came. */
  passAhead = 0;
  dropAhead = 0;
  /** Injections that wait for passAhead. */
  readonly deferred: Uint8Array[] = [];
  /** Below this (out) the sender will not repeat: we must. */
  owedTo = 0;
  /** What the sender was told has arrived (in) counts only while `hasAckedAhead`. */
  ackedIn = 0;
  hasAckedAhead = false;
  /** Nothing more of this direction is judged or forwarded: what comes is acknowledged and forgotten. */
  isDiscarding = false;

  /** Of the receiver: largest segment, window scale, last window field. */
  mss = DEFAULT_MSS;
  windowShift = 0;
  window = 0;
  /** Window fields above this are cut, so that the sender keeps within what we can keep. */
  maxWindow = 0xffff;
  /** Of the sender: last timestamp in order. */
  timestamp = 0;
  /** Of the sender: latest timestamp in any segment, in order or not. What we send in its name must not be older. */
  latestTimestamp = 0;
  hasTimestamp = false;

  /** Where (in) the parser was asked last, and how much it passed ahead from there: what a restart may rely on. */
  mark = 0;
  markBytes = 0;
  /** After a restart: what was forwarded below this (out) is not kept. */
  keptFrom = 0;
  /** After a restart, while `isUnsure`: what the receiver had certainly acknowledged (in). */
  safeAck = 0;
  /** The same in the receiver's terms (out). */
  safeOut = 0;
  /** After a restart: from here (in) on it was content, passed by its length. */
  contentFrom = 0;
  /** After a restart: the receiver has not yet said that it has everything below `una`. */
  isUnsure = false;
  /** After a restart, while `passAhead` is what a former process passed: much of it may have come and gone. */
  isLagging = false;
  /** False after a restart until the sender has shown where in the content it is. */
  isPlaced = true;
  probes = 0;

  readonly early: EarlyQueue;

  resendAtMs = 0;
  timeoutMs = FIRST_TIMEOUT_MS;
  resends = 0;

  readonly #positions: PositionMap = new PositionMap();

  constructor(direction: Direction, pool: BytePool, limitBytes: number) {
    this.direction = direction;
    this.early = new EarlyQueue(pool, limitBytes);
    this.kept = new KeptBytes(pool, limitBytes);
  }

  /** Begins at `first`, the sender's first byte (initial sequence number + 1), which the receiver sees as `firstOut`. */
  begin(first: number, firstOut: number): void {
    this.kept.release();
    this.nextIn = first;
    this.una = firstOut;
    this.sent = firstOut;
    this.nxt = firstOut;
    this.finIn = false;
    this.finOut = false;
    this.passAhead = 0;
    this.dropAhead = 0;
    this.deferred.length = 0;
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
    this.early.drop();
    this.settleTimer();
    this.#positions.begin(first, firstOut);
  }

  /**
   * Begins at a mark that was saved before a restart.
   * @param shift out - in @param unacked bytes before the mark that the receiver may not have acknowledged then
   */
  resume(mark: number, markBytes: number, shift: number, unacked: number): void {
    this.begin(mark, (mark + shift) | 0);
    this.safeAck = (mark - unacked) | 0;
    this.safeOut = (this.una - unacked) | 0;
    this.passAhead = markBytes;
    this.markBytes = markBytes;
    this.isUnsure = true;
    this.contentFrom = mark;
    this.isLagging = markBytes > 0;
    this.isPlaced = markBytes === 0;
    this.window = 0; // nobody has told yet: see `windowIn`, `rightEdge`
  }

  /** Skips to in-position `position`, inside the content that was passed ahead. Preconditions: nothing is kept. */
  skipTo(position: number): void {
    const bytes = (position - this.nextIn) | 0;
    this.nextIn = position;
    this.passAhead -= bytes;
    this.nxt = (this.nxt + bytes) | 0;
    this.sent = this.nxt;
    this.keptFrom = this.nxt;
    this.owedTo = this.una;
  }

  /** The parser lets `bytes` more pass before it is asked again. */
  setPassAhead(bytes: number): void {
    this.passAhead = bytes;
    this.isLagging = false;
  }

  /** Notes that the parser was asked at the present position, and what it passed ahead. */
  setMark(): void {
    this.mark = this.nextIn;
    this.markBytes = this.passAhead;
  }

  /** A segment with this timestamp has come. @param isInOrder its first byte is not beyond nextIn */
  noteTimestamp(timestamp: number, isInOrder: boolean): void {
    if (isInOrder || !this.hasTimestamp) this.timestamp = timestamp;
    if (!this.hasTimestamp || ((timestamp - this.latestTimestamp) | 0) > 0) this.latestTimestamp = timestamp;
    this.hasTimestamp = true;
  }

  /** Whether in and out numbers differ anywhere that still matters. */
  get isShifted(): boolean {
    return this.#positions.isShifted;
  }

  /** True when this direction needs nothing but to be read: the fast path may be taken. */
  get isPlain(): boolean {
    return (
      !this.isShifted &&
      this.kept.held === this.kept.end &&
      this.early.length === 0 &&
      !this.hasAckedAhead &&
      !this.finIn &&
      !this.finOut &&
      !this.isDiscarding &&
      !this.isUnsure &&
      this.isPlaced &&
      !this.owes &&
      this.dropAhead === 0 &&
      this.deferred.length === 0
    );
  }

  get heldBytes(): number {
    return this.kept.heldBytes;
  }

  /** In-position of the first byte that is neither forwarded nor taken away. */
  get passedIn(): number {
    return (this.nextIn - this.heldBytes - (this.finIn ? 1 : 0)) | 0;
  }

  /** Out-position behind the last byte, before a FIN. */
  get dataEnd(): number {
    return (this.nxt - (this.finOut ? 1 : 0)) | 0;
  }

  /** Out-position of the first byte that is kept, if any is. */
  get keptBase(): number {
    return ((this.keptFrom - this.una) | 0) > 0 ? this.keptFrom : this.una;
  }

  /** Out-position behind the receiver's window. */
  get rightEdge(): number {
    if (this.isUnsure) return (this.nxt + MAX_WINDOW) | 0;
    return (this.una + (this.window << this.windowShift)) | 0;
  }

  /** The out-position of an in-position. */
  toOut(position: number): number {
    return this.#positions.toOut(position);
  }

  /** The in-position up to which an acknowledgement of the out-position `position` acknowledges. */
  toIn(position: number): number {
    return this.#positions.toIn(position);
  }

  /** What the sender is to be told has arrived. */
  get ackIn(): number {
    if (this.isDiscarding) return this.nextIn;
    if (this.isUnsure) return this.safeAck;
    const delivered = this.toIn(this.una);
    return this.hasAckedAhead && ((this.ackedIn - delivered) | 0) > 0 ? this.ackedIn : delivered;
  }

  /** The window field that goes with `ackIn`: the receiver's right edge, moved into the sender's space. */
  get windowIn(): number {
    if (this.isUnsure) return Math.max(1, CAUTIOUS_WINDOW >>> this.windowShift);
    const out = Math.min(this.window, this.maxWindow) << this.windowShift;
    const edge = (this.passedIn + this.una + out - this.dataEnd) | 0;
    const room = this.isDiscarding ? out : Math.max(0, (edge - this.ackIn) | 0);
    return Math.min(0xffff, room >>> this.windowShift);
  }

  /** The receiver has everything below `position` (una <= position <= nxt). */
  acknowledge(position: number, nowMs: number): void {
    const isAdvance = position !== this.una;
    const from = this.keptBase;
    const data = Math.min((position - from) | 0, this.kept.held - this.kept.start);
    this.una = position;
    if (((this.keptFrom - position) | 0) <= 0) this.keptFrom = position;
    this.isUnsure = false;
    this.probes = 0;
    if (data > 0) this.kept.acknowledge(data);
    this.#positions.prune(position);
    if (this.hasAckedAhead && ((this.ackedIn - this.toIn(position)) | 0) <= 0) this.hasAckedAhead = false;
    if (((this.owedTo - position) | 0) > 0) {
      if (isAdvance || this.resendAtMs === 0) this.startTimer(nowMs);
      else if (this.window === 0) this.resends = 0; // a receiver that answers may keep us waiting (RFC 1122 4.2.2.17)
    } else {
      this.owedTo = position; // follows una, lest it be overtaken by 2^31
      this.resendAtMs = 0;
    }
  }

  /** Forwards the first `count` held bytes: from now on they are ours to deliver. */
  pass(count: number): void {
    if (count === 0) return;
    this.kept.passHeld(count);
    this.nxt = (this.nxt + count) | 0;
    this.owedTo = this.nxt;
  }

  /** Takes the first `count` held bytes out of the stream. @returns false when there are too many edits */
  drop(count: number): boolean {
    const at = this.passedIn;
    this.kept.dropHeld(count);
    return this.#positions.edit(at, (at + count) | 0, this.nxt);
  }

  /** Takes `count` bytes that were not held out of the stream; nextIn has been moved behind them. */
  dropUnheld(count: number): boolean {
    const at = this.passedIn;
    return this.#positions.edit((at - count) | 0, at, this.nxt);
  }

  /** Puts `payload` in, behind what was passed. @returns false when there are too many edits, or no memory */
  inject(payload: Uint8Array): boolean {
    if (this.finOut) return true; // too late: the stream has ended
    if (!this.kept.reserve(payload.length)) return false;
    this.kept.insert(payload);
    const at = this.passedIn;
    this.nxt = (this.nxt + payload.length) | 0;
    this.owedTo = this.nxt;
    return this.#positions.edit(at, at, this.nxt);
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

  /** Whether the receiver lacks bytes that only we can send. */
  get owes(): boolean {
    return ((this.owedTo - this.una) | 0) > 0;
  }

  startTimer(nowMs: number): void {
    this.timeoutMs = FIRST_TIMEOUT_MS;
    this.resends = 0;
    this.resendAtMs = nowMs + this.timeoutMs;
  }

  settleTimer(): void {
    this.resendAtMs = 0;
    this.resends = 0;
  }

  /** Gives all memory back. */
  release(): void {
    this.kept.release();
    this.early.drop();
    this.deferred.length = 0;
  }
}
