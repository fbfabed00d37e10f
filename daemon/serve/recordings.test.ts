/** `POST /v1/recording`: what is refused, what is there while somebody records, and that nothing outlives the connection. */
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, request } from 'node:http';
import { join } from 'node:path';
import t from 'tap';
import { mapFile } from '../../dataplane/native/index.ts';
import type { DirectoryDelta } from '../../hubble/decode/directory-delta.ts';
import { CONFIG_RECORDING, ConfigMap } from '../../policy-maps/config-map.ts';
import { RECORDING_FILE, RecordingMap } from '../../policy-maps/recording-map.ts';
import { waitFor } from '../../test/command.ts';
import { FRAME_ROW_WORDS, MAX_FRAME_ROWS } from '../../wire/frame-filter.ts';
import { Recordings } from './recordings.ts';
import { Router } from './router.ts';

const folder = mkdtempSync('/dev/shm/sluice-recordings-');
t.teardown(() => rmSync(folder, { recursive: true }));
const path = join(folder, RECORDING_FILE);
const socketPath = join(folder, 'socket');
const config = ConfigMap.create(join(folder, 'config'), {}, mapFile);
config.store(CONFIG_RECORDING, 0xffff);
writeFileSync(path, 'of an agent that was killed');

const web = { namespace: 'shop', podName: 'web-0', labels: [], identity: 300 };
let known: DirectoryDelta = { endpoints: [[7, web]], addresses: [['10.0.0.7', web]] };
const listeners = new Set<(delta: DirectoryDelta) => void>();
const directory = {
  snapshot: () => known,
  listen(tell: (delta: DirectoryDelta) => void) {
    listeners.add(tell);
    return () => void listeners.delete(tell);
  },
};
const recordings = new Recordings({ config, mapDirectory: folder, directory });
const router = new Router({
  'POST /v1/recording': ({ body, response }) => {
    recordings.begin(body, response);
    return undefined;
  },
});
const server = createServer((incoming, response) => void router.serve(incoming, response));
await new Promise<void>((resolve) => server.listen(socketPath, resolve));
t.teardown(() => server.close());

/** A dataplane that takes up what it is told to. */
let isDataplaneThere = true;
const dataplane = setInterval(() => {
  const number = config.load(CONFIG_RECORDING);
  if (!isDataplaneThere || number === 0 || !existsSync(path)) return;
  RecordingMap.open(path, mapFile, { writable: true }).takenUp = number;
}, 5);
t.teardown(() => clearInterval(dataplane));

function ask(body: unknown) {
  const asked = { status: 0, text: '', isOver: false, end: () => sent.destroy() };
  const sent = request({ socketPath, path: '/v1/recording', method: 'POST' }, (response) => {
    asked.status = response.statusCode ?? 0;
    response.setEncoding('utf8').on('data', (text: string) => (asked.text += text));
    response.on('close', () => (asked.isOver = true));
    response.on('error', () => undefined);
  });
  sent.on('error', () => undefined);
  sent.end(typeof body === 'string' ? body : JSON.stringify(body));
  return asked;
}

t.test('an agent that begins knows of no recording', (t) => {
  t.equal(config.load(CONFIG_RECORDING), 0);
  t.equal(existsSync(path), false);
  t.end();
});

t.test('what makes no sense is refused, and leaves nothing', async (t) => {
  const cases: Record<string, [body: unknown, error: RegExp]> = {
    'no JSON': ['{', /not JSON/],
    'no list': [{ allow: {} }, /wanted two lists/],
    'too many filters': [{ allow: Array.from({ length: 65 }, () => ({})) }, /at most 64/],
    'no such field': [{ allow: [{ color: ['red'] }] }, /no such field .*color/],
    'no prefix': [{ allow: [{ source_ip: ['300.0.0.1'] }] }, /invalid IP address/],
    'no frame': [{ allow: [{ protocol: ['http'] }] }, /no frame can match/],
    'a buffer that is no power of two': [{ bufferBytes: 3_000_000 }, /bufferBytes: found 3000000/],
    'a buffer too large': [{ bufferBytes: 2 ** 31 }, /bufferBytes/],
    'no length': [{ snapBytes: 0 }, /snapBytes: found 0/],
  };
  for (const [name, [body, error]] of Object.entries(cases)) {
    const asked = ask(body);
    await waitFor('the answer', () => asked.isOver);
    t.equal(asked.status, 400, name);
    t.match(asked.text, error, name);
  }
  t.equal(existsSync(path), false);
  t.equal(config.load(CONFIG_RECORDING), 0);
});

t.test(
  'somebody records: who is who is told, rows follow the pods, others wait; all goes with the connection',
  async (t) => {
    const asked = ask({ allow: [{ source_pod: ['shop/web'] }], bufferBytes: 1 << 20, snapBytes: 100 });
    await waitFor('the names', () => asked.text.includes('"directory"'));
    const lines = asked.text
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    t.match(lines, [
      { recording: { file: RECORDING_FILE } },
      { directory: { endpoints: [[7, { podName: 'web-0' }]] } },
    ]);
    const map = RecordingMap.open(path, mapFile, { writable: true });
    t.equal(map.number, config.load(CONFIG_RECORDING));
    t.equal(map.snapBytes, 100);
    const rows = new Int32Array(MAX_FRAME_ROWS * FRAME_ROW_WORDS);
    t.equal(map.readRows(rows), 2, 'its endpoint, and its address');
    const second = ask({});
    await waitFor('the refusal', () => second.isOver);
    t.equal(second.status, 409);

    const other = { ...web, podName: 'web-1' };
    known = { endpoints: [...known.endpoints!, [8, other]], addresses: known.addresses! };
    for (const tell of listeners) tell({ endpoints: [[8, other]] });
    await waitFor('the new pod in the rows', () => map.readRows(rows) === 3);
    t.match(asked.text, /web-1/);

    asked.end();
    await waitFor('the end', () => !existsSync(path));
    t.equal(config.load(CONFIG_RECORDING), 0);
    t.equal(listeners.size, 0);
  },
);

t.test('a dataplane that does not know of recordings is told, and the next try is free', async (t) => {
  isDataplaneThere = false;
  const asked = ask({});
  await waitFor('the answer', () => asked.isOver);
  t.equal(asked.status, 503);
  t.match(asked.text, /the dataplane does not take it up: .* restart it/);
  t.equal(existsSync(path), false);
  isDataplaneThere = true;
  const next = ask({});
  await waitFor('the next', () => next.status === 200);
  next.end();
  await waitFor('its end', () => !existsSync(path));
});
