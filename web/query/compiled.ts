/** A query as a predicate, with all of it: only the worker has the compiler of filters, which is large. */
import { compileFilters } from '../../hubble/filter/filter.ts';
import { observeFilters } from '../../hubble/filter/observe-filter.ts';
import type { Flow } from '../../hubble/flow.ts';
import { flagsOf, type Query, termText, TEXT } from './query.ts';
import { wordsAndBounds } from './wanted.ts';

/** A predicate over flows; words are looked for when the flags have matched. @throws SyntaxError for a value that makes no sense, with its flag */
export function wantedBy(query: Query, nowMs: number): (flow: Flow) => boolean {
  const matches = matcherOf(query);
  const rest = wordsAndBounds(query, nowMs);
  return (flow) => matches({ flow }) && rest(flow);
}

function matcherOf({ filters, terms }: Query): ReturnType<typeof compileFilters> {
  try {
    return compileFilters(filters.allow, filters.deny);
  } catch (error) {
    for (const term of terms.filter(({ flag }) => flag !== TEXT)) {
      const { allow, deny } = observeFilters(flagsOf([term]));
      try {
        compileFilters(allow, deny);
      } catch (one) {
        throw new SyntaxError(`${termText(term)}: ${(one as Error).message}`, { cause: one });
      }
    }
    throw error;
  }
}
