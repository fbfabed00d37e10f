import t from 'tap';
import { envelope, flows } from '../test/events.ts';
import type { Envelope } from './flow.ts';
import { type FlowSink, type SinkFailure, Sinks } from './sink.ts';

class Collector implements FlowSink {
  readonly taken: Envelope[] = [];
  stops = 0;
  take(envelopes: readonly Envelope[]): void {
    this.taken.push(...envelopes);
  }
  stop(): void {
    this.stops++;
  }
}

t.test('Sinks: one that throws is stopped, told once and served no more; the others go on', async (t) => {
  const failures: SinkFailure[] = [];
  const sinks = new Sinks((failure) => failures.push(failure));
  const [first, broken, last] = [new Collector(), new Collector(), new Collector()];
  broken.take = () => {
    throw new Error('disk is full');
  };
  sinks.add('first', first);
  sinks.add('broken', broken);
  sinks.add('last', last);
  const one = envelope(flows.allowed);
  sinks.take([one]);
  sinks.take([]);
  sinks.take([one, one]);
  t.same([first.taken.length, last.taken.length, broken.stops], [3, 3, 1]);
  t.match(failures, [{ name: 'broken', error: { message: 'disk is full' } }]);
  await sinks.stop();
  sinks.take([one]);
  t.same([first.stops, broken.stops, last.stops, first.taken.length], [1, 1, 1, 3]);
});

t.test('Sinks: one that throws at a tick is switched off too; those without tick are passed over', async (t) => {
  const failures: SinkFailure[] = [];
  const sinks = new Sinks((failure) => failures.push(failure));
  const ticks: number[] = [];
  const fail = (): void => {
    throw new Error('a rule is wrong');
  };
  const other = new Collector();
  sinks.add('broken', { take: () => t.fail('it was switched off'), tick: fail });
  sinks.add('other', other);
  sinks.add('watch', { take: () => undefined, tick: (timeMs) => ticks.push(timeMs) });
  sinks.tick(5);
  sinks.take([envelope(flows.allowed)]);
  t.same([ticks, other.taken.length], [[5], 1]);
  t.match(failures, [{ name: 'broken', error: { message: 'a rule is wrong' } }]);
});

t.test('Sinks: what fails to stop is told too', async (t) => {
  const failures: SinkFailure[] = [];
  const sinks = new Sinks((failure) => failures.push(failure));
  const stop = (): Promise<void> => Promise.reject(new Error('cannot write the last segment'));
  sinks.add('store', { take: () => undefined, stop });
  const other = new Collector();
  sinks.add('other', other);
  await sinks.stop();
  t.equal(other.stops, 1);
  t.match(failures, [{ name: 'store', error: { message: 'cannot write the last segment' } }]);
});
