/**
 * How long transfers take where frames are lost, in simulated time, beside the same ends without an engine between them. Each link
 * takes 1 ms; both ends acknowledge selectively; a sender's timer is 250 ms.
 */
import t from 'tap';
import { Rig } from '../../test/stream/tcp-rig.ts';
import { World } from '../../test/stream/tcp-world.ts';
import { OK_RULES, REFUSED, TRANSFERS } from '../../test/stream/transfers.ts';

const SEEDS = 16;
/** Of each series, those left out: who loses a SYN or the last segment waits for a timer, with an engine or without. */
const WORST = 4;
const LIMIT_MS = 10_000;

const [upload, answer] = TRANSFERS.upload;
const ALL = { ...TRANSFERS, 'upload behind a refused request': [REFUSED + upload, answer] as const };

/** Mean time of a transfer without the worst ones, ms, and payload bytes that both ends sent for all. */
function transfer([request, answer]: readonly [string, string], loss: number, isPlain: boolean): [number, number] {
  const times: number[] = [];
  let bytes = 0;
  for (let seed = 1; seed <= SEEDS; seed++) {
    const weather = { loss, repeat: 0, corrupt: 0, maxDelayMs: 1 };
    const world = new World(seed, new Rig(OK_RULES), weather, {
      timestamps: seed % 2 === 0,
      window: 60_000,
      sack: true,
    });
    world.isPlain = isPlain;
    const isRefused = request.startsWith(REFUSED) && !isPlain;
    const wanted = isRefused ? request.slice(REFUSED.length) : request;
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

for (const [name, messages] of Object.entries(ALL)) {
  t.test(`${name} takes no more than half as long again as without the engine`, { timeout: 600_000 }, async (t) => {
    for (const loss of [0, 1, 2, 5]) {
      const [plainMs, plainBytes] = transfer(messages, loss, true);
      const [ms, bytes] = transfer(messages, loss, false);
      t.ok(ms <= plainMs * 1.5 + 20, `${loss} %: ${ms} ms, without ${plainMs}`);
      t.ok(bytes <= plainBytes * 1.25, `${loss} %: ${bytes} bytes, without ${plainBytes}`);
    }
  });
}
