/**
 * What the engine asks of the L7 engine. l7proxy implements it; whoever starts the dataplane hands it over, so that the
 * two folders need not know each other.
 */
import type { Frame } from '../wire/frame.ts';

export interface StreamProxy {
  /** Once a batch, and at least every 50 ms: the clock, and what is due by it. @param nowMs monotonic */
  beginBatch(nowMs: number): void;
  /**
   * A forward frame of a redirected connection was allowed at L4 just now: first frame, or policy changed.
   * @param egress rule set of the sender's policy, 0 none @param ingress of the receiver's, 0 none
   * @returns 0, or a drop reason when the stream cannot be judged
   */
  admit(f: Frame, egress: number, ingress: number): number;
  /** @returns 0 to forward the frame (which may have been edited), HELD, or a drop reason */
  segment(f: Frame, ctSlot: number, isReply: boolean): number;
}
