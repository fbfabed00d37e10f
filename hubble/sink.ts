/**
 * Where flows go: the ring that `observe` reads, the history on disk, metrics, exports. A sink is handed every batch; all run
 * one after the other in one thread (the observatory), so a sink that needs long delays the others and, once the event rings
 * are full, costs records, which is told as lost events. It never delays the dataplane.
 *
 * Rules for a sink:
 *
 *   1. `take` does not wait and does not keep the array (it is the next batch's too). It may keep envelopes; they never change.
 *   2. An envelope is lazy: its `flow` is decoded at the first look, whoever looks. Reading `flow` or `time` costs some
 *      microseconds the first time, so a sink that has nobody to serve returns before it looks.
 *   3. Whatever it holds is bounded. What it cannot take it drops, counts and tells.
 *   4. A sink that throws is switched off for good: it is stopped and told, and the others go on.
 */
import type { Envelope } from './flow.ts';

export interface FlowSink {
  /** @param envelopes flows and lost events in order of time, at least one; good until the call returns */
  take(envelopes: readonly Envelope[]): void;
  /**
   * Whatever happened until then has been taken: for sinks that conclude from silence. Called many times a second while the rings are
   * read up, flows or not.
   *
   * @param timeMs of the flows' clock, milliseconds since the epoch
   */
  tick?(timeMs: number): void;
  /** Writes out what is held and lets go of everything. Called once, also after the sink has failed. */
  stop?(): void | Promise<void>;
}

export interface SinkFailure {
  /** As it was given to `add`. */
  readonly name: string;
  readonly error: Error;
}

/** The sinks of one stream of flows. */
export class Sinks {
  readonly #sinks = new Map<string, FlowSink>();
  readonly #onFailure: (failure: SinkFailure) => void;

  /** @param onFailure a sink threw and is no longer served */
  constructor(onFailure: (failure: SinkFailure) => void) {
    this.#onFailure = onFailure;
  }

  /** @param name for people, one of each */
  add(name: string, sink: FlowSink): void {
    this.#sinks.set(name, sink);
  }

  /** Hands a batch to every sink, in the order in which they were added. */
  take(envelopes: readonly Envelope[]): void {
    if (envelopes.length > 0) this.#each((sink) => sink.take(envelopes));
  }

  /** Tells every sink that minds it how far all has been taken. */
  tick(timeMs: number): void {
    this.#each((sink) => sink.tick?.(timeMs));
  }

  #each(call: (sink: FlowSink) => void): void {
    for (const [name, sink] of this.#sinks) {
      try {
        call(sink);
      } catch (error) {
        this.#sinks.delete(name);
        this.#onFailure({ name, error: error as Error });
        void this.#stop(name, sink);
      }
    }
  }

  /** Stops all; they take no more. */
  async stop(): Promise<void> {
    const sinks = [...this.#sinks];
    this.#sinks.clear();
    await Promise.all(sinks.map(([name, sink]) => this.#stop(name, sink)));
  }

  async #stop(name: string, sink: FlowSink): Promise<void> {
    try {
      await sink.stop?.();
    } catch (error) {
      this.#onFailure({ name, error: error as Error });
    }
  }
}
