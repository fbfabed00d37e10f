/** The route of the address bar as a signal, and the ways to change it. */
import { computed, type ReadonlySignal, signal } from '@preact/signals';
import { formatRoute, parseRoute } from './route.ts';
import { VIEW_NAMES } from './view-names.ts';

const read = () => parseRoute(window.location.hash, VIEW_NAMES);

const current = signal(read());
window.addEventListener('hashchange', () => (current.value = read()));

/** Where one is. */
export const route: ReadonlySignal<ReturnType<typeof read>> = current;

/** The text of the query line, which every view shares. */
export const queryText = computed(() => current.value.params.get('q') ?? '');

/** A link to a view: with the query that holds now, and with `params` of the view's own. */
export function hrefOf(view: string, params: Readonly<Record<string, string>> = {}): string {
  return formatRoute({ view, params: new Map(Object.entries({ q: queryText.value, ...params })) });
}

/** Goes to a view, as a click on its link does. */
export function go(view: string, params: Readonly<Record<string, string>> = {}): void {
  window.location.hash = hrefOf(view, params);
}

/**
 * Sets a parameter of the view that is shown; '' takes it out.
 * @param isStep whether the browser's Back button undoes it: so for a click, not so for each letter that is typed
 */
export function setParam(name: string, value: string, isStep = false): void {
  const params = new Map(current.value.params).set(name, value);
  const hash = formatRoute({ view: current.value.view, params });
  if (hash === formatRoute(current.value)) return;
  window.history[isStep ? 'pushState' : 'replaceState'](null, '', hash);
  current.value = read();
}
