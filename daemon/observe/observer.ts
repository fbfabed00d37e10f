/**
 * Events of the dataplane, handed to sinks: reads the pinned rings, puts in order of time what comes from each, and tells what
 * a ring overwrote before it was read.
 *
 * The rings are looked at every POLL_MS, and again at once while they hold more than one look takes.
 */
import { lostEnvelope } from '../../hubble/decode/decode.ts';
import type { Envelope, Flow } from '../../hubble/flow.ts';
import type { FlowSink } from '../../hubble/sink.ts';
import type { EventRing } from '../../policy-maps/event-ring.ts';
import type { LazyEnvelope } from './lazy-envelope.ts';
import { RingSource, type SourceOptions } from './ring-source.ts';
import type { SharedState } from './shared-state.ts';

const POLL_MS = 50;

export interface ObserverOptions extends SourceOptions {
  readonly rings: readonly EventRing[];
  readonly state: SharedState;
  readonly sink: Pick<FlowSink, 'take' | 'tick'>;
  /** Called before each look. */
  readonly beforeLook: () => void;
  /** What there is to be told besides the records. */
  readonly others: () => readonly Flow[];
  /** Called after each look. @param positions of the rings up to which all has been handed over */
  readonly afterLook: (positions: readonly number[]) => void;
}

export class Observer {
  readonly #options: ObserverOptions;
  readonly #sources: readonly RingSource[];
  #next: NodeJS.Timeout | undefined;
  #again: NodeJS.Immediate | undefined;
  #isStopped = false;
  /** What an earlier thread took and handed to nobody. */
  #lost = 0;
  /** When the last look began. */
  #lookedMs = 0;

  constructor(options: ObserverOptions) {
    this.#options = options;
    this.#sources = options.rings.map((ring, number) => {
      const place = options.state.placeOf(number);
      this.#lost += place?.lost ?? 0;
      return new RingSource(ring, number, place?.position, options);
    });
    options.state.begin(this.#sources.map(({ position }) => position));
  }

  /** Looks from now on. */
  start(): void {
    this.look();
    if (this.#isStopped) return;
    if (this.#isBehind) this.#again = setImmediate(() => this.start());
    else this.#next = setTimeout(() => this.start(), POLL_MS);
  }

  stop(): void {
    this.#isStopped = true;
    clearTimeout(this.#next);
    clearImmediate(this.#again);
  }

  /** Takes in what has come. */
  look(): void {
    const { state, sink, beforeLook, others, afterLook } = this.#options;
    const lastLookMs = this.#lookedMs;
    this.#lookedMs = Date.now();
    beforeLook();
    const seen: LazyEnvelope[] = [];
    let lost = this.#lost;
    this.#lost = 0;
    for (const source of this.#sources) lost += source.read(seen);
    const positions = this.#sources.map(({ position }) => position);
    state.take(positions);
    const batch = this.#batch(seen, lost, others());
    sink.take(batch);
    state.handed(positions, { seen: batch.length - (lost > 0 ? 1 : 0), lost });
    afterLook(positions);
    // The look before may have left less than a block, which this one took first.
    if (lastLookMs > 0 && !this.#isBehind) sink.tick?.(lastLookMs);
  }

  get #isBehind(): boolean {
    return this.#sources.some(({ isBehind }) => isBehind);
  }

  #batch(seen: LazyEnvelope[], lost: number, others: readonly Flow[]): Envelope[] {
    seen.sort((a, b) => a.timeMs - b.timeMs);
    if (lost === 0 && others.length === 0) return seen;
    const { nodeName } = this.#options;
    const told = lost === 0 ? [] : [lostEnvelope('PERF_EVENT_RING_BUFFER', lost, nodeName, Date.now())];
    return [...told, ...others.map((flow) => ({ flow, node_name: nodeName, time: flow.time })), ...seen];
  }
}
