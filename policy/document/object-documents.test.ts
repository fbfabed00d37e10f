/** Objects of an API are read as their text is: the same documents, the same refusals. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { parseAllDocuments } from 'yaml';
import { randomFrom, SEED } from '../../test/random.ts';
import { type Document, readDocuments } from './document.ts';
import { fitted, MISFIT } from './fitting.ts';
import { any, list, map, object, openObject, type Shape, string } from './shape.ts';
import { isManifestName } from './manifest.ts';
import { ObjectReader } from './object-documents.ts';

const FILE = 'kubernetes';
const READER = new ObjectReader();

const OBJECTS: object[] = readdirSync('examples', { recursive: true, encoding: 'utf8' })
  .filter((name) => isManifestName(name))
  .flatMap((name) => parseAllDocuments(readFileSync(join('examples', name), 'utf8')))
  .map((document) => (document as { toJS: () => unknown }).toJS())
  .filter((value): value is { kind: string } => typeof (value as { kind?: unknown } | null)?.kind === 'string')
  .filter(({ kind }) => !kind.endsWith('List'));

/** Lines are of the text alone. */
function plain(document: Document | undefined): unknown {
  if (document === undefined) return undefined;
  return JSON.parse(JSON.stringify(document), (key, value: unknown) => (key === 'line' ? 1 : value)) as unknown;
}

function compare(value: object): { same: boolean; shown: string } {
  const text = JSON.stringify(value);
  const read = READER.read(JSON.parse(text) as object, FILE);
  const wanted = readDocuments(text, FILE);
  const sentences = (problems: readonly { message: string; path: string }[]) =>
    problems.map(({ path, message }) => `${path}: ${message}`).sort();
  const found = [plain(read.document), sentences(read.problems)];
  const expected = [plain(wanted.documents[0]), sentences(wanted.problems)];
  const same = JSON.stringify(found) === JSON.stringify(expected);
  return { same, shown: `${text}\nfound  ${JSON.stringify(found)}\nwanted ${JSON.stringify(expected)}` };
}

t.test('an object is the document that its text is', async (t) => {
  t.ok(OBJECTS.length > 100, `${OBJECTS.length} objects`);
  let rules = 0;
  for (const value of OBJECTS) {
    const { same, shown } = compare(value);
    if (!same) t.fail(shown);
    rules += READER.read(value, FILE).document?.policy?.rules.length ?? 0;
  }
  t.ok(rules > 30, `${rules} rules`);
});

t.test('an object that somebody spoilt is refused or taken as its text is', async (t) => {
  const random = randomFrom(SEED);
  let refused = 0;
  for (let i = 0; i < 1200; i++) {
    const value = structuredClone(OBJECTS[random(OBJECTS.length)]);
    spoil(value, random);
    const { same, shown } = compare(value);
    if (!same) t.fail(`seed ${SEED}, draw ${i}: ${shown}`);
    if (READER.read(value, FILE).document === undefined) refused++;
  }
  t.ok(refused > 120 && refused < 1100, `${refused} refused`);
});

const SPOILT: readonly unknown[] = [null, 7, -1, 1.5, 'x', '', 'Yes', true, [], {}, [null], { a: null }, ['x'], 70_000];

/** Changes, adds or removes one field somewhere. */
function spoil(value: object, random: (below: number) => number): void {
  const places: [Record<string, unknown>, string][] = [];
  const walk = (at: unknown): void => {
    if (typeof at !== 'object' || at === null) return;
    for (const key of Object.keys(at)) {
      places.push([at as Record<string, unknown>, key]);
      walk((at as Record<string, unknown>)[key]);
    }
  };
  walk(value);
  const [at, key] = places[random(places.length)];
  const drawn = SPOILT[random(SPOILT.length)];
  const way = random(4);
  if (way === 0 && !Array.isArray(at)) delete at[key];
  else if (way === 1 && !Array.isArray(at)) at[`${key}x`] = drawn;
  else if (way === 2 && !Array.isArray(at)) at['extra'] = drawn;
  else at[key] = drawn;
}

t.test('what is deep or endless does not fit, nor do maps that are lists', async (t) => {
  const deep = (levels: number): unknown => (levels === 0 ? 'x' : { a: deep(levels - 1) });
  const cases: [string, unknown, Shape, boolean][] = [
    ['60 levels', deep(60), any, true],
    ['70 levels', deep(70), any, false],
    ['too many values', Array.from({ length: 500_001 }, () => 1), any, false],
    ['a list for a map', [], map(string), false],
    ['null in a list', [null], list(string), false],
    ['a field that is not known', { b: 1 }, object({ a: any }), false],
    ['one of an open object', { b: 1 }, openObject({ a: any }), true],
    ['a field that is missing', {}, object({ a: any }, ['a']), false],
    ['a field that is null and required', { a: null }, object({ a: any }, ['a']), false],
  ];
  for (const [name, value, shape, isFit] of cases) t.equal(fitted(value, shape) !== MISFIT, isFit, name);
  t.strictSame(fitted({ a: null, b: 'x' }, openObject({})), { b: 'x' }, 'null is nothing');
  const odd = JSON.parse('{"__proto__": "x", "a": null}') as object;
  t.strictSame(Object.keys(fitted(odd, openObject({})) as object), ['__proto__'], 'a name of a map is a name');
});
