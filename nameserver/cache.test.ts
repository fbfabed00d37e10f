/** Kept answers: what is left of them, their order, what fits, and the room that they take. */
import t from 'tap';
import { address, alias, answer, OPT, pointer, query } from '../test/dns-messages.ts';
import { readAnswer } from '../test/dns-reading.ts';
import { DnsMessage } from '../wire/dns/message.ts';
import { AnswerCache, isFresh, isServable } from './cache.ts';
import { CachedMessage } from './cached-message.ts';

const parsed = (bytes: Uint8Array) => {
  const message = new DnsMessage();
  t.equal(message.parse(bytes, 0, bytes.length), 0);
  return message;
};
const keep = (bytes: Buffer) => new CachedMessage(parsed(bytes), bytes, 0, 100);

function tell(kept: CachedMessage, asked: Buffer, { limit = 65535, nowSec = 100, error = -1 } = {}) {
  const to = new Uint8Array(65535);
  return readAnswer(to.slice(0, kept.write(parsed(asked), asked, to, 0, limit, nowSec, error)));
}

t.test('the least TTL counts, 0 for a negative one without SOA, and no more than an hour', async (t) => {
  t.equal(keep(answer('a', [alias('a', 'b', 50), address('b', '192.0.2.1', 70)])).ttlSec, 50);
  t.equal(keep(answer('a', [address('a', '192.0.2.1', 1e6)])).ttlSec, 3600);
  t.equal(keep(answer('a', [{ ...address('a', '192.0.2.1'), ttl: 0x80000000 }])).ttlSec, 0, 'RFC 2181 8');
  t.equal(keep(answer('a', [])).ttlSec, 0);
  const soa = { name: 'a', type: 6, ttl: 90, data: Buffer.concat([Buffer.alloc(18), Buffer.from([0, 0, 0, 60])]) };
  t.equal(keep(answer('a', [], { authorities: [soa] })).ttlSec, 60);
  t.equal(keep(answer('a', [], { authorities: [{ ...soa, ttl: 30 }] })).ttlSec, 30);
  t.equal(
    keep(answer('a', [alias('a', 'b', 20)], { authorities: [soa] })).ttlSec,
    20,
    'an alias that leads to nothing',
  );
  t.equal(keep(answer('a', [], { authorities: [{ ...soa, data: Buffer.alloc(21) }] })).ttlSec, 0, 'half a SOA');
});

t.test('an answer is without the additional records that it came with', async (t) => {
  const kept = keep(answer('a', [address('a', '192.0.2.1')], { additionals: [address('x', '192.0.2.6'), OPT] }));
  t.match(tell(kept, query('a')), { additional: [], hasOpt: false, answers: { length: 1 } });
});

t.test('TTLs count down, and never below 0', async (t) => {
  const kept = keep(answer('a', [alias('a', 'b', 50), address('b', '192.0.2.1', 70)]));
  t.match(tell(kept, query('a'), { nowSec: 130.9 }).answers, [/ 20 /, / 40 /]);
  t.match(tell(kept, query('a'), { nowSec: 1000 }).answers, [/ 0 /, / 0 /]);
  t.match(tell(kept, query('a'), { nowSec: 1000, error: 3 }).answers, [/ 30 /, / 30 /]);
  t.ok(isFresh(kept, 149.9) && !isFresh(kept, 150) && isServable(kept, 3749) && !isServable(kept, 3750));
});

t.test('addresses of one name take turns; aliases and others stay where they are', async (t) => {
  const addresses = ['192.0.2.1', '192.0.2.2', '192.0.2.3'].map((text) => ({
    ...address('b', text),
    name: pointer(31),
  }));
  const kept = keep(answer('a', [{ ...alias('a', 'b'), name: pointer(12) }, ...addresses, address('c', '192.0.2.4')]));
  const firsts = new Set<string>();
  for (let i = 0; i < 100; i++) {
    const { answers } = tell(kept, query('a'));
    t.match([answers[0], answers[4]], [/^a\. 60 CNAME b\.$/, /^c\. 60 A 192\.0\.2\.4$/]);
    t.equal(new Set(answers).size, 5);
    firsts.add(answers[1]);
  }
  t.equal(firsts.size, 3);
});

t.test('what does not fit is left out by whole records', async (t) => {
  const records = Array.from({ length: 40 }, (_, i) => ({ ...address('a', `192.0.2.${i}`), name: pointer(12) }));
  const kept = keep(answer('a', records));
  const cut = tell(kept, query('a'), { limit: 512 });
  t.match(cut, { isCut: true, answers: { length: 30 } });
  t.match(tell(kept, query('a', { additionals: [OPT] }), { limit: 512 }), {
    isCut: true,
    hasOpt: true,
    answers: { length: 29 },
  });
  t.match(tell(kept, query('a'), { limit: 660 }), { isCut: false, answers: { length: 40 } });
  const long = keep(answer('a', [], { authorities: [{ name: 'a', type: 16, data: Buffer.alloc(600) }] }));
  t.match(tell(long, query('a'), { limit: 512 }), { isCut: true, answers: [], authority: [] });
});

t.test('the cache takes no more room than it has; what is asked for stays longer', async (t) => {
  const cache = new AnswerCache(20_000);
  const kept = keep(answer('a', [address('a', '192.0.2.1')]));
  cache.set('hot', kept);
  for (let i = 0; i < 1000; i++) {
    t.ok(cache.get('hot'), `round ${i}`);
    cache.set(`cold ${i}`, keep(answer('a', [address('a', '192.0.2.1')])));
    t.ok(cache.bytes <= 20_000);
  }
  t.equal(cache.evictions, 1001 - cache.size);
  t.equal(cache.get('cold 0'), undefined);
  cache.set('hot', kept);
  const before = cache.bytes;
  cache.set('huge', keep(answer('a', [{ name: 'a', type: 16, data: Buffer.alloc(3000) }])));
  t.equal(cache.get('huge'), undefined, 'one that would push out too many is not kept');
  t.equal(cache.bytes, before);
  for (const key of ['hot', ...Array.from({ length: 1000 }, (_, i) => `cold ${i}`)]) cache.delete(key);
  t.equal(cache.bytes, 0);
});
