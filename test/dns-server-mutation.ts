/**
 * Mutated messages through the whole name server, as queries of pods and as answers of other servers. Each has one outcome: dropped, an
 * answer at once, or one answer later; each answer can be read, has the id that was asked with, and fits.
 */
import { equal, ok } from 'node:assert/strict';
import { u16 } from '../wire/bytes.ts';
import { isSound } from '../nameserver/soundness.ts';
import { DnsMessage } from '../wire/dns/message.ts';
import { address, alias, answer, OPT, pointer, query } from './dns-messages.ts';
import { mutate } from './dns-mutation.ts';
import { type Played, playServer } from './name-server.ts';

type Draw = (below: number) => number;

const QUERIES = [
  query('kubernetes.default.svc.cluster.local', { additionals: [OPT] }),
  query('_sql._tcp.db.default.svc.cluster.local', { type: 33 }),
  query('10-0-0-7.default.pod.cluster.local'),
  query('fd00--7.default.pod.cluster.local', { type: 28 }),
  query('1.0.96.10.in-addr.arpa', { type: 12 }),
  query('search.default.svc.cluster.local', { additionals: [OPT] }),
  query('www.example.com', { type: 28, additionals: [{ ...OPT, ttl: 0x8000 }] }),
  query('cluster.local', { type: 255 }),
];

const ANSWERS = [
  answer('www.example.com', [
    { ...alias('x', 'y'), name: pointer(12), data: Buffer.concat([Buffer.from([3]), Buffer.from('cdn'), pointer(16)]) },
    { ...address('x', '192.0.2.1'), name: pointer(45) },
    { ...address('x', '192.0.2.2'), name: pointer(45) },
  ]),
  answer('www.example.com', [{ name: pointer(12), type: 15, data: Buffer.from('\0\x0a\x04mail\xc0\x10', 'latin1') }]),
  answer('www.example.com', [], {
    flags: 0x8183,
    authorities: [
      {
        name: pointer(16),
        type: 6,
        data: Buffer.concat([Buffer.from('\xc0\x10\xc0\x10', 'latin1'), Buffer.alloc(20, 1)]),
      },
    ],
    additionals: [OPT],
  }),
];

export interface Outcomes {
  dropped: number;
  atOnce: number;
  later: number;
}

/** Throws when a message has another outcome than one. */
export function mutateForServer(draw: Draw, count: number): Outcomes {
  const outcomes: Outcomes = { dropped: 0, atOnce: 0, later: 0 };
  const played = playServer();
  for (let i = 0; i < count; i++) {
    const bytes = mutate(QUERIES[draw(QUERIES.length)], draw);
    const isStream = draw(4) === 0;
    const reply = played.send(bytes, isStream);
    const waiting = played.asked.length;
    ok(waiting <= 1 && (reply === undefined || waiting === 0), `message ${i}: one outcome`);
    if (waiting === 1) outcomes.later += resolveWith(played, draw, i);
    else if (reply === undefined) outcomes.dropped++;
    else outcomes.atOnce++;
    if (reply !== undefined) check(bytes, reply, isStream, i);
    if (i % 1000 === 0) played.cache.clear();
  }
  return outcomes;
}

/** Answers the question of others with a mutated message, as far as the resolver would have believed it. */
function resolveWith(played: Played, draw: Draw, i: number): 1 {
  const { name } = played.asked[0].question;
  const seed = ANSWERS[draw(ANSWERS.length)];
  const mutated = Buffer.from(mutate(seed, draw));
  const message = new DnsMessage();
  const isBelieved =
    message.parse(mutated, 0, mutated.length) === 0 &&
    message.isResponse &&
    message.nameBytes === name.length &&
    isSound(message, mutated, 0, mutated.length);
  played.resolve(isBelieved ? mutated : undefined, draw(8) === 0);
  equal(played.later.length, 1, `message ${i}: one answer later`);
  played.later.length = 0; // each was read by readAnswer
  return 1;
}

function check(asked: Uint8Array, reply: Uint8Array, isStream: boolean, i: number): void {
  equal(u16(reply, 0), u16(asked, 0), `message ${i}: the id that was asked with`);
  ok((reply[2] & 0x80) !== 0, `message ${i}: it is an answer`);
  ok(isStream || reply.length <= 1232, `message ${i}: ${reply.length} bytes over UDP`);
  if (reply.length > 12)
    equal(new DnsMessage().parse(reply, 0, reply.length), 0, `message ${i}: the answer can be read`);
}
