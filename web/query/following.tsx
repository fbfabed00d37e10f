/** The stream follows what the query line says, shortly after the last letter. */
import { computed, effect, type ReadonlySignal, signal } from '@preact/signals';
import { queryText } from '../shell/location.tsx';
import { stream } from '../stream/stream.tsx';
import { parseQuery, type Query, QueryError } from './query.ts';

const PAUSE_MS = 300;

interface QueryProblem {
  readonly message: string;
  /** The part of the text that it is about. */
  readonly at: string;
}

const problem = signal<QueryProblem | undefined>(undefined);
const followed = signal(parseQuery(''));

/** What is wrong with the query line; the stream goes on with the last query that was right. */
export const queryProblem: ReadonlySignal<QueryProblem | undefined> = computed(() => {
  const { state, problem: refusal } = stream.link.value;
  return problem.value ?? (state === 'refused' ? { message: refusal, at: '' } : undefined);
});

/** The query that the stream follows. */
export const query: ReadonlySignal<Query> = followed;

let timer = 0;
let text: string | undefined;

function followNow(wanted: string): void {
  if (wanted === text) {
    problem.value = undefined;
    return;
  }
  try {
    const next = parseQuery(wanted);
    stream.follow(next);
    followed.value = next;
    text = wanted;
    problem.value = undefined;
  } catch (error) {
    if (text === undefined) stream.follow(followed.value); // a link with a query that is wrong
    text ??= '';
    const { from, to } = error as QueryError;
    problem.value = {
      message: (error as Error).message,
      at: error instanceof QueryError ? wanted.slice(from, to) : '',
    };
  }
}

/** Begins to follow; the stream has nothing to tell before. */
export function followQuery(): void {
  effect(() => {
    const wanted = queryText.value;
    clearTimeout(timer);
    timer = window.setTimeout(() => followNow(wanted), text === undefined ? 0 : PAUSE_MS);
  });
}
