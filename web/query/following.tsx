/** The stream follows what the query line says, shortly after the last letter. */
import { effect, signal } from '@preact/signals';
import { queryText } from '../shell/location.tsx';
import { stream } from '../stream/stream.tsx';
import { filtersOf } from './filters.ts';

const PAUSE_MS = 300;

/** What is wrong with the query; '' when nothing is. The stream goes on with the last one that was right. */
export const queryProblem = signal('');

let timer = 0;
let followed: string | undefined;

function followNow(text: string): void {
  if (text === followed) return;
  try {
    stream.follow(filtersOf(text));
    followed = text;
    queryProblem.value = '';
  } catch (error) {
    queryProblem.value = (error as Error).message;
  }
}

/** Begins to follow; the stream has nothing to tell before. */
export function followQuery(): void {
  effect(() => {
    const text = queryText.value;
    clearTimeout(timer);
    timer = window.setTimeout(() => followNow(text), followed === undefined ? 0 : PAUSE_MS);
  });
}
