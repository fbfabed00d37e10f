/**
 * The stream of flows as the views see it. The worker behind it starts with the first view that asks for anything, and lives as long as
 * the page; there is one query at a time, that of the query line.
 */
import { type ReadonlySignal, signal } from '@preact/signals';
import type { Flow } from '../../hubble/flow.ts';
import type { Query } from '../query/query.ts';
import type { Decisions } from './decisions.ts';
import type { EdgeDetail } from './edge-detail.ts';
import type { StreamState } from './follower.ts';
import type { FromWorker, TableState, ToWorker } from './messages.ts';
import type { MapChanges } from './traffic-map.ts';

interface StreamLink {
  readonly state: StreamState;
  /** What is wrong, a sentence; of a query that is refused what is wrong with it. */
  readonly problem: string;
  readonly retryAtMs: number;
}

const link = signal<StreamLink>({ state: 'connecting', problem: '', retryAtMs: 0 });
const nothing: TableState = { epoch: 0, first: 0, end: 0, kept: 0, rate: 0, lost: 0, places: 0, edges: 0 };
const state = signal(nothing);
const details = signal<ReadonlyMap<number, EdgeDetail>>(new Map());

/** Who waits for rows, by the id of the question. */
const waiting = new Map<number, (answer: { readonly epoch: number; readonly flows: readonly Flow[] }) => void>();
/** Who waits for decisions. */
const judging = new Map<number, (decisions: Decisions) => void>();
const mapListeners = new Set<(changes: MapChanges) => void>();
let lastId = 0;
let worker: Worker | undefined;

/** A page that is hidden for so long rests. */
const REST_MS = 10_000;
let restTimer = 0;

/** Over HTTP/2 there is room for the streams of all tabs. */
function hasRoom(): boolean {
  const [visit] = performance.getEntriesByType('navigation');
  return visit instanceof PerformanceNavigationTiming && visit.nextHopProtocol === 'h2';
}

function watchHiding(): void {
  clearTimeout(restTimer);
  if (!document.hidden) say({ is: 'rest', isResting: false });
  else if (!hasRoom()) restTimer = window.setTimeout(() => say({ is: 'rest', isResting: true }), REST_MS);
}

function say(message: ToWorker): void {
  if (worker === undefined) {
    worker = new Worker(new URL('./worker.tsx', import.meta.url), { type: 'module' });
    worker.onmessage = ({ data }: MessageEvent<FromWorker>) => hear(data);
    worker.onerror = () =>
      (link.value = { state: 'lost', problem: 'the worker of the stream failed: load the page again', retryAtMs: 0 });
    document.addEventListener('visibilitychange', watchHiding);
    if (document.hidden) watchHiding();
  }
  worker.postMessage(message);
}

function hear(message: FromWorker): void {
  switch (message.is) {
    case 'state':
      link.value = { state: message.state, problem: message.problem, retryAtMs: Date.now() + message.retryMs };
      return;
    case 'table':
      state.value = message;
      return;
    case 'rows':
      waiting.get(message.id)?.(message);
      waiting.delete(message.id);
      return;
    case 'decisions':
      judging.get(message.id)?.(message.decisions);
      judging.delete(message.id);
      return;
    case 'map':
      for (const listener of mapListeners) listener(message.changes);
      return;
    case 'detail':
      details.value = new Map(message.details);
      return;
  }
}

/** Follows what `query` wants, and forgets the rows and the map of the query before. */
function follow(query: Query): void {
  say({ is: 'query', query });
}

/**
 * Rows `from` to before `to` of `stream.table`, at most 2000, oldest first, as far as they are still there.
 * @returns also the epoch that they are of: when it is not that of `stream.table` any more, ask again
 */
function rows(from: number, to: number): Promise<{ readonly epoch: number; readonly flows: readonly Flow[] }> {
  const id = ++lastId;
  say({ is: 'rows', id, from, to });
  return new Promise((resolve) => waiting.set(id, resolve));
}

/**
 * What policies decided since then, in the flows that are kept and that the query wants.
 * @param policy the key of the one of which it is also wanted on what; '' for none
 */
function decisions(sinceMs: number, policy: string): Promise<Decisions> {
  const id = ++lastId;
  say({ is: 'decisions', id, sinceMs, policy });
  return new Promise((resolve) => judging.set(id, resolve));
}

/** Hears of the map until the function that it returns is called; the first changes say all. One view at a time. */
function hearMap(listener: (changes: MapChanges) => void): () => void {
  mapListeners.add(listener);
  say({ is: 'map', isShown: true });
  return () => {
    mapListeners.delete(listener);
    say({ is: 'map', isShown: mapListeners.size > 0 });
  };
}

/** Which edges `stream.details` tells of, at most 64. */
function detailEdges(edges: readonly number[]): void {
  say({ is: 'detail', edges });
}

/** Tries to connect now. */
function retry(): void {
  if (worker !== undefined) say({ is: 'retry' });
}

export const stream = {
  /** How the stream stands. */
  link: link as ReadonlySignal<StreamLink>,
  /** How many rows there are: told when it changes, at most four times a second. */
  table: state as ReadonlySignal<TableState>,
  /** What the edges that `detailEdges` named are made of, by number. */
  details: details as ReadonlySignal<ReadonlyMap<number, EdgeDetail>>,
  follow,
  rows,
  decisions,
  hearMap,
  detailEdges,
  retry,
} as const;
