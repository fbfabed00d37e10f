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
import { DROP_CSUM_L4, DROP_L7_DENIED, DROP_PROXY_UNKNOWN_PROTO, FORWARD, HELD } from '../../wire/reasons.ts';
import { L7Engine } from '../engine.ts';
import { type Judge, type JudgeKey, RESPONSE, type StreamOwner, type Way } from '../parser.ts';
import { DATAGRAM_ANSWER, DATAGRAM_PASS, type DatagramProtocol, UNREAD } from '../protocol.ts';
import { PROTOCOLS, type ProtocolTable } from '../protocols.ts';

const SLOT = 3;
const RULE_SET: L7RuleSet = { parser: 'dns', endpoint: 1, ingress: true, port: 53, rules: [] };
const AT = 64;

function datagram(text: string, isReply: boolean): Frame {
  const frame = new Frame(new Uint8Array(2048));
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
  offload.complete(frame);
  return frame;
}

/** Passes `ok`, answers `no` with `NO!`, drops all else; notes who asked. */
class Echo implements DatagramProtocol {
  readonly counters = [];
  readonly seen: [Way, JudgeKey][] = [];
  readonly #judge: Judge = { isUsable: true, refresh: () => 1 };
  readonly parser = {
    answer: Buffer.from('NO!'),
    answerBytes: 3,
    onDatagram: (_judge: Judge, owner: StreamOwner, way: Way, bytes: Uint8Array, start: number, end: number) => {
      const { egressRuleSet, ingressRuleSet, srcIdentity, dstIdentity } = owner;
      this.seen.push([way, { egressRuleSet, ingressRuleSet, srcIdentity, dstIdentity }]);
      const text = Buffer.from(bytes.subarray(start, end)).toString();
      if (text === 'ok') return DATAGRAM_PASS;
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
      sendDatagram: (slot, toResponder, payload, start, end) =>
        sent.push([slot, toResponder, Buffer.from(payload.subarray(start, end)).toString()]),
    },
    protocols,
  });
  return { engine, sent };
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

t.test('datagrams whose protocol nothing here reads are dropped, and counted', async (t) => {
  const { engine } = engineWith(undefined);
  t.equal(engine.datagram(datagram('ok', false), SLOT, false), DROP_PROXY_UNKNOWN_PROTO);
  t.equal(engine.datagram(datagram('ok', false), SLOT + 1, false), DROP_PROXY_UNKNOWN_PROTO, 'no rule set at all');
  t.equal(engine.datagrams.counters.unread, 2);
});
