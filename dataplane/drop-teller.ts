/**
 * Drops into their ring, and those that are too many for it into counts. Of every drop it is told that it was; what a flood
 * costs is bounded.
 *
 *   one by one   as many a second as the ring holds, and some of every port (budget.ts): a flood hides its own drops, not
 *                those of others
 *   counted      what is more (drop-count-map.ts), by reason, ends and policy. And what the ring overwrites before the agent has
 *                read it, because it is late or not there: the newest are in the ring, for whoever looks without an agent
 *
 * How far the agent has read, it says itself (CONFIG_DROPS_READ), some time after it has: of what it read in between, some may
 * be told both ways.
 */
import { CONFIG_DROP_COUNTS_EPOCH, CONFIG_DROPS_READ, type ConfigMap } from '../policy-maps/config-map.ts';
import type { DropCountMap } from '../policy-maps/drop-count-map.ts';
import type { EventRing } from '../policy-maps/event-ring.ts';
import { i32le, u16le } from '../wire/bytes.ts';
import * as event from '../wire/event.ts';
import type { Frame } from '../wire/frame.ts';
import { Budget, OWN_EVENTS_PER_SEC } from './budget.ts';

/** The maps that drops are told by. */
export interface DropMaps {
  readonly config: ConfigMap;
  readonly dropEvents: EventRing;
  readonly dropCounts: DropCountMap;
}

export class DropTeller {
  readonly #config: ConfigMap;
  readonly #ring: EventRing;
  readonly #counts: DropCountMap;
  readonly #budget: Budget;
  #epochMs = 0;
  /** Position up to which the agent has read the ring. */
  #read = 0;
  /** Drops that were counted, not told one by one. */
  counted = 0;

  constructor({ config, dropEvents, dropCounts }: DropMaps) {
    this.#config = config;
    this.#ring = dropEvents;
    this.#counts = dropCounts;
    this.#budget = new Budget(dropEvents.capacity, OWN_EVENTS_PER_SEC);
  }

  /** Once a batch, and now and then without one. @param epochMs wall clock for the events @param nowMs monotonic, for the rates */
  tick(epochMs: number, nowMs: number): void {
    this.#epochMs = epochMs;
    this.#budget.beginBatch(nowMs);
    this.#read = this.#config.load(CONFIG_DROPS_READ);
    this.#counts.follow(this.#config.load(CONFIG_DROP_COUNTS_EPOCH));
  }

  /** Whether a drop of a frame from `port` may be told by itself. If not, `count` it. */
  mayTell(port: number): boolean {
    return this.#budget.take(port);
  }

  get bytes(): Uint8Array {
    return this.#ring.bytes;
  }

  /** Takes the next record of the ring, and counts what was there if nobody has read it. @returns its offset in `bytes` */
  next(): number {
    const isUnread = ((this.#ring.committed - this.#ring.capacity - this.#read) | 0) >= 0;
    const at = this.#ring.next();
    if (isUnread && this.#ring.bytes[at] === event.EVENT_DROP) this.#countRecord(at);
    return at;
  }

  commit(): void {
    this.#ring.commit();
  }

  count(f: Frame, reason: number, direction: number, cookie: number): void {
    const ends = f.srcEndpoint | (f.dstEndpoint << 16);
    const kind = reason | (direction << 8) | (f.protocol << 16);
    this.#counts.setKey(kind, f.srcIdentity, f.dstIdentity, cookie, ends, f.port);
    this.#counts.add(f.length, this.#epochMs);
    this.counted++;
  }

  #countRecord(at: number): void {
    const { bytes } = this.#ring;
    const kind = bytes[at + 1] | (bytes[at + 33] << 8) | (bytes[at + 32] << 16);
    const ends = u16le(bytes, at + 2) | (u16le(bytes, at + 24) << 16);
    this.#counts.setKey(
      kind,
      i32le(bytes, at + 16),
      i32le(bytes, at + 20),
      i32le(bytes, at + 36),
      ends,
      i32le(bytes, at + 40),
    );
    this.#counts.add(i32le(bytes, at + 8), this.#epochMs);
    this.counted++;
  }
}
