/**
 * The last flows, and which of them the query wants.
 *
 *     kept      a ring of `capacity` flows, in the order of their time as far as they came so
 *     matched   a ring of places in it; a row of the table is its number: the first row of a query is 0, numbers are never used
 *               again until the query changes, rows from `first` to before `end` are there
 *
 * A flow comes once: what a stream tells again after a reconnection or another query (the same uuid) is not taken. `refill` puts a batch
 * of older flows where their time belongs, which is the only thing that moves rows: their numbers begin anew, as with a new query.
 * Ends of flows (pod, labels) repeat in most flows; one object of each is kept.
 */
import type { Endpoint, Flow } from '../../hubble/flow.ts';

const CAPACITY = 50_000;
const MAX_ENDS = 20_000;

export type Predicate = (flow: Flow) => boolean;

export class FlowStore {
  readonly #capacity: number;
  readonly #flows: Flow[] = [];
  readonly #matched: Float64Array;
  readonly #uuids = new Set<string>();
  readonly #ends = new Map<string, Endpoint>();
  #wants: Predicate = () => true;
  /** How many were ever appended since the last rebuild; flow `n` stands at `n % capacity`. */
  #count = 0;
  #first = 0;
  #end = 0;

  constructor(capacity = CAPACITY) {
    this.#capacity = capacity;
    this.#matched = new Float64Array(capacity);
  }

  /** How many flows are kept. */
  get kept(): number {
    return Math.min(this.#count, this.#capacity);
  }
  /** The oldest row, and the one after the newest. */
  get first(): number {
    return this.#first;
  }
  get end(): number {
    return this.#end;
  }

  /** Takes a flow. @returns whether it is new and the query wants it */
  append(flow: Flow): boolean {
    if (flow.uuid !== undefined && this.#uuids.has(flow.uuid)) return false;
    return this.#put(this.#shared(flow));
  }

  /** Flows in the order of their rows, from `from` to before `to`, as far as they are there. */
  rows(from: number, to: number): Flow[] {
    const found: Flow[] = [];
    for (let row = Math.max(from, this.#first); row < Math.min(to, this.#end); row++)
      found.push(this.#flows[this.#matched[row % this.#capacity] % this.#capacity]);
    return found;
  }

  /** What is wanted from now on. Rows are counted anew. */
  setQuery(wants: Predicate): void {
    this.#wants = wants;
    this.#rebuild(this.#inOrder());
  }

  /** Puts flows in that may be older than what is there. Rows are counted anew when any of them is new. @returns how many were */
  refill(flows: readonly Flow[]): number {
    const fresh = new Map<string | Flow, Flow>();
    for (const flow of flows)
      if (flow.uuid === undefined || !this.#uuids.has(flow.uuid)) fresh.set(flow.uuid ?? flow, this.#shared(flow));
    if (fresh.size > 0) this.#rebuild(merged(this.#inOrder(), [...fresh.values()]).slice(-this.#capacity));
    return fresh.size;
  }

  clear(): void {
    this.#ends.clear();
    this.#rebuild([]);
  }

  #put(flow: Flow): boolean {
    const slot = this.#count % this.#capacity;
    if (this.#count >= this.#capacity) this.#forget(slot);
    this.#flows[slot] = flow;
    if (flow.uuid !== undefined) this.#uuids.add(flow.uuid);
    const isWanted = this.#wants(flow);
    if (isWanted) this.#matched[this.#end++ % this.#capacity] = this.#count;
    this.#count++;
    return isWanted;
  }

  /** The oldest flow makes room. */
  #forget(slot: number): void {
    const { uuid } = this.#flows[slot];
    if (uuid !== undefined) this.#uuids.delete(uuid);
    if (this.#first < this.#end && this.#matched[this.#first % this.#capacity] === this.#count - this.#capacity)
      this.#first++;
  }

  #inOrder(): Flow[] {
    const slot = this.#count % this.#capacity;
    return this.#count <= this.#capacity
      ? this.#flows.slice(0, this.#count)
      : [...this.#flows.slice(slot), ...this.#flows.slice(0, slot)];
  }

  #rebuild(flows: readonly Flow[]): void {
    this.#flows.length = 0;
    this.#uuids.clear();
    this.#count = this.#first = this.#end = 0;
    for (const flow of flows) this.#put(flow);
  }

  #shared(flow: Flow): Flow {
    const source = this.#sharedEnd(flow.source);
    const destination = this.#sharedEnd(flow.destination);
    return Object.assign(flow, { source, destination });
  }

  #sharedEnd(end: Endpoint = {}): Endpoint {
    const { ID = 0, identity = 0, namespace = '', pod_name = '', labels = [] } = end;
    const key = `${ID} ${identity} ${namespace} ${pod_name} ${labels.length} ${labels[0] ?? ''}`;
    const known = this.#ends.get(key);
    if (known !== undefined) return known;
    if (this.#ends.size >= MAX_ENDS) this.#ends.clear();
    this.#ends.set(key, end);
    return end;
  }
}

/** Two lists, each in the order of time but for little, as one; of equal times `a` comes first. */
function merged(a: readonly Flow[], b: readonly Flow[]): Flow[] {
  const all: Flow[] = [];
  let next = 0;
  for (const flow of a) {
    while (next < b.length && isBefore(b[next], flow)) all.push(b[next++]);
    all.push(flow);
  }
  return [...all, ...b.slice(next)];
}

/** Without the `Z`: a time has as many digits of a second as it needs, and `05` is before `05.1`. */
function isBefore(a: Flow, b: Flow): boolean {
  return a.time.slice(0, -1) < b.time.slice(0, -1);
}
