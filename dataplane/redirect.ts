/**
 * Step 7: what the engine asks of the L7 engine. l7proxy implements it; whoever starts the dataplane hands it over, so that
 * the two folders need not know each other. A redirected connection goes to the door of its protocol, frame by frame.
 */
import type { Frame } from '../wire/frame.ts';
import { DROP_PROXY_UNKNOWN_PROTO } from '../wire/reasons.ts';

export interface Redirect {
  /** Once a batch, and at least every 50 ms: the clock, and what is due by it. @param nowMs monotonic */
  beginBatch(nowMs: number): void;
  /**
   * A forward frame of a redirected connection was allowed at L4 just now: first frame, or policy changed.
   * @param egress rule set of the sender's policy, 0 none @param ingress of the receiver's, 0 none
   * @returns 0, or a drop reason when the connection cannot be judged: 180 for a protocol that nobody here knows
   */
  admit(f: Frame, egress: number, ingress: number): number;
  /** A frame of a TCP connection. @returns 0 to forward the frame (which may have been edited), HELD, or a drop reason */
  segment(f: Frame, ctSlot: number, isReply: boolean): number;
  /** A frame of any other protocol. @returns as `segment` */
  datagram(f: Frame, ctSlot: number, isReply: boolean): number;
}

/** No L7 engine, for tests of L4: what would have to be judged is dropped. */
export const NO_REDIRECT: Redirect = {
  beginBatch: () => {},
  admit: () => DROP_PROXY_UNKNOWN_PROTO,
  segment: () => DROP_PROXY_UNKNOWN_PROTO,
  datagram: () => DROP_PROXY_UNKNOWN_PROTO,
};
