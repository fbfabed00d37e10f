/** Documents in the forms in which they are kept: pieces of their text, and plain values. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { isManifestName } from './manifest.ts';
import { readDocuments } from './document.ts';
import { keep, Reviver } from './kept-document.ts';

/** Texts with what makes it hard to cut them. */
const HARD: Record<string, string> = {
  'a block list': `apiVersion: v1
kind: List
items:
# a comment
- kind: Namespace
  apiVersion: v1
  metadata: {name: a}
-   apiVersion: v1
    # in it
    kind: Namespace
    metadata:
      name: b
      annotations:
        text: |+
          two lines

  # behind it
- {apiVersion: v1, kind: Namespace,
 metadata: {name: c}}
`,
  'a list that says what its items are': `apiVersion: v1
kind: NamespaceList
items:
  - metadata: {name: a}
  - {metadata: {name: b}, kind: Namespace, apiVersion: v1}
`,
  'a list with anchors': `apiVersion: v1
kind: List
items:
  - apiVersion: v1
    kind: Namespace
    metadata: {name: a, labels: &x {app: web}}
  - apiVersion: v1
    kind: Namespace
    metadata: {name: b, labels: *x}
`,
  'a directive': `%YAML 1.1
---
apiVersion: v1
kind: Namespace
metadata: {name: a, labels: {on: 'yes'}}
---
{apiVersion: v1, kind: Namespace, metadata: {name: b}}
`,
  'JSON on one line':
    '{"kind":"List","apiVersion":"v1","items":[{"kind":"Namespace","apiVersion":"v1","metadata":{"name":"a"}},{"kind":"Namespace","apiVersion":"v1","metadata":{"name":"b"}}]}',
  'a stream of JSON':
    '{"kind":"Namespace","apiVersion":"v1","metadata":{"name":"a"}} {"kind":"Namespace","apiVersion":"v1",\n"metadata":{"name":"b"}}\n{"kind":"Namespace","apiVersion":"v1","metadata":{"name":"c"}}',
  'a policy in a list, far to the right': `apiVersion: v1
kind: List
items:
            - apiVersion: networking.k8s.io/v1
              kind: NetworkPolicy
              metadata: {name: p}
              spec:
                podSelector: {}
                ingress:
                  - from: [{ipBlock: {cidr: 10.0.0.0/8, except: [10.1.0.0/16]}}]

                  - ports: [{port: 80}]
`,
};

const EXAMPLES = readdirSync('examples', { recursive: true, encoding: 'utf8' })
  .filter((name) => isManifestName(name))
  .map((name) => join('examples', name));
const TEXTS = [
  ...Object.entries(HARD),
  ...EXAMPLES.map((path): [string, string] => [path, readFileSync(path, 'utf8')]),
];

t.test('every document is read again from its own piece of the text, in its place', async (t) => {
  let count = 0;
  for (const [name, text] of TEXTS) {
    const { documents, slices } = readDocuments(text, name);
    for (const document of documents) {
      const slice = slices.get(document);
      const again = readDocuments(slice?.text ?? '', name, {}, undefined, slice);
      const found = again.documents.find((one) => one.kind === document.kind && one.name === document.name);
      t.strictSame(found, document, `${name}: ${document.kind}/${document.name}`);
      count++;
    }
  }
  t.ok(count > 100, `${count} documents`);
});

t.test('an item of a list is a piece of its own unless it leans on the others', async (t) => {
  const piecesOf = (name: string) => new Set(readDocuments(HARD[name] ?? '', name).slices.values()).size;
  t.equal(piecesOf('a block list'), 3);
  t.equal(piecesOf('JSON on one line'), 2);
  t.equal(piecesOf('a list that says what its items are'), 2, 'the one that says it itself, and the list');
  t.equal(piecesOf('a list with anchors'), 1);
  t.equal(piecesOf('a directive'), 1);
});

t.test('problems in a piece are told where the piece lies', async (t) => {
  const text = '{"apiVersion":"v1","kind":"Namespace","metadata":{"name":"A"}}';
  const alone = readDocuments(text, 'f').problems[0];
  const [first, second] = [
    { line: 7, column: 100 },
    { line: 7, column: 1 },
  ].map((place) => readDocuments(text, 'f', {}, undefined, place).problems[0]);
  t.match(first, { line: 7, column: (alone?.column ?? 0) + 99 });
  t.match(second, { line: 7, column: alone?.column });
  const below = readDocuments(`\n${text}`, 'f', {}, undefined, { line: 7, column: 100 }).problems[0];
  t.match(below, { line: 8, column: alone?.column }, 'the column is that of the first line alone');
});

t.test('a document that was kept as plain values is the same again, its rules and their lines too', async (t) => {
  const reviver = new Reviver({});
  let rules = 0;
  for (const [name, text] of TEXTS) {
    for (const document of readDocuments(text, name).documents) {
      const kept = JSON.parse(JSON.stringify(keep(document))) as ReturnType<typeof keep>;
      t.strictSame(reviver.document(kept, name), document, `${name}: ${document.kind}/${document.name}`);
      rules += document.policy?.rules.length ?? 0;
    }
  }
  t.ok(rules > 30, `${rules} rules`);
});
