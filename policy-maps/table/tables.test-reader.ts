// The other thread of tables.test.ts: looks up hosts that are always there, and reads events, without pause.
import { parentPort, workerData } from 'node:worker_threads';
import { EVENT_BYTES } from '../../wire/event.ts';
import { EventReader, EventRing } from '../event-ring.ts';
import { Ipcache } from '../ipcache.ts';
import { memoryMapper } from './memory-mapper.ts';

const { path, buffers, control, hosts } = workerData as {
  path: string;
  buffers: Map<string, SharedArrayBuffer>;
  control: Int32Array;
  hosts: number[];
};
const map = Ipcache.open(path, memoryMapper(buffers));
const reader = new EventReader(EventRing.open(`${path}_events`, memoryMapper(buffers)), 'oldest');
const faults: string[] = [];
const newest = new Map(hosts.map((host) => [host, 0]));
let lookups = 0;
let events = 0;
let lastEvent = 0;

function fault(what: string): void {
  if (faults.length < 5) faults.push(what);
}

/** Identities of a host only grow, and an entry read whole has the identity in every word of its tunnel endpoint. */
function checkHost(host: number): void {
  const identity = map.lookup(0, 0, 0xffff, host);
  const before = newest.get(host) ?? 0;
  if (identity < before || identity === 0) fault(`host ${host}: identity ${identity} after ${before}`);
  newest.set(host, identity);
  if (host % 8 !== 0) return;
  const entry = map.match([0, 0, 0xffff, host]);
  if (entry === undefined || entry.tunnelEndpoint.some((word) => word !== entry.identity))
    fault(`host ${host}: ${JSON.stringify(entry)}`);
}

function checkEvent(bytes: Uint8Array, offset: number): void {
  const value = new DataView(bytes.buffer).getUint32(offset, true);
  for (let i = 4; i < EVENT_BYTES; i++)
    if (bytes[offset + i] !== (value & 0xff)) fault(`event ${value}: torn at byte ${i}`);
  if (value <= lastEvent) fault(`event ${value} after ${lastEvent}`);
  lastEvent = value;
  events++;
}

while (Atomics.load(control, 0) !== -1) {
  for (const host of hosts) checkHost(host);
  lookups += hosts.length;
  reader.read(checkEvent);
  if (lookups > 1000) Atomics.compareExchange(control, 0, 1, 2);
  else Atomics.compareExchange(control, 0, 0, 1);
}
parentPort?.postMessage({ lookups, events, faults });
