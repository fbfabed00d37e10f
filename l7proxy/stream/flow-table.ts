/**
 * The flows of a proxy by conntrack slot. Flow objects are made once, up to a limit, and used again; a slot whose row was
 * given to another connection since is as good as unknown (CT_SLOT_GENERATION tells).
 */
import { CT_ROW_WORDS, CT_SLOT_GENERATION } from '../../policy-maps/conntrack-row.ts';
import type { Flow } from './flow.ts';

export class FlowTable {
  /** All flow objects ever made, by index; `slot` is -1 for those not in use. */
  readonly flows: Flow[] = [];
  count = 0;
  readonly #words: Int32Array;
  /** Index + 1 by slot, 0 = none. */
  readonly #indexOf: Int32Array;
  readonly #free: number[] = [];
  readonly #maxFlows: number;
  readonly #make: (index: number) => Flow;

  constructor(words: Int32Array, maxFlows: number, make: (index: number) => Flow) {
    this.#words = words;
    this.#indexOf = new Int32Array(Math.floor(words.length / CT_ROW_WORDS));
    this.#maxFlows = maxFlows;
    this.#make = make;
  }

  find(slot: number): Flow | undefined {
    const index = this.#indexOf[slot] - 1;
    if (!(index >= 0)) return undefined;
    const flow = this.flows[index];
    if (this.isCurrent(flow)) return flow;
    this.close(slot);
    return undefined;
  }

  /** Whether the row of a flow still belongs to it. */
  isCurrent(flow: Flow): boolean {
    return this.#words[flow.slot * CT_ROW_WORDS + CT_SLOT_GENERATION] === flow.slotGeneration;
  }

  /** A flow object for `slot`, in whatever state it was left; undefined when there are too many. */
  open(slot: number): Flow | undefined {
    let index = this.#free.pop();
    if (index === undefined) {
      if (this.flows.length >= this.#maxFlows) return undefined;
      index = this.flows.length;
      this.flows.push(this.#make(index));
    }
    const flow = this.flows[index];
    flow.slot = slot;
    flow.slotGeneration = this.#words[slot * CT_ROW_WORDS + CT_SLOT_GENERATION];
    this.#indexOf[slot] = index + 1;
    this.count++;
    return flow;
  }

  close(slot: number): void {
    const index = this.#indexOf[slot] - 1;
    if (!(index >= 0)) return;
    const flow = this.flows[index];
    flow.die();
    flow.hasPendingSyn = false;
    flow.slot = -1;
    this.#indexOf[slot] = 0;
    this.#free.push(index);
    this.count--;
  }
}
