/**
 * The rows of the table: those of the stream, which the worker holds and tells piece by piece, and older ones that the agent was asked for.
 *
 * The table follows until somebody scrolls away from the newest row, or says so; from then on `base` and `end` stay as they are, and what comes
 * is only counted. A row of the stream that the worker has given up in the meantime is missing, and shown as such.
 */
import { computed, effect, type ReadonlySignal, signal } from '@preact/signals';
import type { Flow } from '../../hubble/flow.ts';
import { query } from '../query/following.tsx';
import { openFlows } from '../stream/connect-stream.ts';
import { stream } from '../stream/stream.tsx';
import { OlderFlows } from './older-flows.ts';
import { countOf, type Drawn, keyAt, type RowKey, type RowSpan } from './row-order.ts';

/** Rows that are kept here, beyond those that are drawn. */
const MAX_KEPT = 2000;
/** Rows of the stream that may be of one moment with the oldest. */
const EDGE_ROWS = 500;

const frozen = signal<{ readonly base: number; readonly end: number } | undefined>(undefined);
const newestFirst = signal(true);
const older = signal<{
  readonly flows: readonly Flow[];
  readonly state: 'more' | 'looking' | 'whole';
  readonly problem: string;
}>({
  flows: [],
  state: 'more',
  problem: '',
});
/** Rows of the stream that have come. */
const kept = signal<ReadonlyMap<number, Flow>>(new Map());
let keptEpoch = 0;
let asking = '';
let source: OlderFlows | undefined;
let stop = new AbortController();

const epoch = computed(() => stream.table.value.epoch);

// Another query, or older rows that came in between: rows are counted anew, and nothing that was known holds.
effect(() => {
  keptEpoch = epoch.value;
  kept.value = new Map();
  asking = '';
  stop.abort();
  stop = new AbortController();
  source = undefined;
  frozen.value = undefined;
  older.value = { flows: [], state: 'more', problem: '' };
});

export const span: ReadonlySignal<RowSpan> = computed(() => {
  const { first, end } = stream.table.value;
  const fixed = frozen.value ?? { base: first, end };
  const base = Math.max(fixed.base, fixed.end - query.value.last);
  return { older: older.value.flows.length, base, end: fixed.end, isNewestFirst: newestFirst.value };
});

/** Rows that came since the table stopped to follow. */
export const unseen = computed(() => stream.table.value.end - span.value.end);
export const isFollowing = computed(() => frozen.value === undefined);
export const olderState = computed(() => ({ ...older.value, reached: source?.reachedTime ?? '' }));

export function follow(): void {
  frozen.value = undefined;
}

export function hold(): void {
  const { first, end } = stream.table.value;
  frozen.value ??= { base: first, end };
}

export function turnOrder(): void {
  newestFirst.value = !newestFirst.value;
}

/** The flow of a row; undefined when it has not come yet, 'gone' when it will not. */
export function flowOf(key: RowKey): Flow | 'gone' | undefined {
  if (key < 0) return older.value.flows.at(key);
  return kept.value.get(key) ?? (key < stream.table.value.first ? 'gone' : undefined);
}

/** Asks the worker for the rows of these places that are not here. */
export function fetchRows({ from, to }: Drawn): void {
  if (from >= to) return;
  const keys = [keyAt(span.value, from), keyAt(span.value, to - 1)];
  const first = Math.max(stream.table.value.first, Math.min(...keys), 0);
  const end = Math.max(...keys) + 1;
  let low = first;
  while (low < end && kept.value.has(low)) low++;
  let high = end;
  while (high > low && kept.value.has(high - 1)) high--;
  const wanted = `${low} ${high}`;
  if (low >= high || wanted === asking) return;
  asking = wanted;
  void stream.rows(low, high).then(({ epoch: answered, flows }) => {
    if (asking === wanted) asking = '';
    if (answered !== keptEpoch) return;
    // What the worker gave up meanwhile is missing at the beginning.
    const begin = high - flows.length;
    const isNear = ([row]: readonly [number, Flow]) => row > low - MAX_KEPT / 2 && row < high + MAX_KEPT / 2;
    const near = kept.value.size > MAX_KEPT ? [...kept.value].filter(isNear) : kept.value;
    kept.value = new Map([...near, ...flows.map((flow, index) => [begin + index, flow] as const)]);
  });
}

/** Looks for older flows, unless it does or there are none. */
export async function lookBack(): Promise<void> {
  if (older.value.state !== 'more' || query.value.last !== Number.POSITIVE_INFINITY) return;
  const { signal: stopped } = stop;
  older.value = { ...older.value, state: 'looking', problem: '' };
  try {
    const { first, end } = stream.table.value;
    if (source === undefined) {
      const edge = first === end ? [] : (await stream.rows(first, Math.min(end, first + EDGE_ROWS))).flows;
      if (stopped.aborted) return;
      source = new OlderFlows(openFlows, query.value, edge, Date.now());
    }
    await source.more(stopped);
    if (stopped.aborted) return;
    older.value = { flows: source.flows, state: source.isWhole ? 'whole' : 'more', problem: '' };
  } catch (error) {
    if (!stopped.aborted) older.value = { ...older.value, state: 'more', problem: (error as Error).message };
  }
}

const EXPORT_ROWS = 2000;

/** Every flow of the table, oldest first, piece by piece. */
export async function* everyFlow(): AsyncGenerator<readonly Flow[]> {
  const { base, end } = span.value;
  const began = keptEpoch;
  yield older.value.flows;
  for (let row = base; row < end; row += EXPORT_ROWS) {
    const answer = await stream.rows(row, Math.min(end, row + EXPORT_ROWS));
    if (answer.epoch !== began) throw new Error('the query changed while its flows were written: export again');
    yield answer.flows;
  }
}

/** How many rows the table has. */
export const rowCount = computed(() => countOf(span.value));
