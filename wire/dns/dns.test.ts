/** Names, messages and answers: what is read, what is refused, and that hostile bytes have one outcome in bounded steps. */
import t from 'tap';
import { address, alias, answer, message, nameBytes, OPT, pointer, query } from '../../test/dns-messages.ts';
import { mutateMessages } from '../../test/dns-mutation.ts';
import { randomFrom, SEED } from '../../test/random.ts';
import { formatIp } from '../address.ts';
import { DnsAnswers } from './answers.ts';
import { DNS_ERROR_KINDS, DnsMessage, FLAG_RESPONSE, RCODE_NAME_ERROR, RCODE_REFUSED } from './message.ts';
import { DomainName } from './name.ts';
import { emitRefusal, MAX_REFUSAL_BYTES } from './refusal.ts';
import { TYPE_IXFR, TYPE_SOA, typeName } from './types.ts';

const LONG = `${'a'.repeat(63)}.${'b'.repeat(63)}.${'c'.repeat(63)}.${'d'.repeat(61)}`; // 255 bytes on the wire
const kindOf = (bytes: Buffer) => DNS_ERROR_KINDS[new DnsMessage().parse(bytes, 0, bytes.length)];

t.test('a query is read whole', async (t) => {
  const bytes = Buffer.concat([Buffer.from('??'), query('Web.Example', { id: 7, type: 28, additionals: [OPT] })]);
  const read = new DnsMessage();
  t.equal(read.parse(bytes, 2, bytes.length), 0);
  t.match(read, { id: 7, isResponse: false, type: 28, class: 1, nameBytes: 13, hasOpt: true, answers: 0, rcode: 0 });
  t.equal(bytes.toString('latin1', read.questionAt + 1, read.questionAt + 4), 'Web');
});

t.test('what is not one plain question with what belongs to it is refused, by kind', async (t) => {
  const soa = { name: 'a', type: TYPE_SOA, data: Buffer.alloc(22) };
  const record = address('a', '192.0.2.1');
  const cases: readonly [string, Buffer, (typeof DNS_ERROR_KINDS)[number]][] = [
    ['a plain query', query('a'), 'none'],
    ['the root', query('.'), 'none'],
    ['the longest name', query(LONG), 'none'],
    ['a transfer that says where it begins', query('a', { type: TYPE_IXFR, authorities: [soa] }), 'none'],
    ['eleven bytes', query('a').subarray(0, 11), 'short'],
    ['a NOTIFY', query('a', { flags: 4 << 11 }), 'opcode'],
    ['no question', message({}), 'question-count'],
    ['two questions', message({ questions: [{ name: 'a' }, { name: 'b' }] }), 'question-count'],
    ['a name of 256 bytes', query(`${LONG}d`), 'question'],
    ['a label of 64 bytes', query(Buffer.from([64, ...new Array<number>(64).fill(97), 0])), 'question'],
    ['a pointer in the question', query(pointer(12)), 'question'],
    ['a pointer behind a label', query(Buffer.from([1, 97, 0xc0, 12])), 'question'],
    ['a bit label', query(Buffer.from([0x41, 1, 0])), 'question'],
    ['a name without its end', query('a').subarray(0, 14), 'question'],
    ['a name without type', query('a').subarray(0, 17), 'question'],
    ['an answer in a query', query('a', { answers: [record] }), 'record-count'],
    ['a truncated query', query('a', { flags: 0x200 }), 'record-count'],
    ['a query with a response code', query('a', { flags: 5 }), 'record-count'],
    ['an authority in a query', query('a', { authorities: [soa] }), 'record'],
    ['something else beside', query('a', { additionals: [record] }), 'record'],
    ['three records beside', query('a', { additionals: [OPT, OPT, OPT] }), 'record-count'],
    ['two OPT', query('a', { additionals: [OPT, OPT] }), 'opt'],
    ['an OPT with a name', query('a', { additionals: [{ ...OPT, name: 'x' }] }), 'opt'],
    [
      'an OPT with half an option',
      query('a', { additionals: [{ ...OPT, data: Buffer.from([0, 1, 0, 9, 1]) }] }),
      'opt',
    ],
    ['an OPT with an option', query('a', { additionals: [{ ...OPT, data: Buffer.from([0, 10, 0, 1, 1]) }] }), 'none'],
    ['bytes behind the end', query('a', { trailing: Buffer.from('x') }), 'trailing-bytes'],
    ['more records than there are', query('a', { counts: [1, 0, 0, 1] }), 'record'],
    ['fewer records than there are', answer('a', [record, record], { counts: [1, 1, 0, 0] }), 'trailing-bytes'],
    ['an answer', answer('a', [record]), 'none'],
    ['an answer with OPT among the answers', answer('a', [OPT]), 'opt'],
    ['an answer that points back', answer('a', [{ ...record, name: pointer(12) }]), 'none'],
    ['an answer that points forward', answer('a', [{ ...record, name: pointer(200) }]), 'record'],
    ['an answer that points to itself', answer('a', [{ ...record, name: pointer(19) }]), 'record'],
    ['an answer that points into the header', answer('a', [{ ...record, name: pointer(4) }]), 'record'],
    ['an answer with half its data', answer('a', [record]).subarray(0, -2), 'record'],
  ];
  for (const [name, bytes, kind] of cases) t.equal(kindOf(bytes), kind, name);
});

t.test('only a response may lack its question, and only where it may', async (t) => {
  const later = message({ flags: FLAG_RESPONSE, answers: [address('a', '192.0.2.1')] });
  const asked = message({});
  t.equal(new DnsMessage().parse(later, 0, later.length, true), 0);
  t.not(new DnsMessage().parse(later, 0, later.length), 0);
  t.not(new DnsMessage().parse(asked, 0, asked.length, true), 0);
});

t.test('DomainName is in lower case, follows pointers backwards, and is written so that it can be read', async (t) => {
  const bytes = Buffer.concat([
    Buffer.alloc(12),
    nameBytes('Example.COM'),
    Buffer.from([3]),
    Buffer.from('Www'),
    pointer(12),
  ]);
  const name = new DomainName();
  t.equal(name.load(bytes, 0, bytes.length, 25), true);
  t.match(name, { labels: 3, length: 17, isPlain: true });
  t.equal(name.text(), 'www.example.com.');
  const other = new DomainName();
  for (const text of ['www.example.com', 'WWW.example.com.']) {
    t.equal(other.loadText(text), true);
    t.equal(other.equals(name.bytes, name.length), true);
    t.equal(other.hash(9), name.hash(9));
  }
  t.equal(name.loadText('.'), true);
  t.match(name, { labels: 0, length: 1 });
  t.equal(name.text(), '.');
});

t.test('bytes that would mislead are escaped, and keep a name from being plain', async (t) => {
  const name = new DomainName();
  const bytes = Buffer.concat([Buffer.alloc(12), Buffer.from([4]), Buffer.from('a.b\0'), nameBytes('x')]);
  t.equal(name.load(bytes, 0, bytes.length, 12), true);
  t.equal(name.text(), 'a\\.b\\000.x.');
  t.equal(name.isPlain, false);
  const again = new DomainName();
  t.equal(again.loadText(name.text()), true);
  t.equal(again.equals(name.bytes, name.length), true);
  t.equal(again.loadText('bücher.example'), true);
  t.equal(again.isPlain, false);
});

t.test('texts that no name is written as', async (t) => {
  for (const text of ['a..b', '.a', 'a\\', 'a\\25', 'a\\256', 'x'.repeat(64), `${LONG}d`, '☃']) {
    const name = new DomainName();
    t.equal(name.loadText(text), false, text);
    t.match(name, { labels: 0, length: 1 }, 'nothing of it stays');
  }
});

t.test('pointers that do not lead back, or lead too often, make no name', async (t) => {
  const chain = Buffer.concat([
    Buffer.alloc(12),
    Buffer.from([0]),
    ...Array.from({ length: 200 }, (_, i) => pointer(i === 0 ? 12 : 11 + 2 * i)),
  ]);
  const name = new DomainName();
  const at = (hops: number) => 11 + 2 * hops;
  t.equal(name.load(chain, 0, chain.length, at(127)), true);
  t.equal(name.load(chain, 0, chain.length, at(128)), false);
  const loop = Buffer.concat([Buffer.alloc(12), pointer(14), pointer(12)]);
  t.equal(name.load(loop, 0, loop.length, 14), false);
  const self = Buffer.concat([Buffer.alloc(12), Buffer.from([1, 97]), pointer(12)]);
  t.equal(name.load(self, 0, self.length, 12), false, 'a name that contains itself');
});

function answersOf(bytes: Buffer) {
  const read = new DnsMessage();
  t.equal(read.parse(bytes, 0, bytes.length), 0);
  const answers = new DnsAnswers();
  answers.read(read, bytes, 0, bytes.length);
  const texts = Array.from({ length: answers.count }, (_, i) => {
    const [w0, w1, w2, w3] = answers.addresses.subarray(4 * i, 4 * i + 4);
    return formatIp(w0, w1, w2, w3);
  });
  return { texts, ttl: answers.ttlSec, aliases: answers.aliases, isCut: answers.isCut };
}

t.test('an answer teaches the addresses that its question leads to, and no others', async (t) => {
  const chain = [address('c', '192.0.2.1', 50), alias('B', 'c', 30), alias('a', 'b', 40)];
  t.same(answersOf(answer('A', chain)), { texts: ['192.0.2.1'], ttl: 30, aliases: 2, isCut: false }, 'in any order');
  const both = [address('a', '192.0.2.1'), address('x', '192.0.2.2'), address('a', '2001:db8::1')];
  t.same(answersOf(answer('a', both)).texts, ['192.0.2.1', '2001:db8::1'], 'not those of a stranger');
  t.same(answersOf(answer('a', [alias('a', 'b'), alias('b', 'a')])).isCut, true, 'a circle ends');
  t.same(answersOf(answer('a', [address('a', '::ffff:192.0.2.1')])).texts, [], 'no IPv4 address in AAAA');
  t.same(
    answersOf(answer('a', [{ ...address('a', '192.0.2.1'), data: Buffer.alloc(5) }])).texts,
    [],
    'no address of five bytes',
  );
  t.same(answersOf(answer('a', [{ ...address('a', '192.0.2.1'), class: 3 }])).texts, [], 'no other class');
  t.same(answersOf(answer('a', [{ ...address('a', '192.0.2.1'), ttl: 0x80000000 }])).ttl, 0);
  t.same(answersOf(answer('a', [])), { texts: [], ttl: 0, aliases: 0, isCut: false });
  const many = Array.from({ length: 1100 }, () => ({ ...address('a', '192.0.2.1'), name: pointer(12) }));
  t.match(answersOf(answer('a', many)), { isCut: true });
});

t.test('a refusal is the query turned round', async (t) => {
  const asked = query('wWw.Example', { id: 0x1234, flags: 0x0130, additionals: [{ ...OPT, ttl: 0x8000 }] });
  const parsed = new DnsMessage();
  parsed.parse(asked, 0, asked.length);
  const to = Buffer.alloc(MAX_REFUSAL_BYTES);
  const length = emitRefusal(to, 0, parsed, asked, RCODE_REFUSED);
  const read = new DnsMessage();
  t.equal(read.parse(to, 0, length), 0);
  t.match(read, { id: 0x1234, isResponse: true, rcode: 5, type: 1, hasOpt: true, optFlags: 0x8000, answers: 0 });
  t.equal(to.toString('latin1', 13, 16), 'wWw', 'to the letter');
  t.equal(read.flags & 0x0130, 0x0110, 'RD and CD are kept, nothing else is');
  t.equal(to.readUInt16BE(length - 2), 18, 'prohibited');
  const plain = query('a');
  parsed.parse(plain, 0, plain.length);
  t.equal(read.parse(to, 0, emitRefusal(to, 0, parsed, plain, RCODE_NAME_ERROR)), 0);
  t.match(read, { rcode: 3, hasOpt: false });
  const longest = query(LONG, { additionals: [OPT] });
  parsed.parse(longest, 0, longest.length);
  t.equal(emitRefusal(to, 0, parsed, longest, RCODE_REFUSED), MAX_REFUSAL_BYTES);
});

t.test('typeName() knows the common types and writes the others by number', async (t) => {
  t.same([1, 28, 65, 255, 4711].map(typeName), ['A', 'AAAA', 'HTTPS', 'ANY', 'TYPE4711']);
});

t.test('20,000 mutated messages: one outcome each, nothing thrown, nothing read outside, few steps', async (t) => {
  t.comment(`seed ${SEED}`);
  const outcomes = mutateMessages(randomFrom(SEED), 20_000);
  t.ok(outcomes.accepted > 500, `some stay right: ${outcomes.accepted}`);
  for (const kind of ['short', 'question', 'record', 'trailing-bytes'] as const) t.ok(outcomes.kinds.get(kind), kind);
});
