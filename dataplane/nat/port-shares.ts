/**
 * Who gives way when every port that was tried towards a destination is taken, so that one pod does not keep all others from a
 * place that everybody needs (a resolver, a registry): the endpoint that has most of the ports that were tried, if it has more than
 * twice as many of them as the one who asks. Of its connections the one that will be over first goes: who was never answered
 * before who talks. Twice, since the ports tried are a sample, and those with equal shares must not take them from each other in turn.
 */

/** The most ports that are looked at for one connection. */
export const MAX_TRIED = 128;

export class PortShares {
  #count = 0;
  readonly #rows = new Int32Array(MAX_TRIED);
  readonly #owners = new Int32Array(MAX_TRIED);
  readonly #ends = new Int32Array(MAX_TRIED);
  /** By endpoint; all 0 between two calls. */
  readonly #held = new Uint8Array(65_536);

  begin(): void {
    this.#count = 0;
  }

  /** Notes a port that is taken. @param row whose it is @param owner the endpoint @param endSec when its connection is over */
  note(row: number, owner: number, endSec: number): void {
    this.#rows[this.#count] = row;
    this.#owners[this.#count] = owner & 0xffff;
    this.#ends[this.#count++] = endSec;
  }

  /** @returns the row whose connection gives way to one of the endpoint; -1 for none */
  yielding(endpoint: number): number {
    const richest = this.#richest(endpoint);
    let found = -1;
    for (let i = 0; i < this.#count; i++) {
      if (this.#owners[i] === richest && (found < 0 || this.#ends[i] < this.#ends[found])) found = i;
    }
    return found < 0 ? -1 : this.#rows[found];
  }

  /** The endpoint with most ports; -1 when that is not far more than one has. */
  #richest(endpoint: number): number {
    let richest = -1;
    let most = 0;
    for (let i = 0; i < this.#count; i++) {
      const held = ++this.#held[this.#owners[i]];
      if (held > most) {
        most = held;
        richest = this.#owners[i];
      }
    }
    const own = this.#held[endpoint & 0xffff];
    for (let i = 0; i < this.#count; i++) this.#held[this.#owners[i]] = 0;
    return most > 2 * own + 1 ? richest : -1;
  }
}
