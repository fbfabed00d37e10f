/** The query as filters of the observer API: flags of `sluice observe` as one writes them in a shell. */
import { type ObserveFilters, observeFilters, VALUELESS_FLAGS } from '../../hubble/filter/observe-filter.ts';

/** @throws SyntaxError with what is wrong */
export function filtersOf(query: string): ObserveFilters {
  const words = [...query.matchAll(/"([^"]*)"|'([^']*)'|(\S+)/g)].map(
    ([, double, single, bare]) => double ?? single ?? bare,
  );
  const flags: [string, string][] = [];
  while (words.length > 0) {
    const [name, value] = words.shift()!.split(/=(.*)/s, 2);
    if (!name.startsWith('--'))
      throw new SyntaxError(`found "${name}", wanted a flag of observe, as in --pod shop/web`);
    const flag = name.slice(2);
    flags.push([flag, value ?? (VALUELESS_FLAGS.includes(flag) ? 'true' : (words.shift() ?? ''))]);
  }
  return observeFilters(flags);
}
