/** DNS over UDP: queries judged and answered, answers matched with their questions. */
import t from 'tap';
import { DNS_RULES, dnsServices } from '../../test/dns-conversation.ts';
import { address, alias, answer, message, OPT, pointer, query } from '../../test/dns-messages.ts';
import { OWNER } from '../../test/stream/parser-wire.ts';
import { DNS_ERROR_KINDS, DnsMessage } from '../../wire/dns/message.ts';
import { DROP_DNS_INVALID, DROP_DNS_UNASKED } from '../../wire/reasons.ts';
import { REQUEST, RESPONSE, type StreamOwner } from '../parser.ts';
import { DATAGRAM_ANSWER, DATAGRAM_PASS } from '../protocol.ts';
import { DnsOverUdp } from './datagrams.ts';

function conversation(ruleSet = DNS_RULES) {
  const world = dnsServices(ruleSet);
  const udp = new DnsOverUdp(world.services);
  const run = (way: 0 | 1, bytes: Buffer, owner: StreamOwner = OWNER) =>
    udp.parser.onDatagram(udp.judgeOf(owner), owner, way, bytes, 0, bytes.length);
  return {
    ...world,
    udp,
    ask: (bytes: Buffer, owner?: StreamOwner) => run(REQUEST, bytes, owner),
    reply: (bytes: Buffer, owner?: StreamOwner) => run(RESPONSE, bytes, owner),
    answered: () => {
      const read = new DnsMessage();
      t.equal(read.parse(udp.parser.answer, 0, udp.parser.answerBytes), 0);
      return read;
    },
    errors: () =>
      Object.fromEntries([...udp.parser.counters.errors].flatMap((n, i) => (n > 0 ? [[DNS_ERROR_KINDS[i], n]] : []))),
  };
}

t.test('an allowed name goes on and its answer comes back; each is told', async (t) => {
  const { ask, reply, told, udp } = conversation();
  t.equal(ask(query('wWw.a.OK', { id: 3 })), DATAGRAM_PASS);
  t.equal(
    reply(answer('www.A.ok', [alias('www.a.ok', 'cdn.x'), address('cdn.x', '192.0.2.1', 30)], { id: 3 })),
    DATAGRAM_PASS,
  );
  const asked = { Query: 'www.a.ok.', ObservationSource: 'proxy', QTypes: ['A'] };
  t.same(told, [
    { isIngress: true, cookie: 9, log: { Type: 'Request', Verdict: 'Forwarded', DNS: asked } },
    {
      isIngress: true,
      cookie: 0,
      log: {
        Type: 'Response',
        Verdict: 'Forwarded',
        DNS: { ...asked, RCode: 0, IPs: ['192.0.2.1'], TTL: 30, CNAMEs: ['cdn.x.'], AnswerTypes: ['CNAME', 'A'] },
      },
    },
  ]);
  t.match(udp.parser.counters, { forwarded: 1, denied: 0, responses: 1 });
});

t.test('a name that is not allowed is answered REFUSED, of any type, with the OPT that was asked with', async (t) => {
  const { ask, answered, told, udp } = conversation();
  for (const type of [1, 2, 5, 6, 10, 12, 15, 16, 28, 33, 65, 252, 255, 65280]) {
    t.equal(ask(query('secret.bad', { id: type, type })), DATAGRAM_ANSWER);
    t.match(answered(), { id: type, isResponse: true, rcode: 5, type, hasOpt: false });
  }
  t.equal(ask(query('ok', { additionals: [OPT] })), DATAGRAM_ANSWER, '**. needs a label');
  t.match(answered(), { rcode: 5, hasOpt: true });
  t.match(told[0], { cookie: 9, log: { Type: 'Request', Verdict: 'Denied', DNS: { Query: 'secret.bad.' } } });
  t.match(udp.parser.counters, { forwarded: 0, denied: 15 });
});

t.test('a refusal says NXDOMAIN where the rule set says so', async (t) => {
  const { ask, answered } = conversation({ ...DNS_RULES, nameError: true });
  t.equal(ask(query('no')), DATAGRAM_ANSWER);
  t.equal(answered().rcode, 3);
});

t.test('rules that are gone, or for somebody else, refuse everything', async (t) => {
  const { ask, change } = conversation();
  t.equal(ask(query('a.ok'), { ...OWNER, srcIdentity: 6 }), DATAGRAM_ANSWER);
  change({ ...DNS_RULES, parser: 'http' });
  t.equal(ask(query('a.ok')), DATAGRAM_ANSWER);
  change(DNS_RULES);
  t.equal(ask(query('a.ok')), DATAGRAM_PASS);
});

t.test(
  'an answer to no question is dropped: unasked, twice, late, under another id, name, type or conversation',
  async (t) => {
    const { ask, reply, errors, log } = conversation();
    const asked = { id: 5 };
    const good = answer('a.ok', [address('a.ok', '192.0.2.1')], asked);
    t.equal(reply(good), DROP_DNS_UNASKED, 'unasked');
    ask(query('a.ok', asked));
    t.equal(reply(answer('a.ok', [], { id: 6 })), DROP_DNS_UNASKED, 'another id');
    t.equal(reply(answer('b.ok', [], asked)), DROP_DNS_UNASKED, 'another name');
    t.equal(reply(answer('a.ok', [], { ...asked, type: 28 })), DROP_DNS_UNASKED, 'another type');
    t.equal(
      reply(message({ ...asked, flags: 0x8000, questions: [{ name: 'a.ok', class: 3 }] })),
      DROP_DNS_UNASKED,
      'another class',
    );
    t.equal(reply(good, { ...OWNER, slot: 2 }), DROP_DNS_UNASKED, 'another conversation');
    t.equal(reply(good, { ...OWNER, slotGeneration: 3 }), DROP_DNS_UNASKED, 'a later conversation in the same row');
    t.equal(reply(good, { ...OWNER, srcEndpoint: 99 }), DROP_DNS_UNASKED, 'another endpoint');
    t.equal(reply(good), DATAGRAM_PASS);
    t.equal(reply(good), DROP_DNS_UNASKED, 'twice');
    ask(query('a.ok', asked));
    ask(query('a.ok', asked));
    t.same(
      [reply(good), reply(good), reply(good)],
      [DATAGRAM_PASS, DATAGRAM_PASS, DROP_DNS_UNASKED],
      'as often as it was asked',
    );
    ask(query('a.ok', asked));
    log.nowMs += 20_001;
    t.equal(reply(good), DROP_DNS_UNASKED, 'late');
    t.same(errors(), { unasked: 11 });
  },
);

t.test('a refused question has no answer but the refusal', async (t) => {
  const { ask, reply } = conversation();
  ask(query('no', { id: 8 }));
  t.equal(reply(answer('no', [], { id: 8 })), DROP_DNS_UNASKED);
});

t.test('what is no message, and what goes the wrong way, is dropped and told', async (t) => {
  const { ask, reply, errors, told } = conversation();
  t.equal(ask(Buffer.alloc(0)), DROP_DNS_INVALID);
  t.equal(ask(message({ questions: [{ name: 'a.ok' }, { name: 'no' }] })), DROP_DNS_INVALID);
  t.equal(ask(query(Buffer.from([1, 97, 0xc0, 12]))), DROP_DNS_INVALID);
  t.equal(ask(query('a.ok', { trailing: Buffer.from('tunnel') })), DROP_DNS_INVALID);
  t.equal(ask(answer('a.ok', [])), DROP_DNS_INVALID);
  t.equal(reply(query('a.ok')), DROP_DNS_INVALID);
  t.equal(reply(answer('a.ok', [{ ...address('a.ok', '192.0.2.1'), name: pointer(500) }])), DROP_DNS_INVALID);
  t.same(errors(), { short: 1, 'question-count': 1, question: 1, 'trailing-bytes': 1, direction: 2, record: 1 });
  t.match(told[0], { log: { Type: 'Request', Verdict: 'Error', Info: 'short' } });
});

t.test('a flood of queries displaces only queries of the same endpoint', async (t) => {
  const { ask, reply, udp } = conversation();
  const other = { ...OWNER, srcEndpoint: 99 };
  ask(query('calm.ok', { id: 1 }), other);
  for (let id = 0; id < 5000; id++) ask(query('flood.ok', { id }));
  t.ok(udp.parser.underWay.displaced > 2500);
  t.equal(reply(answer('calm.ok', [], { id: 1 }), other), DATAGRAM_PASS);
  t.equal(reply(answer('flood.ok', [], { id: 4999 })), DATAGRAM_PASS, 'the newest is there');
});

t.test('five hundred queries under way, of eight conversations, all get their answers', async (t) => {
  const { ask, reply, udp, log } = conversation();
  log.isOn = false;
  const each = (run: (id: number, owner: StreamOwner) => number) =>
    Array.from({ length: 500 }, (_, i) => run(Math.imul(i, 40503) & 0xffff, { ...OWNER, slot: i % 8 }));
  for (let round = 0; round < 100; round++) {
    each((id, owner) => ask(query('a.ok', { id: (id + round) & 0xffff }), owner));
    const outcomes = each((id, owner) => reply(answer('a.ok', [], { id: (id + round) & 0xffff }), owner));
    t.equal(outcomes.filter((outcome) => outcome !== DATAGRAM_PASS).length, 0);
  }
  t.equal(udp.parser.underWay.displaced, 0);
});

t.test('nobody who wants records, none made; and 100,000 messages leave no garbage worth telling', async (t) => {
  const { ask, reply, log, told } = conversation();
  log.isOn = false;
  const asked = query('a.ok', { id: 5 });
  const refused = query('no', { id: 5 });
  const good = answer('a.ok', [address('a.ok', '192.0.2.1')], { id: 5 });
  const round = () => {
    ask(asked);
    ask(refused);
    reply(good);
  };
  for (let i = 0; i < 20_000; i++) round();
  globalThis.gc?.();
  const before = process.memoryUsage().heapUsed;
  for (let i = 0; i < 33_000; i++) round();
  globalThis.gc?.();
  t.ok(process.memoryUsage().heapUsed - before < 200_000);
  t.same(told, []);
});
