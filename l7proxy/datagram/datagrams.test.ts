/** Datagrams under L7 rules: passed, answered, dropped; and that nothing is registered for them yet. */
import t from 'tap';
import { CT_INGRESS_VERDICT, CT_ROW_WORDS, CT_SLOT_GENERATION } from '../../policy-maps/conntrack-row.ts';
import type { L7RuleSet } from '../../policy-maps/l7-rules.ts';
import { Frame } from '../../wire/frame.ts';
import * as ipv4 from '../../wire/header/ipv4.ts';
import * as udp from '../../wire/header/udp.ts';
import * as vnet from '../../wire/header/virtio-net.ts';
import * as offload from '../../wire/offload.ts';
import { PROTO_UDP } from '../../wire/protocols.ts';
import {
  DROP_CSUM_L4,
  DROP_FRAG_NOSUPPORT,
  DROP_L7_DENIED,
  DROP_L7_HELD,
  DROP_PROXY_UNKNOWN_PROTO,
  FORWARD,
  HELD,
} from '../../wire/reasons.ts';
import { L7Engine } from '../engine.ts';
import { type Judge, type JudgeKey, RESPONSE, type StreamOwner, type Way } from '../parser.ts';
import {
  DATAGRAM_ANSWER,
  DATAGRAM_HOLD,
  DATAGRAM_PASS,
  DATAGRAM_REPLACE,
  type DatagramParser,
  type DatagramProtocol,
  UNREAD,
} from '../protocol.ts';
import { PROTOCOLS, type ProtocolTable } from '../protocols.ts';

const SLOT = 3;
const RULE_SET: L7RuleSet = { parser: 'dns', endpoint: 1, ingress: true, port: 53, rules: [] };
const AT = 64;

function datagram(text: string, isReply: boolean, client = 1): Frame {
  const frame = new Frame(new Uint8Array(256 + text.length));
  const { bytes } = frame;
  vnet.clear(bytes, AT);
  frame.offset = AT;
  frame.family = 4;
  frame.protocol = PROTO_UDP;
  frame.l3Offset = AT + 14;
  frame.l4Offset = frame.l3Offset + 20;
  frame.payloadOffset = frame.l4Offset + 8;
  frame.payloadLength = text.length;
  frame.length = 14 + 20 + 8 + text.length;
  ipv4.emit(bytes, frame.l3Offset, { src: 1, dst: 2, protocol: PROTO_UDP, payloadLength: 8 + text.length });
  udp.emit(bytes, frame.l4Offset, { srcPort: 4000, dstPort: 53 }, text.length);
  bytes.set(Buffer.from(text), frame.payloadOffset);
  frame.srcIdentity = isReply ? 200 : 100;
  frame.dstIdentity = isReply ? 100 : 200;
  if (isReply) frame.dstEndpoint = client;
  else frame.srcEndpoint = client;
  offload.complete(frame);
  return frame;
}

/** Passes `ok`, answers `no` with `NO!`, holds what begins with `w` until `done`, drops all else; notes who asked. */
class Echo implements DatagramProtocol {
  readonly counters = [];
  readonly seen: [Way, JudgeKey][] = [];
  readonly #judge: Judge = { isUsable: true, refresh: () => 1 };
  /** Tickets up to this one need wait no longer. */
  done = 0;
  #tickets = 0;
  readonly parser: DatagramParser & { ticket: number; deadlineMs: number } = {
    answer: Buffer.from('NO!'),
    answerBytes: 3,
    ticket: 0,
    deadlineMs: 100,
    onHeld: (_owner, ticket, _bytes, _start, _end, mayWait) => {
      if (ticket <= this.done) return DATAGRAM_PASS;
      return mayWait ? DATAGRAM_HOLD : DATAGRAM_REPLACE;
    },
    onNoRoom: () => DATAGRAM_REPLACE,
    onDatagram: (_judge: Judge, owner: StreamOwner, way: Way, bytes: Uint8Array, start: number, end: number) => {
      const { egressRuleSet, ingressRuleSet, srcIdentity, dstIdentity } = owner;
      this.seen.push([way, { egressRuleSet, ingressRuleSet, srcIdentity, dstIdentity }]);
      const text = Buffer.from(bytes.subarray(start, end)).toString();
      if (text === 'ok') return DATAGRAM_PASS;
      if (text.startsWith('w')) {
        this.parser.ticket = ++this.#tickets;
        return DATAGRAM_HOLD;
      }
      return text === 'no' ? DATAGRAM_ANSWER : DROP_L7_DENIED;
    },
  };

  judgeOf(): Judge {
    return this.#judge;
  }

  tellError(): void {}
}

function engineWith(dns: DatagramProtocol | undefined) {
  const words = new Int32Array(8 * CT_ROW_WORDS);
  words[SLOT * CT_ROW_WORDS + CT_INGRESS_VERDICT] = 9;
  words[SLOT * CT_ROW_WORDS + CT_SLOT_GENERATION] = 2;
  const sent: [number, boolean, string][] = [];
  const ended: [number, number][] = [];
  const protocols: ProtocolTable = {
    ...PROTOCOLS,
    dns: { ...PROTOCOLS.dns, datagram: dns === undefined ? UNREAD : () => dns },
  };
  const engine = new L7Engine({
    words: new Int32Array(8 * CT_ROW_WORDS),
    anyWords: words,
    ruleSets: { generation: 1, get: (id) => (id === 9 ? { generation: 1, ruleSet: RULE_SET } : undefined) },
    output: { send: () => {} },
    datagramOutput: {
      sendDatagram: (slot, toResponder, payload, start, end) => {
        sent.push([slot, toResponder, Buffer.from(payload.subarray(start, end)).toString()]);
        return true;
      },
      heldEnded: (reason, owner, bytes) => ended.push([reason, bytes - owner.slot]),
    },
    protocols,
  });
  return { engine, sent, ended, words };
}

t.test('a datagram passes, is answered in place of its receiver, or is dropped', async (t) => {
  const echo = new Echo();
  const { engine, sent } = engineWith(echo);
  t.equal(engine.datagram(datagram('ok', false), SLOT, false), FORWARD);
  t.equal(engine.datagram(datagram('no', false), SLOT, false), HELD);
  t.same(sent, [[SLOT, false, 'NO!']], 'the answer goes back to who asked');
  t.equal(engine.datagram(datagram('?', false), SLOT, false), DROP_L7_DENIED);
  t.equal(engine.datagram(datagram('ok', true), SLOT, true), FORWARD);
  const wanted = { egressRuleSet: 0, ingressRuleSet: 9, srcIdentity: 100, dstIdentity: 200 };
  t.same(echo.seen[3], [RESPONSE, wanted], 'client and server stay who they are, whichever way it goes');
  t.match(engine.datagrams.counters, { passed: 2, denied: 2, unread: 0 });
});

t.test('a datagram with a wrong checksum is not read', async (t) => {
  const echo = new Echo();
  const { engine } = engineWith(echo);
  const frame = datagram('ok', false);
  frame.bytes[frame.payloadOffset] ^= 1;
  t.equal(engine.datagram(frame, SLOT, false), DROP_CSUM_L4);
  t.equal(echo.seen.length, 0);
  t.equal(engine.datagrams.counters.badChecksum, 1);
});

t.test('several datagrams in one frame are no message, though together they read like one', async (t) => {
  const echo = new Echo();
  const { engine } = engineWith(echo);
  for (const [size, outcome] of [
    [1, DROP_FRAG_NOSUPPORT],
    [2, FORWARD],
    [1400, FORWARD],
  ]) {
    const frame = datagram('ok', false);
    vnet.setGsoType(frame.bytes, frame.offset, vnet.GSO_UDP_L4);
    vnet.setGsoSize(frame.bytes, frame.offset, size);
    t.equal(engine.datagram(frame, SLOT, false), outcome, `cut to ${size}`);
  }
  t.equal(echo.seen.length, 2);
  t.equal(engine.datagrams.counters.several, 1);
});

t.test('datagrams whose protocol nothing here reads are dropped, and counted', async (t) => {
  const { engine } = engineWith(undefined);
  t.equal(engine.datagram(datagram('ok', false), SLOT, false), DROP_PROXY_UNKNOWN_PROTO);
  t.equal(engine.datagram(datagram('ok', false), SLOT + 1, false), DROP_PROXY_UNKNOWN_PROTO, 'no rule set at all');
  t.equal(engine.datagrams.counters.unread, 2);
});

t.test('what is held goes on in its order as soon as it may, and is counted as what became of it', async (t) => {
  const echo = new Echo();
  const { engine, sent, ended } = engineWith(echo);
  for (const text of ['w1', 'w22', 'w333']) t.equal(engine.datagram(datagram(text, true), SLOT, true), HELD);
  t.equal(engine.releaseAtMs, 100);
  t.equal(engine.release(50, 16), 0);
  t.same(sent, []);
  echo.done = 2;
  t.equal(engine.release(50, 16), 2);
  t.same(sent, [
    [SLOT, false, 'w1'],
    [SLOT, false, 'w22'],
  ]);
  t.equal(engine.release(99, 16), 0);
  t.equal(sent.length, 2);
  t.equal(engine.release(100, 16), 1);
  t.same(sent[2], [SLOT, false, 'NO!'], 'past its deadline something else goes in its place');
  t.same(ended, [
    [FORWARD, 42 + 2 - SLOT],
    [FORWARD, 42 + 3 - SLOT],
    [DROP_L7_HELD, 42 + 4 - SLOT],
  ]);
  t.match(engine.datagrams.counters, { passed: 2, denied: 1 });
  t.equal(engine.releaseAtMs, Number.POSITIVE_INFINITY);
});

t.test('what is held leaves a few at a time, so that it can be flushed', async (t) => {
  const echo = new Echo();
  const { engine, sent } = engineWith(echo);
  for (let i = 0; i < 20; i++) engine.datagram(datagram(`w${i}`, true), SLOT, true);
  echo.done = 20;
  t.equal(engine.release(1, 16), 16);
  t.equal(sent.length, 16);
  t.equal(engine.release(1, 16), 4);
  t.same(
    sent.map(([, , text]) => text),
    Array.from({ length: 20 }, (_, i) => `w${i}`),
  );
});

t.test('what is held is not sent into the conversation that has its row by now', async (t) => {
  const echo = new Echo();
  const { engine, sent, ended, words } = engineWith(echo);
  engine.datagram(datagram('w', true), SLOT, true);
  words[SLOT * CT_ROW_WORDS + CT_SLOT_GENERATION]++;
  echo.done = 1;
  engine.release(1, 16);
  t.same(sent, []);
  t.same(ended, [[DROP_L7_HELD, 43 - SLOT]]);
  t.equal(engine.datagrams.counters.heldLost, 1);
});

t.test('rows and bytes are bounded, and who takes all leaves as much for others', async (t) => {
  for (const [size, most] of [
    [2, 512],
    [1400, 512],
    [65_000, 32],
  ]) {
    const echo = new Echo();
    const { engine, sent, ended } = engineWith(echo);
    const fill = (endpoint: number) => {
      for (let held = 0; ; held++) {
        const frame = datagram('w'.repeat(size), true, endpoint);
        const outcome = engine.datagram(frame, SLOT, true);
        if (outcome !== HELD) return [held, outcome];
      }
    };
    t.same(fill(1), [most, DROP_L7_HELD], `${size} bytes`);
    const [second, outcome] = fill(2);
    t.ok(second >= most / 3 && second <= most / 2 && outcome === DROP_L7_HELD, `${second} of another`);
    t.same(sent, [
      [SLOT, false, 'NO!'],
      [SLOT, false, 'NO!'],
    ]);
    echo.done = Number.POSITIVE_INFINITY;
    engine.release(1, 10_000);
    t.equal(ended.length, most + second);
    t.same(fill(1), [most, DROP_L7_HELD], 'all of it is free again');
  }
});

t.test('held datagrams keep their bytes, of whatever lengths, round and round', async (t) => {
  const echo = new Echo();
  const { engine, sent } = engineWith(echo);
  const wanted: string[] = [];
  for (let round = 0; round < 400; round++) {
    for (let i = 0; i < 4; i++) {
      const text = `w${round}.${i} `.padEnd(2 + (((round * 4 + i) * 7919) % 40_000), String(i));
      t.equal(engine.datagram(datagram(text, true), SLOT, true), HELD);
      wanted.push(text);
    }
    echo.done += round % 3 === 0 ? 2 : 5;
    engine.release(1, 100);
  }
  echo.done = Number.POSITIVE_INFINITY;
  engine.release(1, 10_000);
  t.equal(sent.length, wanted.length);
  t.ok(
    sent.every(([, , text], i) => text === wanted[i]),
    'in their order',
  );
});
