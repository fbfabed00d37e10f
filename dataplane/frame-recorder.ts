/**
 * Whole frames for who records them (policy-maps/recording-map.ts): each that a row of the recording matches, with what became of it.
 *
 *   passed    before it is delivered: with its destination translated, its source and hop count not yet
 *   dropped   as it was when it was refused
 *   judged    as it came to the L7 engine, when that held it, cut it, or answered it
 *   sent      what the L7 engine sends itself, as it leaves
 *
 * A frame is taken before it is delivered or judged, and settled after it, when it is known whether that is to be told: one which
 * could not be delivered is told as dropped alone, one that was judged and goes on as it came as passed alone. While nobody records, all this is one branch on `isOn`. Nothing here allocates; a frame is copied in words of 32 bits.
 */
import { CT_DEST_ENDPOINT, CT_DST_SEC_ID, CT_SOURCE_ENDPOINT, CT_SRC_SEC_ID } from '../policy-maps/conntrack-row.ts';
import type { RecordingMap, RecordingWriter } from '../policy-maps/recording-map.ts';
import { EGRESS, INGRESS } from '../wire/direction.ts';
import * as event from '../wire/event.ts';
import { FRAME_DROPPED, FRAME_PASSED, FRAME_ROW_WORDS, frameMatches, MAX_FRAME_ROWS } from '../wire/frame-filter.ts';
import type { Frame } from '../wire/frame.ts';
import { describeFrame } from './frame-event.ts';

/** What the rows of conntrack say of who let a connection pass. */
export interface ConnectionCookies {
  egressCookie(f: Frame): number;
  ingressCookie(f: Frame): number;
}

export class FrameRecorder {
  /** Whether somebody records: ask before every call. */
  isOn = false;
  readonly #arena: Uint8Array;
  readonly #arenaWords: Int32Array;
  readonly #cookies: ConnectionCookies;
  readonly #rows = new Int32Array(MAX_FRAME_ROWS * FRAME_ROW_WORDS);
  #count = 0;
  #rowsGeneration = -1;
  #writer: RecordingWriter | undefined;
  #epochMs = 0;

  /** @param arena that frames lie in */
  constructor(arena: Uint8Array, cookies: ConnectionCookies) {
    this.#arena = arena;
    this.#arenaWords = new Int32Array(arena.buffer, arena.byteOffset, arena.byteLength >>> 2);
    this.#cookies = cookies;
  }

  /** Once a batch. @param epochMs wall clock */
  tick(epochMs: number): void {
    this.#epochMs = epochMs;
  }

  begin(map: RecordingMap): void {
    this.#writer = map.writer();
    this.#count = 0;
    this.#rowsGeneration = -1;
    this.isOn = true;
    this.refreshRows();
  }

  end(): void {
    this.isOn = false;
    this.#writer = undefined;
  }

  /** Takes over rows that are new. */
  refreshRows(): void {
    const map = this.#writer?.map;
    if (map === undefined || map.rowsGeneration === this.#rowsGeneration) return;
    const generation = map.rowsGeneration;
    const count = map.readRows(this.#rows);
    this.#count = Math.max(count, 0);
    if (count >= 0) this.#rowsGeneration = generation;
  }

  /**
   * A frame that is about to be delivered, or to be judged by its content.
   * @param point where, TRACE_*
   * @returns whether it is recorded: then `settle` follows
   */
  pass(f: Frame, point: number): boolean {
    if (!frameMatches(this.#rows, this.#count, f, FRAME_PASSED)) return false;
    const direction = f.dstEndpoint !== 0 ? INGRESS : EGRESS;
    const at = this.#begin(f, event.EVENT_TRACE, point, direction);
    if (at < 0) return false;
    const { bytes } = this.#writer!.map;
    event.setTraceReason(bytes, at, f.ctStatus);
    if (f.ctSlot < 0) return true;
    const egress = this.#cookies.egressCookie(f);
    const ingress = this.#cookies.ingressCookie(f);
    if (direction === INGRESS) event.setCookies(bytes, at, ingress, egress);
    else event.setCookies(bytes, at, egress, ingress);
    return true;
  }

  /** Whether what `pass` took is told. What was recorded in between followed from it: then it is told in any case. */
  settle(isTold: boolean): void {
    if (isTold) this.#writer!.commit();
    else this.#writer!.giveBack();
  }

  drop(f: Frame, reason: number, direction: number, cookie: number): void {
    if (!frameMatches(this.#rows, this.#count, f, FRAME_DROPPED)) return;
    const at = this.#begin(f, event.EVENT_DROP, reason, direction);
    if (at < 0) return;
    const { bytes } = this.#writer!.map;
    event.setVerdict(bytes, at, -reason);
    event.setCookies(bytes, at, cookie, 0);
    this.settle(true);
  }

  /**
   * A frame that was built here, for the connection of a conntrack row.
   * @param words all rows @param base of the connection's @param toResponder whether it goes to who did not begin
   */
  sent(f: Frame, words: Int32Array, base: number, toResponder: boolean): void {
    f.srcIdentity = words[base + (toResponder ? CT_SRC_SEC_ID : CT_DST_SEC_ID)];
    f.dstIdentity = words[base + (toResponder ? CT_DST_SEC_ID : CT_SRC_SEC_ID)];
    f.srcEndpoint = words[base + (toResponder ? CT_SOURCE_ENDPOINT : CT_DEST_ENDPOINT)];
    f.dstEndpoint = words[base + (toResponder ? CT_DEST_ENDPOINT : CT_SOURCE_ENDPOINT)];
    f.isReply = !toResponder;
    f.port = f.outPort;
    if (this.pass(f, event.TRACE_FROM_PROXY)) this.settle(true);
  }

  /** Takes room for a frame and fills what all have in common. @returns where its event record begins; -1 when it is lost */
  #begin(f: Frame, type: number, subtype: number, direction: number): number {
    const writer = this.#writer!;
    const kept = Math.min(f.length, writer.map.snapBytes);
    const at = writer.take(kept);
    if (at < 0) return -1;
    const { bytes } = writer.map;
    const way = event.FLAG_REPLY_KNOWN | (f.isReply ? event.FLAG_REPLY : 0);
    event.begin(bytes, at, type, subtype, this.#epochMs);
    describeFrame(bytes, at, f, type === event.EVENT_TRACE ? way : 0);
    event.setDirection(bytes, at, direction);
    event.setOriginalBytes(bytes, at, f.length);
    this.#copy(f, writer.map, at + event.PAYLOAD_OFFSET, kept);
    return at;
  }

  /** Frames lie in the arena, at a multiple of four, but for the few that waited for their next hop. */
  #copy(f: Frame, map: RecordingMap, to: number, length: number): void {
    let done = 0;
    if (f.bytes === this.#arena && (f.offset & 3) === 0) {
      const from = f.offset >>> 2;
      const into = to >>> 2;
      const words = length >>> 2;
      for (let i = 0; i < words; i++) map.words[into + i] = this.#arenaWords[from + i];
      done = words << 2;
    }
    for (let i = done; i < length; i++) map.bytes[to + i] = f.bytes[f.offset + i];
  }
}
