/**
 * The connections of an engine by conntrack slot. Their objects are made once, up to a limit, and used again; a slot whose
 * row was given to another connection since is as good as unknown (CT_SLOT_GENERATION tells).
 */
import { CT_ROW_WORDS, CT_SLOT_GENERATION } from '../../policy-maps/conntrack-row.ts';
import type { Connection } from './connection.ts';
import type { Parsers } from './parsers.ts';

export class ConnectionTable {
  /** All connection objects ever made; `slot` is -1 for those not in use. */
  readonly connections: Connection[] = [];
  readonly #words: Int32Array;
  readonly #parsers: Parsers;
  /** Index + 1 by slot, 0 = none. */
  readonly #indexOf: Int32Array;
  readonly #free: number[] = [];
  readonly #maxConnections: number;
  readonly #make: () => Connection;
  #count = 0;

  constructor(words: Int32Array, parsers: Parsers, maxConnections: number, make: () => Connection) {
    this.#words = words;
    this.#parsers = parsers;
    this.#indexOf = new Int32Array(Math.floor(words.length / CT_ROW_WORDS));
    this.#maxConnections = maxConnections;
    this.#make = make;
  }

  /** Connections now. */
  get count(): number {
    return this.#count;
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
    return this.#words[connection.slot * CT_ROW_WORDS + CT_SLOT_GENERATION] === connection.slotGeneration;
  }

  /** A connection object for `slot`, in HANDSHAKE, whose rules are not known yet; undefined when there are too many. */
  open(slot: number): Connection | undefined {
    let index = this.#free.pop();
    if (index === undefined) {
      if (this.connections.length >= this.#maxConnections) return undefined;
      index = this.connections.length;
      this.connections.push(this.#make());
    }
    const connection = this.connections[index];
    connection.take(slot, this.#words[slot * CT_ROW_WORDS + CT_SLOT_GENERATION]);
    this.#indexOf[slot] = index + 1;
    this.#count++;
    return connection;
  }

  close(slot: number): void {
    const index = this.#indexOf[slot] - 1;
    if (!(index >= 0)) return;
    const connection = this.connections[index];
    connection.leave();
    this.#parsers.leave(connection);
    this.#indexOf[slot] = 0;
    this.#free.push(index);
    this.#count--;
  }
}
