/** The query line: what is written here holds in every view, and stands in the address. */
import { visible } from '../controls/visible.ts';
import { queryText, setParam } from '../shell/location.tsx';
import { queryProblem } from './following.tsx';

const ID = 'query-line';

/** Puts the cursor into the query line. */
export function focusQueryLine(): void {
  const input = document.getElementById(ID) as HTMLInputElement | null;
  input?.focus();
  input?.select();
}

export function QueryLine() {
  return (
    <search class="query-line">
      <input
        id={ID}
        type="search"
        aria-label="Query"
        placeholder="Query, e.g. --verdict DROPPED --namespace shop"
        spellcheck={false}
        autocomplete="off"
        value={queryText.value}
        onInput={(event) => setParam('q', event.currentTarget.value)}
        onKeyDown={(event) => {
          if (event.key !== 'Escape') return;
          event.preventDefault(); // it would take the text away
          event.currentTarget.blur();
        }}
        aria-invalid={queryProblem.value !== ''}
        aria-describedby="query-problem"
      />
      <p id="query-problem" class="problem" role="alert">
        {queryProblem.value === '' ? '' : visible(queryProblem.value)}
      </p>
    </search>
  );
}
