// The smaller pinned maps as their users see them, each with its limits. SEED=n repeats a run.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import t from 'tap';
import { CONFIG_ROUTER_IPV4, CONFIG_WORLD_GENERATION, ConfigMap } from './config-map.ts';
import { EndpointMap, type EndpointValue } from './endpoint-map.ts';
import { FRAGMENT_LIFETIME_SEC, FragmentMap } from './fragment-map.ts';
import { Ipcache } from './ipcache.ts';
import { L7RuleMap } from './l7-rule-map.ts';
import type { L7RuleSet } from './l7-rules.ts';
import { MapError } from './table/map-error.ts';
import { memoryMapper } from './table/memory-mapper.ts';
import type { PinnedMap } from './table/pinned-map.ts';
import { MetricsMap } from './metrics-map.ts';
import { PINNED, PINNED_POLICY, PINNED_RECORDING, type PinnedFile } from './pinned.ts';
import { PolicyStatsMap } from './policy-stats-map.ts';
import { PORT_KINDS } from '../wire/port-kinds.ts';
import { type Port, PortMap } from './port-map.ts';

const SEED = Number(process.env['SEED'] ?? 20240229);
t.comment(`seed ${SEED}`);

const folder = mkdtempSync(join(tmpdir(), 'sluice-maps-'));
t.teardown(() => rmSync(folder, { recursive: true, force: true }));
let files = 0;
const seed = [SEED, 7] as const;

function newPath(): string {
  return join(folder, `map_${files++}`);
}

// --- ipcache and endpoints

t.test('Ipcache', (t) => {
  const map = Ipcache.create(newPath(), { capacity: 4, seed }, memoryMapper());
  t.equal(map.lookup(0, 0, 0xffff, 0x0a000001), 0);
  map.upsert([0, 0, 0xffff, 0x0a000000], 104, {
    identity: 0x1000001,
    tunnelEndpoint: [0, 0, 0xffff, 9],
    key: 3,
    flags: 5,
  });
  t.equal(map.lookup(0, 0, 0xffff, 0x0a000001), 0x1000001, 'an answer that was kept does not outlive a change');
  map.upsert([0, 0, 0xffff, 0x0a000001], 128, { identity: 4000 });
  t.equal(map.lookup(0, 0, 0xffff, 0x0a000001), 4000);
  t.same(map.match([0, 0, 0xffff, 0x0a000002]), {
    address: [0, 0, 0xffff, 0x0a000000],
    prefixLength: 104,
    identity: 0x1000001,
    tunnelEndpoint: [0, 0, 0xffff, 9],
    key: 3,
    flags: 5,
  });
  t.equal(map.match([1, 2, 3, 4]), undefined);
  t.throws(() => map.upsert([0, 0, 0, 0], 129, { identity: 1 }), /prefix length: found 129, wanted 0 to 128/);
  map.upsert([1, 0, 0, 0], 32, { identity: 5 });
  map.upsert([2, 0, 0, 0], 32, { identity: 6 });
  t.throws(() => map.upsert([3, 0, 0, 0], 32, { identity: 7 }), { code: 'ERR_MAP_FULL', path: map.file.path });
  t.equal(map.lookup(3, 0, 0, 0), 0);
  map.upsert([2, 0, 0, 0], 32, { identity: 8 });
  t.equal(map.lookup(2, 1, 1, 1), 8, 'a full map still changes what it has');
  t.ok(map.remove([2, 0, 0, 0], 32));
  t.equal(map.lookup(2, 1, 1, 1), 0);
  t.same([...map.entries()].map((e) => e.identity).sort(), [0x1000001, 4000, 5].sort());
  t.same(map.file.counters, {
    count: 3,
    capacity: 4,
    updates: 5,
    removals: 1,
    full: 1,
    evictions: 0,
    probeFailures: 0,
    expired: 0,
  });
  t.end();
});

function endpoint(i: number): EndpointValue {
  return {
    ifindex: 100 + i,
    lxcId: 10 + i,
    flags: i,
    mac: { high: 0x0200, low: i },
    nodeMac: { high: 0x0201, low: -i },
    secId: 4000 + i,
    portIndex: i,
  };
}

function newEndpoints(): EndpointMap {
  const map = EndpointMap.create(newPath(), { capacity: 16, seed }, memoryMapper());
  for (let i = 0; i < 8; i++) map.upsert([0, 0, 0xffff, 0x0a000000 + i], endpoint(i));
  return map;
}

t.test('EndpointMap', (t) => {
  const map = newEndpoints();
  t.equal(map.lookup(0, 0, 0xffff, 0x0a000009), -1);
  t.equal(map.lookup(0, 0, 0xffff, 0x0a000009), -1, 'asked again');
  const places = range(4).map((i) => map.lookup(0, 0, 0xffff, 0x0a000000 + i));
  for (const [i, place] of places.entries()) {
    const found = [map.ifindex(place), map.lxcId(place), map.flags(place), map.secId(place), map.portIndex(place)];
    t.same(found, [100 + i, 10 + i, i, 4000 + i, i], 'a place outlives three more lookups');
    t.same(
      [map.macHigh(place), map.macLow(place), map.nodeMacHigh(place), map.nodeMacLow(place)],
      [0x0200, i, 0x0201, 0 - i],
    );
  }
  map.upsert([0, 0, 0xffff, 0x0a000001], endpoint(9));
  t.equal(map.portIndex(map.lookup(0, 0, 0xffff, 0x0a000001)), 9, 'a change is seen');
  t.ok(map.remove([0, 0, 0xffff, 0x0a000001]));
  t.equal(map.lookup(0, 0, 0xffff, 0x0a000001), -1);
  t.same(
    [...map.entries()].map((e) => e.lxcId),
    [10, 12, 13, 14, 15, 16, 17],
  );
  t.same([...map.entries()][0], {
    address: [0, 0, 0xffff, 0x0a000000],
    ...endpoint(0),
    nodeMac: { high: 0x0201, low: 0 },
  });
  t.end();
});

t.test('EndpointMap answers as a plain Map does, whatever the order of lookups and changes', (t) => {
  const steps = fc.array(fc.tuple(fc.constantFrom('put', 'remove', 'ask', 'ask', 'ask'), fc.nat(15), fc.nat(1000)), {
    maxLength: 80,
  });
  const property = fc.property(steps, (steps) => {
    const map = EndpointMap.create(newPath(), { capacity: 16, seed }, memoryMapper());
    const twin = new Map<number, number>();
    for (const [what, host, value] of steps) {
      if (what === 'put') {
        map.upsert([0, 0, 0xffff, host << 20], endpoint(value));
        twin.set(host, value);
      } else if (what === 'remove' && map.remove([0, 0, 0xffff, host << 20]) !== twin.delete(host)) return false;
      const place = map.lookup(0, 0, 0xffff, host << 20);
      if ((place < 0 ? undefined : map.portIndex(place)) !== twin.get(host)) return false;
    }
    return true;
  });
  fc.assert(property, { seed: SEED, numRuns: 100 });
  t.end();
});

// --- ports, metrics, statistics, fragments, configuration

const PORT: Port = {
  kind: 'tap',
  ifname: 'sluice_tap_0012',
  ifindex: 12,
  mac: { high: 0x0242, low: -5 },
  endpointId: 7,
  secId: 0x2000001,
  mtu: 9000,
  flags: 1,
};

t.test('PortMap', (t) => {
  const map = PortMap.create(newPath(), { capacity: 8 }, memoryMapper());
  const none = {
    address: [0, 0, 0, 0],
    address6: [0, 0, 0, 0],
    gateway: [0, 0, 0, 0],
    gateway6: [0, 0, 0, 0],
    gatewayMac: { high: 0, low: 0 },
  };
  t.equal(map.get(0), undefined);
  t.equal(map.generation, 0);
  map.set(0, PORT);
  t.same(map.get(0), { index: 0, ...PORT, ...none });
  const uplink = {
    ...PORT,
    kind: 'uplink' as const,
    address: [0, 0, 0xffff, 1],
    address6: [1, 2, 3, 4],
    gateway: [0, 0, 0xffff, 2],
    gateway6: [5, 6, 7, 8],
    gatewayMac: { high: 1, low: 2 },
  };
  map.set(1, uplink as unknown as Port);
  t.same(map.get(1), { index: 1, ...uplink });
  t.equal(map.freeIndex(), 2);
  map.clear(0);
  t.equal(map.get(0), undefined);
  t.equal(map.freeIndex(), 0);
  t.same(
    [...map.entries()].map((port) => port.index),
    [1],
  );
  t.equal(map.generation, 3, 'every change counts');
  t.throws(
    () => map.set(0, { ...PORT, ifname: 'sixteen_letters_' }),
    /ifname: found sixteen_letters_, wanted at most 15 bytes/,
  );
  t.throws(() => map.set(8, PORT), /row: found 8, wanted 0 to 7/);
  const numbers = Object.values(PORT_KINDS).map(({ number }) => number);
  t.same(numbers.sort(), [1, 2, 3, 4, 5], 'every kind has a number of its own, and 0 is a free row');
  for (const kind of ['tap', 'veth', 'pcap', 'host', 'uplink'] as const) {
    map.set(2, { ...PORT, kind });
    t.equal(map.get(2)?.kind, kind);
  }
  for (let i = 0; i < 8; i++) map.set(i, PORT);
  t.equal(map.freeIndex(), -1);
  t.end();
});

t.test('MetricsMap', (t) => {
  const map = MetricsMap.create(newPath(), {}, memoryMapper());
  map.add(133, 1, 1, 60);
  map.add(133, 1, 2, 0xffffffff);
  map.add(0, 2, 1, 1500);
  map.add(255, 1, 1, 0);
  t.same(
    [...map.entries()],
    [
      { reason: 0, direction: 2, packets: 1, bytes: 1500 },
      { reason: 133, direction: 1, packets: 3, bytes: 0xffffffff + 60 },
      { reason: 255, direction: 1, packets: 1, bytes: 0 },
    ],
  );
  t.end();
});

t.test('PolicyStatsMap counts by entry, and not for whoever had the slot before', (t) => {
  const map = PolicyStatsMap.create(newPath(), { capacity: 2, seed }, memoryMapper());
  const point = (6 << 16) | 80 | (24 << 24) | (1 << 29);
  const handle = map.slotFor(7, 0x1000001, point);
  t.equal(map.slotFor(7, 0x1000001, point), handle);
  t.ok(map.add(handle, 100) && map.add(handle, 50));
  t.same(
    [...map.entries()],
    [
      {
        endpoint: 7,
        identity: 0x1000001,
        egress: true,
        protocol: 6,
        port: 80,
        prefixLength: 24,
        packets: 2,
        bytes: 150,
      },
    ],
  );
  map.now = 2;
  const second = map.slotFor(8, 1, 0);
  map.now = 3;
  t.ok(map.add(handle, 1), 'used again');
  map.now = 4;
  const third = map.slotFor(9, 1, 0);
  t.ok(map.add(handle, 1));
  t.ok(map.add(third, 1));
  t.notOk(map.add(second, 1), 'the entry used longest ago was given up');
  t.notOk(map.add(-1, 1), 'no handle');
  t.notOk(map.add(0x7fffffff, 1), 'a handle that cannot be');
  t.equal(map.count, 2);
  t.end();
});

t.test('FragmentMap', (t) => {
  const map = FragmentMap.create(newPath(), { capacity: 2, seed }, memoryMapper());
  const source = { src0: 0, src1: 0, src2: 0xffff, src3: 0x0a000001 };
  const f = { ...source, dst0: 0, dst1: 0, dst2: 0xffff, dst3: 0x0a000002, protocol: 17, fragmentId: 0xffffffff | 0 };
  t.equal(map.lookup(f, 100), -1);
  map.insert(f, 65535, 53, 100);
  const slot = map.lookup(f, 100 + FRAGMENT_LIFETIME_SEC);
  t.same([map.srcPort(slot), map.dstPort(slot)], [65535, 53]);
  t.equal(map.lookup(f, 101 + FRAGMENT_LIFETIME_SEC), -1, 'forgotten after a while');
  t.equal(map.lookup({ ...f, fragmentId: 1 }, 100), -1);
  t.equal(map.lookup({ ...f, protocol: 6 }, 100), -1);
  map.insert({ ...f, fragmentId: 1 }, 1, 2, 110);
  map.insert({ ...f, fragmentId: 2 }, 3, 4, 120);
  t.equal(map.lookup(f, 120), -1, 'full: the one heard of longest ago is forgotten');
  t.equal(map.count, 2);
  t.same([...map.entries()].map((e) => [e.fragmentId, e.srcPort, e.dstPort, e.protocol]).sort(), [
    [1, 1, 2, 17],
    [2, 3, 4, 17],
  ]);
  t.end();
});

t.test('ConfigMap has many writers and never returns to world generation 0', (t) => {
  const mapper = memoryMapper();
  const path = newPath();
  const agent = ConfigMap.create(path, {}, mapper);
  const dataplane = ConfigMap.open(path, mapper, { writable: true });
  t.equal(dataplane.worldGeneration, 0);
  agent.bumpWorldGeneration();
  t.equal(dataplane.worldGeneration, 1);
  agent.store(CONFIG_WORLD_GENERATION, -1);
  t.equal(dataplane.worldGeneration, 0xffffffff);
  agent.bumpWorldGeneration();
  t.equal(dataplane.worldGeneration, 1);
  agent.routerMac = { high: 0x0242, low: -1 };
  t.same(dataplane.routerMac, { high: 0x0242, low: -1 });
  agent.setAddress(CONFIG_ROUTER_IPV4, [0, 0, 0xffff, 0x0a000001]);
  t.same(dataplane.address(CONFIG_ROUTER_IPV4), [0, 0, 0xffff, 0x0a000001]);
  t.same(
    [...dataplane.entries()].map((e) => e.word),
    [0, 4, 5, 8, 9],
  );
  t.end();
});

// --- L7 rules

function ruleSet(port: number, rules = 1): L7RuleSet {
  const http = range(rules).map((i) => ({ method: 'GET', path: `/p${i}é` }));
  return { parser: 'http', endpoint: 7, ingress: true, port, rules: [{ remotes: [1234], http, cookie: 3 }] };
}

t.test('L7RuleMap', (t) => {
  const mapper = memoryMapper();
  const path = newPath();
  const agent = L7RuleMap.create(path, { capacity: 64 }, mapper);
  const dataplane = L7RuleMap.open(path, mapper);
  t.equal(dataplane.get(1), undefined);
  agent.put(1, ruleSet(80));
  agent.put(65535, ruleSet(443, 3));
  t.same(dataplane.get(1)?.ruleSet, ruleSet(80));
  t.same(dataplane.get(65535)?.ruleSet, ruleSet(443, 3));
  const before = dataplane.get(1);
  t.equal(dataplane.get(1), before, 'the same object as long as nothing changed');
  agent.put(1, ruleSet(81));
  t.equal(dataplane.get(1)?.ruleSet.port, 81);
  t.not(dataplane.get(1)?.generation, before?.generation);
  t.equal(dataplane.generation, 3);
  t.throws(() => agent.put(2, ruleSet(1, 1000)), { code: 'ERR_MAP_FULL' });
  t.equal(dataplane.get(2), undefined);
  t.throws(() => agent.put(65535, ruleSet(1, 1000)), { code: 'ERR_MAP_FULL' });
  t.same(dataplane.get(65535)?.ruleSet, ruleSet(443, 3), 'the old one stays in force');
  for (const id of [0, 65536, 1.5]) t.throws(() => agent.put(id, ruleSet(1)), /rule set id: found/);
  t.ok(agent.remove(65535));
  t.notOk(agent.remove(65535));
  t.equal(dataplane.get(65535), undefined);
  t.same(
    [...dataplane.entries()].map((e) => e.id),
    [1],
  );
  t.equal(dataplane.count, 1);
  t.end();
});

t.test('L7RuleMap uses its slab again and again, and a new writer finds what is in it', (t) => {
  const mapper = memoryMapper();
  const path = newPath();
  const first = L7RuleMap.create(path, { capacity: 64 }, mapper);
  for (let i = 0; i < 500; i++) first.put(1 + (i % 5), ruleSet(i, 1 + (i % 7)));
  first.close();
  const second = L7RuleMap.open(path, mapper, { writable: true });
  t.equal(second.count, 5);
  for (let i = 500; i < 1000; i++) {
    second.put(1 + (i % 5), ruleSet(i, 1 + (i % 7)));
    for (let id = 1; id <= 5; id++) if (second.get(id)?.ruleSet.port === undefined) t.fail(`rule set ${id} is gone`);
  }
  t.same(
    range(5).map((i) => second.get(1 + i)?.ruleSet.port),
    [995, 996, 997, 998, 999],
  );
  t.end();
});

t.test('L7RuleMap never gives out a rule set that is not whole', (t) => {
  const map = L7RuleMap.create(newPath(), { capacity: 64 }, memoryMapper());
  map.put(1, ruleSet(80));
  const bytes = new Uint8Array(map.file.buffer);
  const words = new Int32Array(map.file.buffer);
  const blob = 64 + 65536;
  const damages: [string, number, number][] = [
    ['another id', blob, 2],
    ['a length beyond the file', blob + 2, 0x7fffffff],
    ['a negative length', blob + 2, -1],
    ['another checksum', blob + 3, 5],
    ['JSON that is none', blob + 4, 0],
    ['a place beyond the slab', 64 + 1, 66],
    ['a negative place', 64 + 1, -1],
  ];
  for (const [name, word, value] of damages) {
    const before = bytes.slice();
    words[word] = value;
    t.equal(L7RuleMap.open(map.file.path, () => map.file.buffer).get(1), undefined, name);
    bytes.set(before);
  }
  t.end();
});

// --- every map

t.test('every map opens what it made, and refuses what every other made', (t) => {
  const pinned = Object.values<PinnedFile<PinnedMap>>(PINNED);
  const files: readonly PinnedFile<PinnedMap>[] = [...pinned, PINNED_POLICY, PINNED_RECORDING];
  const every = new Map(files.map(({ map, file }) => [map, file]));
  t.equal(every.size, 31);
  for (const [map, file] of every) {
    const mapper = memoryMapper();
    const path = newPath();
    map.create(path, { capacity: map.layout.minCapacity ?? 64 }, mapper).close();
    t.doesNotThrow(() => map.open(path, mapper), file);
    for (const [other, otherFile] of every) {
      if (other === map) continue;
      try {
        other.open(path, mapper, { writable: true });
        t.fail(`${otherFile} opened the file of ${file}`);
      } catch (error) {
        if (!(error instanceof MapError) || error.code !== 'ERR_MAP_FORMAT' || !error.message.includes(path))
          throw error;
      }
    }
  }
  t.end();
});

function range(count: number): number[] {
  return Array.from({ length: count }, (_, i) => i);
}
