/**
 * Lists in pages: `limit` and `continue`. What follows the first page is what there was when it was asked for, as Kubernetes has it: the rest of
 * the list is kept, which costs references, since objects do not change. At most SNAPSHOTS rests are kept, each for KEPT_MS; who comes later lists
 * anew (410 Expired).
 */
import { randomUUID } from 'node:crypto';
import type { KubeObject } from '../storage/kube-object.ts';
import { StatusError } from '../storage/status-error.ts';

const SNAPSHOTS = 32;
const KEPT_MS = 5 * 60_000;

interface Rest {
  readonly objects: readonly KubeObject[];
  readonly resourceVersion: string;
  readonly endMs: number;
}

export interface Page {
  readonly objects: readonly KubeObject[];
  readonly resourceVersion: string;
  /** '' of the last page. */
  readonly next: string;
  /** Objects behind this page. */
  readonly remaining: number;
}

export class ListPages {
  readonly #rests = new Map<string, Rest>();
  readonly #nowMs: () => number;

  /** @param nowMs any clock */
  constructor(nowMs: () => number) {
    this.#nowMs = nowMs;
  }

  /** The first page. @param limit 0 for all */
  first(objects: readonly KubeObject[], resourceVersion: string, limit: number): Page {
    return this.#cut(objects, resourceVersion, limit);
  }

  /** The page behind another. @throws StatusError 410 */
  next(token: string, limit: number): Page {
    const rest = this.#rests.get(token);
    if (rest === undefined || rest.endMs <= this.#nowMs())
      throw StatusError.expired('The provided continue parameter is too old: start a new list without it');
    return this.#cut(rest.objects, rest.resourceVersion, limit);
  }

  #cut(objects: readonly KubeObject[], resourceVersion: string, limit: number): Page {
    const remaining = limit > 0 ? Math.max(0, objects.length - limit) : 0;
    if (remaining === 0) return { objects, resourceVersion, next: '', remaining };
    const next = randomUUID();
    this.#keep(next, { objects: objects.slice(limit), resourceVersion, endMs: this.#nowMs() + KEPT_MS });
    return { objects: objects.slice(0, limit), resourceVersion, next, remaining };
  }

  /** The oldest is first in the map. A token counts until its end, since an answer may be lost and asked for again. */
  #keep(token: string, rest: Rest): void {
    const now = this.#nowMs();
    for (const [old, { endMs }] of this.#rests) {
      if (this.#rests.size < SNAPSHOTS && endMs > now) break;
      this.#rests.delete(old);
    }
    this.#rests.set(token, rest);
  }
}
