import t from 'tap';
import { ManualClock } from '../test/manual-clock.ts';
import { WorkQueue } from './work-queue.ts';

t.test('a key is worked off once, however often it was added, also while it is worked off', (t) => {
  const clock = new ManualClock(0);
  const done: string[] = [];
  const queue = new WorkQueue((key) => {
    done.push(key);
    if (done.length === 1) queue.add('a');
    return undefined;
  }, clock);
  for (const key of ['a', 'b', 'a']) queue.add(key);
  clock.settle();
  t.same(done, ['a', 'b', 'a']);
  t.equal(clock.pending, 0);
  t.end();
});

t.test('what fails is tried again, later each time, and not for ever faster', (t) => {
  const clock = new ManualClock(0);
  const times: number[] = [];
  let isWell = false;
  const queue = new WorkQueue(() => {
    times.push(clock.nowMs());
    if (!isWell) throw new Error('no');
    return undefined;
  }, clock);
  queue.add('a');
  clock.advance(600_000);
  const gaps = times.slice(1).map((time, i) => time - times[i]);
  t.same(gaps.slice(0, 4), [10, 20, 40, 80]);
  t.equal(Math.max(...gaps), 60_000);
  t.match(queue.counts, { runs: times.length, failures: times.length, lastError: 'a: no' });
  isWell = true;
  clock.advance(60_000);
  const { length } = times;
  clock.advance(600_000);
  t.equal(times.length, length);
  t.equal(queue.counts.lastError, '');
  t.equal(clock.pending, 0);
  t.end();
});

t.test('what asks for it is looked at again; an add comes before, and stopping ends all', (t) => {
  const clock = new ManualClock(0);
  let runs = 0;
  const queue = new WorkQueue(() => {
    runs++;
    return 5000;
  }, clock);
  queue.add('a');
  clock.advance(5000);
  t.equal(runs, 2);
  clock.advance(2000);
  queue.add('a');
  clock.advance(4000);
  t.equal(runs, 3, 'its wait began anew');
  clock.advance(1000);
  t.equal(runs, 4);
  queue.add('a');
  queue.stop();
  queue.add('b');
  clock.advance(60_000);
  t.equal(runs, 4);
  t.equal(clock.pending, 0);
  t.end();
});
