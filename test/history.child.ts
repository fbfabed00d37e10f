// Keeps flows until it is killed, for history.test.ts: the last ones are told as kept before that.
import { randomEnvelope } from './random-flows.ts';
import { randomFrom } from './random.ts';
import { History } from '../daemon/observe/history.ts';

const [directory = '', seed = ''] = process.argv.slice(2);
const NOW = Date.UTC(2024, 0, 2, 4);
const draw = randomFrom(Number(seed));
const all = Array.from({ length: 400 }, (_, index) => randomEnvelope(draw, NOW - 1_000_000 + index));
const flows = all.filter(({ time = '' }) => !Number.isNaN(Date.parse(time)));
let seen = 0;
const history = new History({
  directory,
  maxBytes: 2 ** 30,
  maxAgeMs: 3_600_000,
  nodeName: 'node-1',
  seen: () => seen,
  replayed: 0,
  nowMs: () => NOW,
  log: () => undefined,
});
for (let at = 0; at < flows.length; at += 50) {
  const batch = flows.slice(at, at + 50);
  seen += batch.length;
  history.take(batch);
  await history.write();
  await history.write();
}
process.send?.('kept');
