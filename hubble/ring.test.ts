import t from 'tap';
import { envelope, flows, TIME_MS } from '../test/events.ts';
import type { Envelope } from './flow.ts';
import { Ring, select } from './ring.ts';
import { rfc3339 } from './time.ts';

t.test('ring: capacity, readers, and what they lost', (t) => {
  t.throws(() => new Ring({ capacity: 8, nodeName: 'n', nowMs: () => 0 }), {
    message: 'flow ring: capacity 8, wanted 2^n - 1 between 1 and 65535',
  });
  t.throws(() => new Ring({ capacity: 131071, nodeName: 'n', nowMs: () => 0 }), RangeError);
  t.equal(new Ring({ nodeName: 'n', nowMs: () => 0 }).capacity, 4095);
  const ring = new Ring({ capacity: 7, nodeName: 'node-1', nowMs: () => TIME_MS });
  const put = (n: number) => ring.write(envelope({ ...flows.allowed, time: rfc3339(TIME_MS + n), uuid: String(n) }));
  const ids = (list: readonly (Envelope | undefined)[]) =>
    list.map((e) => e?.flow?.uuid ?? e?.lost_events?.num_events_lost ?? '-');
  const slow = ring.reader(0);
  t.equal(slow.next(), undefined);
  t.same([ring.length, ring.oldest, ring.seen], [0, 0, 0]);
  for (let n = 0; n < 5; n++) put(n);
  const fresh = ring.reader();
  t.same(ids([slow.next(), slow.next(), fresh.next()]), ['0', '1', '-']);
  for (let n = 5; n < 12; n++) put(n);
  t.same([ring.length, ring.oldest, ring.seen], [7, 5, 12]);
  t.match(slow.next(), {
    lost_events: { source: 'HUBBLE_RING_BUFFER', num_events_lost: '3' },
    node_name: 'node-1',
    time: '2024-01-02T03:04:05.006Z',
  });
  t.same(ids(Array.from({ length: 8 }, () => slow.next())), ['5', '6', '7', '8', '9', '10', '11', '-']);
  t.same(ids([fresh.next()]), ['5'], 'one that kept up lost nothing');
  t.equal(ring.lostToReaders, 3);
  t.equal(slow.position, 12);
  t.same([ring.at(4), ring.at(12)], [undefined, undefined]);
  let woken = 0;
  ring.onNextWrite(() => woken++);
  const cancel = ring.onNextWrite(() => (woken += 100));
  cancel();
  put(12);
  put(13);
  t.equal(woken, 1, 'woken once');

  const all = () => true;
  t.same(ids(select(ring, { number: 2 }, all)), ['12', '13'], 'the last ones, oldest first');
  t.same(ids(select(ring, { number: 2, first: true }, all)), ['7', '8']);
  t.same(ids(select(ring, {}, all)), ['7', '8', '9', '10', '11', '12', '13']);
  t.same(ids(select(ring, { sinceMs: TIME_MS + 9, untilMs: TIME_MS + 11 }, all)), ['9', '10', '11']);
  t.same(ids(select(ring, { number: 2 }, (e) => Number(e.flow?.uuid) % 2 === 0)), ['10', '12']);
  ring.write(ring.lost(9));
  t.same(ids(select(ring, { number: 1 }, all)), ['13', '9'], 'lost events come along uncounted');
  t.end();
});
