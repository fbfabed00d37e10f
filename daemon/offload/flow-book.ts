/**
 * The connections that the kernel has: by row of conntrack, by element, and in the pinned map. A row of the map that is out rests for
 * REST_MS, so that the dataplane, which looks every second, has its last counts.
 */
import type { ElementCount, MapElement } from '../../linux/nft-elements.ts';
import type { KernelCount, OffloadedFlow, OffloadMap } from '../../policy-maps/offload-map.ts';
import type { FlowMap } from './fast-table.ts';

const REST_MS = 3000;
const NOTHING: KernelCount = { packets: 0, bytes: 0 };

/** One connection: the row of conntrack, its elements, and the ports of both ends. */
export interface Flow {
  readonly index: number;
  readonly map: FlowMap;
  readonly forward: Buffer;
  readonly reply: Buffer;
  readonly ports: readonly [number, number];
  state: OffloadedFlow;
  usedMs: number;
}

type Identity = Pick<OffloadedFlow, 'isTcp' | 'slot' | 'slotGeneration'>;

export class FlowBook {
  readonly #map: OffloadMap;
  readonly #flows = new Map<string, Flow>();
  /** By map and key of each element. */
  readonly #byElement = new Map<string, Flow>();
  readonly #free: number[];
  readonly #resting: { index: number; freeMs: number }[] = [];
  #incarnation = Date.now() | 0;

  constructor(map: OffloadMap) {
    this.#map = map;
    map.clear();
    this.#free = Array.from({ length: map.capacity }, (_, index) => map.capacity - 1 - index);
  }

  get size(): number {
    return this.#flows.size;
  }

  all(): Flow[] {
    return [...this.#flows.values()];
  }

  has(identity: Identity): boolean {
    return this.#flows.has(nameOf(identity));
  }

  /** Whether an element is another's yet. */
  isTaken(map: FlowMap, key: Buffer): boolean {
    return this.#byElement.has(elementOf(map, key.toString('hex')));
  }

  /** Notes a connection before the kernel has it. @returns undefined when there is no place */
  enter(identity: Identity, way: Pick<Flow, 'map' | 'forward' | 'reply' | 'ports'>, nowMs: number): Flow | undefined {
    const index = this.#free.pop();
    if (index === undefined) {
      this.#map.noteFull();
      return undefined;
    }
    const { isTcp, slot, slotGeneration } = identity;
    const incarnation = this.#incarnation;
    this.#incarnation = (incarnation + 1) | 0;
    const counts = { isOut: false, forward: NOTHING, reply: NOTHING, sinceSec: Math.floor(nowMs / 1000) };
    const flow: Flow = { index, ...way, state: { incarnation, isTcp, slot, slotGeneration, ...counts }, usedMs: nowMs };
    this.#map.put(index, flow.state);
    this.#flows.set(nameOf(identity), flow);
    for (const key of [flow.forward, flow.reply]) this.#byElement.set(elementOf(flow.map, key.toString('hex')), flow);
    return flow;
  }

  /** Takes over what an element has counted by now. */
  count({ map, key, packets, bytes }: ElementCount, nowMs: number): void {
    const flow = this.#byElement.get(elementOf(map, key));
    if (flow === undefined) return;
    const side = flow.forward.toString('hex') === key ? 'forward' : 'reply';
    if (flow.state[side].packets === packets) return;
    flow.state = { ...flow.state, [side]: { packets, bytes } };
    flow.usedMs = nowMs;
    this.#map.put(flow.index, flow.state);
  }

  /** The kernel forwards them no more. @param counts the last ones of their elements */
  leave(flows: readonly Flow[], counts: readonly ElementCount[], nowMs: number): void {
    for (const count of counts) this.count(count, nowMs);
    for (const flow of flows) {
      this.#map.put(flow.index, { ...flow.state, isOut: true });
      this.#flows.delete(nameOf(flow.state));
      for (const key of [flow.forward, flow.reply]) this.#byElement.delete(elementOf(flow.map, key.toString('hex')));
      this.#resting.push({ index: flow.index, freeMs: nowMs + REST_MS });
    }
  }

  /** Gives rows that have rested to others. */
  rouse(nowMs: number): void {
    const rested = this.#resting.findIndex(({ freeMs }) => freeMs > nowMs);
    for (const { index } of this.#resting.splice(0, rested < 0 ? this.#resting.length : rested)) this.#free.push(index);
  }
}

/** Both elements of connections, to be taken out. */
export function elementsOf(flows: readonly Flow[]): MapElement[] {
  return flows.flatMap(({ map, forward, reply }) => [forward, reply].map((key) => ({ map, key })));
}

function nameOf({ isTcp, slot, slotGeneration }: Identity): string {
  return `${isTcp} ${slot} ${slotGeneration}`;
}

function elementOf(map: string, key: string): string {
  return `${map} ${key}`;
}
