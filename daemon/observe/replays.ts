/**
 * Flows that come a second time. An agent that starts anew reads the event rings from the oldest record that is left, so that
 * nothing is missed; a flow's uuid is the same then, and what the history has already it must neither keep nor tell twice.
 */
import type { Envelope } from '../../hubble/flow.ts';
import { type FlowRows, UUID_BYTES } from '../../hubble/store/columns.ts';
import { packUuid } from '../../hubble/store/texts.ts';

export class Replays {
  readonly #known = new Set<string>();
  readonly #replayed = new WeakSet<Envelope>();
  readonly #bytes = Buffer.alloc(UUID_BYTES);
  #untilMs = Number.NEGATIVE_INFINITY;

  /** How many flows are known. */
  get size(): number {
    return this.#known.size;
  }

  /** Notes the last `count` rows of a table that an earlier life kept. */
  async learn(rows: FlowRows, count: number): Promise<void> {
    const uuids = (await rows.column('uuid')) as Uint8Array;
    const bytes = Buffer.from(uuids.buffer, uuids.byteOffset, rows.rows * UUID_BYTES);
    for (let row = Math.max(0, rows.rows - count); row < rows.rows; row++) {
      this.#known.add(bytes.toString('latin1', row * UUID_BYTES, (row + 1) * UUID_BYTES));
    }
    this.#untilMs = Math.max(this.#untilMs, rows.maxMs);
  }

  /** Whether the history has had it before. Once flows are newer than all that is known, nothing is known any more. */
  take(envelope: Envelope): boolean {
    if (this.#known.size === 0) return false;
    if (Date.parse(envelope.time ?? '') > this.#untilMs) {
      this.#known.clear();
      return false;
    }
    const uuid = envelope.flow?.uuid;
    const isKnown =
      uuid !== undefined && packUuid(uuid, this.#bytes, 0) && this.#known.has(this.#bytes.toString('latin1'));
    if (isKnown) this.#replayed.add(envelope);
    return isKnown;
  }

  /** Whether `take` has found so. */
  has(envelope: Envelope): boolean {
    return this.#replayed.has(envelope);
  }
}
