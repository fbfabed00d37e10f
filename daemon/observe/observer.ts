/**
 * Events of the dataplane, handed to sinks: reads the pinned rings, puts in order of time what comes from each, and tells what
 * a ring overwrote before it was read.
 *
 * The rings are looked at every POLL_MS, and again at once while they hold more than one look takes.
 */
import { lostEnvelope } from '../../hubble/decode/decode.ts';
import type { Envelope } from '../../hubble/flow.ts';
import type { FlowSink } from '../../hubble/sink.ts';
import type { EventRing } from '../../policy-maps/event-ring.ts';
import type { LazyEnvelope } from './lazy-envelope.ts';
import { RingSource, type SourceOptions } from './ring-source.ts';
import type { SharedState } from './shared-state.ts';

const POLL_MS = 50;

export interface ObserverOptions extends SourceOptions {
  readonly rings: readonly EventRing[];
  readonly state: SharedState;
  readonly sink: Pick<FlowSink, 'take'>;
  /** Called before each look. */
  readonly beforeLook: () => void;
}

export class Observer {
  readonly #options: ObserverOptions;
  readonly #sources: readonly RingSource[];
  #next: NodeJS.Timeout | undefined;
  #again: NodeJS.Immediate | undefined;
  #isStopped = false;
  /** What an earlier thread took and handed to nobody. */
  #lost = 0;

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
    if (this.#sources.some(({ isBehind }) => isBehind)) this.#again = setImmediate(() => this.start());
    else this.#next = setTimeout(() => this.start(), POLL_MS);
  }

  stop(): void {
    this.#isStopped = true;
    clearTimeout(this.#next);
    clearImmediate(this.#again);
  }

  /** Takes in what has come. */
  look(): void {
    const { state, sink, beforeLook } = this.#options;
    beforeLook();
    const seen: LazyEnvelope[] = [];
    let lost = this.#lost;
    this.#lost = 0;
    for (const source of this.#sources) lost += source.read(seen);
    const positions = this.#sources.map(({ position }) => position);
    state.take(positions);
    sink.take(this.#batch(seen, lost));
    state.handed(positions, { seen: seen.length, lost });
  }

  #batch(seen: LazyEnvelope[], lost: number): Envelope[] {
    seen.sort((a, b) => a.timeMs - b.timeMs);
    if (lost === 0) return seen;
    return [lostEnvelope('PERF_EVENT_RING_BUFFER', lost, this.#options.nodeName, Date.now()), ...seen];
  }
}
