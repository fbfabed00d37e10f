// The pinned counters: one table, one writer, readers of other processes.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { counterText } from './counter.ts';
import { COUNTERS, HTTP_DENIED, HTTP_ERROR, HTTP_ERROR_KINDS, L7_MEMORY, L7_OPENED } from './counters.ts';
import { CountersMap, PORT_SEND_DROPS, PORT_SENT_FRAMES } from './counters-map.ts';
import { PORT_CAPACITY } from './port-map.ts';
import { memoryMapper } from './table/memory-mapper.ts';

const folder = mkdtempSync(join(tmpdir(), 'sluice-counters-'));
t.teardown(() => rmSync(folder, { recursive: true, force: true }));

t.test('what the owner counts is what another process reads, under its name', (t) => {
  const mapper = memoryMapper();
  const path = join(folder, 'counters');
  const writer = CountersMap.create(path, {}, mapper);
  const reader = CountersMap.open(path, mapper);
  writer.words[L7_OPENED]++;
  writer.words[HTTP_DENIED] += 2 ** 40;
  writer.words[HTTP_ERROR + HTTP_ERROR_KINDS.indexOf('nul')]++;
  const moved = [...reader.entries()].filter(({ value }) => value > 0);
  t.strictSame(
    moved.map((entry) => [counterText(entry), entry.value]),
    [
      ['l7_opened', 1],
      ['http_requests{verdict="denied"}', 2 ** 40],
      ['http_errors{kind="nul"}', 1],
    ],
  );
  t.equal([...reader.entries()].length, COUNTERS.length, 'those that are 0 too');
  t.end();
});

t.test('a dataplane that takes the map goes on counting, but what it holds begins at nothing', (t) => {
  const mapper = memoryMapper();
  const path = join(folder, 'again');
  const first = CountersMap.create(path, {}, mapper);
  first.words[L7_OPENED] = 5;
  first.words[L7_MEMORY] = 4096;
  first.close();
  t.equal(CountersMap.open(path, mapper).words[L7_MEMORY], 4096, 'a reader changes nothing');
  const second = CountersMap.open(path, mapper, { writable: true });
  t.strictSame([second.words[L7_OPENED], second.words[L7_MEMORY]], [5, 0]);
  t.end();
});

t.test('each port has a row of its own', (t) => {
  const map = CountersMap.create(join(folder, 'ports'), {}, memoryMapper());
  map.portWords(3)[PORT_SENT_FRAMES] = 7;
  map.portWords(4)[PORT_SEND_DROPS] = 2;
  map.portWords(PORT_CAPACITY - 1)[PORT_SENT_FRAMES] = 1;
  t.match(map.port(3), { sentFrames: 7, sendDrops: 0 });
  t.match(map.port(4), { sentFrames: 0, sendDrops: 2 });
  t.match(map.port(PORT_CAPACITY - 1), { sentFrames: 1 });
  t.ok(
    [...map.entries()].every(({ value }) => value === 0),
    'apart from the counters',
  );
  t.throws(() => map.portWords(PORT_CAPACITY), RangeError);
  t.throws(() => map.portWords(-1), RangeError);
  t.end();
});

t.test('every counter has a name of its own, a unit, and a sentence that ends', (t) => {
  const texts = COUNTERS.map(counterText);
  t.equal(new Set(texts).size, texts.length);
  for (const counter of COUNTERS) {
    t.match(counter.name, /^[a-z][a-z0-9_]*$/, 'as Prometheus wants it');
    t.match(counter.meaning, /^[A-Z].*\.$/, counterText(counter));
    const namesakes = COUNTERS.filter(({ name }) => name === counter.name);
    t.ok(
      namesakes.every(({ unit, isGauge }) => unit === counter.unit && isGauge === counter.isGauge),
      `${counter.name} can be added up`,
    );
  }
  t.end();
});
