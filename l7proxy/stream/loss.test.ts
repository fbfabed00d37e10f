/**
 * How long transfers take where frames are lost, in simulated time, beside the same ends without an engine between them. Each link
 * takes 1 ms; both ends acknowledge selectively; a sender's timer is 250 ms.
 */
import t from 'tap';
import type { L7RuleSet } from '../../policy-maps/l7-rules.ts';
import { Rig } from '../../test/stream/tcp-rig.ts';
import { World } from '../../test/stream/tcp-world.ts';

const RULES: L7RuleSet = {
  parser: 'http',
  endpoint: 1,
  ingress: true,
  port: 80,
  rules: [{ remotes: [100], cookie: 7, http: [{ path: '/ok.*' }] }],
};
const BYTES = 128_000;
const SEEDS = 16;
/** Of each series, those left out: who loses a SYN or the last segment waits for a timer, with an engine or without. */
const WORST = 4;
const LIMIT_MS = 10_000;
const CHUNK = 8000;

const chunks = (bytes: number) => {
  const chunk = `${CHUNK.toString(16)}\r\n${'c'.repeat(CHUNK)}\r\n`;
  return `${chunk.repeat(bytes / CHUNK)}0\r\n\r\n`;
};
const ANSWER = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi';

/** What the client and the server say. */
const TRANSFERS: Record<string, readonly [string, string]> = {
  'an upload': [`POST /ok HTTP/1.1\r\nHost: a\r\nContent-Length: ${BYTES}\r\n\r\n${'u'.repeat(BYTES)}`, ANSWER],
  'a chunked upload': [`POST /ok HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n${chunks(BYTES)}`, ANSWER],
  'a download': [
    'GET /ok HTTP/1.1\r\nHost: a\r\n\r\n',
    `HTTP/1.1 200 OK\r\nContent-Length: ${BYTES}\r\n\r\n${'d'.repeat(BYTES)}`,
  ],
  'a chunked download': [
    'GET /ok HTTP/1.1\r\nHost: a\r\n\r\n',
    `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${chunks(BYTES)}`,
  ],
  // The first is refused: positions differ on both ways from then on.
  'an upload behind a refused request': [
    `GET /no HTTP/1.1\r\nHost: a\r\n\r\nPOST /ok HTTP/1.1\r\nHost: a\r\nContent-Length: ${BYTES}\r\n\r\n${'u'.repeat(BYTES)}`,
    ANSWER,
  ],
};

/** Mean time of a transfer without the worst ones, ms, and payload bytes that both ends sent for all. */
function transfer([request, answer]: readonly [string, string], loss: number, isPlain: boolean): [number, number] {
  const times: number[] = [];
  let bytes = 0;
  for (let seed = 1; seed <= SEEDS; seed++) {
    const weather = { loss, repeat: 0, corrupt: 0, maxDelayMs: 1 };
    const world = new World(seed, new Rig(RULES), weather, { timestamps: seed % 2 === 0, window: 60_000, sack: true });
    world.isPlain = isPlain;
    const isRefused = request.startsWith('GET /no') && !isPlain;
    const wanted = isRefused ? request.slice(request.indexOf('POST')) : request;
    let seen = 0;
    world.server.onData = (data) => {
      seen += data.length;
      if (seen === wanted.length) world.server.write(answer);
    };
    world.client.connect();
    world.client.write(request);
    const isDone = world.run(() => world.client.text.endsWith(answer), LIMIT_MS);
    if (isDone && world.server.text !== wanted) throw new Error(`seed ${seed}: the server read something else`);
    times.push(world.nowMs);
    bytes += world.client.sentBytes + world.server.sentBytes;
  }
  times.sort((a, b) => a - b);
  const sum = times.slice(0, SEEDS - WORST).reduce((a, b) => a + b, 0);
  return [Math.round(sum / (SEEDS - WORST)), Math.round(bytes / SEEDS)];
}

for (const [name, messages] of Object.entries(TRANSFERS)) {
  t.test(`${name} takes no more than half as long again as without the engine`, { timeout: 600_000 }, async (t) => {
    for (const loss of [0, 1, 2, 5]) {
      const [plainMs, plainBytes] = transfer(messages, loss, true);
      const [ms, bytes] = transfer(messages, loss, false);
      t.ok(ms <= plainMs * 1.5 + 20, `${loss} %: ${ms} ms, without ${plainMs}`);
      t.ok(bytes <= plainBytes * 1.25, `${loss} %: ${bytes} bytes, without ${plainBytes}`);
    }
  });
}
