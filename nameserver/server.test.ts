/** What becomes of a query: errors, EDNS, what is refused, truncation, the cache, and answers that come later. */
import t from 'tap';
import { address, alias, answer, message, OPT, query } from '../test/dns-messages.ts';
import { readAnswer } from '../test/dns-reading.ts';
import { CLUSTER, playServer } from '../test/name-server.ts';
import { FLAG_RECURSION_DESIRED, FLAG_RESPONSE } from '../wire/dns/message.ts';

const NAME = 'kubernetes.default.svc.cluster.local';
const SOA = {
  type: 6,
  ttl: 60,
  data: Buffer.concat([Buffer.from('\x01m\0\x01r\0', 'latin1'), Buffer.alloc(19), Buffer.from([40])]),
};

t.test('the question comes back to the letter, and answers point to it', async (t) => {
  const { ask, send } = playServer();
  t.equal(
    ask('KUBERNETES.default.SVC.cluster.LOCAL', 'A', { id: 77 })?.question,
    'KUBERNETES.default.SVC.cluster.LOCAL.',
  );
  const bytes = send(query(NAME));
  t.equal(bytes?.length, 12 + 38 + 4 + 16, 'the owner is a pointer');
  t.equal(ask(NAME, 'A', { id: 77 })?.id, 77);
});

t.test('answers are no queries, and pieces are nothing', async (t) => {
  const { send, counters } = playServer();
  t.equal(send(answer(NAME, [])), undefined);
  t.equal(send(Buffer.alloc(11)), undefined);
  t.equal(send(Buffer.alloc(0)), undefined);
  t.equal(counters.dropped, 3);
});

t.test('what cannot be read is FORMERR, another opcode NOTIMP: a header and nothing else', async (t) => {
  const { send, counters } = playServer();
  const cases: readonly [string, Buffer, number][] = [
    ['two questions', message({ flags: FLAG_RECURSION_DESIRED, questions: [{ name: 'a' }, { name: 'b' }] }), 1],
    ['no question', message({}), 1],
    ['bytes behind the end', query(NAME, { trailing: Buffer.from('x') }), 1],
    ['two OPT', query(NAME, { additionals: [OPT, OPT] }), 1],
    ['half a name', query(NAME).subarray(0, 20), 1],
    ['an update', query(NAME, { flags: 5 << 11 }), 4],
    ['a notification', query(NAME, { flags: 4 << 11 }), 4],
  ];
  for (const [name, bytes, rcode] of cases) {
    const reply = send(bytes);
    t.equal(reply?.length, 12, name);
    t.equal((reply?.[3] ?? 0) & 15, rcode, name);
    t.equal((reply?.[2] ?? 0) & 0x80, 0x80, name);
    t.same(reply?.subarray(0, 2), bytes.subarray(0, 2), name);
  }
  t.equal(counters.malformed, cases.length);
});

t.test('EDNS: who brings an OPT record gets one, without the options that it brought', async (t) => {
  const { ask } = playServer();
  t.match(ask(NAME, 'A'), { hasOpt: false });
  const cookie = Buffer.from('000a00080102030405060708', 'hex');
  t.match(ask(NAME, 'A', { additionals: [{ ...OPT, data: cookie }] }), { hasOpt: true, options: '', rcode: 0 });
  t.match(
    ask(NAME, 'A', { additionals: [{ ...OPT, ttl: 1 << 16 }] }),
    { hasOpt: true, rcode: 16, answers: [] },
    'BADVERS',
  );
});

t.test('what is not for us is refused', async (t) => {
  const { ask, send, asked } = playServer();
  for (const type of [251, 252, 250, 249, 253, 254, 41])
    t.match(ask(NAME, type), { rcode: 5, answers: [] }, `type ${type}`);
  const chaos = send(message({ questions: [{ name: 'version.bind', type: 16, class: 3 }] }));
  t.equal(chaos && readAnswer(chaos).rcode, 5, 'another class');
  t.match(ask('www.example.com', 'A', { flags: 0 }), { rcode: 5 }, 'elsewhere without recursion');
  t.match(ask(NAME, 'A', { flags: 0 }), { rcode: 0, answers: [/10\.96\.0\.1/] }, 'ours without recursion');
  t.equal(asked.length, 0);
});

t.test('ANY gets one record, for names that exist', async (t) => {
  const { ask, asked } = playServer();
  t.match(ask(NAME, 'ANY')?.answers, [/^kubernetes\.default\.svc\.cluster\.local\. 5 HINFO 07524643383438320{2}$/]);
  t.match(ask('search.default.svc.cluster.local', 'ANY')?.answers, [/HINFO/]);
  t.match(ask('no.default.svc.cluster.local', 'ANY'), { rcode: 3, answers: [] });
  t.match(ask('example.com', 'ANY')?.answers, [/HINFO/]);
  t.equal(asked.length, 0);
});

t.test('an answer is cut to what is taken over UDP, by whole records; over TCP it is whole', async (t) => {
  const endpoints = Array.from({ length: 100 }, (_, i) => ({ address: `10.0.1.${i}`, ports: [] }));
  const services = [{ namespace: 'a', name: 'b', kind: 'headless', endpoints }] as const;
  const { ask, counters } = playServer({ ...CLUSTER, services });
  const sizes: readonly [string, number | undefined, number][] = [
    ['without EDNS', undefined, 512],
    ['of 0', 0, 512],
    ['of 800', 800, 800],
    ['of 1232', 1232, 1232],
    ['of 4096', 4096, 1232],
  ];
  for (const [name, size, most] of sizes) {
    const additionals = size === undefined ? [] : [{ ...OPT, class: size }];
    const reply = ask('b.a.svc.cluster.local', 'A', { additionals });
    t.match(reply, { isCut: true, hasOpt: size !== undefined }, name);
    t.ok(reply && reply.bytes <= most && reply.bytes > most - 16 - 17, `${name}: ${reply?.bytes}`);
  }
  t.equal(counters.truncated, sizes.length);
  t.match(ask('b.a.svc.cluster.local', 'A', { isStream: true }), { isCut: false, answers: { length: 100 } });
});

t.test('what is elsewhere is asked for once, kept, and told with what is left of its TTL', async (t) => {
  const played = playServer();
  t.equal(played.ask('Www.Example.com', 'A', { id: 9 }), undefined);
  t.match(played.asked, [{ name: 'www.example.com.', question: { type: 1, isSecure: false }, client: '192.0.2.9' }]);
  played.resolve(answer('www.example.com', [address('www.example.com', '192.0.2.1', 60)]));
  t.match(played.later, [
    { id: 9, question: 'Www.Example.com.', isAuthoritative: false, answers: ['www.example.com. 60 A 192.0.2.1'] },
  ]);
  played.nowSec += 25;
  t.match(played.ask('wWW.example.com', 'A', { id: 10, additionals: [OPT] }), {
    id: 10,
    question: 'wWW.example.com.',
    hasOpt: true,
    answers: ['www.example.com. 35 A 192.0.2.1'],
  });
  t.equal(played.ask('www.example.com', 'AAAA'), undefined, 'another type is another question');
  const secure = [{ ...OPT, ttl: 0x8000 }];
  t.equal(played.ask('www.example.com', 'A', { additionals: secure }), undefined, 'signatures wanted');
  t.equal(played.ask('www.example.com', 'A', { flags: 0x110 }), undefined, 'checking disabled');
  played.nowSec += 35;
  t.equal(played.ask('www.example.com', 'A'), undefined, 'it has ended');
  t.match(played.counters, { cacheHits: 1, cacheMisses: 5 });
});

t.test('that there is nothing is kept as long as its SOA says (RFC 2308)', async (t) => {
  const played = playServer();
  played.ask('no.example.com', 'A');
  played.resolve(
    answer('no.example.com', [], { flags: FLAG_RESPONSE | 3, authorities: [{ name: 'example.com', ...SOA }] }),
  );
  t.match(played.later, [{ rcode: 3, authority: [/^example\.com\. 60 SOA m\. r\.$/] }]);
  played.nowSec += 39;
  t.match(played.ask('no.example.com', 'A'), { rcode: 3 });
  played.nowSec += 1;
  t.equal(played.ask('no.example.com', 'A'), undefined);
  played.resolve(answer('no.example.com', [], { flags: FLAG_RESPONSE | 3 }));
  t.equal(played.ask('no.example.com', 'A'), undefined, 'without a SOA it is not kept');
});

t.test(
  'what nobody knows is SERVFAIL, with the reason for who understands it; so is what there is no room for',
  async (t) => {
    const played = playServer();
    played.ask('a.example', 'A', { additionals: [OPT] });
    played.resolve(undefined);
    t.match(played.later, [{ rcode: 2, answers: [], options: '000f00020016' }]);
    played.hasRoom = false;
    t.equal(played.ask('a.example', 'A'), undefined);
    t.match(played.later[1], { rcode: 2 });
    t.match(played.counters, { failures: 1, overloads: 1 });
  },
);

t.test('a stale answer says so, and lives 30 s', async (t) => {
  const played = playServer();
  played.ask('a.example', 'A', { additionals: [OPT] });
  played.resolve(answer('a.example', [address('a.example', '192.0.2.1', 600)]), true);
  t.match(played.later, [{ rcode: 0, answers: ['a.example. 30 A 192.0.2.1'], options: '000f00020003' }]);
  t.equal(played.counters.staleAnswers, 1);
});

t.test('an external name: what it leads to stands below the alias', async (t) => {
  const played = playServer();
  const name = 'search.default.svc.cluster.local';
  played.ask(name, 'A', { id: 5 });
  t.match(played.asked, [{ name: 'www.example.com.' }]);
  const other = alias('www.example.com', 'Cdn.example.net', 30);
  played.resolve(answer('www.example.com', [other, address('cdn.example.net', '192.0.2.1', 300)]));
  t.match(played.later, [
    {
      id: 5,
      rcode: 0,
      answers: [
        `${name}. 5 CNAME www.example.com.`,
        'www.example.com. 30 CNAME cdn.example.net.',
        'cdn.example.net. 30 A 192.0.2.1',
      ],
    },
  ]);
  t.equal(played.ask(name, 'A')?.answers.length, 3, 'from the cache, at once');
  t.match(played.ask('www.example.com', 'A')?.answers.length, 2, 'and under its own name');
  played.ask(name, 'MX');
  const mx = { name: 'www.example.com', type: 15, data: Buffer.from('\0\x0a\x04mail\xc0\x10', 'latin1') };
  played.resolve(answer('www.example.com', [mx], { type: 15 }));
  t.match(
    played.later[1]?.answers,
    [/CNAME/, 'www.example.com. 60 MX 10 mail.example.com.'],
    'names in data are whole',
  );
  played.ask(name, 'TXT');
  played.resolve(answer('www.example.com', [], { type: 16, flags: FLAG_RESPONSE | 3 }));
  t.match(played.later[2], { rcode: 3, answers: [/CNAME/] });
  played.ask(name, 'AAAA');
  played.resolve(undefined);
  t.match(played.later[3], { rcode: 2, answers: [] });
  t.match(played.ask(name, 'A', { flags: 0 }), { answers: { length: 1 } }, 'without recursion only the alias');
});

t.test('an answer that comes when the zone is another is of the new one', async (t) => {
  const played = playServer();
  const name = 'search.default.svc.cluster.local';
  const others: typeof CLUSTER.services = [
    { namespace: 'default', name: 'search', kind: 'ClusterIP', addresses: ['10.96.0.77'], ports: [] },
  ];
  played.ask(name, 'A');
  played.server.setZone(playServer({ ...CLUSTER, services: others }).server.zone);
  played.resolve(answer('www.example.com', [address('www.example.com', '192.0.2.1')]));
  t.strictSame(played.later[0]?.answers, [`${name}. 5 A 10.96.0.77`]);
  played.server.setZone(playServer(CLUSTER).server.zone);
  played.ask(name, 'AAAA');
  const elsewhere = { namespace: 'default', name: 'search', kind: 'ExternalName', externalName: 'b.example' } as const;
  played.server.setZone(playServer({ ...CLUSTER, services: [elsewhere] }).server.zone);
  played.resolve(answer('www.example.com', [address('www.example.com', '2001:db8::1')]));
  t.match(played.later[1], { rcode: 2 }, 'what belongs to another alias is not told');
});

t.test('the first label of what does not exist is told to who looks for loops', async (t) => {
  const seen: string[] = [];
  const { ask } = playServer(CLUSTER, (label) => seen.push(Buffer.from(label).toString()));
  ask('Probe-1.cluster.local', 'TXT');
  ask(NAME, 'A');
  t.strictSame(seen, ['probe-1']);
});
