/**
 * One redirected TCP connection: two streams, the parser that reads them, and where in its life it is.
 *
 *   HANDSHAKE  a SYN went by. Nothing but SYN, SYN-ACK and RST passes.
 *   OPEN       both initial sequence numbers are known; the streams are valid.
 *   CLOSING    we end it: the responder was reset, the requester gets what is owed and a FIN, from us. Only
 *              `response` (for what is resent) and `request.nextIn` (for what is acknowledged) are valid.
 *   DEAD       over, or never understood. Whatever comes is answered by a reset. Nothing is kept.
 *   REFUSED    its rules cannot be read: as DEAD, from the SYN on.
 *
 * A SYN may come in any state (the ports are used again); it is only believed when a SYN-ACK answers it.
 */
import type { Http1Parser } from '../http1/parser.ts';
import type { Judge } from '../http/judge.ts';
import type { BytePool } from './kept-bytes.ts';
import { REQUEST, RESPONSE } from '../parser.ts';
import { TcpStream } from './tcp-stream.ts';

export const HANDSHAKE = 0;
export const OPEN = 1;
export const CLOSING = 2;
export const DEAD = 3;
export const REFUSED = 4;

/** What a SYN said of its sender. */
export class SynOptions {
  seq = 0;
  mss = 0;
  /** -1 = not offered */
  windowShift = -1;
  window = 0;
  hasTimestamps = false;
  timestamp = 0;
}

export class Flow {
  readonly index: number;
  readonly request: TcpStream;
  readonly response: TcpStream;
  readonly parser: Http1Parser;
  judge: Judge;

  slot = -1;
  /** CT_SLOT_GENERATION of the row when the flow was opened. */
  slotGeneration = 0;
  mode = HANDSHAKE;
  /** Both streams are plain: the fast path may be taken. */
  isPlain = false;
  hasTimestamps = false;
  /** A SYN waits for its SYN-ACK. */
  hasPendingSyn = false;
  readonly syn: SynOptions = new SynOptions();
  initiatorIsn = 0;
  responderIsn = 0;

  /** The parser wants the connection ended, behind what it has passed to the requester. */
  wantsClose = false;
  wantsReset = false;
  /** Since when request bytes have been held, 0 = none are. */
  heldSinceMs = 0;
  /** When a CLOSING flow is given up. */
  closeAtMs = 0;
  /** Is in the list of flows that tick() looks at. */
  isTimed = false;

  egressRuleSet = 0;
  ingressRuleSet = 0;
  srcIdentity = 0;
  dstIdentity = 0;
  srcEndpoint = 0;
  dstEndpoint = 0;

  constructor(
    index: number,
    pool: BytePool,
    limitBytes: number,
    judge: Judge,
    makeParser: (flow: Flow) => Http1Parser,
  ) {
    this.index = index;
    this.request = new TcpStream(REQUEST, pool, limitBytes);
    this.response = new TcpStream(RESPONSE, pool, limitBytes);
    this.judge = judge;
    this.parser = makeParser(this);
  }

  other(stream: TcpStream): TcpStream {
    return stream === this.request ? this.response : this.request;
  }

  refreshPlain(): void {
    this.isPlain = this.mode === OPEN && !this.wantsClose && this.request.isPlain && this.response.isPlain;
  }

  /** Gives back all memory; the flow answers with resets from now on. */
  die(): void {
    this.mode = DEAD;
    this.isPlain = false;
    this.request.release();
    this.response.release();
    this.request.settleTimer();
    this.response.settleTimer();
    this.heldSinceMs = 0;
  }
}
