/**
 * The frames of the last seconds, for `sluice record --before-drop`: what has not led to a drop yet is held here, and
 * what led to one is taken out, once. Which frames those are is said by the pair of addresses, whichever of the two sent them:
 * what led to a drop may have been another connection of the two.
 *
 *    oldest | . | x | . | x | x | . | newest      a list in order of time, from which taken ones (x) are missing
 *             pair a: . .     pair b: .           and the same ones by their pair
 *
 * Bounds: how long, and how many bytes. The oldest go first; those that go before their time, because of the bytes, are counted.
 */
import type { Flow } from '../../hubble/flow.ts';
import type { CapturedFrame } from './frame-file.ts';

/** What a frame takes beside its bytes: the flow. An estimate, on the high side. */
const FLOW_BYTES = 3072;
/** Places that were given up, at the beginning of the list, before it is moved. */
const SLACK = 4096;

export interface KeptFrame extends CapturedFrame {
  readonly flow: Flow;
}

interface Place {
  frame: KeptFrame | undefined;
  readonly pair: string;
}

/** Places in order of time. What is empty at its beginning is passed over, and cut off now and then. */
class Line {
  #places: Place[] = [];
  #first = 0;

  push(place: Place): void {
    this.#places.push(place);
  }

  /** The oldest place that holds a frame. */
  oldest(): Place | undefined {
    while (this.#first < this.#places.length && this.#places[this.#first].frame === undefined) this.#first++;
    if (this.#first >= SLACK && this.#first * 2 >= this.#places.length) {
      this.#places = this.#places.slice(this.#first);
      this.#first = 0;
    }
    return this.#places[this.#first];
  }

  *[Symbol.iterator](): Generator<Place> {
    for (let at = this.#first; at < this.#places.length; at++) yield this.#places[at];
  }
}

export class KeptFrames {
  /** Frames that went before their time. */
  givenUp = 0;
  readonly #keepMs: number;
  readonly #mostBytes: number;
  #bytes = 0;
  readonly #all = new Line();
  readonly #pairs = new Map<string, Line>();

  constructor(keepMs: number, mostBytes: number) {
    this.#keepMs = keepMs;
    this.#mostBytes = mostBytes;
  }

  /** Holds a frame: one without addresses never leads to a drop of anybody. */
  keep(frame: KeptFrame): void {
    const pair = pairOf(frame.flow);
    if (pair === undefined) return;
    const place: Place = { frame, pair };
    const line = this.#pairs.get(pair) ?? new Line();
    this.#pairs.set(pair, line);
    line.push(place);
    this.#all.push(place);
    this.#bytes += bytesOf(frame);
    this.#forget(frame.timeMs - this.#keepMs);
  }

  /** Takes out what the two ends of a flow that was dropped said to each other before, oldest first. */
  takeBefore(flow: Flow, timeMs: number): KeptFrame[] {
    this.#forget(timeMs - this.#keepMs);
    const pair = pairOf(flow) ?? '';
    const places = [...(this.#pairs.get(pair) ?? [])];
    const frames = places.flatMap(({ frame }) => frame ?? []);
    for (const place of places) this.#empty(place);
    this.#pairs.delete(pair);
    return frames;
  }

  #forget(sinceMs: number): void {
    for (;;) {
      const place = this.#all.oldest();
      if (place?.frame === undefined) return;
      const isOld = place.frame.timeMs < sinceMs;
      if (!isOld && this.#bytes <= this.#mostBytes) return;
      if (!isOld) this.givenUp++;
      this.#empty(place);
      if (this.#pairs.get(place.pair)?.oldest() === undefined) this.#pairs.delete(place.pair);
    }
  }

  #empty(place: Place): void {
    if (place.frame !== undefined) this.#bytes -= bytesOf(place.frame);
    place.frame = undefined;
  }
}

function bytesOf({ bytes }: KeptFrame): number {
  return bytes.length + FLOW_BYTES;
}

function pairOf({ IP: ip }: Flow): string | undefined {
  if (ip === undefined) return undefined;
  const { source, destination } = ip;
  return source < destination ? `${source} ${destination}` : `${destination} ${source}`;
}
