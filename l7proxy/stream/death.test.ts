/**
 * How long transfers take through the death of the process, in simulated time, beside the same ends without an engine between
 * them. Nothing passes for OUTAGE_MS; each link takes 1 ms; a sender's timer is 250 ms. A connection may be reset, which its ends
 * learn at once: what it must not do is stand still.
 */
import t from 'tap';
import { Rig } from '../../test/stream/tcp-rig.ts';
import { World } from '../../test/stream/tcp-world.ts';
import { OK_RULES, REFUSED, TRANSFERS } from '../../test/stream/transfers.ts';

const OUTAGE_MS = 200;
const SEEDS = 40;
const LIMIT_MS = 5000;

interface Course {
  readonly afterMs: number;
  readonly isReset: boolean;
  readonly isDone: boolean;
}

/** One transfer; the process dies when a share of it that the seed says has arrived. */
function transfer([request, answer]: readonly [string, string], seed: number, loss: number, isPlain: boolean): Course {
  const weather = { loss, repeat: 0, corrupt: 0, maxDelayMs: 1 };
  const rig = new Rig(OK_RULES);
  const world = new World(seed, rig, weather, { timestamps: seed % 2 === 0, window: 60_000, sack: true });
  world.isPlain = isPlain;
  const { client, server } = world;
  const wanted = isPlain ? request : request.replace(REFUSED, '');
  const arrived = () =>
    request.length > answer.length ? server.text.length / wanted.length : client.text.length / answer.length;
  let diesMs = 0;
  let isAnswered = false;
  world.onTick = () => {
    if (!isAnswered && server.text.length === wanted.length) server.write(answer);
    isAnswered ||= server.text.length === wanted.length;
    if (diesMs === 0 && arrived() >= 0.1 + (0.8 * seed) / SEEDS) {
      diesMs = world.nowMs;
      world.deadUntilMs = diesMs + OUTAGE_MS;
    }
    if (diesMs > 0 && world.nowMs === world.deadUntilMs && !isPlain) rig.restart();
  };
  client.connect();
  client.write(request);
  const isReset = () => client.isReset || server.isReset;
  const isDone = world.run(() => client.text.endsWith(answer) || isReset(), LIMIT_MS);
  if (isDone && !isReset() && server.text !== wanted) throw new Error(`seed ${seed}: the server read something else`);
  return { afterMs: world.nowMs - diesMs, isReset: isReset(), isDone };
}

for (const [kind, [request, answer]] of Object.entries(TRANSFERS)) {
  for (const [name, before] of [
    [kind, ''],
    [`${kind} behind a refused request`, REFUSED],
  ]) {
    t.test(`after the death of the process no ${name} stands still`, { timeout: 600_000 }, async (t) => {
      for (const loss of [0, 1]) {
        const courses = (isPlain: boolean) =>
          Array.from({ length: SEEDS }, (_, i) => transfer([before + request, answer], i + 1, loss, isPlain));
        const worst = (all: readonly Course[]) => Math.max(...all.map(({ afterMs }) => afterMs));
        const [plain, judged] = [courses(true), courses(false)];
        const what = `${loss} %: ${worst(judged)} ms, without an engine ${worst(plain)}`;
        t.ok(judged.every(({ isDone }) => isDone) && worst(judged) <= 2 * worst(plain) + 100, what);
        t.ok(judged.filter(({ isReset }) => !isReset).length >= SEEDS / 4, 'some go on');
      }
    });
  }
}
