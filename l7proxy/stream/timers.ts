/**
 * What of a connection depends on the clock: sending again, a head that never ends, bytes that wait for others which never
 * come, a good-bye that nobody hears.
 */
import { CLOSING, DEAD, type Connection, OPEN } from './connection.ts';
import type { ConnectionTable } from './connection-table.ts';
import type { StreamCounters } from './counters.ts';
import { MAX_BURST, type Transmitter } from './segment-output.ts';
import type { StreamEditor } from './stream-editor.ts';
import type { TcpStream } from './tcp-stream.ts';

const TICK_MS = 20;
/** Repetitions before a connection is given up: 200 ms doubling, about 50 s in all. */
const MAX_RESENDS = 8;
/** Connections looked at per tick for a row that was given away. */
const SWEEP = 64;

export class Timers {
  readonly #editor: StreamEditor;
  readonly #transmitter: Transmitter;
  readonly #counters: StreamCounters;
  readonly #headTimeoutMs: number;
  #timed: Connection[] = [];
  #nextMs = 0;
  #swept = 0;

  constructor(editor: StreamEditor, transmitter: Transmitter, counters: StreamCounters, headTimeoutMs: number) {
    this.#editor = editor;
    this.#transmitter = transmitter;
    this.#counters = counters;
    this.#headTimeoutMs = headTimeoutMs;
  }

  get count(): number {
    return this.#timed.length;
  }

  /** Has `tick` look at the connection as long as something of it depends on the clock. */
  watch(connection: Connection): void {
    connection.noteHeld(Math.max(this.#editor.nowMs, 1));
    this.#arm(connection.request);
    this.#arm(connection.response);
    if (connection.isTimed || !needsClock(connection)) return;
    connection.setTimed(true);
    this.#timed.push(connection);
  }

  #arm(stream: TcpStream): void {
    if (stream.owes && stream.resendAtMs === 0) stream.startTimer(this.#editor.nowMs);
  }

  /** @param onDead told of each connection that ended, before the next is looked at */
  tick(nowMs: number, table: ConnectionTable, onDead: (connection: Connection) => void): void {
    if (nowMs < this.#nextMs) return;
    this.#nextMs = nowMs + TICK_MS;
    let kept = 0;
    for (const connection of this.#timed) {
      if (connection.slot >= 0) this.#look(connection, nowMs);
      if (connection.slot >= 0 && connection.mode === DEAD) onDead(connection);
      if (connection.slot >= 0 && needsClock(connection)) this.#timed[kept++] = connection;
      else connection.setTimed(false);
    }
    this.#timed.length = kept;
    this.#sweep(table);
  }

  #look(connection: Connection, nowMs: number): void {
    if (connection.mode === CLOSING && nowMs >= connection.closeAtMs) {
      this.#editor.reset(connection);
      return;
    }
    if (connection.heldSinceMs > 0 && nowMs - connection.heldSinceMs >= this.#headTimeoutMs) {
      this.#counters.headTimeouts++;
      this.#giveUp(connection);
      return;
    }
    if (connection.request.early.age(connection.request.nextIn, nowMs)) this.#counters.earlyAged++;
    if (connection.response.early.age(connection.response.nextIn, nowMs)) this.#counters.earlyAged++;
    if (connection.mode === OPEN) this.#resend(connection, connection.request, nowMs);
    if (connection.mode === OPEN || connection.mode === CLOSING) this.#resend(connection, connection.response, nowMs);
  }

  #resend(connection: Connection, stream: TcpStream, nowMs: number): void {
    if (!stream.isResendDue(nowMs)) return;
    if (stream.backOff(nowMs) > MAX_RESENDS) {
      this.#counters.gaveUp++;
      this.#giveUp(connection);
      return;
    }
    const from = stream.keptBase;
    const most = MAX_BURST * stream.mss;
    const to = ((stream.owedTo - from) | 0) > most ? (from + most) | 0 : stream.owedTo;
    if (((to - from) | 0) <= 0) return;
    this.#counters.resent++;
    this.#transmitter.data(connection, stream, from, to);
    stream.recover(to);
  }

  #giveUp(connection: Connection): void {
    this.#counters.resets++;
    this.#editor.reset(connection);
  }

  /** Conntrack may give a row away without a word: such connections are found here, a few at a time. */
  #sweep(table: ConnectionTable): void {
    const { connections } = table;
    const count = Math.min(SWEEP, connections.length);
    for (let i = 0; i < count; i++) {
      this.#swept = (this.#swept + 1) % connections.length;
      const connection = connections[this.#swept];
      if (connection.slot >= 0 && !table.isCurrent(connection)) table.close(connection.slot);
    }
  }
}

function needsClock(connection: Connection): boolean {
  if (connection.mode === CLOSING) return true;
  if (connection.mode >= DEAD) return false;
  const { request, response } = connection;
  return connection.heldSinceMs > 0 || isPending(request) || isPending(response);
}

function isPending(stream: TcpStream): boolean {
  return stream.owes || stream.early.length > 0;
}
