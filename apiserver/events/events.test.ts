import t from 'tap';
import type { KubeObject } from '../storage/kube-object.ts';
import { Storage } from '../storage/storage.ts';
import { ManualClock } from '../../test/manual-clock.ts';
import { limitEvents } from './event-limit.ts';
import { EventRecorder, EVENTS } from './event-recorder.ts';

const START = Date.parse('2026-01-01T00:00:00Z');
const MINUTE = 60_000;

function world() {
  const clock = new ManualClock(START);
  const storage = new Storage({ nowMs: clock.nowMs });
  const recorder = new EventRecorder(storage, { component: 'kubelet', host: 'n1', clock });
  const make = (name: string): KubeObject =>
    storage.create('pods', { apiVersion: 'v1', kind: 'Pod', metadata: { name, namespace: 'shop' } });
  return { clock, storage, recorder, make, pod: make('web') };
}

const told = { type: 'Warning', reason: 'BackOff', message: 'restarting' } as const;

t.test('an event names the object, who told it, and when', (t) => {
  const { storage, recorder, pod, clock } = world();
  recorder.record(pod, { ...told, fieldPath: 'spec.containers{a}' });
  clock.advance(MINUTE);
  recorder.record(pod, { ...told, fieldPath: 'spec.containers{a}' });
  recorder.record(pod, { ...told, fieldPath: 'spec.containers{b}' });
  const events = storage.list(EVENTS);
  t.equal(events.length, 2);
  t.match(
    events.find((one) => one['involvedObject'].fieldPath === 'spec.containers{a}'),
    {
      metadata: { name: /^web\.[0-9a-f]{16}$/, namespace: 'shop' },
      involvedObject: { apiVersion: 'v1', kind: 'Pod', name: 'web', namespace: 'shop', uid: pod.metadata.uid },
      ...told,
      source: { component: 'kubelet', host: 'n1' },
      firstTimestamp: '2026-01-01T00:00:00Z',
      lastTimestamp: '2026-01-01T00:01:00Z',
      count: 2,
      reportingComponent: 'kubelet',
    },
  );
  const node = storage.create('nodes', { apiVersion: 'v1', kind: 'Node', metadata: { name: 'n1' } });
  recorder.record(node, told);
  t.equal(storage.list(EVENTS, { namespace: 'default' }).length, 1, 'what has no namespace is told in default');
  t.end();
});

t.test('one object tells a few things at once, and then slowly', (t) => {
  const { storage, recorder, pod, make, clock } = world();
  for (let i = 0; i < 100; i++) recorder.record(pod, { ...told, message: `m${i}` });
  t.equal(storage.list(EVENTS).length, 25);
  recorder.record(make('other'), told);
  t.equal(storage.list(EVENTS).length, 26, 'the others are heard');
  clock.advance(10 * MINUTE);
  for (let i = 0; i < 100; i++) recorder.record(pod, { ...told, message: `n${i}` });
  t.equal(storage.list(EVENTS).length, 28);
  t.end();
});

t.test('an event goes an hour after it was last seen, and what is told then is a new one', (t) => {
  const { storage, recorder, pod, clock } = world();
  const end = limitEvents(storage, clock);
  recorder.record(pod, told);
  recorder.record(pod, { ...told, message: 'once' });
  clock.advance(50 * MINUTE);
  recorder.record(pod, told);
  clock.advance(15 * MINUTE);
  t.match(storage.list(EVENTS), [{ message: 'restarting', count: 2 }]);
  clock.advance(60 * MINUTE);
  t.same(storage.list(EVENTS), []);
  t.equal(clock.pending, 0, 'nothing waits when there is nothing');
  recorder.record(pod, told);
  t.match(storage.list(EVENTS), [{ count: 1 }]);
  end();
  t.equal(clock.pending, 0);
  t.end();
});

t.test('there are never more than two thousand, whoever tells', (t) => {
  const { storage, clock } = world();
  const write = (i: number): KubeObject =>
    storage.create(EVENTS, {
      apiVersion: 'v1',
      kind: 'Event',
      metadata: { name: `e${i}`, namespace: 'shop' },
      involvedObject: {},
      // Those of others may tell what they like.
      lastTimestamp: i % 2 === 0 ? 'soon' : '9999-01-01T00:00:00Z',
    });
  for (let i = 0; i < 1000; i++) write(i);
  const end = limitEvents(storage, clock);
  for (let i = 1000; i < 2600; i++) write(i);
  clock.settle();
  t.equal(storage.list(EVENTS).length, 2000);
  end();
  t.end();
});

t.test('telling never fails', (t) => {
  const { storage, recorder, pod } = world();
  storage.create = () => {
    throw new Error('no room');
  };
  t.doesNotThrow(() => recorder.record(pod, told));
  t.end();
});
