/**
 * Flows as places and edges between them, told as changes a few times a second.
 *
 *     add(flow) --> places (at most MAX_PLACES), edges (at most MAX_EDGES), each with a number that is its own as long as it lives
 *     changes() --> new ones with all that does not change, gone ones by number, and of edges that counted a row of figures each
 *
 * An edge goes from who asked to who was asked: a reply counts for the edge that it answers, and so does an error of ICMP. When places or edges are full, those without
 * traffic for ROOM_AFTER_MS make room; if there are none, what is new counts for OTHER_PLACE, so memory has a bound whatever the traffic. Numbers of
 * what has gone are used again, but not before it was told.
 */
import { type Flow, packetsOf } from '../../hubble/flow.ts';
import { type EdgeDetail, EdgeTallies } from './edge-detail.ts';
import { OTHER_PLACE, type Place, placeOf } from './place.ts';
import { FIGURES, VERDICT_CLASSES, verdictClass, type Verdicts, zeroVerdicts } from './verdicts.ts';

const MAX_PLACES = 2000;
const MAX_EDGES = 6000;
const ROOM_AFTER_MS = 300_000;
/** Rates are over some ten seconds: each second this part of the old is kept. */
const KEEP_PER_SEC = 0.9;

export interface NewEdge {
  readonly edge: number;
  readonly from: number;
  readonly to: number;
}

export interface MapChanges {
  /** Forget everything that was told before. */
  readonly isFresh: boolean;
  readonly places: readonly (Place & { readonly number: number })[];
  readonly edges: readonly NewEdge[];
  readonly gonePlaces: readonly number[];
  readonly goneEdges: readonly number[];
  /** Rows of FIGURES. */
  readonly figures: Float64Array<ArrayBuffer>;
  /** Of edges in `figures`, in their order: what stands at it. */
  readonly labels: readonly string[];
}

interface Known {
  readonly place: Place;
  readonly number: number;
  edges: number;
}

interface Edge {
  readonly number: number;
  readonly key: string;
  readonly from: Known;
  readonly to: Known;
  readonly verdicts: Verdicts;
  readonly tallies: EdgeTallies;
  /** Since the last tick. */
  recent: number;
  rate: number;
  lastMs: number;
  droppedMs: number;
  isChanged: boolean;
}

export class TrafficMap {
  readonly #places = new Map<string, Known>();
  readonly #edges = new Map<string, Edge>();
  readonly #byNumber: (Edge | undefined)[] = [];
  readonly #freePlaces: number[] = [];
  readonly #freeEdges: number[] = [];
  #placeNumbers = 0;
  #edgeNumbers = 0;
  #newPlaces: Known[] = [];
  #newEdges: Edge[] = [];
  #gonePlaces: number[] = [];
  #goneEdges: number[] = [];
  #isFresh = true;
  #tickedMs = 0;

  /** How much there is. */
  get size(): { readonly places: number; readonly edges: number } {
    return { places: this.#places.size, edges: this.#edges.size };
  }

  /** @param nowMs when it came; @param isOld whether it was there before anybody looked, and says nothing of rates */
  add(flow: Flow, nowMs: number, isOld = false): void {
    const isReply = flow.is_reply === true || isError(flow);
    const source = placeOf(flow.source, flow.source_names);
    const destination = placeOf(flow.destination, flow.destination_names);
    const edge = isReply ? this.#edge(destination, source, nowMs) : this.#edge(source, destination, nowMs);
    const packets = packetsOf(flow);
    edge.verdicts[verdictClass(flow.verdict)] += packets;
    if (!isOld) edge.recent += packets;
    edge.lastMs = nowMs;
    if (flow.verdict === 'DROPPED') edge.droppedMs = nowMs;
    edge.isChanged = true;
    edge.tallies.add(flow, isReply);
  }

  /** What has changed since it was asked last. */
  changes(nowMs: number): MapChanges {
    this.#tick(nowMs);
    const changed = [...this.#edges.values()].filter(({ isChanged }) => isChanged);
    const figures = new Float64Array(changed.length * FIGURES.length);
    changed.forEach((edge, index) => {
      const { number, verdicts, rate, lastMs, droppedMs } = edge;
      const counts = VERDICT_CLASSES.map((name) => verdicts[name]);
      figures.set([number, ...counts, rate, lastMs, droppedMs], index * FIGURES.length);
      edge.isChanged = rate > 0;
    });
    const told: MapChanges = {
      isFresh: this.#isFresh,
      places: this.#newPlaces.map(({ place, number }) => ({ ...place, number })),
      edges: this.#newEdges.map(({ number, from, to }) => ({ edge: number, from: from.number, to: to.number })),
      gonePlaces: this.#gonePlaces,
      goneEdges: this.#goneEdges,
      figures,
      labels: changed.map(({ tallies }) => tallies.topPort),
    };
    this.#freePlaces.push(...this.#gonePlaces);
    this.#freeEdges.push(...this.#goneEdges);
    this.#newPlaces = [];
    this.#newEdges = [];
    this.#gonePlaces = [];
    this.#goneEdges = [];
    this.#isFresh = false;
    return told;
  }

  /** Has `changes` tell everything again, to somebody who comes new. */
  tellAgain(): void {
    this.#freePlaces.push(...this.#gonePlaces);
    this.#freeEdges.push(...this.#goneEdges);
    this.#gonePlaces = [];
    this.#goneEdges = [];
    this.#newPlaces = [...this.#places.values()];
    this.#newEdges = [...this.#edges.values()];
    for (const edge of this.#newEdges) edge.isChanged = true;
    this.#isFresh = true;
  }

  /** What an edge is made of; undefined when there is none of this number. */
  detail(edge: number): EdgeDetail | undefined {
    return this.#byNumber[edge]?.tallies.detail();
  }

  #tick(nowMs: number): void {
    const sec = Math.max(0.05, (nowMs - this.#tickedMs) / 1000);
    this.#tickedMs = nowMs;
    const keep = KEEP_PER_SEC ** sec;
    for (const edge of this.#edges.values()) {
      edge.rate = edge.rate * keep + (edge.recent / sec) * (1 - keep);
      if (edge.rate < 0.005) edge.rate = 0;
      edge.recent = 0;
    }
  }

  #edge(from: Place, to: Place, nowMs: number): Edge {
    const known = this.#edges.get(`${from.key}\n${to.key}`);
    if (known !== undefined) return known;
    if (this.#edges.size >= MAX_EDGES || this.#places.size >= MAX_PLACES - 1) this.#makeRoom(nowMs);
    const isFull = this.#edges.size >= MAX_EDGES;
    const source = this.#place(isFull ? OTHER_PLACE : from);
    const destination = this.#place(isFull ? OTHER_PLACE : to);
    const key = `${source.place.key}\n${destination.place.key}`;
    return this.#edges.get(key) ?? this.#newEdge(key, source, destination);
  }

  #newEdge(key: string, from: Known, to: Known): Edge {
    const number = this.#freeEdges.pop() ?? this.#edgeNumbers++;
    const figures = { recent: 0, rate: 0, lastMs: 0, droppedMs: 0, isChanged: true };
    const edge = { number, key, from, to, verdicts: zeroVerdicts(), tallies: new EdgeTallies(), ...figures };
    from.edges++;
    to.edges++;
    this.#edges.set(key, edge);
    this.#byNumber[number] = edge;
    this.#newEdges.push(edge);
    return edge;
  }

  #place(place: Place): Known {
    const known = this.#places.get(place.key);
    if (known !== undefined) return known;
    if (this.#places.size >= MAX_PLACES - 1 && place !== OTHER_PLACE) return this.#place(OTHER_PLACE);
    const number = this.#freePlaces.pop() ?? this.#placeNumbers++;
    const added = { place, number, edges: 0 };
    this.#places.set(place.key, added);
    this.#newPlaces.push(added);
    return added;
  }

  #makeRoom(nowMs: number): void {
    for (const edge of this.#edges.values()) if (nowMs - edge.lastMs > ROOM_AFTER_MS) this.#remove(edge);
  }

  #remove(edge: Edge): void {
    this.#edges.delete(edge.key);
    this.#byNumber[edge.number] = undefined;
    if (!drop(this.#newEdges, edge)) this.#goneEdges.push(edge.number);
    else this.#freeEdges.push(edge.number);
    for (const known of [edge.from, edge.to]) {
      if (--known.edges > 0) continue;
      this.#places.delete(known.place.key);
      if (!drop(this.#newPlaces, known)) this.#gonePlaces.push(known.number);
      else this.#freePlaces.push(known.number);
    }
  }
}

/** Destination unreachable, time exceeded, parameter problem, packet too big: they answer a packet that went the other way. */
function isError({ l4 }: Flow): boolean {
  const { ICMPv4: icmp, ICMPv6: icmpv6 } = l4 ?? {};
  if (icmp !== undefined) return icmp.type === 3 || icmp.type === 11 || icmp.type === 12;
  return icmpv6?.type !== undefined && icmpv6.type >= 1 && icmpv6.type <= 4;
}

/** @returns whether `list` had `one`, which it has no more */
function drop<T>(list: T[], one: T): boolean {
  const index = list.indexOf(one);
  if (index >= 0) list.splice(index, 1);
  return index >= 0;
}
