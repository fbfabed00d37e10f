/** The objects of one resource: those that were written through the API, and behind them those that are mirrored. */
import { EventWindow } from './event-window.ts';
import type { KubeObject } from './kube-object.ts';

interface Stored {
  readonly object: KubeObject;
  /** Of its line on disk. */
  readonly bytes: number;
}

export class Shelf {
  /** Call `forgetOrder` when one has come or gone; so for `mirrored`. */
  readonly stored = new Map<string, Stored>();
  readonly mirrored = new Map<string, KubeObject>();
  readonly window: EventWindow;
  #keys: readonly string[] | undefined;

  /** @param version of the storage, since which there were no writes */
  constructor(version: number) {
    this.window = new EventWindow(version);
  }

  /** The object that is seen under a key. */
  get(key: string): KubeObject | undefined {
    return this.stored.get(key)?.object ?? this.mirrored.get(key);
  }

  /** In order. */
  get keys(): readonly string[] {
    this.#keys ??= [...new Set([...this.stored.keys(), ...this.mirrored.keys()])].sort();
    return this.#keys;
  }

  forgetOrder(): void {
    this.#keys = undefined;
  }
}
