/** Secrets: what is read of them, and that nobody is told what is in them. */
import t from 'tap';
import { readDocuments } from './document.ts';
import { secretFromDocument, shownObject } from './secret.ts';

const VALUE = 'n0t-t0-be-t0ld';
const BASE64 = Buffer.from(VALUE).toString('base64');
const secret = (fields: string): string =>
  `apiVersion: v1\nkind: Secret\nmetadata: {name: token, namespace: shop}\n${fields}\n`;

t.test('values are read from data and stringData, the latter over the former', async (t) => {
  const text = secret(`type: Opaque\ndata: {a: ${BASE64}, b: ${BASE64}}\nstringData: {b: other, c: "\u00e9"}`);
  const { documents, problems } = readDocuments(text, 'test');
  t.same(problems, []);
  t.same(
    [...secretFromDocument(documents[0]).values],
    [
      ['a', VALUE],
      ['b', 'other'],
      ['c', '\u00c3\u00a9'],
    ],
    'a character a byte',
  );
});

t.test('what is wrong with a secret is told without its values', async (t) => {
  for (const fields of [
    `data: {a: "${VALUE}!"}`,
    `data: ${VALUE}`,
    `data: [${VALUE}]`,
    `data: {a: {b: ${VALUE}}}`,
    'data: {a: <hidden>}',
    `stringData: {a: [${VALUE}]}`,
    'stringData: {a: 4711}',
    `stringData: {a: "${'x'.repeat(1_048_577)}"}`,
  ]) {
    const { documents, problems } = readDocuments(secret(fields), 'test');
    t.same([documents, problems.map(({ code }) => code)], [[], ['secret-data']], fields.slice(0, 40));
    t.notMatch(JSON.stringify(problems), new RegExp(`${VALUE}|4711|xxx`));
  }
});

t.test('a secret is shown with its keys, without its values, and without the copy that kubectl leaves', async (t) => {
  const copy = `kubectl.kubernetes.io/last-applied-configuration: '{"data":{"a":"${BASE64}"}}'`;
  const text = secret(`data: {a: ${BASE64}}\nstringData: {b: ${VALUE}}`).replace(
    'namespace: shop',
    `namespace: shop, annotations: {${copy}, x: "y"}`,
  );
  const [document] = readDocuments(text, 'test').documents;
  const shown = JSON.stringify(shownObject(document.object));
  t.notMatch(shown, new RegExp(`${VALUE}|${BASE64}`));
  t.match(shownObject(document.object), {
    metadata: { name: 'token', annotations: { x: 'y' } },
    data: { a: '<hidden>' },
    stringData: { b: '<hidden>' },
  });
  const other = { kind: 'Pod', data: { a: 'b' } };
  t.equal(shownObject(other), other, 'other kinds as they are');
  const { problems } = readDocuments(shown, 'test');
  t.match(
    problems,
    [{ code: 'secret-data', hint: 'values are not shown: write the real one' }],
    'it cannot be applied',
  );
});
