/** Answers over UDP that wait for the agent: what each is told as, and what goes in the place of those that wait in vain. */
import t from 'tap';
import { dnsAgent } from '../../test/dns-agent.ts';
import { DNS_RULES, dnsServices } from '../../test/dns-conversation.ts';
import { address, alias, answer, OPT, query } from '../../test/dns-messages.ts';
import { OWNER } from '../../test/stream/parser-wire.ts';
import { DnsMessage } from '../../wire/dns/message.ts';
import { DROP_DNS_UNASKED } from '../../wire/reasons.ts';
import { REQUEST, RESPONSE, type StreamOwner } from '../parser.ts';
import { DATAGRAM_HOLD, DATAGRAM_PASS, DATAGRAM_REPLACE } from '../protocol.ts';
import { DnsOverUdp } from './datagrams.ts';

const ASKER: StreamOwner = { ...OWNER, egressRuleSet: 1, ingressRuleSet: 0, dstIdentity: 5 };

function conversation() {
  const agent = dnsAgent();
  const world = dnsServices({ ...DNS_RULES, ingress: false }, agent.teaching);
  const { parser, judgeOf, ...udp } = bound(new DnsOverUdp(world.services));
  const run = (way: 0 | 1, bytes: Buffer) => parser.onDatagram(judgeOf(ASKER), ASKER, way, bytes, 0, bytes.length);
  return {
    ...world,
    ...agent,
    ...udp,
    parser,
    ask: (bytes: Buffer) => run(REQUEST, bytes),
    reply: (bytes: Buffer) => run(RESPONSE, bytes),
    held: (ticket: number, bytes: Buffer, mayWait: boolean) =>
      parser.onHeld(ASKER, ticket, bytes, 0, bytes.length, mayWait),
    instead: () => {
      const read = new DnsMessage();
      t.equal(read.parse(parser.answer, 0, parser.answerBytes), 0);
      return { read, text: Buffer.from(parser.answer.subarray(0, parser.answerBytes)).toString('latin1') };
    },
    logged: world.told,
    taught: agent.told,
  };
}

function bound(udp: DnsOverUdp) {
  return { udp, parser: udp.parser, judgeOf: (owner: StreamOwner) => udp.judgeOf(owner) };
}

const ANSWERS = [alias('a.ok', 'cdn.x'), address('cdn.x', '192.0.2.1', 30)];

t.test('an answer that waited goes on as it came, and is told then, once', async (t) => {
  const { ask, reply, held, parser, taught, publish, logged, teaching } = conversation();
  teaching.nowMs = 1000;
  ask(query('A.ok', { id: 3 }));
  const bytes = answer('A.ok', ANSWERS, { id: 3 });
  logged.length = 0;
  t.equal(reply(bytes), DATAGRAM_HOLD);
  const { ticket } = parser;
  t.equal(parser.deadlineMs, 1100);
  t.same(logged, [], 'not yet');
  t.equal(reply(bytes), DROP_DNS_UNASKED, 'the same again is no answer to anything');
  logged.length = 0;
  t.equal(held(ticket, bytes, true), DATAGRAM_HOLD);
  publish(taught());
  t.equal(held(ticket, bytes, true), DATAGRAM_PASS);
  t.match(logged, [{ isIngress: false, log: { Type: 'Response', Verdict: 'Forwarded', DNS: { IPs: ['192.0.2.1'] } } }]);
  t.match(parser.counters, { held: 1, responses: 1 });
});

t.test('what is published in the last moment goes on', async (t) => {
  const { ask, reply, held, parser, taught, publish } = conversation();
  ask(query('a.ok'));
  const bytes = answer('a.ok', ANSWERS);
  reply(bytes);
  publish(taught());
  t.equal(held(parser.ticket, bytes, false), DATAGRAM_PASS);
});

t.test(
  'past its time SERVFAIL goes in its place, with its id, question and OPT, and is told with what it would have taught',
  async (t) => {
    const { ask, reply, held, parser, instead, logged, teaching } = conversation();
    ask(query('A.oK', { id: 77, additionals: [OPT] }));
    const bytes = answer('A.oK', ANSWERS, { id: 77, additionals: [OPT] });
    reply(bytes);
    logged.length = 0;
    ask(query('later.ok')); // another message is read in between
    logged.length = 0;
    t.equal(held(parser.ticket, bytes, false), DATAGRAM_REPLACE);
    const { read, text } = instead();
    t.match(read, { id: 77, rcode: 2, isResponse: true, answers: 0, hasOpt: true });
    t.match(text, /\x01A\x02oK\x00/);
    t.notMatch(text, /\xc0\x00\x02\x01/, 'no address');
    t.match(logged, [
      { isIngress: false, log: { Verdict: 'Error', Info: 'unpublished', DNS: { RCode: 2, IPs: ['192.0.2.1'] } } },
    ]);
    t.equal(teaching.counters.unpublished[0], 1);
    t.match(parser.counters, { held: 1, responses: 0 });
  },
);

t.test('without room to ask the agent, or to wait, SERVFAIL goes at once', async (t) => {
  const { ask, reply, parser, instead, teaching } = conversation();
  for (let i = 0; i < 128; i++) {
    ask(query(`n${i}.ok`));
    t.equal(reply(answer(`n${i}.ok`, [address(`n${i}.ok`, '192.0.2.1')])), DATAGRAM_HOLD);
  }
  ask(query('a.ok', { id: 9 }));
  t.equal(reply(answer('a.ok', ANSWERS, { id: 9 })), DATAGRAM_REPLACE);
  t.match(instead().read, { id: 9, rcode: 2 });
  t.same([...teaching.counters.unpublished], [0, 0, 1, 0]);
  const bytes = answer('b.ok', ANSWERS, { id: 10 });
  ask(query('b.ok', { id: 10 }));
  reply(bytes);
  t.equal(parser.onNoRoom(ASKER, bytes, 0, bytes.length), DATAGRAM_REPLACE);
  t.match(instead().read, { id: 10, rcode: 2 });
  t.equal(teaching.counters.unpublished[3], 1);
});
