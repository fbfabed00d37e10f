/** What runs full. */
import t from 'tap';
import { COUNTER_WORDS } from '../../policy-maps/counter.ts';
import * as counter from '../../policy-maps/counters.ts';
import { Pressure } from './pressure.ts';

t.test('a full share is a problem that names the endpoint, until nothing was refused for a minute', async (t) => {
  const words = new Float64Array(COUNTER_WORDS);
  words[counter.L7_TABLE_FULL] = 1000; // of a former agent
  const pressure = new Pressure(words, (endpoint) => `pod ${endpoint}`);
  t.same(pressure.problems(0), []);
  words[counter.L7_TABLE_FULL] += 3;
  words[counter.L7_FULL_ENDPOINT] = 7;
  t.match(pressure.problems(5000), [/^3 connections under L7 rules refused: pod 7 has its share/]);
  words[counter.L7_TABLE_FULL] += 2;
  words[counter.L7_MEMORY_SHARE_FULL] += 1;
  words[counter.L7_MEMORY_FULL_ENDPOINT] = 8;
  t.match(pressure.problems(10_000), [/^5 connections .* pod 7/, /^1 segments .* pod 8 has its share of the memory/]);
  t.equal(pressure.problems(69_999).length, 2);
  t.same(pressure.problems(70_000), []);
});

t.test('a full table of connections is a problem that names who has most of it', async (t) => {
  const words = new Float64Array(COUNTER_WORDS);
  const pressure = new Pressure(words, (endpoint) => `pod ${endpoint}`);
  words[counter.CT_EVICTED_IDLE] = 5;
  t.match(pressure.problems(0), [/table of connections is full: 5 that were closing or never answered made room/]);
  words[counter.CT_EVICTED_OVER] = 6;
  words[counter.CT_FULL_ENDPOINT] = 9;
  t.match(pressure.problems(70_000), [/is full: 6 in use forgotten; pod 9 has more than its share/]);
  words[counter.CT_EVICTED_WITHIN] = 7;
  t.match(pressure.problems(140_000), [
    /is full: 7 in use .* no more than their share: raise maps.bpf-ct-global-tcp-max/,
  ]);
});

t.test('a gateway that does not answer is a problem that names it', async (t) => {
  const words = new Float64Array(COUNTER_WORDS);
  const pressure = new Pressure(words, String, { gateway4: '203.0.113.1', gateway6: '2001:db8:f::1' });
  words[counter.GATEWAY6_DROPS] += 4;
  t.match(pressure.problems(0), [/^gateway6 2001:db8:f::1 of the uplink does not answer: 4 frames dropped/]);
  words[counter.GATEWAY4_DROPS] += 1;
  t.match(pressure.problems(60_000), [/^gateway4 203\.0\.113\.1 of the uplink does not answer: 1 frames dropped/]);
});

t.test(
  'each cause for which answers get SERVFAIL is one problem, whose text stays the same while it lasts',
  async (t) => {
    const words = new Float64Array(COUNTER_WORDS);
    const pressure = new Pressure(words, (endpoint) => `pod ${endpoint}`);
    words[counter.DNS_FULL_ENDPOINT] = 7;
    const found = counter.DNS_UNPUBLISHED_CAUSES.map((_, cause) => {
      words[counter.DNS_UNPUBLISHED + cause] += 2;
      return pressure.problems(1000 * cause);
    });
    t.match(found[3], [/published in time/, /nobody has kept/, /^DNS answers to pod 7 replaced/, /no memory/]);
    words[counter.DNS_UNPUBLISHED] += 5;
    t.same(pressure.problems(10_000), found[3]);
    t.same(pressure.problems(70_000), []);
  },
);
