/**
 * The connections of an engine by conntrack slot. Their objects are made once, up to a limit, and used again; a slot whose
 * row was given to another connection since is as good as unknown (CT_SLOT_GENERATION tells).
 *
 * No endpoint has more than its share (shares.ts) of them; a connection counts for who began it, or, when that is nobody of
 * this node, for who answers. Where a share is full, a few connections in turn are looked at for one that can go:
 *
 *  1. one that has ended on both sides, whose row lives on for some seconds;
 *  2. one that is half open, the oldest first: a SYN flood eats itself. It goes without harm: a repeated SYN begins it anew,
 *     and one that was answered is taken up from its row.
 */
import type { ConnectionRows } from '../../policy-maps/connection-rows.ts';
import { CT_ROW_WORDS } from '../../policy-maps/conntrack-row.ts';
import type { Connection } from './connection.ts';
import type { Parsers } from './parsers.ts';
import { isRowClosed, isRowHalfOpen, rowCreatedSec } from './row-life.ts';
import { Shares } from './shares.ts';

const RECLAIM_SAMPLE = 32; // connections

export class ConnectionTable {
  /** All connection objects ever made; `slot` is -1 for those not in use. */
  readonly connections: Connection[] = [];
  readonly shares: Shares;
  /** Connections that went to make room. */
  reclaimed = 0;
  readonly #rows: ConnectionRows;
  readonly #parsers: Parsers;
  /** Index + 1 by slot, 0 = none. */
  readonly #indexOf: Int32Array;
  readonly #free: number[] = [];
  readonly #make: () => Connection;
  #hand = 0;

  constructor(rows: ConnectionRows, parsers: Parsers, maxConnections: number, make: () => Connection) {
    this.#rows = rows;
    this.#parsers = parsers;
    this.#indexOf = new Int32Array(Math.floor(rows.words.length / CT_ROW_WORDS));
    this.shares = new Shares(maxConnections);
    this.#make = make;
  }

  /** Connections now. */
  get count(): number {
    return this.shares.used;
  }

  find(slot: number): Connection | undefined {
    const index = this.#indexOf[slot] - 1;
    if (!(index >= 0)) return undefined;
    const connection = this.connections[index];
    if (this.isCurrent(connection)) return connection;
    this.close(slot);
    return undefined;
  }

  /** Whether the row of a connection still belongs to it. */
  isCurrent(connection: Connection): boolean {
    return this.#rows.generation(connection.slot) === connection.slotGeneration;
  }

  /**
   * A connection object for `slot`, in HANDSHAKE, whose rules are not known yet.
   * @param owner the endpoint for which it counts @returns undefined when its share is full
   */
  open(slot: number, owner: number): Connection | undefined {
    if (!this.shares.take(owner, 1) && !(this.#reclaim(owner) && this.shares.take(owner, 1))) return undefined;
    const index = this.#free.pop() ?? this.connections.push(this.#make()) - 1;
    const connection = this.connections[index];
    connection.take(slot, this.#rows.generation(slot), owner);
    this.#indexOf[slot] = index + 1;
    return connection;
  }

  close(slot: number): void {
    const index = this.#indexOf[slot] - 1;
    if (!(index >= 0)) return;
    const connection = this.connections[index];
    connection.leave();
    this.shares.give(connection.owner, 1);
    this.#parsers.leave(connection);
    this.#indexOf[slot] = 0;
    this.#free.push(index);
  }

  /** Makes room for a connection of this endpoint, whose share is full. @returns false when nothing can go */
  #reclaim(owner: number): boolean {
    const isAllFull = this.shares.used >= this.shares.limit;
    const { connections } = this;
    let victim: Connection | undefined;
    for (let seen = 0; seen < Math.min(RECLAIM_SAMPLE, connections.length); seen++) {
      this.#hand = (this.#hand + 1) % connections.length;
      const connection = connections[this.#hand];
      if (connection.slot < 0 || (connection.owner !== owner && !isAllFull)) continue;
      const isOver = !this.isCurrent(connection) || isRowClosed(this.#rows.words, connection.slot);
      if (!isOver && !isRowHalfOpen(this.#rows.words, connection.slot)) continue;
      if (isOver || victim === undefined || this.#isOlder(connection, victim)) victim = connection;
      if (isOver) break;
    }
    if (victim === undefined) return false;
    this.reclaimed++;
    this.close(victim.slot);
    return true;
  }

  #isOlder(a: Connection, b: Connection): boolean {
    return ((rowCreatedSec(this.#rows.words, a.slot) - rowCreatedSec(this.#rows.words, b.slot)) | 0) < 0;
  }
}
