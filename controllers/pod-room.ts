/**
 * How many pods controllers may make. `replicas: 1000000000` is easily written, and this is one machine: it runs no more than
 * `maxPods` pods, so that controllers make none while there are as many that have not ended. Those that have ended are kept for
 * people to read; of these there may be ENDED_FOR_EACH times as many.
 */
import { keyOf, type KubeObject } from '../apiserver/storage/kube-object.ts';
import type { Storage } from '../apiserver/storage/storage.ts';
import { hasEnded } from './pod-state.ts';

export const DEFAULT_MAX_PODS = 110;
const ENDED_FOR_EACH = 10;

export const PODS = 'pods';

export class NoRoom extends Error {
  override readonly name = 'NoRoom';
}

export class PodRoom {
  readonly maxPods: number;
  readonly #storage: Storage;
  readonly #active = new Set<string>();
  readonly #ended = new Set<string>();
  readonly #endWatch: () => void;
  /** Who is told when there is room again, by what for. */
  readonly #waiting = new Map<string, () => void>();

  constructor(storage: Storage, maxPods: number) {
    this.#storage = storage;
    this.maxPods = maxPods;
    for (const pod of storage.list(PODS)) this.#note(pod);
    this.#endWatch = storage.watch(PODS, ({ type, object }) => {
      if (type === 'DELETED') this.#forget(object);
      else this.#note(object);
      this.#tellWaiting();
    });
  }

  stop(): void {
    this.#endWatch();
  }

  /** @throws NoRoom when no pod more may be made */
  check(): void {
    const { maxPods } = this;
    if (this.#active.size >= maxPods)
      throw new NoRoom(`found ${this.#active.size} pods, wanted at most ${maxPods} on this node`);
    const most = maxPods * ENDED_FOR_EACH;
    if (this.#ended.size >= most)
      throw new NoRoom(`found ${this.#ended.size} pods that have ended, wanted at most ${most}`);
  }

  /** Calls back once when there is room. @param what for: who asks again is told once all the same */
  whenFree(what: string, onFree: () => void): void {
    this.#waiting.set(what, onFree);
  }

  #tellWaiting(): void {
    if (this.#waiting.size === 0 || this.#isFull) return;
    const all = [...this.#waiting.values()];
    this.#waiting.clear();
    for (const onFree of all) onFree();
  }

  get #isFull(): boolean {
    return this.#active.size >= this.maxPods || this.#ended.size >= this.maxPods * ENDED_FOR_EACH;
  }

  #note(pod: KubeObject): void {
    const { namespace = '', name } = pod.metadata;
    this.#forget(pod);
    // The agent's own pods are its business: it has room for them.
    if (this.#storage.isMirrored(PODS, namespace, name)) return;
    (hasEnded(pod) ? this.#ended : this.#active).add(keyOf(namespace, name));
  }

  #forget({ metadata: { namespace = '', name } }: KubeObject): void {
    const key = keyOf(namespace, name);
    this.#active.delete(key);
    this.#ended.delete(key);
  }
}
