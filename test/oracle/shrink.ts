/** Cuts a history that shows a disagreement down, greedily, to one from which nothing can be taken away. */
import type { Change } from '../oracle-worlds.ts';
import { type Disagreement, differs, worldAfter } from './difference.ts';

export function shrink(found: Disagreement): readonly Change[] {
  const isBad = (history: readonly Change[]): boolean => {
    const now = differs(found, history);
    return JSON.stringify([now?.expected, now?.got]) === JSON.stringify([found.expected, found.got]);
  };
  // What is wrong in a world built at one go needs no history.
  const { documents, names, apiServers, newcomer } = worldAfter(found.options, found.history);
  const fresh: Change = {
    text: 'all',
    set: documents,
    removed: [],
    names,
    apiServers,
    newcomer: newcomer !== undefined,
  };
  let history: readonly Change[] = isBad([fresh]) ? [fresh] : found.history.filter(({ text }) => text !== 'nothing');
  if (!isBad(history)) return found.history;
  for (let before = -1; before !== JSON.stringify(history).length; ) {
    before = JSON.stringify(history).length;
    for (let i = history.length - 1; i >= 0; i--) {
      const without = history.filter((_, at) => at !== i);
      if (isBad(without)) history = without;
    }
    history = prune(history, isBad) as Change[];
  }
  return history;
}

/** What objects are known by. */
const KEPT = ['kind', 'apiVersion', 'name', 'namespace', 'podIPs', 'podIP', 'addresses', 'port', 'endPort', 'protocol'];

/** Takes out array elements and object fields, wherever they are, as long as the value stays bad. */
function prune(value: unknown, isBad: (value: any) => boolean): unknown {
  let current = value;
  const visit = (path: (string | number)[]): void => {
    const here = path.reduce<any>((at, key) => at?.[key], current);
    if (typeof here !== 'object' || here === null) return;
    for (const key of Object.keys(here).reverse()) {
      if (KEPT.includes(key)) continue;
      const without = copyWithout(current, [...path, key]);
      if (isBad(without)) current = without;
      else visit([...path, key]);
    }
  };
  visit([]);
  return current;
}

function copyWithout(value: any, [key, ...rest]: (string | number)[]): unknown {
  if (rest.length > 0) {
    if (Array.isArray(value)) return value.map((one, at) => (at === Number(key) ? copyWithout(one, rest) : one));
    return { ...value, [key]: copyWithout(value[key], rest) };
  }
  if (Array.isArray(value)) return value.filter((_, at) => at !== Number(key));
  return Object.fromEntries(Object.entries(value).filter(([name]) => name !== String(key)));
}
