/** Documents changed at random: what people mistype, what generators get wrong, what attackers try. */
import { stringify } from 'yaml';

export type Draw = (below: number) => number;

/** What may stand anywhere. */
const VALUES: readonly unknown[] = [
  null, '', [], {}, [{}], [[]], [null], 0, -1, 1, 65536, 1.5, 1e21, true, false, 'x', '*', '$', ':', '$host', ' k8s:role', 'k8s:', 'reserved:world', 'cidr:10-0-0-0/8',
  'a..b', '.', '/', '0.0.0.0/0', '::/0', '10.0.0.1', '10.0.0.1/8', '10.244.1.300', 'fe80::1%eth0', '::ffff:1.2.3.4', '010', '0x50', '1_000', '80-90', 'http', 'no', 'All', 'world', 'In', 'Exists',
  '(', '[', '\\', '.*', '(?P<n>a)(?P<n>b)', '\u0000', '\ud83d', '\u00e4\u20ac', 'x'.repeat(300), Array.from({ length: 50 }, () => ({})), { key: 'x' }, { matchLabels: { a: 'b' } },
  { operator: 'Exists' }, { matchExpressions: [{}] }, { matchExpressions: [{ key: null, operator: 'In' }] }, { cidr: '10.0.0.0/8' }, { toString: 1 }, 'constructor', '__proto__', 'List', 'PodList', 'Pod', 'NetworkPolicy',
]; // biome-ignore format: one long list

const KEYS: readonly string[] = [
  '__proto__',
  'constructor',
  'toString',
  '',
  'key',
  'spec',
  'metadata',
  'items',
  '<<',
  'a b',
  'matchExpressions',
  'port',
  'kind',
  'x'.repeat(400),
  '\ufeffkind',
];

const PIECES: readonly string[] = [
  '---\n',
  '\t',
  '{{ .x }}',
  '&a ',
  '*a',
  '<<: *a\n',
  '!!binary ',
  '!!js/function ',
  '\ufeff',
  '"',
  "'",
  '[',
  '{',
  '? ',
  '- ',
  ': ',
  '#',
  '%YAML 1.1\n',
  '...\n',
  '|',
  '\u0000',
];

/** A copy of the document with one to three changes. */
export function mutated(document: unknown, draw: Draw): unknown {
  let copy = structuredClone(document);
  for (let changes = 1 + draw(3); changes > 0; changes--) copy = mutatedOnce(copy, draw);
  return copy;
}

/** The text of a document, cut or put together as no program would. */
export function mutatedText(document: unknown, draw: Draw): string {
  const text = stringify(document);
  const at = draw(text.length + 1);
  const to = Math.min(text.length, at + draw(2) * draw(40));
  return text.slice(0, at) + (draw(3) === 0 ? '' : pick(PIECES, draw)) + text.slice(to);
}

interface Place {
  readonly holder: Record<string, unknown> | unknown[];
  readonly key: string | number;
}

function mutatedOnce(document: unknown, draw: Draw): unknown {
  const places = placesIn(document);
  if (places.length === 0) return pick(VALUES, draw);
  const { holder, key } = places[draw(places.length)];
  const value = (holder as Record<string, unknown>)[key];
  switch (draw(7)) {
    case 0:
      if (Array.isArray(holder)) holder.splice(Number(key), 1);
      else delete holder[key];
      break;
    case 1:
    case 2:
      put(holder, key, structuredClone(pick(VALUES, draw)));
      break;
    case 3:
      put(holder, key, draw(2) === 0 ? [value] : { [pick(KEYS, draw)]: value });
      break;
    case 4:
      if (Array.isArray(holder)) holder.push(structuredClone(value));
      else put(holder, pick(KEYS, draw), structuredClone(value));
      break;
    case 5: {
      const other = places[draw(places.length)];
      put(holder, key, structuredClone((other.holder as Record<string, unknown>)[other.key]));
      break;
    }
    default:
      put(
        holder,
        key,
        Array.isArray(value)
          ? (value[0] ?? null)
          : typeof value === 'string'
            ? misspelt(value, draw)
            : typeof value === 'object'
              ? 'x'
              : String(value),
      );
  }
  return document;
}

function put(holder: Place['holder'], key: string | number, value: unknown): void {
  // As the parser makes keys such as __proto__: never through a setter.
  Object.defineProperty(holder, key, { value, writable: true, enumerable: true, configurable: true });
}

function misspelt(text: string, draw: Draw): string {
  const at = draw(text.length + 1);
  return text.slice(0, at) + pick(['', ' ', '/', ':', '.', 'A', '-', '\u0000', '0'], draw) + text.slice(at + draw(2));
}

function placesIn(value: unknown): Place[] {
  if (typeof value !== 'object' || value === null) return [];
  const own = Object.entries(value).map(([key]) => ({
    holder: value as Place['holder'],
    key: Array.isArray(value) ? Number(key) : key,
  }));
  return [...own, ...Object.values(value).flatMap(placesIn)];
}

export function pick<T>(list: readonly T[], draw: Draw): T {
  return list[draw(list.length)];
}
