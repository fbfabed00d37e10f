/**
 * Where one is in the page, as the part of the address behind the `#`: `#/map?q=--verdict%20DROPPED&focus=shop%2Fweb`.
 * Everything that a link should bring back stands there and nowhere else. The agent never sees it.
 */
export interface Route {
  readonly view: string;
  readonly params: ReadonlyMap<string, string>;
}

/** Longer ones are cut: an address is foreign text, as anybody can make a link. */
const MAX_HASH_CHARS = 16_384;
const MAX_PARAMS = 64;

/** @returns the route of `hash`; its view is the first of `views` when it names none of them */
export function parseRoute(hash: string, views: readonly string[]): Route {
  const text = hash.slice(0, MAX_HASH_CHARS).replace(/^#\/?/, '');
  const mark = text.indexOf('?');
  const name = mark < 0 ? text : text.slice(0, mark);
  const params = new Map<string, string>();
  for (const [key, value] of new URLSearchParams(mark < 0 ? '' : text.slice(mark + 1))) {
    if (params.size < MAX_PARAMS) params.set(key, value);
  }
  return { view: views.includes(name) ? name : views[0], params };
}

/** @returns the hash that `parseRoute` reads back; empty parameters are left out */
export function formatRoute({ view, params }: Route): string {
  const query = new URLSearchParams([...params].filter(([, value]) => value !== '')).toString();
  return `#/${view}${query === '' ? '' : `?${query}`}`;
}
