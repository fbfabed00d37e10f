/**
 * get, list and watch. A list of many objects is written one by one, as its client reads it. A watch goes on where a list ended, or begins with
 * all objects: as events (`sendInitialEvents`, resourceVersion 0 or none), which end with a bookmark where the client asks for it.
 *
 * Bookmarks go out every BOOKMARK_MS, to those who want them and for whom something has changed since.
 */
import type { ServerResponse } from 'node:http';
import { apiVersionOf, pathName } from '../resources/resource.ts';
import type { KubeObject } from '../storage/kube-object.ts';
import { StatusError } from '../storage/status-error.ts';
import type { Storage } from '../storage/storage.ts';
import { type Answer, type Call, isSet } from './call.ts';
import { fieldSelector, selectedName } from './field-selector.ts';
import { labelSelector } from './label-selector.ts';
import { ListPages } from './list-pages.ts';
import { writeList } from './list-writing.ts';
import { listKind, shown, shownEvent, shownItem, shownTable } from './shown.ts';
import { WatchStream } from './watch-stream.ts';

const WATCHES = 512;
const BOOKMARK_MS = 60_000;
/** As Kubernetes: half an hour to an hour, so that watches of one start do not all end at once. */
const WATCH_MS = 1_800_000;
const LIMIT = 1_000_000;

interface OpenWatch {
  readonly stream: WatchStream;
  readonly wantsBookmarks: boolean;
  toldVersion: string;
}

export class Reading {
  readonly #storage: Storage;
  readonly #pages = new ListPages(() => performance.now());
  readonly #watches = new Set<OpenWatch>();
  readonly #bookmarks: NodeJS.Timeout;

  constructor(storage: Storage) {
    this.#storage = storage;
    this.#bookmarks = setInterval(() => this.#tellVersions(), BOOKMARK_MS).unref();
  }

  /** Watches that are open. */
  get watches(): number {
    return this.#watches.size;
  }

  /** Ends all watches. */
  stop(): void {
    clearInterval(this.#bookmarks);
    for (const { stream } of this.#watches) stream.end();
  }

  get(call: Call): Answer {
    return { document: shown(call, this.found(call), this.#storage) };
  }

  /** The object of the path. @throws StatusError 404 */
  found({ path, resource }: Pick<Call, 'path' | 'resource'>): KubeObject {
    const object = this.#storage.get(resource.name, path.namespace, path.name);
    if (object === undefined) throw StatusError.notFound(pathName(resource), path.name);
    return object;
  }

  /** Objects that the selectors of a call match, in the order of their names. */
  selected(call: Call): KubeObject[] {
    return this.#storage.list(call.resource.name, { namespace: call.path.namespace }).filter(matcher(call));
  }

  list(call: Call): Answer {
    const limit = numberIn(call.query, 'limit', LIMIT) ?? 0;
    const token = call.query.get('continue') ?? '';
    if (token === '') this.#checkVersion(call);
    const page =
      token === ''
        ? this.#pages.first(this.selected(call), this.#storage.resourceVersion, limit)
        : this.#pages.next(token, limit);
    const metadata = {
      resourceVersion: page.resourceVersion,
      ...(page.next !== '' && { continue: page.next }),
      // Kubernetes does not count what a selector leaves out.
      ...(page.next !== '' && !hasSelector(call) && { remainingItemCount: page.remaining }),
    };
    if (call.wanted.as === 'Table') return { document: shownTable(call, page.objects, metadata, this.#storage) };
    const head = { ...listKind(call), metadata };
    return { stream: (response) => writeList(response, head, page.objects, (one) => shownItem(call, one)) };
  }

  watch(call: Call): Answer {
    if (this.#watches.size >= WATCHES) throw StatusError.tooManyRequests(`${WATCHES} watches are open: try again`);
    const matches = matcher(call);
    const start = { ...this.#startOf(call, matches), timeoutMs: timeoutOf(call) };
    // What is wrong is answered as a status, not in the stream.
    const { resource } = call;
    this.#storage.watchFrom(resource.name, start.resourceVersion, () => undefined)();
    return { stream: (response) => this.#open(call, response, matches, start) };
  }

  #open(call: Call, response: ServerResponse, matches: (object: KubeObject) => boolean, start: WatchStart): void {
    const { resource } = call;
    response.writeHead(200, { 'content-type': 'application/json', 'cache-control': 'no-cache, private' });
    const stream = new WatchStream(response, {
      initial: start.initial,
      matches,
      shown: (object, isFirst) => shownEvent(call, object, isFirst, this.#storage),
      bookmark: (version, annotations) => bookmarkOf(call, version, annotations),
      ...(start.hasInitialEnd && { initialEnd: start.resourceVersion }),
      timeoutMs: start.timeoutMs,
    });
    const open = {
      stream,
      wantsBookmarks: isSet(call.query, 'allowWatchBookmarks'),
      toldVersion: start.resourceVersion,
    };
    this.#watches.add(open);
    const end = this.#storage.watchFrom(resource.name, start.resourceVersion, (event) => stream.take(event));
    response.once('close', () => {
      end();
      this.#watches.delete(open);
    });
  }

  /** Where a watch begins, and with which objects. @throws StatusError 400, 504 */
  #startOf(call: Call, matches: (object: KubeObject) => boolean): Omit<WatchStart, 'timeoutMs'> {
    const { query } = call;
    const asked = query.get('resourceVersion') ?? '';
    const current = this.#storage.resourceVersion;
    const all = (): KubeObject[] => this.selected(call).filter(matches);
    if (isSet(query, 'sendInitialEvents')) {
      if (query.get('resourceVersionMatch') !== 'NotOlderThan')
        throw invalidOption('resourceVersionMatch', 'NotOlderThan is wanted with sendInitialEvents');
      this.#checkReached(asked);
      const hasInitialEnd = isSet(query, 'allowWatchBookmarks');
      return { initial: all(), resourceVersion: current, hasInitialEnd };
    }
    if (query.has('resourceVersionMatch'))
      throw invalidOption('resourceVersionMatch', 'it is for watches with sendInitialEvents only');
    if (asked === '' || asked === '0') return { initial: all(), resourceVersion: current, hasInitialEnd: false };
    return { initial: [], resourceVersion: asked, hasInitialEnd: false };
  }

  /** What a list wants of the version of its answer. @throws StatusError 400, 410, 504 */
  #checkVersion({ query, resource }: Call): void {
    const asked = query.get('resourceVersion') ?? '';
    const match = query.get('resourceVersionMatch') ?? '';
    if (match !== '' && asked === '') throw invalidOption('resourceVersionMatch', 'it is for a resourceVersion only');
    if (match !== '' && !['Exact', 'NotOlderThan'].includes(match))
      throw invalidOption('resourceVersionMatch', `found ${JSON.stringify(match)}, wanted Exact or NotOlderThan`);
    this.#checkReached(asked);
    if (match !== 'Exact') return;
    if (asked === '0') throw invalidOption('resourceVersion', 'found 0, wanted a version for Exact');
    if (!this.#storage.isUnchangedSince(resource.name, asked))
      throw StatusError.expired(`The resourceVersion for the provided list is too old: ${asked}`);
  }

  /** @throws StatusError 400, 504 */
  #checkReached(version: string): void {
    if (version === '' || version === '0') return;
    if (!/^\d{1,15}$/.test(version)) throw invalidOption('resourceVersion', 'wanted a decimal number');
    const current = Number(this.#storage.resourceVersion);
    if (Number(version) > current) throw StatusError.notYet(Number(version), current);
  }

  #tellVersions(): void {
    const version = this.#storage.resourceVersion;
    for (const open of this.#watches) {
      if (!open.wantsBookmarks || open.toldVersion === version) continue;
      open.toldVersion = version;
      open.stream.bookmark(version);
    }
  }
}

interface WatchStart {
  readonly initial: readonly KubeObject[];
  readonly resourceVersion: string;
  readonly hasInitialEnd: boolean;
  readonly timeoutMs: number;
}

function hasSelector({ query }: Call): boolean {
  return ['labelSelector', 'fieldSelector'].some((name) => (query.get(name) ?? '') !== '');
}

/** By the selectors, the namespace and the name of a call. @throws StatusError 400 */
function matcher({ query, path, resource }: Call): (object: KubeObject) => boolean {
  const labels = query.get('labelSelector') ?? '';
  const fields = query.get('fieldSelector') ?? '';
  const hasLabels = labels === '' ? undefined : labelSelector(labels);
  const name = path.name === '' ? selectedName(fields) : path.name;
  const hasFields = fields === '' || name !== undefined ? undefined : fieldSelector(resource, fields);
  return (object) =>
    (path.namespace === '' || object.metadata.namespace === path.namespace) &&
    (name === undefined || object.metadata.name === name) &&
    (hasLabels === undefined || hasLabels(object.metadata.labels)) &&
    (hasFields === undefined || hasFields(object));
}

function bookmarkOf(call: Call, resourceVersion: string, annotations?: Readonly<Record<string, string>>): object {
  const { resource, path, wanted } = call;
  const metadata = { resourceVersion, creationTimestamp: null, ...(annotations && { annotations }) };
  const apiVersion = apiVersionOf(resource, path.version);
  if (wanted.as === 'Object') return { kind: resource.kind, apiVersion, metadata };
  const meta = `meta.k8s.io/${wanted.version}`;
  const object = { kind: 'PartialObjectMetadata', apiVersion: meta, metadata };
  if (wanted.as !== 'Table') return object;
  const head = { kind: 'Table', apiVersion: meta, metadata: { resourceVersion }, columnDefinitions: null };
  return { ...head, rows: [{ cells: [], object }] };
}

function timeoutOf({ query }: Call): number {
  const seconds = numberIn(query, 'timeoutSeconds', WATCH_MS / 500) ?? 0;
  return seconds > 0 ? seconds * 1000 : WATCH_MS * (1 + Math.random());
}

/** Undefined when it is not said. @throws StatusError 400 */
function numberIn(query: URLSearchParams, name: string, most: number): number | undefined {
  const text = query.get(name) ?? '';
  if (text === '') return undefined;
  if (/^\d{1,15}$/.test(text)) return Math.min(Number(text), most);
  throw invalidOption(name, `found ${JSON.stringify(text.slice(0, 40))}, wanted a whole number`);
}

function invalidOption(name: string, what: string): StatusError {
  return StatusError.badRequest(`invalid option ${name}: ${what}`);
}
