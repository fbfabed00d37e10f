/** Server names of hellos: those of real clients however they are cut, those made to be read in two ways, and mutations of both. */
import t from 'tap';
import type { L7RuleSet } from '../../policy-maps/l7-rules.ts';
import { TLS_ERROR_KINDS } from '../../policy-maps/counters.ts';
import { Rig } from '../../test/stream/tcp-rig.ts';
import { extension, hello, HELLOS, mutate, records, SEEDS, sni } from '../../test/tls/hello-maker.ts';
import { outcomeOf, setOf, world, type World } from '../../test/tls/tls-world.ts';
import * as tcp from '../../wire/header/tcp.ts';
import { NO_STATE, REQUEST, RESPONSE } from '../parser.ts';
import { tlsOffline } from './rules.ts';

const NAME = 'www.one.example';
const RETRY = Buffer.concat([
  Buffer.from('160303002e0200002a0303', 'hex'),
  Buffer.from('cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c', 'hex'),
  Buffer.from('00130200' + '0000', 'hex').subarray(0, 4),
]).toString('latin1');
const ANSWER = `${RETRY.slice(0, 11)}${'r'.repeat(32)}${RETRY.slice(43)}`;
const EARLY = '\x17\x03\x03\x00\x05early';
const ALERT = '\x15\x03\x03\x00\x02\x02\x31';

const seen = ({ wire, told }: World) => ({ ...told[0], passed: wire.out[REQUEST].length, isReset: wire.isReset });

t.test('hellos of real clients are judged once, wherever they are cut, and not one byte leaves before', async (t) => {
  t.equal(Object.keys(HELLOS).length, 9);
  for (const [client, bytes] of Object.entries(HELLOS)) {
    const isNamed = client !== 'openssl, no name';
    for (let cut = 0; cut < bytes.length; cut++) {
      const good = world('*.one.example');
      good.wire.request(bytes.slice(0, cut));
      if (good.wire.out[REQUEST] !== '' || good.told.length > 0) t.fail(`${client}: passed ${cut} bytes unjudged`);
      good.wire.request(bytes.slice(cut) + EARLY);
      const wanted = isNamed ? bytes + EARLY : '';
      if (good.wire.out[REQUEST] !== wanted || good.wire.isClosed === isNamed) t.fail(`${client} cut at ${cut}`);
      const bad = world('two.example');
      bad.wire.request(bytes.slice(0, cut)).request(bytes.slice(cut));
      if (bad.wire.out[REQUEST] !== '' || !bad.wire.isClosed || bad.told[0].verdict !== 'Denied') {
        t.fail(`${client} cut at ${cut} under other rules`);
      }
    }
    t.same(world(NAME).wire.request(bytes).isClosed, !isNamed, client);
  }
});

t.test('a hello in records of any size, byte by byte', async (t) => {
  const message = hello([sni('a.example'), extension(0x1a1a, ''), extension(0xfe0d, 'outer')]);
  for (const size of [1, 2, 3, 4, 5, 100]) {
    const bytes = records(message, size);
    const { wire, told } = world('a.example');
    for (const byte of bytes) wire.request(byte);
    t.same(told, [{ verdict: 'Forwarded', what: 'a.example' }], `${size} bytes a record`);
    t.equal(wire.out[REQUEST], bytes);
  }
});

t.test('what could be read in two ways, or is no hello, is refused', async (t) => {
  const good = hello([sni('a.example')]);
  const lie = (length: number) => `\x16\x03\x01${String.fromCharCode(length >> 8, length & 255)}`;
  const cases: [kind: string, bytes: string][] = [
    ['not-tls', 'GET / HTTP/1.1\r\n\r\n'],
    ['not-tls', '\x16\x02\x00'],
    ['ssl2-hello', '\x80\x2e\x01\x03\x01'],
    ['not-tls', '\x80\x2e\x02'],
    ['bad-record', lie(0)],
    ['bad-record', lie(16385)],
    ['bad-record', records(good, 5).slice(0, 10) + EARLY],
    ['hello-too-large', `${lie(16384)}\x01\xff\xff\xff`],
    ['hello-too-large', `${lie(16384)}\x01\x00\x40\x00`],
    ['hello-too-large', records('\x01\xff\xff\xff', 1)],
    ['bad-hello', `${lie(100)}\x02`],
    ['bad-hello', records(`${good}\x00`)],
    ['bad-hello', records(hello([sni('a.example')], '\x00'))],
    ['bad-hello', records(good.replace('\x03\x03', '\x02\x03'))],
    ['duplicate-extension', records(hello([sni('a.example'), sni('a.example')]))],
    ['duplicate-extension', records(hello([extension(7777, ''), sni('a.example'), extension(7777, '')]))],
    ['several-names', records(hello([sni('a.example', 'b.example')]))],
    ['bad-name', records(hello([sni('')]))],
    ['bad-name', records(hello([sni('a'.repeat(256))]))],
    ['bad-name', records(hello([extension(0, '')]))],
    ['bad-name', records(hello([extension(0, '\x00\x04\x01\x00\x01a')]))],
  ];
  for (const [kind, bytes] of cases) {
    const one = world('*', 'a.example', '**.example');
    one.wire.request(bytes);
    t.same(
      seen(one),
      { verdict: 'Error', what: kind, passed: 0, isReset: true },
      `${kind}: ${JSON.stringify(bytes.slice(0, 12))}`,
    );
    const dripping = world('*', 'a.example', '**.example');
    for (const byte of bytes) dripping.wire.request(byte);
    t.same(seen(dripping), seen(one), `${kind}, byte by byte`);
  }
  const cut = world('a.example');
  cut.wire.send(REQUEST, records(good).slice(0, 20), true);
  t.same(seen(cut), { verdict: 'Error', what: 'truncated', passed: 0, isReset: true });
  const banner = world('a.example');
  banner.wire.response('220 mail.example ESMTP\r\n');
  t.same(seen(banner), { verdict: 'Error', what: 'server-first', passed: 0, isReset: true });
  t.same(
    [...new Set([...cases.map(([kind]) => kind), 'truncated', 'server-first', 'bad-answer'])].toSorted(),
    TLS_ERROR_KINDS.slice(1).toSorted(),
    'every kind is tried',
  );
});

t.test('a refused name is answered by an alert in the version of the hello, and the server sees nothing', async (t) => {
  for (const bytes of [
    records(hello([sni('b.example')])),
    records(hello([])),
    records(hello([sni('a.example\0.x')])),
  ]) {
    const one = world('a.example', '**.a.example');
    one.wire.request(bytes + EARLY);
    t.same(one.wire.out, ['', ALERT]);
    t.ok(one.wire.isClosed);
    t.equal(one.told[0].verdict, 'Denied');
    one.wire.request('more').response('late');
    t.same(one.wire.out, ['', ALERT], 'and nothing behind it');
  }
  const old = world('a.example').wire.request(records(hello([sni('b.example')]).replace('\x03\x03', '\x03\x01')));
  t.equal(old.out[RESPONSE], '\x15\x03\x01\x00\x02\x02\x31');
});

t.test('a second hello, after a HelloRetryRequest, is judged too', async (t) => {
  const first = records(hello([sni('a.example')]));
  const evil = records(hello([sni('evil.example')]));
  for (const { second, early, isGood } of [
    { second: first, early: false, isGood: true },
    { second: first, early: true, isGood: true },
    { second: evil, early: false, isGood: false },
    { second: evil, early: true, isGood: false },
    { second: records(hello([sni('evil.example')]), 7), early: false, isGood: false },
    { second: records(hello([])), early: true, isGood: false },
  ]) {
    const { wire } = world('a.example');
    wire.request(first + EARLY);
    if (early) wire.request(second);
    t.equal(wire.out[REQUEST], first + EARLY, 'a second hello waits until the server has asked for it');
    for (const byte of RETRY) wire.response(byte);
    t.equal(wire.out[RESPONSE], RETRY);
    if (!early) wire.request(`\x14\x03\x03\x00\x01\x01${second}`);
    t.equal(wire.isReset, !isGood);
    t.equal(wire.out[REQUEST].includes('evil'), false);
    if (isGood) t.equal(wire.request('opaque').out[REQUEST].endsWith(`${second}opaque`), true);
  }
});

t.test('behind the answer of the server the stream is opaque', async (t) => {
  for (const answer of [ANSWER, '\x15\x03\x03\x00\x02\x02\x28', 'nonsense']) {
    const { wire } = world('a.example');
    const first = records(hello([sni('a.example')]));
    wire.request(first).response(answer).request('\x16anything').response('\x16anything');
    t.same(wire.out, [`${first}\x16anything`, `${answer}\x16anything`]);
  }
  for (const bad of ['\x16\x03\x03\x00\x04\x00\x00\x00\x00', `\x16\x03\x03\x00\x05${ANSWER.slice(5)}`]) {
    const one = world('a.example');
    one.wire.request(records(hello([sni('a.example')]))).response(bad.padEnd(60, 'x'));
    t.ok(one.wire.isReset, 'a ServerHello that could hide what it asks for');
    t.equal(one.told[1].what, 'bad-answer');
  }
});

t.test('a rule without names lets every stream pass', async (t) => {
  const { wire } = world('a.example', null);
  t.same(wire.response('220 hello').request('EHLO').out, ['EHLO', '220 hello']);
});

t.test('offline and on the wire one matcher answers; no pattern is expensive', async (t) => {
  const cases: [pattern: string, name: string, isAllowed: boolean][] = [
    ['one.o*e.example', 'one.OOOe.example', true],
    ['one.o*e.example', 'one.o.e.example', false],
    ['*.a.example', 'x.a.example', true],
    ['*.a.example', 'x.y.a.example', false],
    ['**.a.example', 'x.y.a.example', true],
    ['**.a.example', 'a.example', false],
    ['**a', 'b.ba', false],
    ['*', 'x.y', true],
    ['*', 'x_y-1.example', true],
    ['*', 'x y', false],
    ['*', '', false],
    ['a.example.', 'A.EXAMPLE', true],
    ['a.example', 'a.example.', true],
    ['a.example', 'axexample', false],
    ['a.example', 'a.example.evil', false],
    ['a.example', 'evil.a.example', false],
    [`${'*a'.repeat(100)}b`, 'a'.repeat(255), false],
  ];
  for (const [pattern, name, isAllowed] of cases) {
    t.equal(tlsOffline(setOf([pattern]), 5)({ serverName: name }) > 0, isAllowed, `offline: ${pattern} ${name}`);
    if (name === '') continue;
    const { wire } = world(pattern);
    wire.request(records(hello([sni(name)])));
    t.equal(!wire.isClosed, isAllowed, `on the wire: ${pattern} ${name}`);
  }
});

t.test('a state is carried over', async (t) => {
  const words = new Int32Array(1);
  const first = records(hello([sni('a.example')]));
  for (const [answer, isReset] of [
    ['', true],
    [RETRY, true],
    [ANSWER, false],
  ] as const) {
    const before = world('a.example').wire.request(first).response(answer);
    t.ok(before.parser.saveState(words, 0, NO_STATE));
    const { wire } = world('a.example');
    t.ok(wire.parser.loadState(words, 0, NO_STATE));
    if (answer === '') wire.response(RETRY);
    wire.request(records(hello([sni('evil.example')])));
    t.equal(wire.isReset, isReset);
  }
  words[0] = 4;
  t.notOk(world('a.example').wire.parser.loadState(words, 0, NO_STATE));
});

t.test('in a connection: the server of a refused name sees a reset, its client the alert and the end', async (t) => {
  const ruleSet: L7RuleSet = { ...setOf([]), rules: [{ remotes: [100], cookie: 3, serverNames: ['a.example'] }] };
  for (const [name, isAllowed] of [
    ['a.example', true],
    ['b.example', false],
  ] as const) {
    const rig = new Rig(ruleSet);
    rig.client({ seq: 0, flags: tcp.SYN, mss: 1460 });
    rig.server({ seq: 1000, ack: 1, flags: tcp.SYN | tcp.ACK, mss: 1460 });
    rig.take();
    const bytes = Buffer.from(records(hello([sni(name)])), 'latin1');
    rig.client({ seq: 1, ack: 1001, data: bytes.subarray(0, 40) });
    t.equal(Buffer.concat(rig.take().toResponder.map(({ data }) => data)).length, 0);
    rig.client({ seq: 41, ack: 1001, data: bytes.subarray(40) });
    const { toResponder, toInitiator } = rig.take();
    t.same(Buffer.concat(toResponder.map(({ data }) => data)), isAllowed ? bytes : Buffer.alloc(0));
    t.equal(
      toResponder.some(({ flags }) => (flags & tcp.RST) !== 0),
      !isAllowed,
    );
    t.equal(
      Buffer.concat(toInitiator.map(({ data }) => data)).toString('latin1'),
      isAllowed ? '' : ALERT,
      'what the client reads',
    );
    t.equal(
      toInitiator.some(({ flags }) => (flags & tcp.FIN) !== 0),
      !isAllowed,
    );
  }
});

t.test('mutated hellos: no exception, one outcome, however they are cut', async (t) => {
  const outcomes = new Set<string>();
  for (let seed = 1; seed <= 20_000; seed++) {
    const { bytes, cut } = mutate(SEEDS, seed);
    const whole = outcomeOf(bytes, 0);
    if (whole !== outcomeOf(bytes, cut)) t.fail(`seed ${seed}: cut at ${cut} it is judged otherwise`);
    outcomes.add(/Forwarded|Denied|Error","what":"[a-z0-9-]+/.exec(whole)?.[0] ?? 'waits');
  }
  t.ok(outcomes.size >= 8, [...outcomes].join(' '));
});
