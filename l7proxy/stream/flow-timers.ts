/** What of a flow depends on the clock: sending again, a head that never ends, a good-bye that nobody hears. */
import { CLOSING, DEAD, type Flow, OPEN } from './flow.ts';
import type { FlowTable } from './flow-table.ts';
import type { ProxyStats } from './proxy-stats.ts';
import { MAX_BURST, type Transmitter } from './segment-output.ts';
import type { StreamEditor } from './stream-editor.ts';
import type { TcpStream } from './tcp-stream.ts';

const TICK_MS = 20;
/** Repetitions before a flow is given up: 200 ms doubling, about 50 s in all. */
const MAX_RESENDS = 8;
const MAX_TIMEOUT_MS = 10_000;
/** Flows looked at per tick for a row that was given away. */
const SWEEP = 64;

export class FlowTimers {
  readonly #editor: StreamEditor;
  readonly #transmitter: Transmitter;
  readonly #stats: ProxyStats;
  readonly #headTimeoutMs: number;
  #timed: Flow[] = [];
  #nextMs = 0;
  #swept = 0;

  constructor(editor: StreamEditor, transmitter: Transmitter, stats: ProxyStats, headTimeoutMs: number) {
    this.#editor = editor;
    this.#transmitter = transmitter;
    this.#stats = stats;
    this.#headTimeoutMs = headTimeoutMs;
  }

  get count(): number {
    return this.#timed.length;
  }

  /** Has `tick` look at the flow as long as something of it depends on the clock. */
  watch(flow: Flow): void {
    if (flow.request.heldBytes === 0) flow.heldSinceMs = 0;
    else if (flow.heldSinceMs === 0) flow.heldSinceMs = Math.max(this.#editor.nowMs, 1);
    this.#arm(flow.request);
    this.#arm(flow.response);
    if (flow.isTimed || !needsClock(flow)) return;
    flow.isTimed = true;
    this.#timed.push(flow);
  }

  #arm(stream: TcpStream): void {
    if (stream.owes && stream.resendAtMs === 0) stream.startTimer(this.#editor.nowMs);
  }

  tick(nowMs: number, table: FlowTable): void {
    if (nowMs < this.#nextMs) return;
    this.#nextMs = nowMs + TICK_MS;
    let kept = 0;
    for (const flow of this.#timed) {
      if (flow.slot >= 0) this.#look(flow, nowMs);
      if (flow.slot >= 0 && needsClock(flow)) this.#timed[kept++] = flow;
      else flow.isTimed = false;
    }
    this.#timed.length = kept;
    this.#sweep(table);
  }

  #look(flow: Flow, nowMs: number): void {
    if (flow.mode === CLOSING && nowMs >= flow.closeAtMs) {
      this.#editor.reset(flow);
      return;
    }
    if (flow.heldSinceMs > 0 && nowMs - flow.heldSinceMs >= this.#headTimeoutMs) {
      this.#stats.headTimeouts++;
      this.#giveUp(flow);
      return;
    }
    if (flow.mode === OPEN) this.#resend(flow, flow.request, nowMs);
    if (flow.mode === OPEN || flow.mode === CLOSING) this.#resend(flow, flow.response, nowMs);
  }

  #resend(flow: Flow, stream: TcpStream, nowMs: number): void {
    if (stream.resendAtMs === 0 || nowMs < stream.resendAtMs || !stream.owes) return;
    if (++stream.resends > MAX_RESENDS) {
      this.#stats.gaveUp++;
      this.#giveUp(flow);
      return;
    }
    const from = stream.keptBase;
    const most = MAX_BURST * stream.mss;
    const to = ((stream.owedTo - from) | 0) > most ? (from + most) | 0 : stream.owedTo;
    if (((to - from) | 0) > 0) {
      this.#stats.resent++;
      this.#transmitter.data(flow, stream, from, to);
    }
    stream.timeoutMs = Math.min(stream.timeoutMs * 2, MAX_TIMEOUT_MS);
    stream.resendAtMs = nowMs + stream.timeoutMs;
  }

  #giveUp(flow: Flow): void {
    this.#stats.resets++;
    this.#editor.reset(flow);
  }

  /** Conntrack may give a row away without a word: such flows are found here, a few at a time. */
  #sweep(table: FlowTable): void {
    const { flows } = table;
    const count = Math.min(SWEEP, flows.length);
    for (let i = 0; i < count; i++) {
      this.#swept = (this.#swept + 1) % flows.length;
      const flow = flows[this.#swept];
      if (flow.slot >= 0 && !table.isCurrent(flow)) table.close(flow.slot);
    }
  }
}

function needsClock(flow: Flow): boolean {
  if (flow.mode === CLOSING) return true;
  if (flow.mode >= DEAD) return false;
  return flow.heldSinceMs > 0 || flow.request.owes || flow.response.owes;
}
