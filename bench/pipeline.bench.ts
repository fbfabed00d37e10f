/**
 * Nanoseconds and bytes of heap per frame of the pipeline alone: memory ports, no kernel. Each case runs in rounds; the
 * median and the spread are printed; with `--json` as the lines that scripts/bench reads.
 */
import { entry, forAnyPeer, World, words } from '../test/dataplane-world.ts';
import { pingFrame, tcpFrame, udpFrame } from '../test/packets.ts';
import { ServiceWorld, VIP, VIP6 } from '../test/service-world.ts';
import * as tcp from '../wire/header/tcp.ts';

const ROUNDS = 9;
const TURNS = 4000; // of 64 frames

interface Row {
  name: string;
  medianNs: number;
  minNs: number;
  maxNs: number;
  heapBytesPerFrame: number;
}

function measure(name: string, world: World, frames: Uint8Array[], repeatNewFlows = false): Row {
  const [client, server] = world.pods;
  for (const pod of world.pods) pod.port.isDiscarding = true;
  client.port.repeat = true;
  for (const frame of frames) client.port.deliver(frame);
  const samples: number[] = [];
  let heap = 0;
  for (let round = 0; round < ROUNDS + 2; round++) {
    globalThis.gc?.();
    const heapBefore = process.memoryUsage().heapUsed;
    const begin = process.hrtime.bigint();
    let count = 0;
    for (let turn = 0; turn < TURNS; turn++) {
      const before = client.port.counters.receivedFrames;
      if (repeatNewFlows) world.maps.config.bumpWorldGeneration();
      world.turn(client);
      count += client.port.counters.receivedFrames - before;
    }
    const ns = Number(process.hrtime.bigint() - begin) / count;
    heap = Math.max(0, process.memoryUsage().heapUsed - heapBefore) / count;
    if (round >= 2) samples.push(ns);
  }
  const sent = server.port.counters.sentFrames + server.port.counters.sendDrops;
  if (sent === 0) throw new Error(`${name}: nothing was forwarded: drops ${world.drops().slice(0, 5).join()}`);
  samples.sort((a, b) => a - b);
  return {
    name,
    medianNs: samples[ROUNDS >> 1],
    minNs: samples[0],
    maxNs: samples[ROUNDS - 1],
    heapBytesPerFrame: heap,
  };
}

function twoPods(identities: number, entries: number): World {
  const world = new World({ ctCapacity: 65536 });
  const policy = [
    ...forAnyPeer({ egress: true }),
    entry({ identity: 1001, protocol: 6, port: 80 }),
    entry({ identity: 1001, protocol: 17, port: 80 }),
    entry({ identity: 1001, protocol: 1 }),
  ];
  for (let i = 0; i < entries; i++) policy.push(entry({ identity: 2000 + i, protocol: 6, port: 1024 + (i % 60000) }));
  world.add({ addresses: ['10.0.0.2', 'fd00::2'], identity: 1001 });
  world.add({ addresses: ['10.0.0.3', 'fd00::3'], identity: 1002, policy });
  for (let i = 0; i < identities; i++) {
    world.maps.ipcache.upsert(words(`10.${16 + (i >> 16)}.${(i >> 8) & 255}.${i & 255}`), 128, { identity: 2000 + i });
  }
  return world;
}

/** The same two behind a service, among `others` that nobody uses. */
function served(others: number): ServiceWorld {
  const world = new ServiceWorld({ ctCapacity: 65536 });
  world.add({ addresses: ['10.0.0.2', 'fd00::2'], identity: 1001 });
  world.add({ addresses: ['10.0.0.3', 'fd00::3'], identity: 1002 });
  world.serve(['10.0.0.3:80']);
  world.serve(['[fd00::3]:80'], { vip: VIP6 });
  const backends = Array.from({ length: 10 }, (_, i) => `10.9.0.${i}:80`);
  for (let i = 0; i < others; i++) world.serve(backends, { vip: `10.97.${i >> 8}.${i & 255}` });
  return world;
}

function established(world: World, to: string): Uint8Array[] {
  const [client] = world.pods;
  world.send(client, tcpFrame({ from: client, to, sport: 40000, dport: 80 }));
  const payload = new Uint8Array(1400);
  return [tcpFrame({ from: client, to, sport: 40000, dport: 80, flags: tcp.ACK, payload })];
}

const rows: Row[] = [];
function run(name: string, world: World, frames: Uint8Array[], repeatNewFlows = false): void {
  rows.push(measure(name, world, frames, repeatNewFlows));
  world.close();
}

let world = twoPods(10, 10);
run('tcp v4 established, 10 identities, 10 entries', world, established(world, '10.0.0.3'));
world = twoPods(10_000, 10_000);
run('tcp v4 established, 10k identities, 10k entries', world, established(world, '10.0.0.3'));
world = twoPods(10, 10);
run('tcp v6 established', world, established(world, 'fd00::3'));
world = twoPods(10, 10);
run('udp 64 B, 1 flow', world, [
  udpFrame({ from: world.pods[0], to: '10.0.0.3', sport: 5000, dport: 80, payload: new Uint8Array(22) }),
]);
world = twoPods(10, 10);
run(
  'udp 64 B, 1000 flows',
  world,
  Array.from({ length: 1000 }, (_, i) =>
    udpFrame({ from: world.pods[0], to: '10.0.0.3', sport: 5000 + i, dport: 80, payload: new Uint8Array(22) }),
  ),
);
world = twoPods(10, 10);
run(
  'tcp v4, whole path each batch, 10 entries',
  world,
  established(world, '10.0.0.3').flatMap((frame) => Array.from({ length: 1 }, () => frame)),
  true,
);
world = twoPods(10_000, 10_000);
run('tcp v4, whole path each batch, 10k entries', world, established(world, '10.0.0.3'), true);
world = twoPods(10, 10);
run('ping', world, [pingFrame({ from: world.pods[0], to: '10.0.0.3', id: 7 })]);

for (const [name, others] of [
  ['1 service', 0],
  ['10k services of 10 backends', 10_000],
] as const) {
  world = served(others);
  run(`tcp v4 established by ${name}`, world, established(world, VIP));
}
world = served(0);
run('tcp v6 established by a service', world, established(world, VIP6));
world = served(0);
run('tcp v4 by a service, whole path each batch', world, established(world, VIP), true);

for (const row of rows) {
  if (process.argv.includes('--json')) {
    console.log(JSON.stringify({ metric: `pipeline: ${row.name}`, value: row.medianNs, unit: 'ns/frame' }));
    console.log(
      JSON.stringify({ metric: `pipeline heap: ${row.name}`, value: row.heapBytesPerFrame, unit: 'B/frame' }),
    );
    continue;
  }
  const spread = `${row.minNs.toFixed(0)}..${row.maxNs.toFixed(0)}`;
  const time = `${row.medianNs.toFixed(0).padStart(6)} ns/frame (${spread})`;
  console.log(`${row.name.padEnd(50)} ${time}  heap ${row.heapBytesPerFrame.toFixed(2)} B/frame`);
}
