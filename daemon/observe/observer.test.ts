import t from 'tap';
import { EMPTY_DIRECTORY } from '../../hubble/decode/directory.ts';
import type { Envelope, Flow } from '../../hubble/flow.ts';
import { EventRing } from '../../policy-maps/event-ring.ts';
import { memoryMapper } from '../../policy-maps/table/memory-mapper.ts';
import { bytesOf, type Event, flows, traceFlags } from '../../test/events.ts';
import { EVENT_DROP, EVENT_TRACE } from '../../wire/event.ts';
import { Observer } from './observer.ts';
import { SharedState } from './shared-state.ts';

const TRACE: Event = { type: EVENT_TRACE, flags: traceFlags };
const CAPACITY = 256;

let rigs = 0;

class Rig {
  readonly rings = ['events', 'drops'].map((name) =>
    EventRing.create(`/${name}-${rigs++}`, { capacity: CAPACITY }, memoryMapper()),
  );
  readonly state = new SharedState();
  readonly batches: Envelope[][] = [];
  take = (batch: readonly Envelope[]): void => void this.batches.push([...batch]);
  readonly ticks: number[] = [];
  readonly others: Flow[] = [];
  read = 0;
  observer = this.begin();

  /** Another thread begins where the last one stopped. */
  begin(): Observer {
    return new Observer({
      rings: this.rings,
      state: this.state,
      directory: EMPTY_DIRECTORY,
      nodeName: 'node-1',
      isOwn: () => false,
      sink: { take: (batch) => this.take(batch), tick: (timeMs) => this.ticks.push(timeMs) },
      beforeLook: () => undefined,
      others: () => this.others.splice(0),
      afterLook: ([, drops]) => (this.read = drops),
    });
  }

  write(ring: 0 | 1, timeMs: number, event: Event = TRACE): void {
    this.rings[ring].bytes.set(bytesOf({ ...event, timeMs }), this.rings[ring].next());
    this.rings[ring].commit();
  }

  /** What one look hands over: times of flows, and losses. */
  look(): string[] {
    this.batches.length = 0;
    this.observer.look();
    const losses = (one: Envelope): string => `lost ${one.lost_events?.num_events_lost}`;
    return this.batches.flat().map((one) => (one.flow === undefined ? losses(one) : String(Date.parse(one.flow.time))));
  }
}

t.test('one look hands over what both rings have, in order of time', async (t) => {
  const rig = new Rig();
  rig.write(0, 10);
  rig.write(0, 30);
  rig.write(1, 20, { type: EVENT_DROP, subtype: 133 });
  t.same(rig.look(), ['10', '20', '30']);
  t.same(rig.look(), []);
  rig.write(1, 40);
  t.same(rig.look(), ['40']);
  t.match(rig.state.counts, { seen: 4, lost: 0 });
  t.equal(rig.read, 2, 'how far the ring of drops has been read is told');
  rig.others.push({ ...flows.dropped, time: '1970-01-01T00:00:00.015Z' });
  t.same(rig.look(), ['15'], 'and what else there is');
});

t.test('what a ring overwrote before it was read is told as lost', async (t) => {
  const rig = new Rig();
  rig.look();
  for (let i = 0; i < CAPACITY + 44; i++) rig.write(1, i);
  const told = rig.look();
  t.same([told.length, told[0], told[1]], [CAPACITY + 1, 'lost 44', '44']);
  t.match(rig.state.counts, { seen: CAPACITY, lost: 44 });
});

t.test('a flow is decoded when it is looked at, from bytes that the ring may have overwritten since', async (t) => {
  const rig = new Rig();
  rig.write(0, 1);
  rig.observer.look();
  for (let i = 0; i < CAPACITY; i++) rig.write(0, 2);
  const [envelope] = rig.batches.flat();
  t.equal(envelope.time, '1970-01-01T00:00:00.001Z');
  t.equal(envelope.flow?.Summary, 'TCP Flags: SYN');
  t.equal(envelope.flow, envelope.flow, 'once');
});

t.test(
  'the next thread goes on where the last one died, and tells what that had taken and handed to nobody',
  async (t) => {
    const rig = new Rig();
    rig.write(0, 1);
    t.same(rig.look(), ['1']);
    const { take } = rig;
    rig.take = () => {
      throw new Error('out of memory');
    };
    for (const timeMs of [2, 3]) rig.write(0, timeMs);
    t.throws(() => rig.observer.look(), { message: 'out of memory' });
    rig.write(0, 4);
    rig.take = take;
    rig.observer = rig.begin();
    t.same(rig.look(), ['lost 2', '4'], 'what may have killed it is not read again');
    rig.observer = rig.begin();
    rig.write(0, 5);
    t.same(rig.look(), ['5']);
    t.match(rig.state.counts, { seen: 3, lost: 2 });
  },
);

t.test('a thread that dies before it has handed anything over does not begin again with the same', async (t) => {
  const rig = new Rig();
  rig.write(0, 1);
  rig.take = () => {
    throw new Error('out of memory');
  };
  t.throws(() => rig.look());
  rig.take = (batch) => void rig.batches.push([...batch]);
  rig.observer = rig.begin();
  t.same(rig.look(), ['lost 1']);
});

t.test('a tick tells of a moment up to which nothing waits in a ring, in a silent network too', async (t) => {
  const rig = new Rig();
  const beginMs = Date.now();
  rig.look();
  t.same(rig.ticks, [], 'how old what it found was, the first look does not know');
  const betweenMs = Date.now();
  rig.look();
  t.equal(rig.ticks.length, 1);
  t.ok(rig.ticks[0] >= beginMs && rig.ticks[0] <= betweenMs, 'when the look before began');
  rig.take = () => {
    for (let count = 0; count < 64; count++) rig.write(0, 1); // while it looks
  };
  rig.write(0, 1);
  rig.look();
  t.equal(rig.ticks.length, 1, 'there is more');
  rig.take = () => undefined;
  rig.look();
  t.equal(rig.ticks.length, 2);
});

t.test('records of a type that nobody knows are left out', async (t) => {
  const rig = new Rig();
  rig.write(0, 1, { type: 99 });
  rig.write(0, 2);
  t.same(rig.look(), ['2']);
});
