/** Of every drop it is told that it was: one by one, or as a count. Time is the test's own. */
import t, { type Test } from 'tap';
import { ConfigMap, CONFIG_DROP_COUNTS_EPOCH, CONFIG_DROPS_READ } from '../policy-maps/config-map.ts';
import { DropCountMap } from '../policy-maps/drop-count-map.ts';
import { EventReader, EventRing } from '../policy-maps/event-ring.ts';
import { memoryMapper } from '../policy-maps/table/memory-mapper.ts';
import { duo, parsed, SERVER } from '../test/dataplane-world.ts';
import { tcpFrame } from '../test/packets.ts';
import { EGRESS } from '../wire/direction.ts';
import { EVENT_DROP, EVENT_POLICY_VERDICT, typeOf } from '../wire/event.ts';
import type { Frame } from '../wire/frame.ts';
import { DROP_POLICY, DROP_POLICY_DENY } from '../wire/reasons.ts';
import { DropTeller } from './drop-teller.ts';
import { FrameRecorder } from './frame-recorder.ts';
import { Recorder } from './record.ts';
import { Decision } from './verdict.ts';

let rigs = 0;

class Rig {
  readonly config: ConfigMap;
  readonly ring: EventRing;
  readonly counts: DropCountMap;
  readonly recorder: Recorder;
  readonly reader: EventReader;
  readonly frame: Frame;
  readonly verdict = new Decision(EGRESS);
  nowMs = 0;

  constructor(t: Test, { capacity = 1024, rows = 64 } = {}) {
    const path = `/rig-${rigs++}`;
    this.config = ConfigMap.create(`${path}-config`, {}, memoryMapper());
    this.ring = EventRing.create(`${path}-drops`, { capacity }, memoryMapper());
    this.counts = DropCountMap.create(`${path}-counts`, { capacity: rows }, memoryMapper());
    const { client } = duo(t);
    this.frame = parsed(tcpFrame({ from: client, to: SERVER, sport: 1, dport: 1 }));
    Object.assign(this.frame, { srcIdentity: 300, dstIdentity: 2, srcEndpoint: 7, port: 1 });
    this.verdict.cookie = 9;
    const teller = new DropTeller({ config: this.config, dropEvents: this.ring, dropCounts: this.counts });
    const frames = new FrameRecorder(new Uint8Array(0), { egressCookie: () => 0, ingressCookie: () => 0 });
    const rings = { events: this.ring, l7Events: this.ring, frames };
    this.recorder = new Recorder({ add: () => {} }, teller, rings, 1000);
    this.reader = new EventReader(this.ring, 'now');
    this.pass(0);
  }

  pass(ms: number): void {
    this.nowMs += ms;
    this.recorder.tick(1000 + this.nowMs, this.nowMs);
  }

  drop(times: number, reason = DROP_POLICY): void {
    for (let i = 0; i < times; i++) this.recorder.drop(this.frame, reason, EGRESS, this.verdict);
  }

  /** Drops that an agent gets from the ring now. */
  read(): number {
    let drops = 0;
    this.reader.read((bytes, at) => (drops += typeOf(bytes, at) === EVENT_DROP ? 1 : 0));
    this.config.store(CONFIG_DROPS_READ, this.reader.position);
    return drops;
  }

  /** Packets in the counts that stand still, by reason; asks for the next half. */
  settled(): number {
    let packets = 0;
    for (const count of this.counts.settled()) packets += count.packets;
    this.config.store(CONFIG_DROP_COUNTS_EPOCH, this.counts.epoch + 1);
    return packets;
  }
}

t.test('50,000 drops a second for 5 s: each is in the ring, if the agent reads it every 100 ms', async (t) => {
  const rig = new Rig(t, { capacity: 65_536 });
  let read = 0;
  for (let ms = 0; ms < 5000; ms++) {
    rig.pass(1);
    rig.drop(50);
    if (ms % 100 === 99) read += rig.read();
  }
  t.equal(read, 250_000);
  t.equal(rig.recorder.dropsCounted, 0);
});

t.test(
  'of a flood of 500,000 a second each drop is either in the ring or counted, by reason, ends and policy',
  async (t) => {
    const rig = new Rig(t, { capacity: 65_536 });
    let [read, counted] = [0, 0];
    for (let ms = 0; ms < 1000; ms++) {
      rig.pass(1);
      rig.drop(500);
      if (ms % 100 === 99) read += rig.read();
      if (ms % 250 === 249) counted += rig.settled();
    }
    t.ok(read > 65_536 && read < 132_000, `the ring's second and one more: ${read}`);
    t.equal(rig.recorder.dropsCounted, 500_000 - read);
    for (let i = 0; i < 2; i++) {
      rig.pass(1);
      counted += rig.settled();
    }
    t.equal(read + counted, 500_000);
  },
);

t.test('what is counted says who was refused what, by which port', async (t) => {
  const rig = new Rig(t);
  rig.drop(1024 + 200);
  rig.drop(5);
  rig.drop(3, DROP_POLICY_DENY);
  const [policy, denied] = [...rig.counts.entries()].sort((a, b) => b.packets - a.packets);
  const ends = { srcIdentity: 300, dstIdentity: 2, srcEndpoint: 7, dstEndpoint: 0, cookie: 9, port: 1 };
  const { length } = rig.frame;
  // 200 that the ring overwrote, and 5 that were over its rate.
  t.match(policy, { ...ends, reason: DROP_POLICY, direction: EGRESS, protocol: 6, packets: 205, bytes: 205 * length });
  t.match(denied, { ...ends, reason: DROP_POLICY_DENY, packets: 3, firstMs: 1000, lastMs: 1000 });
});

t.test("a flood hides its own drops, not another port's", async (t) => {
  const rig = new Rig(t);
  rig.drop(3000);
  t.equal(rig.read(), 1024, 'of 1224 the ring holds the last');
  rig.pass(0);
  rig.frame.port = 2;
  rig.drop(40);
  t.equal(rig.read(), 40, 'all 40 of the other are told one by one');
  t.equal(rig.recorder.dropsCounted, 3000 - 1024);
});

t.test('what the ring overwrites unread is counted, and so are the drops while there is no agent', async (t) => {
  const rig = new Rig(t);
  for (let second = 0; second < 10; second++) {
    rig.pass(1000);
    rig.drop(1000);
  }
  t.equal(rig.recorder.dropsCounted, 10_000 - 1024);
  t.equal(rig.read(), 1024, 'the newest are in the ring, for whoever looks');
  rig.config.store(CONFIG_DROP_COUNTS_EPOCH, 1);
  rig.pass(1000);
  t.equal(rig.settled(), 10_000 - 1024, 'the others wait for the next agent');
  rig.drop(1000);
  t.equal(rig.recorder.dropsCounted, 10_000 - 1024, 'what has been read is not counted again');
});

t.test('denied verdicts that are overwritten are no drops', async (t) => {
  const rig = new Rig(t);
  rig.verdict.verdict = -DROP_POLICY;
  for (let second = 0; second < 3; second++) {
    rig.pass(1000);
    for (let i = 0; i < 1000; i++) rig.recorder.verdict(rig.frame, rig.verdict, 0);
  }
  t.equal(rig.recorder.dropsCounted, 0);
  let verdicts = 0;
  rig.reader.read((bytes, at) => (verdicts += typeOf(bytes, at) === EVENT_POLICY_VERDICT ? 1 : 0));
  t.equal(verdicts, 1024);
});

t.test('too many kinds of drops are counted by their reason alone', async (t) => {
  const rig = new Rig(t, { rows: 64 });
  rig.drop(1224);
  for (let i = 0; i < 1000; i++) {
    rig.frame.srcIdentity = i;
    rig.drop(1);
  }
  const all = [...rig.counts.entries()];
  const rest = all.filter(({ srcIdentity, cookie }) => srcIdentity === 0 && cookie === 0);
  t.ok(all.length <= 65 && all.length > 50, `${all.length} rows`);
  t.match(rest, [{ reason: DROP_POLICY, direction: 0, dstIdentity: 0, port: 0 }]);
  t.equal(
    all.reduce((sum, { packets }) => sum + packets, 0),
    rig.recorder.dropsCounted,
  );
});

t.test('a half is cleared when the reader asks for it, and only then', async (t) => {
  const rig = new Rig(t);
  rig.drop(1224 + 5);
  rig.pass(1);
  t.same([...rig.counts.settled()], [], 'what is being counted does not stand still');
  rig.config.store(CONFIG_DROP_COUNTS_EPOCH, 7);
  rig.pass(1);
  t.equal(rig.counts.epoch, 0, 'a number that is not the next is of another table');
  t.equal(rig.settled(), 0);
  rig.pass(0);
  t.same([rig.counts.epoch, rig.counts.hasCounted], [1, false]);
  rig.drop(3);
  t.equal(rig.settled(), 205);
  rig.pass(0);
  t.equal(rig.settled(), 3);
});
