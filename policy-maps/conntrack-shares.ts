/**
 * Who has how many rows of a conntrack table: what decides who makes room when it is full.
 *
 * A row is charged to the endpoint that began the connection, or to the one it was made to when somebody outside began it.
 * Nobody is held to a part of the table while there is room. When there is none, those who have more than an equal part of it
 * make room first; so however many connections a pod and its accomplices make, those of others stay. Kept in the memory of
 * the writer, and counted again from the rows when a file is opened.
 */
import { ENDPOINT_IDS } from './endpoint-map.ts';

export class ConntrackShares {
  readonly #rows = new Int32Array(ENDPOINT_IDS);
  /** Endpoints that have a row. */
  owners = 0;

  add(endpoint: number): void {
    if (this.#rows[endpoint]++ === 0) this.owners++;
  }

  drop(endpoint: number): void {
    if (--this.#rows[endpoint] === 0) this.owners--;
  }

  /** Rows of an endpoint. */
  of(endpoint: number): number {
    return this.#rows[endpoint];
  }

  /** Whether an endpoint has more than an equal part of `rows` rows. */
  isOver(endpoint: number, rows: number): boolean {
    return this.#rows[endpoint] * this.owners > rows;
  }
}
