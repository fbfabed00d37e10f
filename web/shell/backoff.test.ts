import t from 'tap';
import { backoffMs } from './backoff.ts';

t.test('backoffMs() doubles from half a second, stops at 15 s, and spreads by a half', (t) => {
  t.same(
    [1, 2, 3, 6, 100, 10_000].map((failures) => backoffMs(failures, 0)),
    [500, 1000, 2000, 15_000, 15_000, 15_000],
  );
  t.equal(backoffMs(1, 1), 250);
  t.end();
});
