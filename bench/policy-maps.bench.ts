/**
 * Nanoseconds per lookup in the policy map, the ipcache and conntrack, by number of entries. Lookups go over all entries
 * in random order, so the larger tables pay for their cache misses; the smallest shows the bare code.
 *
 *   node dist/bench/policy-maps.bench.js [rounds]
 */
import { EGRESS, INGRESS } from '../wire/direction.ts';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ConntrackMap, type TupleFields } from '../policy-maps/conntrack-map.ts';
import { Ipcache } from '../policy-maps/ipcache.ts';
import { memoryMapper } from '../policy-maps/table/memory-mapper.ts';
import { type PolicyEntry, precedence, PRECEDENCE_ALLOW } from '../policy-maps/policy-entry.ts';
import { PolicyMap } from '../policy-maps/policy-map.ts';

/** Keys drawn beforehand: few enough that reading them does not push the tables out of the cache. */
const LOOKUPS = 1 << 14;
const REPEATS = 16;
const rounds = Number(process.argv[2] ?? 40);
const folder = mkdtempSync(join(tmpdir(), 'sluice-bench-'));
const mapper = memoryMapper();
const results: { table: string; entries: number; ns: number; note: string }[] = [];

let state = 0x2545f491;
/** xorshift32: the same draws in every run. */
function random(below: number): number {
  state ^= state << 13;
  state ^= state >>> 17;
  state ^= state << 5;
  return (state >>> 0) % below;
}

/** Best of `rounds`: the machine's noise only ever adds. */
function measure(table: string, entries: number, note: string, run: () => number): void {
  let best = Number.POSITIVE_INFINITY;
  let sum = 0;
  for (let round = 0; round < rounds; round++) {
    const start = process.hrtime.bigint();
    for (let repeat = 0; repeat < REPEATS; repeat++) sum += run();
    best = Math.min(best, Number(process.hrtime.bigint() - start) / LOOKUPS / REPEATS);
  }
  if (sum === -1) throw new Error('the lookups were not made');
  results.push({ table, entries, ns: best, note });
}

function policyEntry(i: number): PolicyEntry {
  const identity = 1000 + (i >> 1);
  const port = i & 1 ? 443 : 80;
  return {
    identity,
    egress: false,
    protocol: 6,
    port,
    portPrefix: 16,
    deny: false,
    ruleSet: 0,
    authType: 0,
    hasExplicitAuthType: false,
    precedence: precedence(0, PRECEDENCE_ALLOW),
    cookie: i + 1,
  };
}

function benchPolicy(entries: number): void {
  const map = PolicyMap.create(join(folder, `policy_${entries}`), { capacity: 65536, seed: [1, 2] }, mapper);
  const all = Array.from({ length: entries }, (_, i) => policyEntry(i));
  map.publish(all);
  const identities = new Int32Array(LOOKUPS);
  const ports = new Int32Array(LOOKUPS);
  for (let i = 0; i < LOOKUPS; i++) {
    const entry = all[random(entries)];
    identities[i] = entry.identity;
    ports[i] = entry.port;
  }
  measure('policy', entries, 'hit', () => {
    let sum = 0;
    for (let i = 0; i < LOOKUPS; i++) sum += map.lookup(identities[i], INGRESS, 6, ports[i]) + map.cookie;
    return sum;
  });
  measure('policy', entries, 'miss', () => {
    let sum = 0;
    for (let i = 0; i < LOOKUPS; i++) sum += map.lookup(identities[i], EGRESS, 6, ports[i]) + map.cookie;
    return sum;
  });
}

function benchIpcache(entries: number): void {
  const map = Ipcache.create(join(folder, `ipcache_${entries}`), { seed: [1, 2] }, mapper);
  for (let i = 0; i < entries - 2; i++) map.upsert([0, 0, 0xffff, (0x0a000000 + i) | 0], 128, { identity: 1000 + i });
  map.upsert([0, 0, 0xffff, 0x0a000000], 104, { identity: 500 });
  map.upsert([0, 0, 0xffff, 0], 96, { identity: 2 });
  const addresses = new Int32Array(LOOKUPS);
  for (let i = 0; i < LOOKUPS; i++) addresses[i] = 0x0a000000 + random(entries - 2);
  measure('ipcache', entries, '/32 hit', () => {
    let sum = 0;
    for (let i = 0; i < LOOKUPS; i++) sum += map.lookup(0, 0, 0xffff, addresses[i]);
    return sum;
  });
  measure('ipcache', entries, 'falls to /0', () => {
    let sum = 0;
    for (let i = 0; i < LOOKUPS; i++) sum += map.lookup(0, 0, 0xffff, addresses[i] ^ 0x40000000);
    return sum;
  });
}

class Tuple implements TupleFields {
  src0 = 0;
  src1 = 0;
  src2 = 0xffff;
  src3 = 0;
  dst0 = 0;
  dst1 = 0;
  dst2 = 0xffff;
  dst3 = 0x0a600001;
  srcPort = 0;
  dstPort = 80;
  protocol = 6;
}

function benchConntrack(entries: number, prefix: number): void {
  const map = ConntrackMap.create(join(folder, `ct_${entries}_${prefix}`), { seed: [1, 2] }, mapper);
  const tuple = new Tuple();
  if (prefix !== 0) tuple.src0 = tuple.dst0 = prefix;
  for (let i = 0; i < entries; i++) {
    tuple.src3 = 0x0a000000 + (i >> 4);
    tuple.srcPort = 1024 + (i & 15);
    if (map.insert(tuple) < 0) throw new Error('conntrack: no place');
  }
  const picks = new Int32Array(LOOKUPS);
  for (let i = 0; i < LOOKUPS; i++) picks[i] = random(entries);
  measure('conntrack', entries, prefix === 0 ? 'v4 hit' : 'v6 hit', () => {
    let sum = 0;
    for (let i = 0; i < LOOKUPS; i++) {
      tuple.src3 = 0x0a000000 + (picks[i] >> 4);
      tuple.srcPort = 1024 + (picks[i] & 15);
      sum += map.lookup(tuple);
    }
    return sum;
  });
}

try {
  for (const entries of [10, 10_000, 60_000]) benchPolicy(entries);
  for (const entries of [10, 10_000, 500_000]) benchIpcache(entries);
  for (const entries of [10, 10_000, 500_000]) benchConntrack(entries, 0);
  for (const entries of [10, 10_000, 500_000]) benchConntrack(entries, 0x20010db8);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
console.log('table       entries   ns/lookup   what');
for (const { table, entries, ns, note } of results) {
  console.log(`${table.padEnd(10)} ${String(entries).padStart(8)} ${ns.toFixed(1).padStart(11)}   ${note}`);
}
