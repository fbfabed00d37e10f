/** What is stored of one way of a connection, and what follows from it. Only tcp-stream.ts changes it. */
import { EarlyQueue } from './early-queue.ts';
import { type BytePool, KeptBytes } from './kept-bytes.ts';
import type { Way } from '../parser.ts';
import { PositionMap } from './position-map.ts';

/** Before a first wait is known to be too short. */
export const FIRST_TIMEOUT_MS = 200;
export const DEFAULT_MSS = 536;
/** What we tell a sender after a restart, in the name of a receiver whose window we do not know yet. */
const CAUTIOUS_WINDOW = 4096;
const MANY_DEFERRED_BYTES = 32_768;
/** The largest window there is: 65535 << 14. */
const MAX_WINDOW = 1 << 30;

/** What a receiver said of itself in its SYN. */
export interface ReceiverLimits {
  /** Payload bytes of its largest segment. */
  readonly mss: number;
  readonly windowShift: number;
  /** Scaled as later window fields are. */
  readonly window: number;
  /** Window fields above this are cut, so that the sender keeps within what we can keep. */
  readonly maxWindow: number;
}

/** What was known of a stream before a restart. */
export interface SavedStream {
  /** Where (in) the parser was asked last, and how much it passed ahead from there. */
  readonly mark: number;
  readonly markBytes: number;
  /** out - in */
  readonly shift: number;
  /** Bytes before the mark that the receiver may not have acknowledged then. */
  readonly unacked: number;
  readonly windowShift: number;
}

export class StreamState {
  readonly way: Way;
  readonly kept: KeptBytes;
  readonly early: EarlyQueue;
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
  /** Below this (out) the sender will not repeat: we must. */
  owedTo = 0;
  /** What the sender was told has arrived (in) counts only while `hasAckedAhead`. */
  ackedIn = 0;
  hasAckedAhead = false;
  /** Nothing more of this way is judged or forwarded: what comes is acknowledged and forgotten. */
  isDiscarding = false;

  /** Of the receiver, as in ReceiverLimits; `window` is its last window field. */
  mss = DEFAULT_MSS;
  windowShift = 0;
  window = 0;
  maxWindow = 0xffff;
  /** Of the sender: last timestamp in order. */
  timestamp = 0;
  /** Of the sender: latest timestamp in any segment, in order or not. What we send in its name must not be older. */
  latestTimestamp = 0;
  hasTimestamp = false;

  /** Where (in) the parser was asked last, and how much it passed ahead from there: what a restart may rely on. */
  mark = 0;
  markBytes = 0;
  /** What was forwarded below this (out) is not kept: by a former process, or long content (`passUnkept`). */
  keptFrom = 0;
  /** After a restart, while `isUnsure`: what the receiver had certainly acknowledged (in). */
  safeAck = 0;
  /** The same in the receiver's terms (out). */
  safeOut = 0;
  /** From here (in) up to what is kept it was content, passed by its length. */
  contentFrom = 0;
  /** While content comes that was passed before it came: where (in) that began, and whether it is kept no more. */
  hasContent = false;
  contentSince = 0;
  leavesContent = false;
  /** After a restart: the receiver has not yet said that it has everything below `una`. */
  isUnsure = false;
  /** After a restart, while `passAhead` is what a former process passed: much of it may have come and gone. */
  isLagging = false;
  /** False after a restart until the sender has shown where in the content it is. */
  isPlaced = true;
  /** After a restart: how often the receiver was asked what it has. */
  probes = 0;

  /** When what is owed is sent again, 0 = never; after how long; how often it was. */
  resendAtMs = 0;
  timeoutMs = FIRST_TIMEOUT_MS;
  resends = 0;
  /** What is owed below this (out) is being sent again, as acknowledgements come; it has been up to `resentTo`. */
  isRecovering = false;
  recoverTo = 0;
  resentTo = 0;
  /** Acknowledgements in a row that say nothing new. */
  duplicates = 0;

  protected readonly positions: PositionMap = new PositionMap();
  /** Injections that wait for passAhead, and their bytes. */
  protected readonly deferred: Uint8Array[] = [];
  protected deferredBytes = 0;

  constructor(way: Way, pool: BytePool, limitBytes: number) {
    this.way = way;
    this.early = new EarlyQueue(pool, limitBytes);
    this.kept = new KeptBytes(pool, limitBytes);
  }

  /** Whether in and out numbers differ anywhere that still matters. */
  get isShifted(): boolean {
    return this.positions.isShifted;
  }

  /** Whether injections wait for what was passed ahead. */
  get hasDeferred(): boolean {
    return this.deferred.length > 0;
  }

  /**
   * Whether the receiver is behind: its window is full, many edits are in flight, or much waits for the end of what is passed.
   * No more should be put in then.
   */
  get isCrowded(): boolean {
    const isBehind = this.positions.isCrowded || this.deferredBytes > MANY_DEFERRED_BYTES;
    return isBehind || ((this.nxt - this.rightEdge) | 0) > 0;
  }

  /** True when this way needs nothing but to be read: the fast path may be taken. */
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

  /** Whether the receiver lacks bytes that only we can send. */
  get owes(): boolean {
    return ((this.owedTo - this.una) | 0) > 0;
  }

  /** The out-position of an in-position. */
  toOut(position: number): number {
    return this.positions.toOut(position);
  }

  /** The in-position up to which an acknowledgement of the out-position `position` acknowledges. */
  toIn(position: number): number {
    return this.positions.toIn(position);
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
}
