import t from 'tap';
import type { Flow } from '../../hubble/flow.ts';
import { FlowStore } from './flow-store.ts';

let counter = 0;
const flow = (second: number, fields: Partial<Flow> = {}): Flow => ({
  time: `2026-01-02T03:04:${String(second).padStart(2, '0')}Z`,
  uuid: `id-${counter++}`,
  verdict: 'FORWARDED',
  source: {},
  destination: {},
  Type: 'L3_L4',
  event_type: { type: 4 },
  ...fields,
});
const seconds = (flows: readonly Flow[]) => flows.map(({ time }) => Number(time.slice(17, 19)));
const isDropped = ({ verdict }: Flow) => verdict === 'DROPPED';

t.test('the store keeps the newest, and rows keep their numbers while the oldest go', (t) => {
  const store = new FlowStore(4);
  for (let second = 0; second < 6; second++) store.append(flow(second));
  t.same([store.first, store.end, store.kept], [2, 6, 4]);
  t.same(seconds(store.rows(0, 100)), [2, 3, 4, 5]);
  t.same(seconds(store.rows(3, 5)), [3, 4]);
  t.end();
});

t.test('rows are those that the query wants, also of what was there before it', (t) => {
  const store = new FlowStore(4);
  for (let second = 0; second < 4; second++)
    store.append(flow(second, { verdict: second % 2 ? 'DROPPED' : 'FORWARDED' }));
  store.setQuery(isDropped);
  t.same(seconds(store.rows(0, 9)), [1, 3]);
  t.equal(store.append(flow(4)), false);
  t.equal(store.append(flow(5, { verdict: 'DROPPED' })), true);
  t.same([store.first, store.end, store.kept], [1, 3, 4], 'the first dropped one has made room');
  t.same(seconds(store.rows(0, 9)), [3, 5]);
  store.setQuery(() => true);
  t.same(seconds(store.rows(0, 9)), [2, 3, 4, 5]);
  t.end();
});

t.test('a flow that comes again is not taken again, and one that has gone is', (t) => {
  const store = new FlowStore(2);
  const [a, b, c] = [flow(1), flow(2), flow(3)];
  for (const one of [a, b, a, b]) store.append(one);
  t.equal(store.end, 2);
  store.append(c);
  store.append(a);
  t.same(seconds(store.rows(0, 9)), [3, 1]);
  t.equal(store.refill([a, c]), 0);
  t.end();
});

t.test('refill() puts older flows where their time belongs', (t) => {
  const store = new FlowStore(5);
  const known = flow(5);
  for (const one of [flow(4), known, flow(8)]) store.append(one);
  t.equal(store.refill([flow(1), known, flow(6), flow(9)]), 3);
  t.same(seconds(store.rows(0, 9)), [4, 5, 6, 8, 9], 'and the oldest has made room');
  t.end();
});

t.test('a whole second comes before its parts', (t) => {
  const store = new FlowStore(5);
  const times = ['05.1', '05.25', '06'].map((second) => flow(0, { time: `2026-01-02T03:04:${second}Z` }));
  for (const one of times) store.append(one);
  store.refill([flow(5), flow(0, { time: '2026-01-02T03:04:05.2Z' })]);
  t.same(
    store.rows(0, 9).map(({ time }) => time.slice(17)),
    ['05Z', '05.1Z', '05.2Z', '05.25Z', '06Z'],
  );
  t.end();
});

t.test('flows of the same pod share one object', (t) => {
  const store = new FlowStore(4);
  const end = () => ({ ID: 3, identity: 300, namespace: 'shop', pod_name: 'web-0', labels: ['k8s:app=web'] });
  store.append(flow(1, { source: end() }));
  store.append(flow(2, { destination: end() }));
  const [a, b] = store.rows(0, 2);
  t.equal(a.source, b.destination);
  store.append(flow(3, { source: { ...end(), identity: 301 } }));
  t.not(store.rows(2, 3)[0].source, a.source, 'another identity is another end');
  t.end();
});
