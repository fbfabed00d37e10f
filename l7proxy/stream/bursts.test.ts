/** A client that sends far more requests than are answered, and takes the answers slowly, is held back; it loses nothing. */
import t from 'tap';
import type { L7EngineOptions } from '../engine.ts';
import { okOnly, Rig } from '../../test/stream/tcp-rig.ts';
import { World } from '../../test/stream/tcp-world.ts';

const RULES = okOnly('GET');
const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi';
const SERVER_WINDOW = 1_000_000;
const LIMIT_MS = 60_000; // of simulated time

interface Burst {
  readonly count: number;
  /** Whether the server is to get the request. */
  readonly isAllowed: (index: number) => boolean;
  readonly clientWindow?: number;
  readonly loss?: number;
  readonly options?: Partial<L7EngineOptions>;
}

/** Sends them all at once. @returns the status codes that came, in order, and the engine */
function send({ count, isAllowed, clientWindow = 4000, loss = 0, options = {} }: Burst) {
  const rig = new Rig(RULES, options);
  const weather = { loss, repeat: 0, corrupt: 0, maxDelayMs: 5 };
  const world = new World(5, rig, weather, { timestamps: true, sack: true, window: SERVER_WINDOW });
  const { client, server } = world;
  Object.assign(client, { window: clientWindow });
  let rest = '';
  server.onData = (data) => {
    rest += data.toString('latin1');
    for (let end = rest.indexOf('\r\n\r\n'); end >= 0; end = rest.indexOf('\r\n\r\n')) {
      rest = rest.slice(end + 4);
      server.write(OK);
    }
  };
  const requests = Array.from(
    { length: count },
    (_, i) => `GET /${isAllowed(i) ? 'ok' : 'no'} HTTP/1.1\r\nHost: a\r\n\r\n`,
  );
  client.connect();
  client.write(requests.join(''));
  const answers = () => client.text.split('HTTP/1.1 ').slice(1);
  const isDone = world.run(
    () => client.isReset || server.isReset || (world.nowMs % 50 === 0 && answers().length >= count),
    LIMIT_MS,
  );
  return { isDone, isReset: client.isReset || server.isReset, codes: answers().map((text) => text.slice(0, 3)), rig };
}

const BURSTS: Record<string, Burst> = {
  'all of them denied, answers that the client hardly takes': { count: 12_000, isAllowed: () => false },
  'every other denied': { count: 1500, isAllowed: (i) => i % 2 === 0 },
  'every other denied, with a large window': { count: 1500, isAllowed: (i) => i % 2 === 0, clientWindow: 200_000 },
  'one allowed, then denied ones': { count: 4000, isAllowed: (i) => i === 0 },
  'two of three allowed, with loss': { count: 600, isAllowed: (i) => i % 3 !== 0, loss: 2 },
  'all allowed': { count: 1500, isAllowed: () => true },
  'little memory': { count: 4000, isAllowed: () => false, options: { memoryBytes: 1 << 20, streamBytes: 1 << 17 } },
};

for (const [name, burst] of Object.entries(BURSTS)) {
  t.test(`a burst is answered to the last, in order, without a reset: ${name}`, { timeout: 600_000 }, async (t) => {
    const { isDone, isReset, codes, rig } = send(burst);
    t.ok(isDone, 'done');
    t.notOk(isReset);
    const wanted = Array.from({ length: burst.count }, (_, i) => (burst.isAllowed(i) ? '200' : '403'));
    t.equal(codes.join(), wanted.join());
    const { counters, pool } = rig.streams;
    t.equal(counters.resets, 0);
    t.equal(counters.noMemory, 0);
    t.equal(counters.headTimeouts, 0);
    t.ok(pool.shares.peak < 600_000, `at most ${pool.shares.peak} bytes were kept`);
  });
}
