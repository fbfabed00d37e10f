import t from 'tap';
import { BackOff } from './back-off.ts';

t.test('a container that ends again and again waits longer each time, 5 minutes at most', (t) => {
  const backOff = new BackOff();
  const waits: number[] = [];
  for (let now = 0, times = 0; times < 8; times++) {
    backOff.ended(now, 1000);
    waits.push(backOff.leftMs(now) / 1000);
    now += backOff.leftMs(now);
  }
  t.strictSame(waits, [0, 10, 20, 40, 80, 160, 300, 300]);
  t.equal(backOff.text, '5m0s');
  backOff.ended(0, 600_000);
  t.equal(backOff.leftMs(0), 0, 'one that ran for ten minutes begins from the start');
  backOff.resume(3, 0);
  t.equal(backOff.leftMs(0), 40_000, 'another kubelet goes on where the one before was');
  t.equal(backOff.leftMs(41_000), 0);
  backOff.forget();
  t.equal(backOff.leftMs(0), 0);
  t.end();
});
