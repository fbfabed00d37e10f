/** Lists and watches, byte by byte. */
import t from 'tap';
import { randomFrom, SEED } from '../test/random.ts';
import { ListReader } from './list-reader.ts';
import { type WatchEvent, WatchReader } from './watch-reader.ts';

const HARD = {
  'a brace in a string': { name: '{"items":[', text: '}]}' },
  'quotes and slashes': { name: 'a\\"b\\\\', text: '\\' },
  'many bytes a character': { name: 'grün 😀', list: [[1, [2]], { items: [{ a: 1 }] }] },
  nothing: {},
};

function read(text: string, sizes: (left: number) => number): { items: object[]; shell: unknown } {
  const items: object[] = [];
  const reader = new ListReader((item) => items.push(item));
  const bytes = Buffer.from(text);
  for (let at = 0; at < bytes.length; ) {
    const size = Math.max(1, sizes(bytes.length - at));
    reader.take(bytes.subarray(at, at + size));
    at += size;
  }
  return { items, shell: reader.end() };
}

t.test('a list is read item by item, wherever the pieces of it end', async (t) => {
  const random = randomFrom(SEED);
  const items = Object.values(HARD);
  const metadata = { resourceVersion: '7', continue: 'a"]}{', note: { items: 1 } };
  for (const list of [
    { kind: 'List', metadata, items },
    { items, kind: 'List', metadata },
    { metadata, items: [], kind: 'List', tail: [{ a: [] }] },
    { metadata, items: null },
    { metadata: {} },
  ]) {
    for (const text of [JSON.stringify(list), JSON.stringify(list, null, 2)]) {
      for (const sizes of [() => 1, () => 1e9, () => random(40)]) {
        const { items: found, shell } = read(text, sizes);
        t.strictSame(found, list.items ?? []);
        t.strictSame(shell, { ...list, ...(Array.isArray(list.items) && { items: [] }) });
      }
    }
  }
});

t.test('what is no list, or has no end, is refused', async (t) => {
  const cases = [
    '',
    '7',
    '{"items":[{"a":1}',
    '{"items":[{"a":]}]}',
    ']',
    '{"items":[{"a":"x]}',
    '{"a":"x"}}',
    '{"items"[]}',
  ];
  for (const text of cases) t.throws(() => read(text, () => 1e9), `${text} is refused`);
  const endless = new ListReader(() => undefined);
  endless.take(Buffer.from('{"items":[{"a":"'));
  const piece = Buffer.alloc(1 << 20, 'x');
  t.throws(() => Array.from({ length: 18 }, () => endless.take(piece)), /more than 16 MiB/);
  const shell = new ListReader(() => undefined);
  shell.take(Buffer.from('{'));
  const field = Buffer.from(`"a":"${'x'.repeat(100)}",`);
  t.throws(() => Array.from({ length: 20_000 }, () => shell.take(field)), /around/);
});

t.test('a list of any size takes the memory of one item', async (t) => {
  let count = 0;
  const reader = new ListReader(() => count++);
  const item = Buffer.from(`${JSON.stringify({ metadata: { name: 'x'.repeat(4000) } })},`);
  const thousand = Buffer.concat(Array.from({ length: 1000 }, () => item));
  reader.take(Buffer.from('{"items":['));
  globalThis.gc?.();
  const before = process.memoryUsage();
  for (let i = 0; i < 25; i++) reader.take(thousand);
  globalThis.gc?.();
  const after = process.memoryUsage();
  t.equal(count, 25_000);
  t.ok(after.heapUsed - before.heapUsed < 4e6 && after.external - before.external < 12e6, 'what was read is let go');
});

t.test('a watch is read event by event, wherever the pieces of it end', async (t) => {
  const random = randomFrom(SEED);
  const events = Object.values(HARD).map((object) => ({ type: 'ADDED', object }));
  const bytes = Buffer.from(events.map((event) => `${JSON.stringify(event)}\n`).join('\n'));
  for (const sizes of [() => 1, () => 1e9, () => 1 + random(30)]) {
    const found: WatchEvent[] = [];
    const reader = new WatchReader((event) => found.push(event));
    for (let at = 0, size = 0; at < bytes.length; at += size) {
      size = sizes();
      reader.take(bytes.subarray(at, at + size));
    }
    t.strictSame(found, events);
  }
});

t.test('what is no event, or too long, is refused', async (t) => {
  const take = (text: string): void => new WatchReader(() => undefined).take(Buffer.from(text));
  const cases = ['x', '7', 'null', '{"type":"ADDED"}', '{"type":7,"object":{}}', '{"type":"A","object":null}'];
  for (const text of cases) t.throws(() => take(`${text}\n`), `${text} is refused`);
  const endless = new WatchReader(() => undefined);
  const piece = Buffer.alloc(1 << 20, 'x');
  t.throws(() => Array.from({ length: 17 }, () => endless.take(piece)), /more than 16 MiB/);
});
