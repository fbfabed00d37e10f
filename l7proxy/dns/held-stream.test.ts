/** Answers over TCP that wait for the agent: in the parser, and between two ends in bad weather whose process may die. */
import t from 'tap';
import { dnsAgent } from '../../test/dns-agent.ts';
import { DNS_RULES, dnsServices } from '../../test/dns-conversation.ts';
import { address, answer, OPT, query } from '../../test/dns-messages.ts';
import { OWNER, ParserWire } from '../../test/stream/parser-wire.ts';
import { Rig } from '../../test/stream/tcp-rig.ts';
import { World } from '../../test/stream/tcp-world.ts';
import { DNS_ASK } from '../../policy-maps/dns-events.ts';
import { DnsMessage } from '../../wire/dns/message.ts';
import { NO_STATE, RESPONSE, type StreamOwner } from '../parser.ts';
import { DnsOverTcp } from './stream.ts';

const ASKER: StreamOwner = { ...OWNER, egressRuleSet: 1, ingressRuleSet: 0, dstIdentity: 5 };

function framed(bytes: Buffer): string {
  const length = Buffer.alloc(2);
  length.writeUInt16BE(bytes.length);
  return Buffer.concat([length, bytes]).toString('latin1');
}

const ask = (name: string, id: number) => framed(query(name, { id, additionals: [OPT] }));
const reply = (name: string, id: number, text = '192.0.2.1') =>
  framed(answer(name, [address(name, text)], { id, additionals: [OPT] }));

function connection() {
  const agent = dnsAgent();
  const world = dnsServices({ ...DNS_RULES, ingress: false }, agent.teaching);
  const tcp = new DnsOverTcp(world.services);
  agent.teaching.nowMs = 1000;
  return { ...agent, logged: world.told, tcp, wire: new ParserWire(tcp.makeParser(), tcp.judgeOf(ASKER), ASKER) };
}

/** Ids and codes of the messages in a stream. */
function messagesIn(text: string): [number, number][] {
  const bytes = Buffer.from(text, 'latin1');
  const found: [number, number][] = [];
  for (let at = 0; at < bytes.length; ) {
    const end = at + 2 + bytes.readUInt16BE(at);
    const read = new DnsMessage();
    if (read.parse(bytes, at + 2, end) !== 0) throw new Error(`message at ${at}: found none`);
    found.push([read.id, read.rcode]);
    at = end;
  }
  return found;
}

t.test('an answer waits, and all behind it; both go on in their order, and are told then, once', async (t) => {
  const { wire, tcp, told, publish, logged } = connection();
  wire.request(ask('a.ok', 1) + ask('b.ok', 2));
  logged.length = 0;
  wire.response(reply('b.ok', 2).slice(0, 20)).response(reply('b.ok', 2).slice(20) + reply('a.ok', 1));
  t.equal(wire.out[RESPONSE], '');
  t.equal(wire.parser.isWaiting(RESPONSE), true);
  t.equal(wire.parser.isReady(RESPONSE), false);
  t.same(logged, []);
  t.equal(tcp.waiting.releaseAtMs, 1100);
  t.equal(tcp.waiting.take(1050), false);
  const [first, second] = told();
  publish([first]);
  t.equal(wire.parser.isReady(RESPONSE), true);
  t.equal(tcp.waiting.take(1050), true);
  t.match(tcp.waiting, { slot: ASKER.slot, slotGeneration: ASKER.slotGeneration });
  wire.response('');
  t.same(messagesIn(wire.out[RESPONSE]), [[2, 0]]);
  t.equal(wire.parser.isReady(RESPONSE), false, 'the one behind was asked about when it came');
  publish([second]);
  wire.response('');
  t.equal(wire.out[RESPONSE], reply('b.ok', 2) + reply('a.ok', 1), 'as they came');
  t.equal(wire.parser.isWaiting(RESPONSE), false);
  t.match(
    logged.map(({ log }) => [log.Type, log.Verdict, log.DNS?.Query]),
    [
      ['Response', 'Forwarded', 'b.ok.'],
      ['Response', 'Forwarded', 'a.ok.'],
    ],
  );
  t.match(tcp.shared.counters, { held: 2, responses: 2 });
});

t.test('past its time SERVFAIL stands where it stood, and what is behind goes on', async (t) => {
  const { wire, tcp, told, publish, logged, teaching } = connection();
  wire.request(ask('a.ok', 1) + ask('known.ok', 2) + ask('b.ok', 3));
  wire.response(reply('known.ok', 2));
  publish(told());
  wire.response('');
  wire.request(ask('known.ok', 4));
  logged.length = 0;
  wire.response(reply('a.ok', 1) + reply('known.ok', 4));
  teaching.nowMs = 1099;
  wire.response('');
  t.same(messagesIn(wire.out[RESPONSE]), [[2, 0]]);
  teaching.nowMs = 1100;
  t.equal(wire.parser.isReady(RESPONSE), true);
  t.equal(tcp.waiting.take(1100), true);
  t.equal(tcp.waiting.take(1100), true);
  t.equal(tcp.waiting.take(1100), false);
  wire.response('');
  t.same(messagesIn(wire.out[RESPONSE]), [
    [2, 0],
    [1, 2],
    [4, 0],
  ]);
  t.equal(wire.out[RESPONSE].slice(reply('known.ok', 2).length).includes('\xc0\x00\x02\x01'), true, 'of the known one');
  t.match(logged[0], { log: { Verdict: 'Error', Info: 'unpublished', DNS: { Query: 'a.ok.', RCode: 2 } } });
  t.equal(teaching.counters.unpublished[0], 1);
});

t.test(
  'sixty-four answers wait together, whatever becomes of each; those behind are looked at in their turn',
  async (t) => {
    const { wire, told, publish, teaching } = connection();
    const all = Array.from({ length: 64 }, (_, i) => i);
    wire.request(all.map((i) => ask(`n${i}.ok`, i)).join(''));
    wire.request(ask('more.ok', 64)); // waits for an answer
    const stream = all.map((i) => reply(`n${i}.ok`, i)).join('') + framed(answer('none.ok', [], { id: 64 }));
    for (let at = 0; at < stream.length; at += 700) wire.response(stream.slice(at, at + 700));
    const events = told();
    t.equal(events.length, 64, 'all are asked about at once');
    t.equal(wire.out[RESPONSE], '');
    publish(events.slice(0, 10));
    wire.response('');
    t.equal(wire.isReset, false, 'an answer that nobody asked for stands behind those that wait');
    teaching.nowMs = 1100;
    for (let i = 0; i < 20; i++) wire.response('');
    t.same(
      messagesIn(wire.out[RESPONSE]),
      all.map((i) => [i, i < 10 ? 0 : 2]),
    );
    t.equal(teaching.counters.unpublished[0], 54);
    t.equal(wire.isReset, true);
  },
);

t.test('behind an answer that waits nothing is refused for want of room: it is asked about in its turn', async (t) => {
  const { wire, tcp, told, publish, teaching } = connection();
  const others = Array.from({ length: 60 }, (_, i) => `x${i}.ok`);
  for (const other of others) {
    const one = new ParserWire(tcp.makeParser(), tcp.judgeOf(ASKER), ASKER);
    one.request(ask(other, 1)).response(reply(other, 1));
  }
  const all = Array.from({ length: 30 }, (_, i) => i);
  wire.request(all.map((i) => ask(`n${i}.ok`, i)).join(''));
  wire.response(all.map((i) => reply(`n${i}.ok`, i)).join(''));
  t.equal(teaching.counters.asked, 64);
  for (let round = 0; round < 5; round++) {
    publish(told());
    wire.response('');
  }
  t.same(
    messagesIn(wire.out[RESPONSE]),
    all.map((i) => [i, 0]),
  );
});

t.test('an answer that may go keeps its place behind one that waits, and one that is refused too', async (t) => {
  const { wire, told, publish } = connection();
  wire.request(ask('known.ok', 1)).response(reply('known.ok', 1));
  publish(told());
  wire.response('');
  const ids = [2, 3, 4, 5];
  wire.request(ids.map((id) => ask(id % 2 === 0 ? `n${id}.ok` : 'known.ok', id)).join(''));
  for (const id of ids) wire.response(reply(id % 2 === 0 ? `n${id}.ok` : 'known.ok', id));
  t.same(messagesIn(wire.out[RESPONSE]), [[1, 0]]);
  const [two, four] = told().filter(({ kind }) => kind === DNS_ASK);
  publish([two]);
  wire.response('');
  t.same(messagesIn(wire.out[RESPONSE]).slice(1), [
    [2, 0],
    [3, 0],
  ]);
  publish([four]);
  wire.response('');
  t.same(messagesIn(wire.out[RESPONSE]).slice(3), [
    [4, 0],
    [5, 0],
  ]);
});

t.test('without room to ask the agent SERVFAIL goes at once', async (t) => {
  const { wire, tcp, teaching } = connection();
  const other = dnsServices({ ...DNS_RULES, ingress: false }, teaching);
  const others = new DnsOverTcp(other.services);
  for (let i = 0; i < 128; i++) {
    const one = new ParserWire(others.makeParser(), others.judgeOf(ASKER), ASKER);
    one.request(ask(`n${i}.ok`, 1)).response(reply(`n${i}.ok`, 1));
  }
  wire.request(ask('a.ok', 1) + ask('b.ok', 2)).response(reply('a.ok', 1) + reply('b.ok', 2));
  t.same(messagesIn(wire.out[RESPONSE]), [
    [1, 2],
    [2, 2],
  ]);
  t.equal(tcp.waiting.releaseAtMs, Number.POSITIVE_INFINITY);
});

t.test(
  'a connection of which an answer waits is not saved, and the next one of its parser begins without',
  async (t) => {
    const { wire, tcp } = connection();
    const words = new Int32Array(1);
    wire.request(ask('a.ok', 1)).response(reply('a.ok', 1));
    t.equal(wire.parser.saveState(words, 0, NO_STATE), false);
    wire.parser.end();
    wire.parser.begin(tcp.judgeOf(ASKER), ASKER);
    t.equal(wire.parser.saveState(words, 0, NO_STATE), true);
    t.equal(wire.parser.isWaiting(RESPONSE), false);
  },
);

/** Two ends, an engine and an agent that publishes `delayMs` after it was told; negative: never. */
function lookups(seed: number, delayMs: number, names: readonly string[], loss = 0) {
  const agent = dnsAgent();
  const rules = { ...DNS_RULES, ingress: false, rules: [{ ...DNS_RULES.rules[0], remotes: [200] }] };
  const rig = new Rig(rules, { teaching: agent.maps });
  rig.isEgress = true;
  const world = new World(seed, rig, { loss, repeat: loss, corrupt: 0, maxDelayMs: 2 }, { sack: true });
  const due: { atMs: number; run: () => void }[] = [];
  world.onTick = () => {
    const events = agent.told();
    if (events.length > 0 && delayMs >= 0) due.push({ atMs: world.nowMs + delayMs, run: () => agent.publish(events) });
    while (due.length > 0 && due[0].atMs <= world.nowMs) due.shift()?.run();
    if (world.nowMs >= world.deadUntilMs) while (rig.engine.release(world.nowMs, 4) > 0);
  };
  const { client, server } = world;
  let answered = 0;
  server.onData = () => {
    const asked = messagesIn(wholeMessages(server.text));
    for (; answered < asked.length; answered++)
      server.write(reply(names[answered], asked[answered][0], `192.0.2.${1 + answered}`));
  };
  client.connect();
  client.write(names.map((name, i) => ask(name, i)).join(''));
  return { agent, rig, world, client, server, answers: () => messagesIn(wholeMessages(client.text)) };
}

/** As much of a stream as is whole messages. */
function wholeMessages(text: string): string {
  let at = 0;
  while (at + 2 <= text.length) {
    const next = at + 2 + text.charCodeAt(at) * 256 + text.charCodeAt(at + 1);
    if (next > text.length) break;
    at = next;
  }
  return text.slice(0, at);
}

const NAMES = ['a.ok', 'b.ok', 'c.ok', 'd.ok', 'e.ok'];

t.test('between two ends, in whatever weather, answers come when they are published, in their order', async (t) => {
  for (let seed = 1; seed <= 60; seed++) {
    const { world, answers, client, server } = lookups(seed, seed % 30, NAMES, seed % 3 === 0 ? 5 : 0);
    const isDone = world.run(() => answers().length === NAMES.length, 20_000);
    if (!isDone || client.isReset || server.isReset) t.fail(`seed ${seed}: ${answers().length} answers`);
    t.same(
      answers(),
      NAMES.map((_, i) => [i, 0]),
      `seed ${seed}`,
    );
    t.equal(client.text.length, NAMES.map((name, i) => reply(name, i)).join('').length);
  }
});

t.test(
  'an agent that never publishes costs all answers at hand their time once, and the connection goes on',
  async (t) => {
    const { world, answers, rig } = lookups(7, -1, NAMES);
    t.equal(
      world.run(() => answers().length === NAMES.length, 5000),
      true,
    );
    t.same(
      answers(),
      NAMES.map((_, i) => [i, 2]),
    );
    t.ok(world.nowMs < 200, `${world.nowMs} ms`);
    t.equal(rig.engine.releaseAtMs, Number.POSITIVE_INFINITY);
  },
);

t.test('the server has closed behind its answer: the end comes behind the answer that waited', async (t) => {
  const { world, client, server, answers } = lookups(3, 40, ['a.ok']);
  t.equal(
    world.run(() => server.text.length > 0, 1000),
    true,
  );
  server.end();
  t.equal(
    world.run(() => client.hasFinReceived, 2000),
    true,
  );
  t.same(answers(), [[0, 0]]);
});

t.test('a connection that goes away while its answer waits leaves nothing behind', async (t) => {
  const { world, server, rig } = lookups(3, 60, ['a.ok']);
  t.equal(
    world.run(() => server.text.length > 0, 1000),
    true,
  );
  world.run(() => false, 10);
  rig.streams.close(1);
  world.run(() => false, 300);
  t.equal(rig.engine.releaseAtMs, Number.POSITIVE_INFINITY);
  t.equal(rig.streams.pool.shares.used, 0);
});

t.test(
  'the process dies while an answer waits: the connection is reset, and no byte of the answer goes by',
  async (t) => {
    for (const published of [false, true]) {
      const { agent, world, client, server, rig } = lookups(5, -1, ['a.ok']);
      t.equal(
        world.run(() => server.text.length > 0, 1000),
        true,
      );
      world.run(() => false, 20);
      t.equal(rig.engine.releaseAtMs < Number.POSITIVE_INFINITY, true, 'it waits');
      rig.restart();
      if (published) agent.publish(agent.told());
      world.deliver();
      t.equal(
        world.run(() => client.isReset && server.isReset, 5000),
        true,
      );
      t.equal(client.text, '');
    }
  },
);
