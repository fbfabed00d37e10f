/** What is behind a websocket that was granted, or a CONNECT that was accepted: anything passes, and how much of it is told at its end. */
import { type Operations, REQUEST, type Way } from '../parser.ts';
import type { HttpRecorder } from './shared.ts';

const BOTH_WAYS = 3;

export class Tunnel {
  readonly #recorder: HttpRecorder;
  /** Of what opened it; 0 = nobody wants to know of it. */
  #ticket = 0;
  /** Ways that have ended, a bit each. */
  #ended = 0;

  constructor(recorder: HttpRecorder) {
    this.#recorder = recorder;
  }

  /** @param ticket of the request that opens it, from now on the tunnel's */
  open(ticket: number): void {
    this.#ticket = ticket;
    this.#ended = 0;
    this.#recorder.openTunnel(ticket);
  }

  /** Passes bytes as they come if they are counted, else all that ever come. @returns -1: there is nothing else to read */
  pass(way: Way, count: number, isEnd: boolean, ops: Operations): -1 {
    ops.pass(this.#ticket === 0 ? Number.POSITIVE_INFINITY : count);
    if (this.#ticket === 0) return -1;
    this.#recorder.carried(this.#ticket, way === REQUEST, count);
    if (isEnd) this.#ended |= 1 << way;
    if (this.#ended === BOTH_WAYS) this.end();
    return -1;
  }

  end(): void {
    this.#recorder.release(this.#ticket);
    this.#ticket = 0;
  }
}
