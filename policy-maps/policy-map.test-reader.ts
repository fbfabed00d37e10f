// The other thread of policy-map.test.ts: looks up without pause, and reports every answer that mixes two publications.
import { EGRESS } from '../wire/direction.ts';
import { parentPort, workerData } from 'node:worker_threads';
import { memoryMapper } from './table/memory-mapper.ts';
import { PolicyMap } from './policy-map.ts';

const { path, buffers, control } = workerData as {
  path: string;
  buffers: Map<string, SharedArrayBuffer>;
  control: Int32Array;
};
const map = PolicyMap.open(path, memoryMapper(buffers));
const mixes: string[] = [];
const rounds = new Set<number>();
let lookups = 0;
let newest = 0;

/** In round n there are 20 + (n mod 7) * 40 pods with an entry of their own; the others have the cluster's. */
function check(identity: number): void {
  const verdict = map.lookup(identity, EGRESS, 6, 80);
  const isOwn = identity - 1000 < 20 + (map.cookie % 7) * 40;
  const isMix = verdict !== map.cookie || map.entryIdentity !== (isOwn ? identity : 11) || map.cookie < newest;
  if (isMix && mixes.length < 5)
    mixes.push(`identity ${identity}: verdict ${verdict}, cookie ${map.cookie} after ${newest}`);
  newest = map.cookie;
  rounds.add(newest);
}

while (Atomics.load(control, 0) !== -1) {
  for (let identity = 1000; identity < 1300; identity++) check(identity);
  lookups += 300;
  const entries = map.entries();
  if (
    entries.some((entry) => entry.cookie !== entries[0].cookie) ||
    entries.length !== 21 + (entries[0].cookie % 7) * 40
  )
    mixes.push('entries()');
  if (lookups > 1000 && rounds.size > 10) Atomics.compareExchange(control, 0, 1, 2);
  else Atomics.compareExchange(control, 0, 0, 1);
}
parentPort?.postMessage({ lookups, generations: rounds.size, mixes });
