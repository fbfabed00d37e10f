/**
 * Connection attempts that were let through and got no answer: a flood of SYNs, or a service that is gone. An answer is any packet
 * back (a refusal too) within ANSWER_MS. Attempts are followed by their trace, which has the addresses that the answer will have.
 *
 * That no answer has come is concluded from traces, all of which come in order of time by one ring, and from `tick` where nothing
 * comes any more. Other flows may be ahead of an answer. An attempt counts at its own time, however late it is given up.
 *
 * PENDING attempts wait at a time. More than that wait only when answers do not come, so what makes room counts as unanswered.
 */
import { EVENT_TRACE } from '../../wire/event.ts';
import type { Flow } from '../flow.ts';
import { Recent, seededHash, Windows } from './recent.ts';
import type { Making, Rule } from './rule.ts';

const ANSWER_MS = 5000;
/** Between two looks at those that wait. */
const EXPIRY_MS = 500;
const PENDING = 4096;

interface Pending {
  readonly atMs: number;
  readonly target: string;
  readonly client: string;
  readonly flow: Flow;
}

export class UnansweredSyns implements Rule {
  readonly names = ['unanswered-syns'] as const;
  readonly #pending = new Recent<Pending>(PENDING, (pending) => this.#count(pending));
  readonly #unanswered: Windows;
  readonly #making: Making;
  #expiredMs = 0;

  constructor(making: Making) {
    this.#making = making;
    const { 'unanswered-syns': limit, 'window-seconds': seconds } = making.limits;
    this.#unanswered = new Windows(limit, seconds * 1000);
  }

  get forgotten(): number {
    return this.#unanswered.forgotten;
  }

  /** The answers may be among what is missing. */
  gap(): void {
    this.#pending.clear();
  }

  take(flow: Flow, timeMs: number): void {
    const { IP, l4, event_type: event, is_reply: isReply } = flow;
    const tcp = l4?.TCP;
    if (IP === undefined || tcp === undefined || event.type !== EVENT_TRACE) return;
    this.tick(timeMs);
    const from = `${IP.source} ${tcp.source_port ?? 0}`;
    const to = `${IP.destination} ${tcp.destination_port ?? 0}`;
    const isSyn = tcp.flags?.SYN === true && tcp.flags.ACK !== true;
    if (isReply === true || (tcp.flags?.SYN === true && !isSyn)) this.#pending.delete(`${to} ${from}`);
    else if (isSyn) {
      const key = `${from} ${to}`;
      if (this.#pending.has(key)) return; // sent again, or seen at another place
      const target = `${IP.destination} port ${tcp.destination_port ?? 0}`;
      this.#pending.set(key, { atMs: timeMs, target, client: from, flow });
    }
  }

  tick(nowMs: number): void {
    if (Math.abs(nowMs - this.#expiredMs) < EXPIRY_MS) return;
    this.#expiredMs = nowMs;
    for (const [key, pending] of this.#pending) {
      if (Math.abs(nowMs - pending.atMs) <= ANSWER_MS) continue;
      this.#pending.delete(key);
      this.#count(pending);
    }
  }

  #count({ target, client, flow, atMs }: Pending): void {
    const { limits, seed, tell } = this.#making;
    const { 'unanswered-syns': limit, 'window-seconds': seconds } = limits;
    if (!this.#unanswered.add(target, seededHash(client, seed), atMs)) return;
    const text = `${limit} connection attempts to ${target} within ${seconds} s had no answer`;
    tell({ rule: 'unanswered-syns', subject: target, text, flow });
  }
}
