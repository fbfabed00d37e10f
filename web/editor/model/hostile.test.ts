/** Texts that mean harm: they are kept as they are, told about, and hold up nobody. */
import t from 'tap';
import { change } from './changes.ts';
import { drawingOf } from './drawing.ts';
import { DRAWN_MAX, openText } from './policy-text.ts';

const HEAD = 'apiVersion: cilium.io/v2\nkind: CiliumNetworkPolicy\nmetadata: {name: a, namespace: b}\n';
/** For each; what they take is a tenth of it. */
const CPU_MAX = 4_000_000; // µs

const laughs = `a: &a [x, x, x, x, x, x, x, x, x]\n${'bcdefghij'
  .split('')
  .map((name, i) => `${name}: &${name} [${`*${'abcdefghi'[i]}, `.repeat(9)}]`)
  .join('\n')}\n`;

const TEXTS: Readonly<Record<string, string>> = {
  'a megabyte': `${HEAD}spec: {}\n${'# x\n'.repeat(262_144)}`,
  'just below the limit': `${HEAD}spec:\n  endpointSelector: {}\n  ingress:\n${'  - fromCIDR: [10.0.0.0/8]\n'.repeat(9000)}`,
  'brackets that nest': `${HEAD}spec: ${'['.repeat(100_000)}`,
  'brackets that nest and close': `${HEAD}spec: ${'['.repeat(20_000)}${']'.repeat(20_000)}\n`,
  'dashes that nest': `${HEAD}spec:\n  ${'- '.repeat(50_000)}x\n`,
  'a hundred levels': `${HEAD}spec: ${'{a: '.repeat(100)}1${'}'.repeat(100)}\n`,
  'aliases that multiply': HEAD + laughs,
  'an alias of itself': `${HEAD}spec: &a {endpointSelector: *a}\n`,
  'a map merged into itself': `${HEAD}spec: &a {<<: *a}\n`,
  'a tab': `${HEAD}spec:\n\tendpointSelector: {}\n`,
  'keys of objects': `${HEAD}__proto__: {polluted: true}\nconstructor: {prototype: {polluted: true}}\nspec: {__proto__: {ingress: [{}]}, endpointSelector: {__proto__: {}}}\n`,
  'keys that are no text': `${HEAD}spec: {? [a, b] : c, 1: 2, null: 3}\n`,
  'other types': `${HEAD}spec: {endpointSelector: 7, ingress: {a: b}, egress: [[[]], 8, null, {toPorts: 5, toCIDR: [[], {}]}, {toPorts: [1, {ports: [2, {port: {}}], rules: [3]}]}], specs: 4}\n`,
  'keys twice': `${HEAD}spec: {}\nspec: {}\n`,
  'a byte order mark in the middle': `${HEAD}spec: {}\n---\n\ufeff${HEAD}spec: {}\n`,
  'text that turns round': `${HEAD}spec: {endpointSelector: {matchLabels: {"\u202eevil": "\u2066<img src=x onerror=alert(1)>\u2069"}}, ingress: [{}]}\n`,
  'control characters': `${HEAD}spec: {endpointSelector: {matchLabels: {"a\u0007\u001f\u0002": "\u0085\u0018"}}}\n`,
  'lone surrogates and NUL': `${HEAD}spec: {description: "\ud800 \u0000"}\n`,
  'many documents': `${HEAD}spec: {endpointSelector: {}}\n---\n`.repeat(500),
  'no document': '# nothing\n',
  'an empty text': '',
  'carriage returns alone': HEAD.replaceAll('\n', '\r'),
  'unknown tags': `${HEAD}spec: !!js/function "x"\nother: !!binary "a"\nthird: !<tag:evil> {a: b}\n`,
};

t.test('openText() and drawingOf() take every text, and an edit loses nothing of it', (t) => {
  for (const [name, text] of Object.entries(TEXTS)) {
    const before = process.cpuUsage();
    const open = openText(text);
    t.equal(open.text, text, `${name}: kept`);
    open.documents.slice(0, 5).forEach(({ value }, i) => {
      const drawing = drawingOf(value);
      if (drawing === undefined) return;
      const result = change(open, i, { do: 'name', text: 'other' });
      if ('refused' in result) {
        t.match(result.refused, /\w+/, `${name}: told why`);
        return;
      }
      t.equal(
        result.text.replace('name: other', () => 'name: a'),
        text,
        `${name}: the rest is as it was`,
      );
    });
    const { user, system } = process.cpuUsage(before);
    t.ok(user + system < CPU_MAX, `${name}: ${(user + system) / 1000} ms`);
  }
  t.equal(({} as Record<string, unknown>)['polluted'], undefined);
  t.end();
});

t.test('openText() tells what is wrong, and where', (t) => {
  const problems = (text: string): unknown => openText(text).problems;
  t.match(problems(TEXTS['a megabyte'] ?? ''), [{ line: 1, message: new RegExp(`more than the ${DRAWN_MAX}`) }]);
  t.match(problems(TEXTS['a hundred levels'] ?? ''), [{ message: /nests deeper than 64/ }]);
  t.match(problems(TEXTS['aliases that multiply'] ?? ''), [{ message: /aliases/ }]);
  t.match(problems(TEXTS['keys twice'] ?? ''), [{ line: 5, column: 1, message: /unique/ }]);
  t.match(problems(TEXTS['a tab'] ?? ''), [{ line: 5, message: /[Tt]ab/ }]);
  t.end();
});
