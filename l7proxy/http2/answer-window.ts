/**
 * The flow control of what goes to the client, which is spent by the server's DATA and by ours (RFC 9113 5.2).
 *
 * The client grants bytes to one sender and has two: what our answers spend, the server does not know of. So much less of the
 * client's next grants is passed on:
 *
 *     left   what the client still takes:    + its WINDOW_UPDATE (stream 0)   - the server's DATA   - our DATA
 *     debt   what the server believes beyond that:                            + our DATA            - what was kept of a grant
 *
 * While there is a debt, DATA of the server that would be more than is left waits for the client's next grant, which is under
 * way: what our answers took, the client has read. The debt is bounded; beyond MAX_DEBT answers have no body.
 */
import { DEFAULT_WINDOW, MAX_WINDOW } from './frames.ts';

const MAX_DEBT = 960;

export class AnswerWindow {
  left = DEFAULT_WINDOW;
  debt = 0;

  reset(): void {
    this.left = DEFAULT_WINDOW;
    this.debt = 0;
  }

  /** The server sends DATA. @returns false when it must wait */
  mayPass(bytes: number): boolean {
    return this.debt === 0 || bytes <= this.left;
  }

  passed(bytes: number): void {
    this.left -= bytes;
  }

  /** We want to send DATA. @returns false when we must not */
  spend(bytes: number): boolean {
    if (bytes > this.left || this.debt + bytes > MAX_DEBT) return false;
    this.left -= bytes;
    this.debt += bytes;
    return true;
  }

  /** The client grants more. @returns how much of it the server may know of, -1 when no window is that large */
  grant(bytes: number): number {
    if (this.left + bytes > MAX_WINDOW) return -1;
    const kept = Math.min(this.debt, bytes);
    this.left += bytes;
    this.debt -= kept;
    return bytes - kept;
  }
}
