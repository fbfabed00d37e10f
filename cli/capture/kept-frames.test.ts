/** The frames of the last seconds: what led to a drop is taken out once; the rest goes by time, or by memory. */
import t from 'tap';
import type { Flow } from '../../hubble/flow.ts';
import { KeptFrames } from './kept-frames.ts';

const flow = (source: string, destination: string): Flow =>
  ({ IP: { source, destination, ipVersion: 'IPv4' } }) as unknown as Flow;
const frame = (timeMs: number, from = 'a', to = 'b', length = 100) => ({
  ...{ flow: flow(from, to), timeMs, bytes: new Uint8Array(length) },
  ...{ originalBytes: length, isL3: false },
});
const times = (frames: readonly { timeMs: number }[]): number[] => frames.map(({ timeMs }) => timeMs);

t.test('a drop takes out what its two addresses said, either way and once', (t) => {
  const kept = new KeptFrames(5000, 1 << 20);
  kept.keep(frame(1000));
  kept.keep(frame(2000, 'b', 'a'));
  kept.keep(frame(3000, 'a', 'c'));
  kept.keep(frame(6500));
  t.strictSame(times(kept.takeBefore(flow('b', 'a'), 6800)), [2000, 6500], 'what is older than 5 s is gone');
  t.strictSame(kept.takeBefore(flow('a', 'b'), 6801), []);
  t.strictSame(times(kept.takeBefore(flow('a', 'c'), 6802)), [3000]);
  kept.keep({ ...frame(6900), flow: {} as Flow });
  t.strictSame(kept.takeBefore({} as Flow, 6901), [], 'a frame without addresses is nobody’s');
  t.equal(kept.givenUp, 0);
  t.end();
});

t.test('memory is bounded: the oldest go first and are counted, unless their time was over', (t) => {
  const kept = new KeptFrames(1000, 100 * 1000);
  for (let i = 0; i < 200; i++) kept.keep(frame(i, 'a', i % 2 === 0 ? 'b' : 'c', 10_000));
  t.ok(kept.givenUp >= 190, `${kept.givenUp}`);
  const left = times([...kept.takeBefore(flow('a', 'b'), 200), ...kept.takeBefore(flow('a', 'c'), 200)]);
  t.equal(left.length + kept.givenUp, 200);
  t.ok(Math.min(...left) >= 190, 'the newest are left');
  kept.keep(frame(300));
  kept.keep(frame(5000));
  t.strictSame(times(kept.takeBefore(flow('a', 'b'), 5000)), [5000]);
  t.end();
});

t.test('ten thousand pairs and a hundred thousand frames leave nothing behind', (t) => {
  const kept = new KeptFrames(100, 1 << 30);
  for (let i = 0; i < 100_000; i++) kept.keep(frame(i, 'a', `x${i % 10_000}`));
  t.strictSame(times(kept.takeBefore(flow('a', 'x9999'), 99_999)), [99_999]);
  t.strictSame(kept.takeBefore(flow('a', 'x1'), 99_999), []);
  t.end();
});
