/**
 * Every policy that the tree has, and random ones with comments at every line: opened, drawn, edited, and taken back. The compiler is
 * asked what the text means afterwards.
 */
import fc from 'fast-check';
import t from 'tap';
import { stringify } from 'yaml';
import { everyEdit } from '../../../test/policy/every-edit.ts';
import { documentOf, Draw, Published, randomObject, Told } from '../../../test/policy/random-world.ts';
import { writtenPolicies } from '../../../test/policy/written-policies.ts';
import { Cluster } from '../../../policy/cluster.ts';
import { readDocuments } from '../../../policy/document/document.ts';
import { hasErrors } from '../../../policy/rule/problems.ts';
import { change, convert } from './changes.ts';
import { commentsOf } from './comments.ts';
import { drawingOf, KINDS, kindOf } from './drawing.ts';
import { type Edit, edited } from './edits.ts';
import { openText } from './policy-text.ts';
import { isSame } from './values.ts';
import { write } from './writing.ts';

const seed = Number(process.env['SEED'] ?? 20261130);
t.comment(`seed ${seed}`);

/** Pods, namespaces, services and groups. */
const told = new Told();
const objects = new Draw(seed);
for (let i = 0; i < 60; i++) {
  const document = documentOf(randomObject(objects));
  if (document !== undefined && !document.kind.endsWith('Policy'))
    told.documents.set(`${document.kind}/${document.namespace}/${document.name}`, document);
}

/** What the compiler publishes for the policies of a text in that world; undefined when it refuses them. */
function meaning(text: string): unknown {
  const { documents, problems } = readDocuments(text, 'a.yaml', {});
  if (hasErrors(problems)) return undefined;
  const cluster = told.tell(new Cluster({}));
  for (const document of documents) if (document.policy !== undefined) cluster.apply(document);
  return new Published().take(cluster).describe();
}

/** The same without the names of who decided, which differ with the kind. */
function lookups(text: string): string {
  const plain = JSON.stringify(meaning(text), (key, value: unknown) =>
    key === 'why' || key === 'defaultDenyCookie' || key === 'cookie' ? undefined : value,
  );
  return plain.replace(/\\"(why|cookie)\\":\\"[^"]*\\",?/g, '');
}

t.test('every policy of the tree is drawn, and its text does not change by that; edits are taken back', (t) => {
  const draw = new Draw(seed);
  const met = new Set<string>();
  let edits = 0;
  for (const { name, text } of writtenPolicies()) {
    const open = openText(text);
    if (open.problems.length > 0) continue; // half a document, of a test that puts it together
    open.documents.forEach(({ value }, index) => {
      const drawing = drawingOf(value);
      if (drawing === undefined) return;
      t.same(write(open, index, structuredClone(value)), { text }, `${name}: byte for byte`);
      for (const edit of everyEdit(drawing)) {
        if (met.has(edit.do) && !draw.chance(3)) continue;
        const result = change(open, index, edit);
        if ('refused' in result) continue;
        met.add(edit.do);
        edits++;
        const after = openText(result.text);
        const back = write(after, index, value);
        const isBack = 'text' in back && isSame(openText(back.text).documents[index].value, value);
        const isAsSaid = isSame(after.documents[index].value, edited(value, edit));
        if (!isBack || !isAsSaid) t.fail(`${name}: ${JSON.stringify(edit)}`, { text, result, back });
      }
    });
  }
  t.comment(`${edits} edits`);
  t.ok(edits > 150);
  t.equal(met.size, 22, [...met].sort().join());
  t.end();
});

t.test('an edit of an example and what takes it back mean to the compiler what the example did', (t) => {
  const draw = new Draw(seed);
  const examples = writtenPolicies().filter(({ name }) => name.startsWith('examples/'));
  t.ok(examples.length >= 40, `${examples.length} texts`);
  for (const { name, text } of examples) {
    const open = openText(text);
    const before = JSON.stringify(meaning(text));
    open.documents.forEach(({ value }, index) => {
      const drawing = drawingOf(value);
      if (drawing === undefined) return;
      const all = everyEdit(drawing);
      for (let done = false; !done; ) {
        const result = change(open, index, draw.of(all));
        if ('refused' in result) continue;
        const back = write(openText(result.text), index, value);
        t.ok('text' in back && JSON.stringify(meaning(back.text)) === before, name);
        done = true;
      }
    });
  }
  t.end();
});

/** Edits by which nothing is lost; the others may take the comments along that stand inside of what they take away. */
const ADDING = new Set<Edit['do']>([
  'add-entry',
  'add-peer',
  'add-port',
  'add-request',
  'add-icmp',
  'turn-entry',
  'name',
]);

interface Draft {
  readonly object: Record<string, unknown>;
  readonly text: string;
}

/** A random policy in a random style, with a comment above and beside each line. */
const drafts = fc
  .record({
    world: fc.integer({ min: 0, max: 2 ** 30 }),
    indent: fc.constantFrom(2, 3, 4),
    indentSeq: fc.boolean(),
    isCarried: fc.boolean(),
    above: fc.integer({ min: 0, max: 2 ** 30 }),
  })
  .map(({ world, indent, indentSeq, isCarried, above }): Draft => {
    const draw = new Draw(world);
    let object = randomObject(draw);
    while (kindOf(object) === undefined || documentOf(object) === undefined) object = randomObject(draw);
    const places = new Draw(above);
    const lines = stringify(object, { indent, indentSeq, lineWidth: 0, aliasDuplicateObjects: false })
      .trimEnd()
      .split('\n');
    const text = lines.flatMap((line, i) => {
      const spaces = line.slice(0, line.length - line.trimStart().length);
      const head = places.chance(40) ? [`${spaces}# above ${i}`] : [];
      return [...head, places.chance(40) ? `${line} # beside ${i}` : line];
    });
    return { object, text: `# top\n${text.join('\n')}\n# end`.replaceAll('\n', isCarried ? '\r\n' : '\n') };
  });

t.test('comments are kept by random edits of random policies, and the meaning is what was said', (t) => {
  let edits = 0;
  const property = fc.property(drafts, fc.integer({ min: 0, max: 2 ** 30 }), ({ object, text }, choice) => {
    const open = openText(text);
    if (!isSame(open.documents[0].value, object)) throw new Error('the draft is another');
    const drawing = drawingOf(object);
    const edit = new Draw(choice).of(everyEdit(drawing as NonNullable<typeof drawing>));
    const result = change(open, 0, edit);
    if ('refused' in result) {
      if (/in the text/.test(result.refused)) throw new Error(result.refused);
      return;
    }
    edits++;
    const [before, after] = [text, result.text].map((one) => commentsOf(one).map((comment) => comment.text));
    const lost = before.filter((comment) => !after.includes(comment));
    if (new Set(after).size !== after.length) throw new Error('a comment stands there twice');
    if (ADDING.has(edit.do) && lost.length > 0) throw new Error(`${edit.do} lost ${lost.join(', ')}`);
    const gone = goneLines(text, result.text);
    for (const comment of lost) {
      if (!gone.some((line) => line.includes(comment))) throw new Error(`${edit.do} lost ${comment}`);
      if (comment === '# top' || comment === '# end') throw new Error(`${edit.do} lost ${comment}`);
    }
    if (text.includes('\r') && /[^\r]\n/.test(result.text)) throw new Error('a line ends otherwise');
  });
  fc.assert(property, { seed, numRuns: 400 });
  t.comment(`${edits} edits`);
  t.ok(edits > 100);
  t.end();
});

/** Lines of one text that the other does not have, in one piece: an edit is about one place, or two. */
function goneLines(before: string, after: string): string[] {
  const left = new Set(after.split(/\r?\n/));
  return before.split(/\r?\n/).filter((line) => !left.has(line));
}

t.test('a policy of another kind looks up the same, and keeps its comments', (t) => {
  const draw = new Draw(seed);
  const done = new Map<string, number>();
  for (let i = 0; i < 3000 && (done.size < 4 || Math.min(...done.values()) < 8); i++) {
    const object = randomObject(draw);
    const kind = kindOf(object);
    if (kind === undefined) continue;
    if (kind === 'CiliumClusterwideNetworkPolicy') namespaced(object, draw);
    const text = `# top\n${stringify(object, { lineWidth: 0, aliasDuplicateObjects: false }).replace(/\n/g, () => ` # ${i++}\n`)}`;
    const before = meaning(text);
    if (before === undefined) continue;
    for (const to of KINDS) {
      const way = `${kind} to ${to}`;
      const result = to === kind || (done.get(way) ?? 0) >= 8 ? { refused: '' } : convert(openText(text), 0, to);
      if ('refused' in result) continue;
      const kept = commentsOf(result.text).length === commentsOf(text).length;
      if (!kept || lookups(result.text) !== lookups(text)) t.fail(way, { text, result: result.text, kept });
      done.set(way, (done.get(way) ?? 0) + 1);
    }
  }
  for (const [way, count] of done) t.ok(count > 0, `${way}: ${count}`);
  t.ok(done.size >= 4, [...done.keys()].join());
  t.end();
});

/** A clusterwide policy for the pods of one namespace: what can be made a namespaced one. */
function namespaced(object: Record<string, unknown>, draw: Draw): void {
  const spec = object['spec'] as { endpointSelector?: { matchLabels?: object } };
  if (spec.endpointSelector === undefined) return;
  const matchLabels = { ...spec.endpointSelector.matchLabels, 'k8s:io.kubernetes.pod.namespace': draw.of(['a', 'b']) };
  spec.endpointSelector = { ...spec.endpointSelector, matchLabels };
}
