/**
 * One redirected TCP connection: two streams, the parser that reads them, and where in its life it is.
 *
 *   HANDSHAKE  a SYN went by. Nothing but SYN, SYN-ACK and RST passes.
 *   OPEN       both initial sequence numbers are known; the streams are valid.
 *   CLOSING    we end it: the responder was reset, the requester gets what is owed and a FIN, from us. Only
 *              `response` (for what is resent) and `request.nextIn` (for what is acknowledged) are valid.
 *   DEAD       over, or never understood. Whatever comes is answered by a reset. Nothing is kept; the object is given away
 *              before the next segment (TcpConnections), and the row says that the connection has ended.
 *   REFUSED    its rules cannot be read, or nothing here reads their protocol: as DEAD, from the SYN on.
 *
 * Only this file writes the fields: everybody else sees a `Connection`, which is `Readonly`. What may be called when, and
 * which mode it leads to:
 *
 *   take          DEAD           HANDSHAKE  the object is given to a conntrack row
 *   leave         any mode       DEAD       the row is gone
 *   setRules,     any mode                  other rules: they apply from its next message on
 *   setJudge
 *   readBy        any mode                  another parser, at the beginning of its streams
 *   allow         HANDSHAKE,     HANDSHAKE  its rules can be read
 *                 REFUSED
 *   refuse        HANDSHAKE,     REFUSED    they cannot
 *                 REFUSED
 *   noteSyn       but REFUSED               a SYN may come in any mode (the ports are used again)
 *   open          a SYN waits    OPEN       a SYN is only believed when a SYN-ACK answers it
 *   resume        HANDSHAKE      OPEN       as a former process left it
 *   wantClose,    OPEN                      until the editor does it
 *   wantReset
 *   startClosing  OPEN           CLOSING
 *   die           any mode       DEAD       all memory is given back
 */
import type { BytePool } from './kept-bytes.ts';
import { type Judge, type JudgeKey, type Parser, REQUEST, RESPONSE, type StreamOwner } from '../parser.ts';
import type { StreamProtocol } from '../protocol.ts';
import type { ReceiverLimits, SavedStream } from './stream-state.ts';
import { makeTcpStream, type TcpStream } from './tcp-stream.ts';

export const HANDSHAKE = 0;
export const OPEN = 1;
export const CLOSING = 2;
export const DEAD = 3;
export const REFUSED = 4;

/** How long a requester may take to read our last words and say good-bye. */
const LINGER_MS = 5000;

/** What a SYN said of its sender. */
export class SynOptions {
  seq = 0;
  mss = 0;
  /** -1 = not offered */
  windowShift = -1;
  window = 0;
  hasTimestamps = false;
  timestamp = 0;
  allowsSack = false;
}

/** What a former process knew of a connection. */
interface SavedConnection {
  readonly request: SavedStream;
  readonly response: SavedStream;
  readonly hasTimestamps: boolean;
}

class TcpConnection implements StreamOwner {
  readonly request: TcpStream;
  readonly response: TcpStream;
  /** Written by `noteSyn` alone: the SYN that waits for its SYN-ACK while `hasPendingSyn`. */
  readonly syn: SynOptions = new SynOptions();
  protocol: StreamProtocol;
  parser: Parser;
  judge: Judge;

  slot = -1;
  /** CT_SLOT_GENERATION of the row when the connection was taken. */
  slotGeneration = 0;
  /** The endpoint for which it counts. */
  owner = 0;
  mode = DEAD;
  /** Both streams are plain: the fast path may be taken. */
  isPlain = false;
  hasTimestamps = false;
  /** Both sides understand selective acknowledgements. */
  hasSack = false;
  hasPendingSyn = false;
  initiatorIsn = 0;
  responderIsn = 0;

  /** The parser wants the connection ended, behind what it has passed to the requester. */
  wantsClose = false;
  /** The parser wants it reset, or cannot be obeyed. */
  wantsReset = false;
  /** Since when request bytes have been held that the parser wants more of, 0 = none are. */
  heldSinceMs = 0;
  /** Requests are held that are not read yet, because one of the ends is behind. */
  isHeldBack = false;
  /** When a CLOSING connection is given up. */
  closeAtMs = 0;
  /** Is in the list of those that tick() looks at. */
  isTimed = false;

  egressRuleSet = 0;
  ingressRuleSet = 0;
  srcIdentity = 0;
  dstIdentity = 0;
  srcEndpoint = 0;
  dstEndpoint = 0;

  constructor(pool: BytePool, limitBytes: number, nobody: StreamProtocol) {
    this.request = makeTcpStream(REQUEST, pool, limitBytes);
    this.response = makeTcpStream(RESPONSE, pool, limitBytes);
    this.protocol = nobody;
    this.judge = nobody.judgeOf(this);
    this.parser = nobody.makeParser();
  }

  /** Whether one of the ends is so far behind that no more requests should be read, which may be answered or edited. */
  get isCrowded(): boolean {
    return this.request.isCrowded || this.response.isCrowded;
  }

  other(stream: TcpStream): TcpStream {
    return stream === this.request ? this.response : this.request;
  }

  // --- which connection it is

  take(slot: number, slotGeneration: number, owner: number): void {
    this.slot = slot;
    this.slotGeneration = slotGeneration;
    this.owner = owner;
    this.request.setOwner(owner);
    this.response.setOwner(owner);
    this.mode = HANDSHAKE;
    this.isPlain = false;
    this.hasPendingSyn = false;
    this.wantsClose = false;
    this.wantsReset = false;
  }

  /** Its row is gone. */
  leave(): void {
    this.die();
    this.hasPendingSyn = false;
    this.slot = -1;
  }

  /** @returns whether anything but the endpoints changed: then it needs another judge (`setJudge`) */
  setRules(key: JudgeKey, srcEndpoint: number, dstEndpoint: number): boolean {
    const { egressRuleSet, ingressRuleSet, srcIdentity, dstIdentity } = key;
    this.srcEndpoint = srcEndpoint;
    this.dstEndpoint = dstEndpoint;
    const isSame =
      this.egressRuleSet === egressRuleSet &&
      this.ingressRuleSet === ingressRuleSet &&
      this.srcIdentity === srcIdentity &&
      this.dstIdentity === dstIdentity;
    this.egressRuleSet = egressRuleSet;
    this.ingressRuleSet = ingressRuleSet;
    this.srcIdentity = srcIdentity;
    this.dstIdentity = dstIdentity;
    return !isSame;
  }

  /** Judged so from its next message on, in the protocol that it has. */
  setJudge(judge: Judge): void {
    this.judge = judge;
    this.parser.setJudge(judge);
  }

  /** Read so from its first byte on. @returns the parser that it had */
  readBy(protocol: StreamProtocol, parser: Parser, judge: Judge): Parser {
    const before = this.parser;
    this.protocol = protocol;
    this.parser = parser;
    this.judge = judge;
    parser.begin(judge, this);
    return before;
  }

  // --- where in its life it is

  allow(): void {
    this.mode = HANDSHAKE;
  }

  refuse(): void {
    this.mode = REFUSED;
  }

  /** A SYN waits for its SYN-ACK. */
  noteSyn(from: SynOptions): void {
    Object.assign(this.syn, from);
    this.hasPendingSyn = true;
  }

  /** The pending SYN was answered. @param answer the SYN-ACK */
  open(answer: SynOptions, requestLimits: ReceiverLimits, responseLimits: ReceiverLimits): void {
    const { syn, request, response } = this;
    this.hasTimestamps = syn.hasTimestamps && answer.hasTimestamps;
    this.hasSack = syn.allowsSack && answer.allowsSack;
    this.initiatorIsn = syn.seq;
    this.responderIsn = answer.seq;
    request.begin((syn.seq + 1) | 0, (syn.seq + 1) | 0);
    response.begin((answer.seq + 1) | 0, (answer.seq + 1) | 0);
    request.knowReceiver(requestLimits);
    response.knowReceiver(responseLimits);
    if (this.hasTimestamps) request.noteTimestamp(syn.timestamp, true);
    if (this.hasTimestamps) response.noteTimestamp(answer.timestamp, true);
    this.#opened();
  }

  resume(saved: SavedConnection): void {
    this.request.resume(saved.request);
    this.response.resume(saved.response);
    this.hasTimestamps = saved.hasTimestamps;
    this.hasSack = false; // until one of them shows it
    this.#opened();
  }

  #opened(): void {
    this.hasPendingSyn = false;
    this.wantsClose = false;
    this.wantsReset = false;
    this.heldSinceMs = 0;
    this.isHeldBack = false;
    this.mode = OPEN;
  }

  /** A side has acknowledged selectively: both said that they understand it. */
  noteSack(): void {
    this.hasSack = true;
  }

  holdBack(isHeldBack: boolean): void {
    this.isHeldBack = isHeldBack;
  }

  wantClose(): void {
    this.wantsClose = true;
  }

  wantReset(): void {
    this.wantsReset = true;
  }

  /** The responder was reset; the requester gets what is owed, and a FIN. */
  startClosing(nowMs: number): void {
    this.mode = CLOSING;
    this.isPlain = false;
    this.closeAtMs = nowMs + LINGER_MS;
    this.heldSinceMs = 0;
    this.request.discard();
    this.response.endOut(nowMs);
  }

  /** Gives back all memory; whatever comes is answered by resets from now on. */
  die(): void {
    this.mode = DEAD;
    this.isPlain = false;
    this.heldSinceMs = 0;
    this.request.release();
    this.response.release();
    this.parser.end();
  }

  // --- what its segments and the clock do to it

  refreshPlain(): void {
    this.isPlain = this.mode === OPEN && !this.wantsClose && this.request.isPlain && this.response.isPlain;
  }

  /** Notes since when request bytes have been held that lack others. @param nowMs > 0 */
  noteHeld(nowMs: number): void {
    const waitsForOthers = this.isHeldBack || this.parser.isWaiting(REQUEST);
    if (this.request.heldBytes === 0 || waitsForOthers) this.heldSinceMs = 0;
    else if (this.heldSinceMs === 0) this.heldSinceMs = nowMs;
  }

  setTimed(isTimed: boolean): void {
    this.isTimed = isTimed;
  }
}

/** A connection as everybody but this file sees it: its fields are changed by its methods only. */
export type Connection = Readonly<TcpConnection>;

/** @param limitBytes most that one stream may keep @param nobody the protocol of those that are nobody's yet */
export function makeConnection(pool: BytePool, limitBytes: number, nobody: StreamProtocol): Connection {
  return new TcpConnection(pool, limitBytes, nobody);
}
