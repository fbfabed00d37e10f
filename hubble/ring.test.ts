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

const weight = (one: Envelope | undefined): number =>
  one === undefined ? 0 : one.flow !== undefined ? 1 : Number(one.lost_events!.num_events_lost);

t.test('ring: who loses an event of losses is told of those losses too', (t) => {
  const ring = new Ring({ capacity: 7, nodeName: 'n', nowMs: () => TIME_MS });
  let flowsPut = 0;
  const put = (count: number) => {
    for (let n = 0; n < count; n++) ring.write(envelope({ ...flows.allowed, uuid: String(flowsPut++) }));
  };
  const readers = Array.from({ length: 12 }, () => ring.reader());
  const sums = readers.map(() => 0);
  let lostBefore = 0;
  for (let round = 0; round < 200; round++) {
    put(round % 5);
    if (round % 3 === 0) {
      ring.write(ring.lost(round));
      lostBefore += round;
    }
    // The n-th reader reads every n-th round, so that some lose much, some nothing, some end in the middle of the ring.
    for (const [n, reader] of readers.entries()) {
      if (round % (n + 1) !== 0) continue;
      for (let i = 0; i < 3 + n; i++) sums[n] += weight(reader.next());
    }
  }
  for (const [n, reader] of readers.entries()) {
    for (let one = reader.next(); one !== undefined; one = reader.next()) sums[n] += weight(one);
    t.equal(sums[n], flowsPut + lostBefore, `reader ${n} had or was told of all`);
  }
  t.end();
});
