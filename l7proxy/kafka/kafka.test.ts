/** Kafka under rules: every version of every request, however it is cut; answers in their turn; what is refused. */
import t from 'tap';
import { type ParserState, RESPONSE, REQUEST } from '../parser.ts';
import {
  answer,
  int16,
  int32,
  KafkaWorld,
  message,
  produce,
  request,
  resumed,
  string16,
} from '../../test/kafka/kafka-world.ts';
import { gathered, requestOf } from '../../test/kafka/gathered.ts';
import { bytesOf, VECTORS } from '../../test/kafka/vectors.ts';
import { OWNER } from '../../test/stream/parser-wire.ts';
import { randomFrom } from '../../test/random.ts';
import { namesTopics } from './api-keys.ts';
import { BAD, MORE } from './body-reader.ts';
import { kafkaOffline } from './rules.ts';
import { setOf } from '../../test/kafka/kafka-world.ts';

const latin1 = (bytes: Uint8Array) => Buffer.from(bytes).toString('latin1');

/** Fetch, version 7: of a session. */
function fetch(session: number, epoch: number, topics: readonly string[], correlation: number): string {
  const each = topics.map((topic) => string16(topic) + int32(0));
  const head = int32(-1) + int32(1) + int32(1) + int32(9) + '\0' + int32(session) + int32(epoch);
  return request(1, 7, correlation, head + int32(topics.length) + each.join('') + int32(0));
}

/** Room for the states of connections. */
function stateKept(): ParserState {
  const kept = new Map<number, Int32Array>();
  return {
    save: (slot: number, _generation: number, words: Int32Array, count: number) => {
      kept.set(slot, words.slice(0, count));
      return true;
    },
    load: (slot: number, _generation: number, words: Int32Array) => {
      const found = kept.get(slot);
      if (found !== undefined) words.set(found);
      return found?.length ?? -1;
    },
    forget: (slot: number) => kept.delete(slot),
  };
}

/** What a server answers to the first of a session. */
function session(number: number): string {
  return int32(0) + int16(0) + int32(number) + int32(0);
}

t.test('every version of every request is read to its last byte, and names what it names', async (t) => {
  t.ok(VECTORS.length > 200);
  for (const vector of VECTORS) {
    const name = `request ${vector.key} version ${vector.version}`;
    const collected = gathered(vector);
    const found = { topics: new Set<string>(), ids: new Set<string>(), partitions: [] as number[] };
    for (let item = 0; item < collected.count; item++) {
      const at = collected.nameAt(item);
      const text = latin1(collected.names.subarray(at, at + Math.max(collected.nameBytes(item), 0)));
      if (collected.rankOf(item) === 1 && collected.nameBytes(item) >= 0) found.topics.add(text);
      const id = collected.idAt(item);
      if (id >= 0) found.ids.add(Buffer.from(collected.names.subarray(id, id + 16)).toString('hex'));
      if (collected.rankOf(item) === 2) found.partitions.push(collected.numberOf(item));
    }
    if (!namesTopics(vector.key)) continue;
    const wanted = { topics: new Set(vector.topics), ids: new Set(vector.ids), partitions: vector.partitions };
    t.same(found, wanted, name);
  }
});

t.test('a body that ends too early or too late is no body', async (t) => {
  for (const vector of VECTORS) {
    const { request: read, bytes, bodyAt } = requestOf(vector);
    if (!namesTopics(vector.key) || vector.key === 75) continue; // the rest of others is not read
    for (const [limit, end] of [
      [bytes.length - 1, bytes.length - 1],
      [bytes.length + 1, bytes.length + 1],
    ]) {
      const longer = Buffer.concat([bytes, Buffer.alloc(1)]);
      read.gather(bodyAt, limit);
      const outcome = read.reader.read(longer, 0, end, read);
      if (outcome !== BAD)
        t.fail(`request ${vector.key} version ${vector.version}, limit ${limit}: outcome ${outcome}`);
    }
    read.gather(bodyAt, bytes.length);
    t.equal(read.reader.read(bytes, 0, bytes.length - 1, read), MORE);
  }
});

t.test('a request passes when all its topics are allowed, wherever it is cut; else it is answered', async (t) => {
  const rules = [{ topic: 'alpha' }, { topic: 'beta.2' }];
  const random = randomFrom(7);
  for (const vector of VECTORS) {
    const bytes = latin1(bytesOf(vector));
    const names = namesTopics(vector.key) ? vector.topics : [];
    if (vector.key === 1 && vector.version >= 7) continue; // these go on with a session of somebody else: see below
    if (vector.key === 17 && vector.version === 0) continue; // nobody may: see below
    const isAllowed =
      !namesTopics(vector.key) || (vector.ids.length === 0 && names.every((topic) => topic !== 'gamma_3'));
    for (const cut of [0, random(bytes.length), random(bytes.length)]) {
      const world = new KafkaWorld(rules);
      const wire = world.connect().request(bytes.slice(0, cut));
      // The rest is not waited for when no topic is to come.
      if (wire.out[REQUEST] !== '' && !isAllowed)
        t.fail(`request ${vector.key} version ${vector.version} passed when cut at ${cut}`);
      wire.request(bytes.slice(cut));
      const hasPassed = wire.out[REQUEST] === bytes && wire.out[RESPONSE] === '';
      const isDenied = wire.out[REQUEST] === '' && wire.out[RESPONSE].slice(4, 8) === '\x01\x02\x03\x04';
      if (!(isAllowed ? hasPassed : isDenied) || wire.isReset)
        t.fail(`request ${vector.key} version ${vector.version}, cut at ${cut}: ${JSON.stringify(world.told)}`);
    }
  }
});

t.test('byte by byte, and many requests at once', async (t) => {
  const bytes = produce(['a', 'b'], 1) + produce(['a', 'c'], 2) + produce(['a'], 3);
  for (const isBytewise of [true, false]) {
    const world = new KafkaWorld([{ topic: 'a' }, { topic: 'b' }]);
    const wire = world.connect();
    for (const piece of isBytewise ? bytes : [bytes]) wire.request(piece);
    t.equal(wire.out[REQUEST], produce(['a', 'b'], 1) + produce(['a'], 3));
    t.equal(wire.out[RESPONSE], '', 'the denial waits for its turn');
    wire.response(answer(1));
    const parts = string16('a') + int32(1) + int32(0) + int16(29) + int32(-1) + int32(-1) + int32(-1) + int32(-1);
    const refused = message(int32(2) + int32(2) + parts + parts.replace('a', 'c') + int32(0));
    t.equal(wire.out[RESPONSE], answer(1) + refused, 'for every topic that it names');
    wire.response(answer(3));
    t.equal(wire.out[RESPONSE], answer(1) + refused + answer(3));
    t.same(
      world.told.filter(({ type }) => type === 'Request').map(({ verdict, what }) => `${verdict} ${what}`),
      [
        'Forwarded produce a',
        'Forwarded produce b',
        'Denied produce a 29',
        'Denied produce c 29',
        'Forwarded produce a',
      ],
    );
  }
});

t.test('role, key, version and client', async (t) => {
  const cases: [rule: object, bytes: string, isAllowed: boolean][] = [
    [{ role: 'produce' }, produce(['any'], 1), true],
    [{ role: 'consume' }, produce(['any'], 1), false],
    [{ role: 'consume' }, request(12, 0, 1, string16('g') + int32(1) + string16('m')), true],
    [{ role: 'produce' }, request(12, 0, 1, string16('g') + int32(1) + string16('m')), false],
    [{ role: 'produce', topic: 'a' }, produce(['a'], 1), true],
    [{ role: 'produce', topic: 'a' }, request(18, 0, 1, ''), true],
    [{ apiKey: 'Produce', apiVersion: '2' }, produce(['a'], 1), true],
    [{ apiKey: 'produce', apiVersion: '3' }, produce(['a'], 1), false],
    [{ clientID: 'c' }, produce(['a'], 1), true],
    [{ clientID: 'd' }, produce(['a'], 1), false],
    [{ clientID: 'd' }, request(18, 0, 1, '', 'd'), true],
    [{ topic: 'a' }, request(3, 1, 1, int32(-1)), false],
    [{ topic: 'a' }, request(3, 1, 1, int32(0)), true],
    [{ topic: 'a' }, request(3, 0, 1, int32(0)), false],
    [{}, request(3, 0, 1, int32(0)), true],
    [{}, request(200, 9, 1, 'what nobody knows'), true],
    [{ topic: 'a' }, request(200, 9, 1, 'what nobody knows'), false],
    [{ topic: 'a' }, request(1, 99, 1, 'a version of later'), false],
  ];
  for (const [rule, bytes, isAllowed] of cases) {
    const wire = new KafkaWorld([rule]).connect().request(bytes);
    t.equal(wire.out[REQUEST], isAllowed ? bytes : '', `${JSON.stringify(rule)} ${JSON.stringify(bytes.slice(4, 12))}`);
  }
});

t.test(
  'who may not hear of a topic hears of the broker all the same: clients overlook answers without one',
  async (t) => {
    for (const [version, body] of [
      [0, int32(1) + string16('b')],
      [9, '\0\x02\x02b\0\x01\0\0\0'],
    ] as const) {
      const wire = new KafkaWorld([{ topic: 'a' }]).connect().request(request(3, version, 1, body));
      t.equal(wire.out[REQUEST], '');
      t.match(wire.out[RESPONSE], `10.0.0.9${int32(9092)}`);
    }
  },
);

t.test('who wants no answer is told by the end of the connection', async (t) => {
  const denied = new KafkaWorld([{ topic: 'a' }]).connect().request(produce(['a'], 1) + produce(['b'], 2, { acks: 0 }));
  t.notOk(denied.isClosed, 'what is owed comes first');
  denied.response(answer(1));
  t.ok(denied.isClosed);
  const allowed = new KafkaWorld([{ topic: 'a' }])
    .connect()
    .request(produce(['a'], 1, { acks: 0 }) + produce(['a'], 2));
  allowed.response(answer(2));
  t.equal(allowed.out[RESPONSE], answer(2), 'it is waited for no answer to the first');
});

t.test('records of one topic are not held; a denied topic behind what has passed ends the connection', async (t) => {
  const large = produce(['a'], 1, { bytes: 900_000 });
  const one = new KafkaWorld([{ topic: 'a' }]).connect().request(large.slice(0, 100));
  t.equal(one.out[REQUEST], large.slice(0, 100), 'from its first topic on');
  one.request(large.slice(100) + produce(['a'], 2));
  t.equal(one.out[REQUEST], large + produce(['a'], 2));

  const two = produce(['a', 'b'], 1, { bytes: 300_000 });
  const world = new KafkaWorld([{ topic: 'a' }]);
  const late = world.connect();
  for (let at = 0; at < two.length && !late.isReset; at += 60_000) late.request(two.slice(at, at + 60_000));
  t.ok(late.isReset);
  t.ok(late.out[REQUEST].length < two.length, 'the server never has it whole');
  t.same(world.told.at(-1), { type: 'Request', verdict: 'Error', what: 'late-denial' });

  const allowed = new KafkaWorld([{ topic: 'a' }, { topic: 'b' }]).connect();
  for (let at = 0; at < two.length; at += 60_000) allowed.request(two.slice(at, at + 60_000));
  t.ok(allowed.out[REQUEST] === two, 'one of allowed topics passes, however large');

  const changing = new KafkaWorld([{ topic: 'a' }, { topic: 'b' }]);
  const begun = changing.connect().request(two.slice(0, 200_000));
  t.not(begun.out[REQUEST], '', 'its beginning passes');
  changing.setRules([{ topic: 'a' }, { topic: 'c' }]);
  begun.request(two.slice(200_000));
  t.ok(begun.isReset, 'the rules that it was begun under are those of none of its later topics');
  t.ok(begun.out[REQUEST].length < two.length);

  const refused = new KafkaWorld([{ topic: 'b' }]).connect();
  for (let at = 0; at < two.length; at += 60_000) refused.request(two.slice(at, at + 60_000));
  t.equal(refused.out[REQUEST], '', 'one that is denied at once is taken out, however large');
  t.match(refused.out[RESPONSE], /a.*b/s);
});

t.test('answers that nobody asked for, and messages that are none, end the connection', async (t) => {
  const cases: [kind: string, way: 'request' | 'response', bytes: string][] = [
    ['unasked', 'response', answer(1)],
    ['bad-size', 'response', int32(3) + int32(1)],
    ['bad-size', 'request', int32(-1)],
    ['bad-size', 'request', int32(200 * 1024 * 1024)],
    ['bad-header', 'request', message(`${int16(0) + int16(2) + int32(1)}\xff\xfe`)],
    ['bad-body', 'request', request(0, 2, 1, int16(1) + int32(1) + int32(2) + string16('a'))],
    ['bad-body', 'request', request(3, 1, 1, int32(1_000_000) + string16('a'))],
    ['bad-body', 'request', request(3, 1, 1, int32(1) + string16('a'.repeat(250)))],
    ['bad-body', 'request', request(3, 1, 1, `${int32(1) + string16('a')}trailing`)],
  ];
  for (const [kind, way, bytes] of cases) {
    const world = new KafkaWorld([
      { role: 'produce', topic: 'b' },
      { role: 'produce', topic: 'a' },
    ]);
    const wire = world.connect()[way](bytes);
    const isSettled = kind === 'bad-body' && bytes.endsWith('trailing');
    t.ok(isSettled || (wire.isReset && world.told.at(-1)?.what === kind), `${kind}: ${JSON.stringify(world.told)}`);
  }
  const other = new KafkaWorld(null)
    .connect()
    .request(produce(['a'], 1))
    .response(answer(2));
  t.ok(other.isReset, 'an answer to another request');
  const cut = new KafkaWorld(null).connect().send(REQUEST, produce(['a'], 1).slice(0, 9), true);
  t.ok(cut.isReset, 'a stream that ends within a message');
});

t.test('ids of topics mean what their brokers said, and nothing else', async (t) => {
  const id = '0123456789abcdef';
  const names = (topic: string) => {
    const told = `${int16(0) + String.fromCharCode(topic.length + 1) + topic + id}\0\x01${int32(0)}\0`;
    return `\0${int32(0)}\x01\0${int32(-1)}\x02${told}${int32(0)}\0`;
  };
  const metadata = request(3, 10, 1, '\0\0\0\0\0\0');
  const fetch = request(
    1,
    13,
    2,
    `\0${int32(-1)}${int32(1)}${int32(1)}${int32(9)}\0${int32(0)}${int32(-1)}\x02${id}\x01\0\x01\x01\0`,
  );
  const all = [{ apiKey: 'metadata' }, { topic: 'a' }];
  const world = new KafkaWorld(all);
  const wire = world.connect();
  wire.request(fetch);
  t.equal(wire.out[REQUEST], '', 'nobody has said what it is called');
  t.match(wire.out[RESPONSE], id);
  wire.request(metadata).response(answer(1, names('a')));
  t.equal(wire.out[REQUEST], metadata);
  wire.request(fetch);
  t.equal(wire.out[REQUEST], metadata + fetch, 'now it is known');
  const elsewhere = world.connect({ ...OWNER, slot: 5 }).request(fetch);
  t.equal(elsewhere.out[REQUEST], '', 'identity 6 is reserved: what one server says counts for no other');
  const broker = {
    slot: 1,
    slotGeneration: 2,
    egressRuleSet: 0,
    ingressRuleSet: 1,
    srcIdentity: 5,
    dstIdentity: 4000,
    srcEndpoint: 7,
    dstEndpoint: 8,
  };
  const first = new KafkaWorld(all);
  first
    .connect(broker)
    .request(metadata)
    .response(answer(1, names('a')));
  t.equal(
    first.connect({ ...broker, slot: 9 }).request(fetch).out[REQUEST],
    fetch,
    'another connection to the same workload',
  );
  t.equal(first.connect({ ...broker, dstIdentity: 4001 }).request(fetch).out[REQUEST], '', 'not to another one');
});

t.test('a fetch session counts under the rules, and for the connection, that it was begun with', async (t) => {
  const world = new KafkaWorld([{ topic: 'a' }, { topic: 'b' }]);
  const wire = world.connect();
  wire.request(fetch(99, 5, [], 1));
  t.equal(wire.out[REQUEST], '', 'the session of somebody else');
  t.equal(wire.out[RESPONSE], answer(1, int32(0) + int16(70) + int32(0) + int32(0)), 'FETCH_SESSION_ID_NOT_FOUND');
  const passed = fetch(0, 0, ['a', 'b'], 2) + fetch(7, 1, [], 3);
  wire
    .request(fetch(0, 0, ['a', 'b'], 2))
    .response(answer(2, session(7)))
    .request(fetch(7, 1, [], 3));
  t.equal(wire.out[REQUEST], passed, 'its own goes on');
  world.setRules([{ topic: 'b' }]);
  wire.response(answer(3)).request(fetch(7, 2, [], 4));
  t.equal(wire.out[REQUEST], passed, 'it has topics that are no longer allowed');
  wire.request(fetch(0, 0, ['b'], 5));
  t.equal(wire.out[REQUEST], passed + fetch(0, 0, ['b'], 5));
});

t.test('a fetch session counts under no rules but those that its first fetch was judged by', async (t) => {
  const notFound = int32(0) + int16(70) + int32(0) + int32(0);
  const world = new KafkaWorld([{ topic: 'a' }]);
  const two = world.connect().request(fetch(0, 0, ['a'], 1));
  world.setRules([{ topic: 'b' }]);
  two
    .request(fetch(0, 0, ['b'], 2))
    .response(answer(1, session(7)))
    .request(fetch(7, 1, [], 3))
    .response(answer(2, session(8)));
  t.equal(two.out[REQUEST], fetch(0, 0, ['a'], 1) + fetch(0, 0, ['b'], 2), 'another first fetch was asked behind it');
  t.equal(two.out[RESPONSE], answer(1, session(7)) + answer(2, session(8)) + answer(3, notFound));
  two.request(fetch(8, 1, [], 4));
  t.equal(two.out[REQUEST].slice(-fetch(8, 1, [], 4).length), fetch(8, 1, [], 4), 'the second is of these rules');

  const resumedOne = resumed(world.connect().request(fetch(0, 0, ['b'], 1)), world, stateKept());
  resumedOne
    ?.request(fetch(0, 0, ['b'], 2))
    .response(answer(1, session(7)))
    .request(fetch(7, 1, [], 3));
  t.equal(resumedOne?.out[REQUEST], fetch(0, 0, ['b'], 2), 'nor one that was asked for before a death');
});

t.test('rules changed on a living connection take hold with the next request', async (t) => {
  const world = new KafkaWorld([{ topic: 'a' }]);
  const wire = world.connect().request(produce(['a'], 1));
  world.setRules([{ topic: 'b' }]);
  wire.request(produce(['a'], 2) + produce(['b'], 3));
  t.equal(wire.out[REQUEST], produce(['a'], 1) + produce(['b'], 3));
});

t.test('a request that was begun under other rules is judged by those in force when it is whole', async (t) => {
  const whole = fetch(0, 0, ['a', 'a'], 1);
  for (let cut = 0; cut < whole.length; cut++) {
    const world = new KafkaWorld([{ topic: 'a' }]);
    const wire = world.connect().request(whole.slice(0, cut));
    world.setRules([{ topic: 'b' }]);
    wire.request(whole.slice(cut));
    const isSettled = wire.out[REQUEST].length > 0; // all that it names was read before
    if (isSettled) t.equal(wire.out[REQUEST], whole);
    if (isSettled) t.ok(cut >= whole.lastIndexOf('a'), `passes, cut at ${cut}`);
    else t.match(wire.out[RESPONSE], /^\0/, `denied, cut at ${cut}`);
    wire.response(answer(1, session(7))).request(fetch(7, 1, [], 2));
    t.notOk(wire.out[REQUEST].endsWith(fetch(7, 1, [], 2)), 'and the session of neither counts');
  }
});

t.test('after a death requests go on where they may, with those that wait for answers', async (t) => {
  const state = stateKept();
  const world = new KafkaWorld([{ topic: 'a' }]);
  const wire = world.connect().request(produce(['a'], 1) + produce(['a'], 2));
  const next = resumed(wire, world, state);
  t.not(next, undefined);
  next?.request(produce(['b'], 3)).response(answer(1) + answer(2));
  t.match(next?.out[RESPONSE], answer(1) + answer(2) + '\0\0');
  t.equal(
    resumed(world.connect().request(produce(['a', 'a'], 1).slice(0, 45)), world, state),
    undefined,
    'not within a request',
  );
  t.equal(
    resumed(world.connect().request(produce(['a'], 1) + produce(['b'], 2)), world, state),
    undefined,
    'nor with a denial to tell',
  );
});

t.test('a client that asks faster than it is answered waits', async (t) => {
  const wire = new KafkaWorld([{ topic: 'a' }]).connect();
  for (let i = 0; i < 300; i++) wire.request(produce(['a'], i));
  const length = produce(['a'], 1).length;
  t.equal(wire.out[REQUEST].length, 256 * length);
  t.ok(wire.parser.isWaiting(REQUEST));
  for (let i = 0; i < 44; i++) wire.response(answer(i));
  t.equal(wire.out[REQUEST].length, 300 * length);
});

t.test('mutations have one outcome, whole or cut', async (t) => {
  const random = randomFrom(11);
  const world = new KafkaWorld([{ topic: 'alpha' }, { topic: 'beta.2' }]);
  for (let i = 0; i < 20_000; i++) {
    const bytes = bytesOf(VECTORS[random(VECTORS.length)]);
    for (let n = random(4); n >= 0; n--)
      bytes[random(Math.min(bytes.length, 120))] = random(3) === 0 ? 0xff : random(256);
    const text = latin1(bytes) + produce(['alpha'], 5);
    const cut = random(text.length);
    const outcomes = [[text], [text.slice(0, cut), text.slice(cut)]].map((pieces) => {
      world.told.length = 0;
      const wire = world.connect();
      for (const piece of pieces) if (!wire.isReset) wire.request(piece);
      return JSON.stringify([wire.out[RESPONSE], wire.isClosed, wire.isReset, wire.isReset ? '' : wire.out[REQUEST]]);
    });
    if (outcomes[0] !== outcomes[1])
      t.fail(`mutation ${i}, cut at ${cut}: ${outcomes.join('\n')}\n${Buffer.from(bytes).toString('hex')}`);
  }
});

t.test('offline it is judged as on the wire', async (t) => {
  const offline = kafkaOffline(
    setOf([
      { role: 'produce', topic: 'a' },
      { apiKey: 'fetch', clientID: 'x' },
    ]),
    5,
  );
  t.equal(offline({ topic: 'a' }), 1);
  t.equal(offline({ topic: 'b' }), -1);
  t.equal(offline({ apiKey: 'apiversions' }), 1);
  t.equal(offline({ apiKey: 1, clientID: 'x', topic: 'b' }), 1);
  t.equal(offline({ apiKey: 1, topic: 'b' }), -1);
});
