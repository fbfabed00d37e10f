/** Applied objects on disk: how much work they are, and what an end in the middle of it leaves. */
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import t from 'tap';
import { Reviver } from '../../policy/document/kept-document.ts';
import { loadConfig } from '../config/config.ts';
import { manifestReader, type ReadManifests } from './reader.ts';
import { ObjectStore } from './store.ts';
import { referenceOf } from './text.ts';

const READ = manifestReader({}, loadConfig());
const keeping = (stamp: string) => ({ reviver: new Reviver({}), stamp });
const OURS = keeping('ours');

/** What of a text was read. */
interface Work {
  characters: number;
}

function scratch(test: typeof t): string {
  const directory = mkdtempSync('/tmp/slobj-');
  test.teardown(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

function counting(work: Work, read: ReadManifests = READ): ReadManifests {
  return (text, ...rest) => {
    work.characters += text.length;
    return read(text, ...rest);
  };
}

function loaded(directory: string, options: { by?: typeof OURS; work?: Work; read?: ReadManifests } = {}): ObjectStore {
  const { by = OURS, work = { characters: 0 }, read = READ } = options;
  const store = new ObjectStore(directory, counting(work, read), { keeping: by });
  store.load();
  store.takeChanges();
  return store;
}

const namesIn = (store: ObjectStore) => [...store.documents()].map(referenceOf).sort();

const bytesIn = (directory: string) =>
  readdirSync(directory).reduce((sum, name) => sum + statSync(join(directory, name)).size, 0);

/** Pods, services and policies in turn, as items of a list. */
function itemsOf(count: number, label = 'x'): string {
  const items = Array.from({ length: count }, (_, i) => {
    const metadata = `  metadata:\n    name: n${i}\n    namespace: shop\n    labels: {app: a${i % 7}, generation: ${label}}\n`;
    const pod = `- apiVersion: v1\n  kind: Pod\n${metadata}`;
    const service = `- apiVersion: v1\n  kind: Service\n${metadata}  spec: {selector: {app: a1}, ports: [{port: 80}]}\n`;
    const policy = `- apiVersion: cilium.io/v2\n  kind: CiliumNetworkPolicy\n${metadata}  spec:\n    endpointSelector: {}\n    ingress:\n    - fromEndpoints: [{}]\n`;
    return [pod, service, policy][i % 3] ?? '';
  });
  return items.join('');
}

const listOf = (count: number, label?: string) => `apiVersion: v1\nkind: List\nitems:\n${itemsOf(count, label)}`;

t.test('a list is written once and read once, however long it is, and not at all at the next start', async (t) => {
  const cost = (count: number) => {
    const directory = scratch(t as Tap);
    const text = listOf(count);
    const applying = { characters: 0 };
    const store = loaded(directory, { work: applying });
    t.equal(store.apply(text, 'l.yaml').applied.length, count);
    t.equal(applying.characters, text.length);
    const [starting, upgraded, again] = [{ characters: 0 }, { characters: 0 }, { characters: 0 }];
    const next = loaded(directory, { work: starting });
    t.strictSame([...next.documents()], READ(text, 'l.yaml').documents, 'the same, with their lines');
    t.equal(starting.characters, 0, 'no text is read');
    const other = loaded(directory, { work: upgraded, by: keeping('another program') });
    t.strictSame([...other.documents()], READ(text, 'l.yaml').documents, 'the same by their text');
    loaded(directory, { work: again, by: keeping('another program') });
    t.equal(again.characters, 0, 'that program has kept them in its turn');
    return { disk: bytesIn(directory), read: upgraded.characters / text.length, files: readdirSync(directory).length };
  };
  const [few, many] = [cost(60), cost(600)];
  t.ok(many.disk < 10.5 * few.disk, `${few.disk} bytes for 60 objects, ${many.disk} for 600`);
  t.ok(few.read < 1.2 && many.read < 1.2, `each text is read ${many.read} times by another program`);
  t.strictSame([few.files, many.files], [1, 1]);
});

t.test('objects that share one text have it once', async (t) => {
  const directory = scratch(t as Tap);
  const work = { characters: 0 };
  const items = Array.from({ length: 300 }, (_, i) => `- metadata: {name: n${i}}\n`).join('');
  const text = `apiVersion: v1\nkind: NamespaceList\nitems:\n${items}`;
  loaded(directory).apply(text, 'l.yaml');
  const store = loaded(directory, { by: keeping('another program'), work });
  t.equal(namesIn(store).length, 300);
  t.equal(work.characters, text.length);
  t.ok(bytesIn(directory) < 30 * text.length, `${bytesIn(directory)} bytes for 300 objects in ${text.length}`);
});

t.test('what was deleted or replaced takes no room for long, and does not come back', async (t) => {
  const directory = scratch(t as Tap);
  const store = loaded(directory);
  store.apply(listOf(300), 'l.yaml');
  const whole = bytesIn(directory);
  const all = [...READ(listOf(300), 'l.yaml').documents];
  for (const document of all.slice(0, 250)) store.delete([document], 'x');
  t.ok(bytesIn(directory) < (whole * 2 * 50) / 300 + 70_000, `${bytesIn(directory)} of ${whole} bytes for 50 of 300`);
  const expected = all.slice(250).map(referenceOf).sort();
  t.strictSame(namesIn(loaded(directory)), expected);
  t.strictSame(namesIn(loaded(directory, { by: keeping('another program') })), expected);
  for (let i = 0; i < 2; i++) store.apply(listOf(300, `g${i}`), 'l.yaml');
  t.equal(readdirSync(directory).length, 1, 'what was replaced as a whole is gone');
  store.delete(all, 'x');
  t.strictSame(readdirSync(directory), []);
});

t.test('an object that a killed agent left in two batches is the later one, and goes from both', async (t) => {
  const directory = scratch(t as Tap);
  const first = loaded(directory);
  first.apply(listOf(6, 'old'), 'l.yaml');
  const [name] = readdirSync(directory);
  copyFileSync(join(directory, name ?? ''), join(directory, 'aside'));
  first.apply(itemsAsDocuments(3, 'new'), 'd.yaml');
  copyFileSync(join(directory, 'aside'), join(directory, name ?? '')); // as before it was marked
  writeFileSync(join(directory, '000000000003.batch.new'), '# {"layout":2,"rea');
  const next = loaded(directory);
  const labels = [...next.documents()].map(({ name, labels: { generation } }) => `${name} ${generation}`).sort();
  t.strictSame(labels, ['n0 new', 'n1 new', 'n2 new', 'n3 old', 'n4 old', 'n5 old']);
  next.delete([...READ(listOf(3), 'x').documents], 'x');
  t.equal(namesIn(loaded(directory)).length, 3);
  t.notOk(readdirSync(directory).includes('000000000003.batch.new'));
});

function itemsAsDocuments(count: number, label: string): string {
  return itemsOf(count, label)
    .replace(/^- /gm, '---\n- ')
    .replace(/^(?:- | {2})/gm, '');
}

t.test('a kill -9 while objects are applied leaves all objects of a request or none', async (t) => {
  const directory = scratch(t as Tap);
  const source = pathToFileURL(join(import.meta.dirname, 'store.js')).href;
  const [reader, config] = ['reader.js', '../config/config.js'].map(
    (name) => pathToFileURL(join(import.meta.dirname, name)).href,
  );
  const program = `
    const [{ ObjectStore }, { manifestReader }, { loadConfig }] = await Promise.all(
      ${JSON.stringify([source, reader, config])}.map((one) => import(one)));
    const store = new ObjectStore(process.argv[1], manifestReader({}, loadConfig()));
    store.load();
    const list = process.argv[2];
    for (let i = Number(process.argv[3]); ; i++) {
      store.apply(list.replaceAll('generation: x', 'generation: g' + i), 'l.yaml');
      process.stdout.write(i + '\\n');
    }`;
  for (let round = 0; round < 3; round++) {
    const args = ['--input-type=module', '-e', program, directory, listOf(40), String(round * 1000)];
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
    for (let i = 0; i <= round; i++) await once(child.stdout, 'data');
    child.kill('SIGKILL');
    await once(child, 'exit');
    const store = loaded(directory);
    const generations = new Set([...store.documents()].map(({ labels }) => labels['generation']));
    t.equal(namesIn(store).length, 40);
    t.equal(generations.size, 1, [...generations].join(' '));
    t.ok([...generations][0]?.startsWith(`g${round === 0 ? '' : round}`), 'what was answered is there');
  }
});

t.test('a damaged line costs its object, and is told once', async (t) => {
  const directory = scratch(t as Tap);
  loaded(directory).apply(listOf(5), 'l.yaml');
  const [name = ''] = readdirSync(directory);
  const path = join(directory, name);
  writeFileSync(path, readFileSync(path, 'utf8').replace('+ {"kind":"Service"', '+ {"kind":"Serv'));
  const store = new ObjectStore(directory, READ, { keeping: OURS });
  t.match(store.load(), [{ file: path, line: 5, message: /found a damaged line/, code: 'state' }]);
  t.equal(store.takeChanges().put.length, 4);
  t.ok(readdirSync(directory).includes(`${name}.bad`), 'what was there is put aside');
  t.strictSame(new ObjectStore(directory, READ, { keeping: OURS }).load(), []);
  writeFileSync(path, 'something else\n');
  t.match(new ObjectStore(directory, READ, { keeping: OURS }).load(), [{ file: path, message: /put aside as \.bad/ }]);
});

t.test('an object that a program refuses is out of force, and back with one that takes it', async (t) => {
  const directory = scratch(t as Tap);
  loaded(directory).apply(listOf(3), 'l.yaml');
  const strict: ReadManifests = (...given) => {
    const { documents, slices } = READ(...given);
    const problem = {
      file: 'l.yaml',
      line: 1,
      column: 1,
      path: '',
      severity: 'error',
      message: 'no',
      code: 'no',
    } as const;
    return { documents: documents.filter(({ kind }) => kind !== 'Service'), problems: [problem], slices };
  };
  for (const start of ['first', 'second']) {
    const store = new ObjectStore(directory, strict, { keeping: keeping('strict') });
    t.match(store.load(), [{ code: 'no' }], `told at the ${start} start`);
    t.strictSame(
      store.takeChanges().put.map(({ kind }) => kind),
      ['Pod', 'CiliumNetworkPolicy'],
    );
  }
  t.equal(namesIn(loaded(directory)).length, 3);
});

t.test('objects in files of the layout before are read, a text of many once, and become a batch', async (t) => {
  const directory = join(scratch(t as Tap), 'objects');
  const text = listOf(60);
  mkdirSync(directory);
  for (const document of READ(`\n\n${text}`, 'l.yaml').documents) {
    const { kind, namespace, name } = document;
    const digest = createHash('sha256').update(referenceOf(document)).digest('hex').slice(0, 32);
    const value = { kind, namespace, name, file: 'l.yaml', firstLine: 3, text, atMs: 7, createdMs: 5 };
    writeFileSync(join(directory, `${digest}.json`), JSON.stringify({ version: 1, value }));
  }
  const work = { characters: 0 };
  const store = loaded(directory, { work });
  t.strictSame(
    [...store.documents()].sort((a, b) => a.line - b.line),
    READ(`\n\n${text}`, 'l.yaml').documents,
  );
  t.equal(work.characters, text.length);
  t.equal(store.createdMs({ kind: 'Pod', namespace: 'shop', name: 'n0' }), 5);
  t.strictSame(readdirSync(directory), ['000000000001.batch']);
  store.delete([{ kind: 'Pod', namespace: 'shop', name: 'n0' }], 'x');
  t.equal(namesIn(loaded(directory)).length, 59);
});

type Tap = typeof t;
