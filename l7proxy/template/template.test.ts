/** The example of docs/adding.md: the protocol of lines over a wire, in a connection, over a restart, and offline. */
import t from 'tap';
import type { L7RuleSet } from '../../policy-maps/l7-rules.ts';
import { OWNER, ParserWire } from '../../test/stream/parser-wire.ts';
import { Rig } from '../../test/stream/tcp-rig.ts';
import { ToldLog } from '../../test/told.ts';
import * as tcp from '../../wire/header/tcp.ts';
import { NO_STATE, type Parser, REQUEST, RESPONSE } from '../parser.ts';
import { PROTOCOLS, type ProtocolTable } from '../protocols.ts';
import { LineProtocol, LINES } from './protocol.ts';
import { type LineJudge, lineOffline, type LineRule } from './rules.ts';

const RULES: LineRule[] = [
  { remotes: [5, 100], cookie: 3, words: ['GET', 'LIST'] },
  { remotes: [6], cookie: 4 },
];
/** No rule set can name the template: here it stands in for a protocol that is not read yet. */
const RULE_SET: L7RuleSet = { parser: 'kafka', endpoint: 1, ingress: true, port: 80, rules: RULES };
const TABLE = { ...PROTOCOLS, kafka: LINES } as unknown as ProtocolTable;

function newWire(): ParserWire<LineJudge> {
  const ruleSets = { generation: 1, get: () => ({ generation: 1, ruleSet: RULE_SET }) };
  const log = new ToldLog(false);
  const protocol = new LineProtocol({ name: 'kafka', ruleSets, log, seed: 1 });
  const parser: Parser<LineJudge> = protocol.makeParser();
  return new ParserWire(parser, protocol.judgeOf(OWNER));
}

t.test('a denied line goes no further, and is answered in its turn, however the bytes are cut', async (t) => {
  for (const size of [1, 3, 1000]) {
    const wire = newWire();
    const text = 'GET a\nPUT b\nLIST\n';
    for (let at = 0; at < text.length; at += size) wire.send(REQUEST, text.slice(at, at + size));
    t.same(wire.out, ['GET a\nLIST\n', ''], `${size} bytes at a time: the denial waits for the answer before it`);
    wire.send(RESPONSE, 'one\ntwo\n');
    t.same(wire.out, ['GET a\nLIST\n', 'one\nDENIED\ntwo\n']);
  }
});

t.test('requests wait while too many are unanswered', async (t) => {
  const wire = newWire().send(REQUEST, 'GET\n'.repeat(10));
  t.equal(wire.out[REQUEST], 'GET\n'.repeat(8));
  t.equal(wire.send(RESPONSE, 'a\n').out[REQUEST], 'GET\n'.repeat(9));
});

t.test('what cannot be understood ends the connection', async (t) => {
  t.ok(newWire().send(REQUEST, 'x'.repeat(1024)).isReset, 'a line that never ends');
  t.ok(newWire().send(RESPONSE, 'hello\n').isReset, 'an answer to nothing');
});

t.test('a state is carried over, unless an answer of ours is owed', async (t) => {
  const words = new Int32Array(1);
  t.ok(newWire().send(REQUEST, 'GET\nGET\n').parser.saveState(words, 0, NO_STATE));
  const after = newWire();
  t.ok(after.parser.loadState(words, 0, NO_STATE));
  t.notOk(after.send(RESPONSE, 'a\nb\n').isReset);
  t.ok(after.send(RESPONSE, 'c\n').isReset, 'there were two');
  t.notOk(newWire().send(REQUEST, 'GET\nPUT\n').parser.saveState(words, 0, NO_STATE));
  words[0] = 9;
  t.notOk(newWire().parser.loadState(words, 0, NO_STATE));
});

t.test('what judges offline is what judges on the wire', async (t) => {
  t.equal(lineOffline(RULE_SET, 5)({ word: 'GET' }), 3);
  t.equal(lineOffline(RULE_SET, 5)({ word: 'PUT' }), -1);
  t.equal(lineOffline(RULE_SET, 6)({ word: 'PUT' }), 4, 'no words: all of them');
  t.equal(lineOffline(RULE_SET, 7)({ word: 'GET' }), -1, 'no rule is for this remote');
});

t.test('a connection under its rules: segments, records, a restart', async (t) => {
  const log = new ToldLog();
  const rig = new Rig(RULE_SET, { protocols: TABLE, log });
  rig.engine.recording = true;
  rig.client({ seq: 0, flags: tcp.SYN, mss: 1460 });
  rig.server({ seq: 1000, ack: 1, flags: tcp.SYN | tcp.ACK, mss: 1460 });
  rig.take();
  rig.client({ seq: 1, ack: 1001, data: Buffer.from('GET a\nPUT b\n') });
  t.equal(text(rig.take().toResponder), 'GET a\n');
  rig.server({ seq: 1001, ack: 7, data: Buffer.from('one\n') });
  t.equal(text(rig.take().toInitiator), 'one\nDENIED\n');
  t.same(
    log.told.map(({ cookie, isIngress, log }) => [log.Verdict, log.L7?.Fields?.['line'], cookie, isIngress]),
    [
      ['Forwarded', 'GET a', 3, true],
      ['Denied', 'PUT b', 0, true],
    ],
  );
  rig.client({ seq: 13, ack: 1012, data: Buffer.from('LIST\n') });
  t.equal(text(rig.take().toResponder), 'LIST\n');
  rig.restart();
  rig.server({ seq: 1005, ack: 12, data: Buffer.from('two\n') });
  t.equal(text(rig.take().toInitiator), 'two\n', 'the next process knows that an answer is due');
  t.equal(rig.streams.counters.resumed, 1);
});

function text(segments: readonly { readonly data: Buffer }[]): string {
  return Buffer.concat(segments.map(({ data }) => data)).toString();
}
