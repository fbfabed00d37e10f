/** DNS over TCP: messages behind their lengths, refusals between answers, what ends a connection. */
import t from 'tap';
import { DNS_RULES, dnsServices } from '../../test/dns-conversation.ts';
import { address, answer, message, query } from '../../test/dns-messages.ts';
import { OWNER, ParserWire } from '../../test/stream/parser-wire.ts';
import { DNS_ERROR_KINDS, DnsMessage } from '../../wire/dns/message.ts';
import { NO_STATE, REQUEST, RESPONSE } from '../parser.ts';
import { DnsOverTcp } from './stream.ts';

const framed = (bytes: Buffer) => {
  const length = Buffer.alloc(2);
  length.writeUInt16BE(bytes.length);
  return Buffer.concat([length, bytes]).toString('latin1');
};

function connection() {
  const world = dnsServices(DNS_RULES);
  const tcp = new DnsOverTcp(world.services);
  const wire = new ParserWire(tcp.makeParser(), tcp.judgeOf(OWNER));
  return { ...world, tcp, wire };
}

/** Ids and codes of the messages in a stream. */
function messagesIn(text: string): { id: number; rcode: number }[] {
  const bytes = Buffer.from(text, 'latin1');
  const found = [];
  for (let at = 0; at < bytes.length; ) {
    const end = at + 2 + bytes.readUInt16BE(at);
    const read = new DnsMessage();
    t.equal(read.parse(bytes, at + 2, end, true), 0);
    found.push({ id: read.id, rcode: read.rcode });
    at = end;
  }
  return found;
}

const ask = (name: string, id: number, type = 1) => framed(query(name, { id, type }));
const reply = (name: string, id: number, type = 1) => framed(answer(name, [address(name, '192.0.2.1')], { id, type }));

t.test('queries pass or are refused, wherever segments end; answers come in any order', async (t) => {
  const stream = ask('a.ok', 1) + ask('no', 2) + ask('b.ok', 3);
  for (const cut of [1, 2, 3, 14, 30, stream.length - 1]) {
    const { wire } = connection();
    wire.request(stream.slice(0, cut)).request(stream.slice(cut));
    t.equal(wire.out[REQUEST], ask('a.ok', 1) + ask('b.ok', 3), `cut at ${cut}: what is refused never goes on`);
    t.same(messagesIn(wire.out[RESPONSE]), [{ id: 2, rcode: 5 }]);
    wire.response(reply('b.ok', 3).slice(0, 9)).response(reply('b.ok', 3).slice(9) + reply('a.ok', 1));
    t.same(
      messagesIn(wire.out[RESPONSE]).map(({ id }) => id),
      [2, 3, 1],
    );
    t.equal(wire.isReset, false);
  }
});

t.test('a refusal waits for the end of the answer that is on its way', async (t) => {
  const { wire } = connection();
  wire
    .request(ask('a.ok', 1))
    .response(reply('a.ok', 1).slice(0, 20))
    .request(ask('no', 2))
    .response(reply('a.ok', 1).slice(20));
  t.same(
    messagesIn(wire.out[RESPONSE]).map(({ id }) => id),
    [2, 1],
    'nothing of an answer goes on before its end',
  );
});

t.test('rules changed on a living connection take hold with the next question', async (t) => {
  const { wire, change } = connection();
  wire.request(ask('a.ok', 1) + ask('a.no', 2).slice(0, 9));
  change({ ...DNS_RULES, rules: [{ remotes: [5], dns: [{ matchPattern: '**.no' }], cookie: 9 }] });
  wire.request(ask('a.no', 2).slice(9) + ask('a.ok', 3));
  t.equal(
    wire.out[REQUEST],
    ask('a.ok', 1) + ask('a.no', 2),
    'one that was begun is judged by what is in force when it is whole',
  );
  t.same(messagesIn(wire.out[RESPONSE]), [{ id: 3, rcode: 5 }]);
  wire.response(reply('a.ok', 1));
  t.same(
    messagesIn(wire.out[RESPONSE]).map(({ id }) => id),
    [3, 1],
    'what was allowed is answered',
  );
});

t.test('a transfer has as many answers as it likes, the later ones without a question', async (t) => {
  const { wire } = connection();
  wire.request(ask('zone.ok', 7, 252));
  const later = framed(message({ id: 7, flags: 0x8000, answers: [address('x.ok', '192.0.2.1')] }));
  wire.response(reply('zone.ok', 7, 252) + later + later);
  t.equal(messagesIn(wire.out[RESPONSE]).length, 3);
  const other = connection();
  other.wire.request(ask('a.ok', 7)).response(later);
  t.equal(other.wire.isReset, true, 'others must have one');
});

t.test('what ends a connection, and is counted by kind', async (t) => {
  const cases: readonly [string, string, string, string][] = [
    ['a query that is none', framed(Buffer.from('GET / HTTP/1.1\r\n')), '', 'opcode'],
    ['no bytes', framed(Buffer.alloc(0)), '', 'short'],
    ['an answer from the client', reply('a.ok', 1), '', 'direction'],
    ['an answer that was not asked for', ask('a.ok', 1), reply('b.ok', 1), 'unasked'],
    ['an answer again', ask('a.ok', 1), reply('a.ok', 1) + reply('a.ok', 1), 'unasked'],
    ['a query from the server', ask('a.ok', 1), ask('a.ok', 1), 'direction'],
  ];
  for (const [name, request, response, kind] of cases) {
    const { wire, tcp } = connection();
    wire.request(request);
    if (response !== '') wire.response(response);
    t.equal(wire.isReset, true, name);
    const counted = tcp.counters.filter(([, read]) => read() > 0).map(([number]) => DNS_ERROR_KINDS[number - 228]);
    t.equal(counted.includes(kind as (typeof DNS_ERROR_KINDS)[number]), true, `${name}: ${kind}`);
  }
  const { wire } = connection();
  wire.send(REQUEST, ask('a.ok', 1).slice(0, 9), true);
  t.equal(wire.isReset, true, 'half a message and an end');
});

t.test('beyond 64 questions without an answer further ones wait', async (t) => {
  const { wire } = connection();
  const all = Array.from({ length: 80 }, (_, id) => ask('a.ok', id));
  wire.request(all.join(''));
  while (wire.out[REQUEST].length < 64 * all[0].length) wire.request('');
  t.equal(wire.out[REQUEST], all.slice(0, 64).join(''));
  t.equal(wire.parser.isWaiting(REQUEST), true);
  wire.response(reply('a.ok', 0) + reply('a.ok', 1));
  t.equal(wire.out[REQUEST], all.slice(0, 66).join(''));
});

t.test('a connection on which nothing waits outlives the process', async (t) => {
  const { wire, tcp } = connection();
  const words = new Int32Array(1);
  t.equal(wire.parser.saveState(words, 0, NO_STATE), true);
  wire.request(ask('a.ok', 1));
  t.equal(wire.parser.saveState(words, 0, NO_STATE), false);
  wire.response(reply('a.ok', 1));
  t.equal(wire.parser.saveState(words, 0, NO_STATE), true);
  const next = tcp.makeParser();
  next.begin(tcp.judgeOf(OWNER), OWNER);
  t.equal(next.loadState(words, 0, NO_STATE), true);
});
