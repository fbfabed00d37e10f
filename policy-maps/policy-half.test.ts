/** What publish() takes and refuses, and that readers never see half of it. */
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import t from 'tap';
import { memoryMapper } from './table/memory-mapper.ts';
import { type PolicyEntry } from './policy-entry.ts';
import { PolicyMap } from './policy-map.ts';
import { CLUSTER, HIGH, LOW, POD, SEED, TCP, entry, newMap, newPath } from '../test/tables/policy-entries.ts';
import { EGRESS, INGRESS } from '../wire/direction.ts';

// --- publication

t.test('before the first publication everything is dropped for want of a policy', (t) => {
  const map = newMap(8);
  t.equal(map.lookup(POD, EGRESS, TCP, 80), -203);
  t.equal(map.lookupFragment(POD, INGRESS, TCP), -203);
  t.equal(map.generation, 0);
  t.same(map.entries(), []);
  t.end();
});

t.test('publish() keeps the entry of higher precedence of two with one key', (t) => {
  const map = newMap(8);
  map.publish([
    entry({ identity: POD, precedence: HIGH, cookie: 1 }),
    entry({ identity: POD, precedence: LOW, cookie: 2 }),
  ]);
  t.equal(map.lookup(POD, EGRESS, TCP, 80), 0);
  t.equal(map.cookie, 1);
  t.equal(map.count, 1);
  t.end();
});

t.test('publish() of too many entries leaves the old policy in force', (t) => {
  const map = newMap(2);
  map.publish([entry({ identity: POD, cookie: 1 })]);
  const many = [1, 2, 3].map((i) => entry({ identity: 100 + i, cookie: i }));
  t.throws(() => map.publish(many), { code: 'ERR_MAP_FULL', found: 3 });
  t.equal(map.lookup(POD, EGRESS, TCP, 80), 0);
  t.equal(map.lookup(101, EGRESS, TCP, 80), -133);
  t.equal(map.file.counters.full, 1);
  t.end();
});

t.test('publish() refuses an entry that cannot be, by name', (t) => {
  const map = newMap(2);
  map.publish([entry({ identity: POD, cookie: 1 })]);
  const cases: [Partial<PolicyEntry>, RegExp][] = [
    [{ identity: -1 }, /identity: found -1, wanted 0 to 4294967295/],
    [{ protocol: 256 }, /protocol: found 256/],
    [{ port: 80 }, /port: found 80, wanted 0 to 0/],
    [{ protocol: TCP, port: 81, portPrefix: 12 }, /port: found bits beyond the prefix/],
    [{ protocol: TCP, portPrefix: 17 }, /portPrefix: found 17/],
    [{ ruleSet: 65536 }, /ruleSet: found 65536/],
    [{ precedence: 1.5 }, /precedence: found 1.5/],
    [{ cookie: Number.NaN }, /cookie: found NaN/],
  ];
  for (const [fields, message] of cases) t.throws(() => map.publish([{ ...entry({}), ...fields }]), message);
  t.equal(map.lookup(POD, EGRESS, TCP, 80), 0);
  t.equal(map.generation, 1);
  t.end();
});

t.test('lookup() allocates nothing', (t) => {
  if (globalThis.gc === undefined) {
    t.comment('run with --expose-gc to watch the heap');
    t.end();
    return;
  }
  const map = newMap(64);
  map.publish([entry({ identity: POD, protocol: TCP, port: 80, cookie: 1 }), entry({ identity: CLUSTER, cookie: 2 })]);
  const run = (): number => {
    let sum = 0;
    for (let i = 0; i < 100_000; i++)
      sum += map.lookup(POD + (i & 1), EGRESS, TCP, 80 + (i & 3)) + map.cookie + map.matchType;
    return sum;
  };
  // The compiler needs a few rounds, more where its thread has to wait; after that a round is as good as any.
  let least = Number.POSITIVE_INFINITY;
  for (let round = 0; round < 100 && least >= 16_384; round++) {
    globalThis.gc();
    const before = process.memoryUsage().heapUsed;
    run();
    least = Math.min(least, process.memoryUsage().heapUsed - before);
  }
  t.ok(least < 16_384, `heap grew by ${least} bytes over 100,000 lookups`);
  t.end();
});

// --- a reader in another thread

/** Round n: the size of the policy depends on n, and every entry carries n as cookie and rule set. A mix would show. */
function roundPolicy(round: number): PolicyEntry[] {
  const entries: PolicyEntry[] = [entry({ identity: CLUSTER, cookie: round, ruleSet: round, precedence: LOW })];
  const size = 20 + (round % 7) * 40;
  for (let i = 0; i < size; i++) {
    entries.push(
      entry({ identity: 1000 + i, protocol: TCP, port: 80, cookie: round, ruleSet: round, precedence: HIGH }),
    );
  }
  return entries;
}

t.test('a reader in another thread never sees a mix of two publications', async (t) => {
  const buffers = new Map<string, SharedArrayBuffer>();
  const path = newPath('policy');
  const map = PolicyMap.create(path, { capacity: 1024, seed: [SEED, 7] }, memoryMapper(buffers));
  map.publish(roundPolicy(1));
  const control = new Int32Array(new SharedArrayBuffer(4)); // 0 = nothing yet, 1 = reading, 2 = has seen enough, -1 = stop
  const worker = new Worker(new URL('./policy-map.test-reader.js', import.meta.url), {
    workerData: { path, buffers, control },
  });
  const answer = once(worker, 'message') as Promise<[{ lookups: number; generations: number; mixes: string[] }]>;
  while (Atomics.load(control, 0) === 0) await new Promise((resolve) => setImmediate(resolve));
  worker.once('error', () => Atomics.store(control, 0, 2));
  for (let round = 2; round < 3000 || Atomics.load(control, 0) !== 2; round++) {
    map.publish(roundPolicy(round));
    if (round % 100 === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  Atomics.store(control, 0, -1);
  const [{ lookups, generations, mixes }] = await answer;
  t.same(mixes, []);
  t.comment(`${lookups} lookups over ${generations} generations`);
  await worker.terminate();
});
