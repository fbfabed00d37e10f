/**
 * The events of one watch, written as the client reads them: one JSON document a line. Events wait as references; a client that reads nothing
 * for STALLED_MS, or lets more than WAITING events gather, is cut off, and lists anew when it comes back.
 *
 *     Storage.watch --> filter by selectors --> queue --> response, until it is full --> 'drain'
 *
 * A selector makes of one write what its client sees of it: what begins to match is ADDED, what no longer matches DELETED.
 */
import type { ServerResponse } from 'node:http';
import type { KubeObject, StoredEvent, WatchEvent } from '../storage/kube-object.ts';

const WAITING = 8192;
const STALLED_MS = 60_000;

export interface WatchOptions {
  /** What the watch begins with; ADDED each. */
  readonly initial: readonly KubeObject[];
  /** Whether the client sees an object. */
  readonly matches: (object: KubeObject) => boolean;
  /** As the client wants it. @param isFirst nothing was written before */
  readonly shown: (object: KubeObject, isFirst: boolean) => object;
  /** Of a bookmark. */
  readonly bookmark: (resourceVersion: string, annotations?: Readonly<Record<string, string>>) => object;
  /** Behind the initial objects comes a bookmark that says so, with this version. */
  readonly initialEnd?: string;
  readonly timeoutMs: number;
}

export class WatchStream {
  readonly #response: ServerResponse;
  readonly #options: WatchOptions;
  readonly #ends: NodeJS.Timeout;
  #queue: WatchEvent[] = [];
  #at = 0;
  #isFirst = true;
  #initial: number;
  #stalled: NodeJS.Timeout | undefined;
  #isOver = false;

  constructor(response: ServerResponse, options: WatchOptions) {
    this.#response = response;
    this.#options = options;
    this.#queue = options.initial.map((object) => ({ type: 'ADDED', object }));
    this.#initial = this.#queue.length;
    this.#ends = setTimeout(() => this.end(), options.timeoutMs).unref();
    response.once('close', () => this.#stop());
    response.on('drain', () => this.#pump());
    response.flushHeaders();
    if (options.initialEnd !== undefined) this.bookmark(options.initialEnd, { 'k8s.io/initial-events-end': 'true' });
    this.#pump();
  }

  /** Takes a write. */
  take({ type, object, previous }: StoredEvent): void {
    const { matches } = this.#options;
    const isSeen = type !== 'DELETED' && matches(object);
    const wasSeen = previous !== undefined && matches(previous);
    if (isSeen) this.#push({ type: wasSeen ? 'MODIFIED' : 'ADDED', object });
    // The object as it was seen last, with the version of the write that took it away.
    else if (wasSeen)
      this.#push({ type: 'DELETED', object: type === 'DELETED' ? object : versioned(previous, object) });
  }

  /** Tells up to which version the client knows all. */
  bookmark(resourceVersion: string, annotations?: Readonly<Record<string, string>>): void {
    this.#push({ type: 'BOOKMARK', object: this.#options.bookmark(resourceVersion, annotations) as KubeObject });
  }

  end(): void {
    this.#stop();
    this.#response.end();
  }

  #push(event: WatchEvent): void {
    if (this.#isOver) return;
    if (this.#queue.length - this.#at - this.#initial >= WAITING) {
      this.#cutOff();
      return;
    }
    this.#queue.push(event);
    if (this.#stalled === undefined) this.#pump();
  }

  /** Writes until the response is full. */
  #pump(): void {
    clearTimeout(this.#stalled);
    this.#stalled = undefined;
    while (this.#at < this.#queue.length && !this.#isOver) {
      const { type, object } = this.#queue[this.#at++];
      if (this.#initial > 0) this.#initial--;
      const isWritten = this.#response.write(`${JSON.stringify({ type, object: this.#show(type, object) })}\n`);
      if (isWritten) continue;
      this.#stalled = setTimeout(() => this.#cutOff(), STALLED_MS).unref();
      break;
    }
    if (this.#at < this.#queue.length) return;
    this.#queue = [];
    this.#at = 0;
  }

  #show(type: WatchEvent['type'], object: KubeObject): object {
    if (type === 'BOOKMARK') return object;
    const isFirst = this.#isFirst;
    this.#isFirst = false;
    return this.#options.shown(object, isFirst);
  }

  #cutOff(): void {
    this.#stop();
    this.#response.destroy();
  }

  #stop(): void {
    this.#isOver = true;
    clearTimeout(this.#ends);
    clearTimeout(this.#stalled);
    this.#queue = [];
    this.#at = 0;
  }
}

function versioned(object: KubeObject, { metadata: { resourceVersion } }: KubeObject): KubeObject {
  return { ...object, metadata: { ...object.metadata, resourceVersion } };
}
