/** How connections end, and who may have how many of them and how much memory. */
import t from 'tap';
import {
  CT_CREATED,
  CT_FLAG_RX_CLOSING,
  CT_FLAG_TX_CLOSING,
  CT_FLAGS,
  CT_LIFETIME,
  CT_ROW_WORDS,
  CT_TX_FLAGS_SEEN,
} from '../../policy-maps/conntrack-row.ts';
import type { Frame } from '../../wire/frame.ts';
import * as tcp from '../../wire/header/tcp.ts';
import { DROP_STREAM_CLOSED, DROP_STREAM_LIMIT, FORWARD } from '../../wire/reasons.ts';
import { okOnly, Rig, type Segment, segment } from '../../test/stream/tcp-rig.ts';
import type { L7EngineOptions } from '../engine.ts';
import { EARLY_MS } from './early-queue.ts';
import { BytePool } from './kept-bytes.ts';
import { Shares } from './shares.ts';

const RULES = okOnly('GET');
const CLOSED = CT_FLAG_RX_CLOSING | CT_FLAG_TX_CLOSING;
const NOW_SEC = 1000;

/** A rig whose connections begin at sequence numbers 1000 and 5000, of endpoint `slot` unless it is said. */
class Ends {
  readonly rig: Rig;

  constructor(options: Partial<L7EngineOptions> = {}) {
    this.rig = new Rig(RULES, options);
    this.rig.engine.tick(NOW_SEC * 1000);
  }

  get streams() {
    return this.rig.streams;
  }

  pass(fields: Partial<Segment>, isReply: boolean, slot = 1, endpoint = slot): number {
    const name = (frame: Frame) => {
      if (isReply) frame.dstEndpoint = endpoint;
      else frame.srcEndpoint = endpoint;
    };
    return this.rig.pass(segment(fields), isReply, slot, name);
  }

  syn(slot = 1, endpoint = slot): number {
    return this.pass({ seq: 999, flags: tcp.SYN, mss: 1460, scale: 7 }, false, slot, endpoint);
  }

  /** The handshake; the row notes what the dataplane would. */
  open(slot = 1, endpoint = slot): void {
    this.syn(slot, endpoint);
    this.pass({ seq: 4999, ack: 1000, flags: tcp.SYN | tcp.ACK, mss: 1460, scale: 7 }, true, slot, endpoint);
    this.client('', {}, slot, endpoint);
    this.rig.words[slot * CT_ROW_WORDS + CT_TX_FLAGS_SEEN] = tcp.SYN | tcp.ACK;
    this.rig.take();
  }

  client(text: string, fields: Partial<Segment> = {}, slot = 1, endpoint = slot): number {
    return this.pass({ seq: 1000, ack: 5000, data: Buffer.from(text, 'latin1'), ...fields }, false, slot, endpoint);
  }

  server(text: string, fields: Partial<Segment> = {}, slot = 1): number {
    return this.pass({ seq: 5000, ack: 1000, data: Buffer.from(text, 'latin1'), ...fields }, true, slot);
  }

  word(word: number, slot = 1): number {
    return this.rig.words[slot * CT_ROW_WORDS + word];
  }
}

const GET = 'GET /ok HTTP/1.1\r\nHost: a\r\n\r\n';

/** Each way in which a connection ends that is not a FIN from each side, and what is left open then: nothing, or a good-bye. */
const ENDINGS: Record<string, (ends: Ends) => unknown> = {
  'a 400 of ours': (ends) => ends.client('GET /ok HTTP/1.1\r\nHost : a\r\n\r\n'),
  'a 403 to Connection: close': (ends) => ends.client('GET /no HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n'),
  'a 403 to HTTP/1.0': (ends) => ends.client('GET /no HTTP/1.0\r\n\r\n'),
  'a 502 of ours': (ends) => [ends.client(GET), ends.server('nonsense\r\n\r\n', { ack: 1000 + GET.length })],
  'a RST of the initiator': (ends) => ends.client('', { flags: tcp.RST }),
  'a RST of the responder': (ends) => ends.server('', { flags: tcp.RST | tcp.ACK }),
  'rules that went away': (ends) => [ends.rig.rules.change(undefined), ends.client(GET)],
  'a head that never ended': (ends) => {
    ends.client('GET /o');
    ends.rig.engine.tick((NOW_SEC + 70) * 1000);
  },
};

for (const [name, end] of Object.entries(ENDINGS)) {
  t.test(`${name} closes the row as FINs do, and leaves nothing in the tables`, async (t) => {
    const ends = new Ends();
    ends.streams.closeSec = 11;
    ends.open();
    ends.rig.words[CT_ROW_WORDS + CT_LIFETIME] = NOW_SEC + 8000;
    end(ends);
    t.equal(ends.word(CT_FLAGS) & CLOSED, CLOSED);
    t.ok(ends.word(CT_LIFETIME) <= NOW_SEC + 81, `lives until ${ends.word(CT_LIFETIME) - NOW_SEC}`);
    ends.rig.engine.tick((NOW_SEC + 80) * 1000); // a good-bye that nobody says is not waited for
    t.equal(ends.streams.table.count, 0, 'no flow');
    t.equal(ends.streams.pool.usedBytes, 0, 'no memory');
    t.equal(ends.streams.timers.count, 0, 'no timer');
    ends.rig.take();
    t.equal(ends.client(GET), DROP_STREAM_CLOSED);
    t.match(ends.rig.take().toInitiator, [{ flags: tcp.RST, seq: 5000 }], 'what still comes is answered');
    t.equal(ends.client('', { flags: tcp.RST }), DROP_STREAM_CLOSED);
    t.same(ends.rig.take().toInitiator, [], 'but no reset is');
    t.equal(ends.streams.table.count, 0, 'and makes no flow');
    ends.rig.restart();
    t.same(ends.rig.take(), { toResponder: [], toInitiator: [] }, 'nor is it roused by the next process');
  });
}

t.test('Shares: an endpoint may have as much as is free', async (t) => {
  const shares = new Shares(1000);
  const fill = (endpoint: number) => {
    while (shares.take(endpoint, 1));
    return shares.usedBy(endpoint);
  };
  t.same([fill(1), fill(2), fill(3)], [500, 250, 125]);
  shares.give(1, 400);
  t.same([fill(2), fill(3)], [388, 256], 'it follows what others give back');
  t.ok(shares.take(4, 1), 'there is always something for who has nothing');
  t.equal(shares.refusedEndpoint, 3);
  shares.give(2, 388);
  shares.give(3, 256);
  shares.give(1, 100);
  shares.give(4, 1);
  t.equal(shares.used, 0);
});

t.test(
  'one endpoint cannot take the table of flows: half-open ones make room, then it is refused, and others are not',
  async (t) => {
    const ends = new Ends({ maxConnections: 6 });
    for (const slot of [1, 2, 3]) ends.open(slot, 9);
    t.equal(ends.syn(4, 9), DROP_STREAM_LIMIT, 'its share is three of six');
    t.equal(ends.streams.counters.tableFull, 1);
    t.equal(ends.syn(5, 8), FORWARD, 'another endpoint has its own');
    t.equal(ends.syn(4, 9), DROP_STREAM_LIMIT, 'half-open ones of others do not go for it');
    ends.pass({ seq: 1000, ack: 5000, flags: tcp.RST }, false, 2, 9);
    t.equal(ends.syn(4, 9), FORWARD, 'one that ended made room');
    ends.rig.words[4 * CT_ROW_WORDS + CT_CREATED] = NOW_SEC;
    t.equal(ends.syn(6, 9), FORWARD, 'and so does one that is half open');
    t.equal(ends.streams.table.find(4), undefined);
    t.equal(ends.streams.table.reclaimed, 1);
    ends.rig.take();
    ends.rig.words[6 * CT_ROW_WORDS + CT_FLAGS] |= CLOSED; // a FIN from each side, whose row lives on for a moment
    t.equal(ends.syn(4, 9), FORWARD);
    t.equal(ends.streams.table.find(6), undefined, 'one that is over goes first');
  },
);

t.test('a half-open flow that made room goes on from its row when it was answered', async (t) => {
  const ends = new Ends({ maxConnections: 2 });
  ends.syn(1, 9);
  ends.pass({ seq: 4999, ack: 1000, flags: tcp.SYN | tcp.ACK, mss: 1460, scale: 7 }, true, 1, 9);
  t.equal(ends.syn(2, 9), FORWARD, 'its place was taken');
  ends.rig.words[2 * CT_ROW_WORDS + CT_FLAGS] |= CLOSED;
  ends.rig.take();
  t.equal(ends.client(GET, {}, 1, 9), FORWARD);
  t.equal(ends.rig.take().toResponder[0]?.data.toString(), GET);
});

t.test(
  'memory has shares too: heads that never end and early bytes of one endpoint leave room for others',
  async (t) => {
    const ends = new Ends({ memoryBytes: 1 << 16 });
    for (const slot of [1, 2, 3, 4, 5]) ends.open(slot, slot < 5 ? 9 : 8);
    for (const slot of [1, 2, 3, 4]) ends.client(`GET /ok${'x'.repeat(9000)}`, {}, slot, 9);
    t.equal(ends.streams.pool.shares.usedBy(9), 1 << 15, 'half of it');
    t.ok(ends.streams.pool.shares.refused > 0);
    t.equal(ends.streams.pool.shares.refusedEndpoint, 9);
    t.equal(ends.client(GET, {}, 5, 8), FORWARD, 'another endpoint goes on');
    t.equal(new BytePool(100).take(101, 1), null);
  },
);

t.test('early bytes do not wait for ever for what never comes', async (t) => {
  const ends = new Ends();
  ends.open();
  const half = GET.length >> 1;
  const later = (sec: number) => ends.rig.engine.tick(NOW_SEC * 1000 + sec * 1000);
  ends.client(GET.slice(half), { seq: 1000 + half });
  later(1);
  t.ok(ends.streams.pool.usedBytes > 0);
  later(1 + EARLY_MS / 1000 - 1);
  t.ok(ends.streams.pool.usedBytes > 0, 'they wait');
  later(1 + EARLY_MS / 1000);
  t.equal(ends.streams.pool.usedBytes, 0, 'and went');
  t.equal(ends.streams.counters.earlyAged, 1);
  t.equal(ends.streams.timers.count, 0);
  ends.rig.take();
  ends.client(GET.slice(0, half));
  ends.client(GET.slice(half), { seq: 1000 + half });
  t.equal(Buffer.concat(ends.rig.take().toResponder.map(({ data }) => data)).toString(), GET, 'TCP makes good for it');
});

t.test('requests that are whole and wait for answers have no time limit; a head that is not, has', async (t) => {
  const ends = new Ends();
  ends.open();
  const burst = GET.repeat(20); // more than may be outstanding
  ends.client(burst);
  t.ok(ends.streams.pool.usedBytes > 0);
  for (let sec = 0; sec <= 300; sec += 10) {
    const acked = Buffer.concat(ends.rig.take().toResponder.map(({ data }) => data)).length;
    if (acked > 0) ends.server('', { ack: 1000 + acked });
    ends.rig.engine.tick((NOW_SEC + sec) * 1000);
  }
  t.equal(ends.streams.counters.headTimeouts, 0);
  t.equal(ends.streams.counters.resets, 0);
  t.equal(ends.streams.table.count, 1);
});
