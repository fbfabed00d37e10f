/**
 * The last writes of one resource, so that a watch may begin where a list ended. It holds WINDOW to twice as many events, and knows from
 * which resourceVersion on it is whole: who wants to begin before that lists anew (410 Expired).
 */
import type { StoredEvent } from './kube-object.ts';

const WINDOW = 2048;

export class EventWindow {
  readonly #versions: number[] = [];
  readonly #events: StoredEvent[] = [];
  #wholeAfter: number;

  /** @param version that of the storage when the window begins */
  constructor(version: number) {
    this.#wholeAfter = version;
  }

  push(version: number, event: StoredEvent): void {
    this.#versions.push(version);
    this.#events.push(event);
    if (this.#events.length < 2 * WINDOW) return;
    this.#wholeAfter = this.#versions[WINDOW - 1];
    this.#versions.splice(0, WINDOW);
    this.#events.splice(0, WINDOW);
  }

  /** The events after `version`; undefined when some of them are no longer known. */
  since(version: number): readonly StoredEvent[] | undefined {
    if (version < this.#wholeAfter) return undefined;
    let from = this.#versions.length;
    while (from > 0 && this.#versions[from - 1] > version) from--;
    return this.#events.slice(from);
  }
}
