/**
 * Keeps a copy of one resource up to date: a list, then a watch from there, for ever.
 *
 *     begin ──▶ stream the list (sendInitialEvents) ──▶ watch ──▶ watch again from the last version ...
 *        ╲▶ refused or unknown: pages (limit, continue) ─╱  │410, as an answer or as an event
 *     a failure: the same again after a pause               ╰──▶ begin
 *
 * 1. What is listed again is compared by its version: only what has changed is told, and what is not among it any more is told as gone. So
 *    an outage costs nothing, whatever was missed in it, and until a list is whole nothing goes.
 * 2. A watch that the server ends, or that breaks, goes on from the last version, of an object or of a bookmark.
 * 3. A watch that is silent for long is ended from here: three minutes once the server has sent a bookmark (it sends one a minute),
 *    else half a minute after the time at which the server was to end it.
 * 4. A resource that the server does not have (a CRD that is not installed) is absent: it is looked for again every half a minute. Absent is
 *    only what the server's own table of contents leaves out (isServed): a proxy that answers 404 takes no policy away.
 *
 * It holds a key and a version an object, and no objects.
 */
import type { IncomingMessage } from 'node:http';
import { ApiFailure, failureOf } from './api-failure.ts';
import type { KubeClient } from './client.ts';
import { ListReader } from './list-reader.ts';
import { Pauses } from './pauses.ts';
import { type ApiObject, keyOf, type Resource, type Sink } from './resource.ts';
import { isServed } from './served.ts';
import { type WatchEvent, WatchReader } from './watch-reader.ts';

const MAX_OBJECTS = 300_000; // twice what Kubernetes itself is made for
const PAGE = 500; // objects, as client-go asks for
const PAGE_ATTEMPTS = 3; // lists that run out of time while they are paged, then one that is not paged
const WATCH_SEC = 300; // after which the server ends a watch: one to two of it
const OVERTIME_SEC = 30;
const SILENT_SEC = 180;
/** Of an answer that brings a list: between two pieces of it. */
const STALLED_SEC = 60;
const SILENCE_LOOK_MS = 5000;
const ABSENT_MS = 30_000;
/** A watch that ends sooner, without an event, is followed by a pause. */
const SHORT_MS = 1000;
/** Streams of lists that may fail before the server is asked for pages. */
const STREAMS_TRIED = 2;
/** Why a request may fail that have nothing to do with how it asks: who asks, what there is, how much. */
const OTHER_REASONS = new Set([401, 403, 404, 429]);

interface ReflectorOptions {
  readonly client: Pick<KubeClient, 'send' | 'json'>;
  readonly resource: Resource;
  readonly sink: Sink;
  readonly random?: () => number;
  /** 1 = as written above; those of tests are shorter. */
  readonly timeScale?: number;
}

/** How a reflector fares. */
interface ReflectorCounts {
  lists: number;
  watches: number;
  events: number;
  failures: number;
  expired: number;
}

export class Reflector {
  readonly counts: ReflectorCounts = { lists: 0, watches: 0, events: 0, failures: 0, expired: 0 };
  readonly #options: ReflectorOptions;
  readonly #random: () => number;
  readonly #pauses: Pauses;
  /** Key -> version. */
  readonly #known = new Map<string, string>();
  /** While a list comes: what of it was there. */
  #seen: Set<string> | undefined;
  #aborter = new AbortController();
  /** '' = everything must be listed. */
  #version = '';
  #path = 0;
  /** One after the other; a server that refuses them has failed often enough. */
  #failedStreams = 0;
  #hasBookmarks = false;
  #isEnded = false;
  #wake: () => void = () => undefined;

  constructor(options: ReflectorOptions) {
    this.#options = options;
    this.#random = options.random ?? Math.random;
    this.#pauses = new Pauses(this.#random);
  }

  /** Objects that are there. */
  get size(): number {
    return this.#known.size;
  }

  /** Works until it is stopped. */
  async run(): Promise<void> {
    while (!this.#isEnded) {
      try {
        if (this.#version === '') await this.#begin();
        else await this.#watchOn();
      } catch (error) {
        if (this.#isEnded) return;
        await this.#sleep(await this.#failed(error as Error));
      }
    }
  }

  stop(): void {
    this.#isEnded = true;
    this.#aborter.abort();
    this.#wake();
  }

  async #watchOn(): Promise<void> {
    const startedMs = performance.now();
    const { events } = this.counts;
    await this.#watch();
    const isShort = performance.now() - startedMs < this.#scaled(SHORT_MS) && events === this.counts.events;
    if (isShort) await this.#sleep(this.#scaled(this.#pauses.next()));
  }

  async #begin(): Promise<void> {
    this.counts.lists++;
    if (this.#failedStreams >= STREAMS_TRIED) {
      await this.#page();
      return;
    }
    try {
      await this.#watch(true);
    } catch (error) {
      if (this.#version !== '' || this.#isEnded) throw error;
      const { status, isExpired } = error instanceof ApiFailure ? error : new ApiFailure('');
      if (isExpired || OTHER_REASONS.has(status)) throw error;
      const isRefusal = status === 400 || status === 422 || status >= 500;
      this.#failedStreams += isRefusal ? STREAMS_TRIED : 1;
      if (!isRefusal) throw error;
    }
  }

  /** @returns ms to wait before the next attempt */
  async #failed(error: Error): Promise<number> {
    const { sink } = this.#options;
    const failure = error instanceof ApiFailure ? error : new ApiFailure(`${this.#what('watch')}: ${error.message}`);
    if (failure.isExpired) {
      this.counts.expired++;
      this.#version = '';
      return this.#scaled(this.#pauses.next(failure.retryAfterSec));
    }
    const place = failure.status === 404 ? await this.#lookFor() : 'here';
    if (place === 'elsewhere') return 1;
    if (place === 'nowhere') {
      this.#takeAway();
      sink.absent(true);
      sink.synced();
      sink.problem('');
      return this.#scaled(ABSENT_MS * (0.75 + this.#random() / 2));
    }
    this.counts.failures++;
    sink.problem(failure.message);
    return this.#scaled(this.#pauses.next(failure.retryAfterSec));
  }

  // --- lists ---

  async #page(): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      try {
        this.#seen = new Set();
        this.#finishList(await this.#pages(attempt > PAGE_ATTEMPTS ? 0 : PAGE));
        return;
      } catch (error) {
        // The token of the next page ran out: a server that is slow to page may still give all at once.
        if (!(error instanceof ApiFailure) || !error.isExpired || attempt > PAGE_ATTEMPTS) throw error;
      }
    }
  }

  /** @returns the version of the list */
  async #pages(limit: number): Promise<string> {
    let next = '';
    let version = '';
    do {
      const query = { ...(limit > 0 && { limit: String(limit) }), ...(next !== '' && { continue: next }) };
      const answer = await this.#send('list', query);
      const reader = new ListReader((item) => this.#put(item));
      await this.#read(
        answer,
        () => STALLED_SEC,
        (piece) => reader.take(piece),
      );
      const { metadata = {} } = reader.end();
      version = typeof metadata.resourceVersion === 'string' ? metadata.resourceVersion : '';
      next = typeof metadata.continue === 'string' ? metadata.continue : '';
    } while (next !== '');
    if (version === '')
      throw new ApiFailure(`${this.#what('list')}: found a list without a version, wanted one to watch from`);
    return version;
  }

  #finishList(version: string): void {
    for (const key of [...this.#known.keys()]) if (this.#seen?.has(key) === false) this.#remove(key);
    this.#seen = undefined;
    this.#version = version;
    this.#good();
    this.#options.sink.absent(false);
    this.#options.sink.synced();
  }

  // --- watches ---

  /** @param isInitial the server sends the list first, and a bookmark when it is whole */
  async #watch(isInitial = false): Promise<void> {
    this.counts.watches++;
    const seconds = Math.ceil(WATCH_SEC * (1 + this.#random()));
    const answer = await this.#send('watch', {
      watch: '1',
      allowWatchBookmarks: 'true',
      timeoutSeconds: String(seconds),
      ...(isInitial
        ? { sendInitialEvents: 'true', resourceVersionMatch: 'NotOlderThan' }
        : { resourceVersion: this.#version }),
    });
    if (isInitial) this.#seen = new Set();
    const state = { isInitial };
    const reader = new WatchReader((event) => this.#take(event, state));
    const silentSec = (): number => {
      if (state.isInitial) return STALLED_SEC;
      return this.#hasBookmarks ? SILENT_SEC : seconds + OVERTIME_SEC;
    };
    await this.#read(answer, silentSec, (piece) => reader.take(piece));
    if (state.isInitial)
      throw new ApiFailure(`${this.#what('list')}: found its end before all was there, wanted the rest`);
  }

  #take({ type, object }: WatchEvent, state: { isInitial: boolean }): void {
    if (type === 'ERROR') throw failureOf(this.#what('watch'), 0, object);
    const { metadata } = object as ApiObject;
    const version = metadata?.resourceVersion ?? '';
    if (version === '') throw new SyntaxError(`found ${type} without a version, wanted one to go on from`);
    this.counts.events++;
    if (type === 'BOOKMARK') {
      this.#hasBookmarks = true;
      if (state.isInitial && isEndOfList(object)) {
        state.isInitial = false;
        this.#failedStreams = 0;
        this.#finishList(version);
      }
    } else if (type === 'DELETED') this.#remove(keyOf(object));
    else if (type === 'ADDED' || type === 'MODIFIED') this.#put(object);
    if (state.isInitial) return;
    this.#version = version;
    this.#good();
  }

  // --- objects ---

  #put(object: ApiObject): void {
    const key = keyOf(object);
    const version = object.metadata?.resourceVersion ?? '';
    this.#seen?.add(key);
    if (version !== '' && this.#known.get(key) === version) return;
    if (this.#known.size >= MAX_OBJECTS)
      throw new ApiFailure(`${this.#what('list')}: found more than ${MAX_OBJECTS} objects, wanted fewer`);
    this.#known.set(key, version);
    this.#options.sink.put(object);
  }

  #remove(key: string): void {
    this.#seen?.delete(key);
    if (this.#known.delete(key)) this.#options.sink.remove(key);
  }

  #takeAway(): void {
    for (const key of [...this.#known.keys()]) this.#remove(key);
    this.#version = '';
  }

  #good(): void {
    this.#pauses.reset();
    this.#options.sink.problem('');
  }

  // --- requests ---

  #what(verb: string): string {
    return `${verb} ${this.#options.resource.name}`;
  }

  #send(verb: string, query: Record<string, string>): Promise<IncomingMessage> {
    const { client, resource } = this.#options;
    const { labelSelector, fieldSelector } = resource;
    const all = new URLSearchParams({
      ...query,
      ...(labelSelector !== undefined && { labelSelector }),
      ...(fieldSelector !== undefined && { fieldSelector }),
    });
    this.#aborter = new AbortController();
    const { signal } = this.#aborter;
    return client.send({ what: this.#what(verb), path: `${resource.paths[this.#path]}?${all.toString()}`, signal });
  }

  /** Reads an answer to its end; ends it itself when nothing comes for too long. */
  async #read(answer: IncomingMessage, silentSec: () => number, take: (piece: Buffer) => void): Promise<void> {
    let lastMs = performance.now();
    const look = (): void => {
      if (performance.now() - lastMs > this.#scaled(silentSec() * 1000))
        answer.destroy(new Error('found nothing for too long, wanted a sign of life'));
    };
    const looking = setInterval(look, this.#scaled(SILENCE_LOOK_MS));
    try {
      for await (const piece of answer as AsyncIterable<Buffer>) {
        lastMs = performance.now();
        take(piece);
        const room = this.#options.sink.room();
        if (room !== undefined) await this.#waitFor(room, () => (lastMs = performance.now()));
      }
    } finally {
      clearInterval(looking);
      answer.destroy();
    }
  }

  /** Whoever makes the server wait does not take its silence for its end. */
  async #waitFor(room: Promise<void>, onWaited: () => void): Promise<void> {
    const waiting = setInterval(onWaited, this.#scaled(SILENCE_LOOK_MS));
    await room.finally(() => clearInterval(waiting));
    onWaited();
  }

  /** Where the server's own table of contents has the resource, of the places that it may have. */
  async #lookFor(): Promise<'here' | 'elsewhere' | 'nowhere'> {
    const { client, resource } = this.#options;
    try {
      for (const [number, path] of resource.paths.entries()) {
        if (!(await isServed(client, path))) continue;
        if (number === this.#path) return 'here';
        this.#path = number;
        this.#version = '';
        return 'elsewhere';
      }
      return 'nowhere';
    } catch {
      return 'here';
    }
  }

  #scaled(ms: number): number {
    return ms * (this.#options.timeScale ?? 1);
  }

  async #sleep(ms: number): Promise<void> {
    if (this.#isEnded) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}

function isEndOfList(object: object): boolean {
  const { metadata } = object as { metadata?: { annotations?: Record<string, string> } };
  return metadata?.annotations?.['k8s.io/initial-events-end'] === 'true';
}
