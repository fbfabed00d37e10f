/** The registry: which protocol rule sets name, and what becomes of connections that none here reads. */
import t from 'tap';
import { ToldLog } from '../test/told.ts';
import type { L7RuleSet } from '../policy-maps/l7-rules.ts';
import { segment, Rig } from '../test/stream/tcp-rig.ts';
import { DROP_PROXY_UNKNOWN_PROTO } from '../wire/reasons.ts';
import * as tcp from '../wire/header/tcp.ts';
import { REFUSED } from './stream/connection.ts';
import { PROTOCOLS, Protocols } from './protocols.ts';
import { type ProtocolName, UNREAD } from './protocol.ts';

function ruleSet(parser: ProtocolName): L7RuleSet {
  return { parser, endpoint: 1, ingress: true, port: 80, rules: [{ remotes: null, cookie: 1 }] };
}

/** As an agent of another version might write it. */
const UNKNOWN = 'spdy' as ProtocolName;

const key = (egressRuleSet: number, ingressRuleSet: number) => ({
  egressRuleSet,
  ingressRuleSet,
  srcIdentity: 1,
  dstIdentity: 2,
});

t.test('streamOf() finds the one protocol that both rule sets are for', async (t) => {
  const sets: Record<number, L7RuleSet> = {
    1: ruleSet('http'),
    2: ruleSet('http'),
    3: ruleSet('kafka'),
    5: ruleSet(UNKNOWN),
  };
  const ruleSets = {
    generation: 1,
    get: (id: number) => (sets[id] === undefined ? undefined : { generation: 1, ruleSet: sets[id] }),
  };
  const protocols = new Protocols({ ruleSets, log: new ToldLog(false), seed: 1 });
  const http = protocols.streamNumbered(1);
  t.not(http, undefined);
  for (const [name, egress, ingress, wanted] of [
    ['egress alone', 1, 0, http],
    ['ingress alone', 0, 2, http],
    ['both', 1, 2, http],
    ['none', 0, 0, undefined],
    ['two protocols at once', 1, 3, undefined],
    ['one that is not read', 0, 5, undefined],
    ['a rule set that is missing', 1, 4, undefined],
    ['another that is missing', 4, 1, undefined],
  ] as const) {
    t.equal(protocols.streamOf(key(egress, ingress)), wanted, name);
  }
  t.equal(protocols.datagramOf(key(0, 1)), undefined);
  t.equal(protocols.streamNumbered(0), undefined);
});

t.test('every protocol that rules can name is read in TCP; DNS in UDP too', async (t) => {
  for (const [name, { stream, datagram }] of Object.entries(PROTOCOLS)) {
    t.same([stream !== UNREAD, datagram !== UNREAD], [true, name === 'dns'], name);
  }
});

t.test('a connection under rules that nothing here reads is refused from its SYN on, and counted', async (t) => {
  const rig = new Rig(ruleSet(UNKNOWN));
  const outcome = rig.client({ seq: 7, flags: tcp.SYN });
  t.equal(outcome, DROP_PROXY_UNKNOWN_PROTO);
  t.match(rig.take().toInitiator, [{ flags: tcp.RST | tcp.ACK, ack: 8 }]);
  t.equal(rig.streams.table.find(1)?.mode, REFUSED);
  t.same([rig.streams.counters.unread, rig.streams.counters.refused], [1, 1]);
  t.equal(rig.pass(segment({ seq: 8, ack: 1, data: Buffer.from('x') }), false) >= 130, true, 'and so is what follows');
  t.same(rig.take().toResponder, []);
});

t.test('a connection that was refused is taken when its rules become readable', async (t) => {
  const rig = new Rig(ruleSet(UNKNOWN));
  rig.client({ seq: 7, flags: tcp.SYN });
  rig.take();
  rig.rules.change(ruleSet('http'));
  t.equal(rig.client({ seq: 7, flags: tcp.SYN }), 0);
  t.equal(rig.take().toResponder.length, 1);
});

t.test('a connection keeps its protocol when its rule set becomes one of another', async (t) => {
  const rig = new Rig(ruleSet('http'));
  rig.client({ seq: 0, flags: tcp.SYN });
  rig.server({ seq: 1000, ack: 1, flags: tcp.SYN | tcp.ACK });
  rig.take();
  rig.rules.change(ruleSet('kafka'));
  rig.client({ seq: 1, ack: 1001, data: Buffer.from('GET / HTTP/1.1\r\nHost: a\r\n\r\n') });
  const { toInitiator, toResponder } = rig.take();
  t.match(Buffer.concat(toInitiator.map(({ data }) => data)).toString(), /^HTTP\/1.1 403 /);
  t.equal(
    toResponder.every(({ data }) => data.length === 0),
    true,
    'nothing of it reaches the server',
  );
});

t.test('a state that one protocol saved is not taken up by another', async (t) => {
  const rig = new Rig(ruleSet('http'));
  rig.client({ seq: 0, flags: tcp.SYN });
  rig.server({ seq: 1000, ack: 1, flags: tcp.SYN | tcp.ACK });
  rig.client({ seq: 1, ack: 1001, data: Buffer.from('GET / HTTP/1.1\r\nHost: a\r\n\r\n') });
  rig.take();
  rig.rules.change(ruleSet('kafka'));
  rig.restart();
  rig.take();
  rig.client({ seq: 28, ack: 1001, data: Buffer.from('GET / HTTP/1.1\r\nHost: a\r\n\r\n') });
  t.equal(rig.streams.counters.resumed, 1, 'HTTP goes on with it');
  t.match(Buffer.concat(rig.take().toInitiator.map(({ data }) => data)).toString(), /^$|^HTTP\/1.1 403 /);
});
