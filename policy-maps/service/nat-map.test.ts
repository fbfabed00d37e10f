// Rows of translated connections: found by direction, owned by a connection, given up when that is gone or the map is full.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { addressWords } from '../../wire/address.ts';
import { ConntrackMap, type TupleFields } from '../conntrack-map.ts';
import { CT_ROW_WORDS, CT_SLOT_GENERATION } from '../conntrack-row.ts';
import { W_OWNER } from '../table/map-header.ts';
import { memoryMapper } from '../table/memory-mapper.ts';
import * as nat from './nat-map.ts';

const folder = mkdtempSync(join(tmpdir(), 'sluice-nat-'));
t.teardown(() => rmSync(folder, { recursive: true, force: true }));
let files = 0;

function tuple(from: string, srcPort: number, to: string, dstPort: number, protocol = 6): TupleFields {
  const [src0, src1, src2, src3] = addressWords(from);
  const [dst0, dst1, dst2, dst3] = addressWords(to);
  return { src0, src1, src2, src3, dst0, dst1, dst2, dst3, srcPort, dstPort, protocol };
}

function make(capacity = 64): { map: nat.NatMap; tcp: ConntrackMap; any: ConntrackMap; reopen: () => nat.NatMap } {
  const mapper = memoryMapper();
  const path = join(folder, `nat_${files++}`);
  const map = nat.NatMap.create(path, { capacity }, mapper);
  const tcp = ConntrackMap.create(`${path}_tcp`, { capacity: 64 }, mapper);
  const any = ConntrackMap.create(`${path}_any`, { capacity: 64 }, mapper);
  map.watch(tcp, any);
  const reopen = () => {
    map.file.header[W_OWNER] = 4_194_303; // a process that is not there
    const after = nat.NatMap.open(path, mapper, { writable: true });
    after.watch(tcp, any);
    return after;
  };
  return { map, tcp, any, reopen };
}

/** A connection, and the row that leads to it. */
function connect(map: nat.NatMap, table: ConntrackMap, from: TupleFields): { base: number; slot: number } {
  const slot = table.insert(from, 0);
  const base = map.insert(from);
  map.words[base + nat.NAT_KIND] = nat.NAT_SERVICE;
  map.words[base + nat.NAT_CT_SLOT] = slot;
  map.words[base + nat.NAT_CT_GENERATION] = table.words[slot * CT_ROW_WORDS + CT_SLOT_GENERATION];
  return { base, slot };
}

t.test('a row is found by its tuple in its direction, and by its handle', (t) => {
  for (const [client, vip] of [
    ['10.0.0.2', '10.96.0.1'],
    ['fd00::2', 'fd00:10:96::1'],
  ] as const) {
    const { map, tcp } = make();
    const there = tuple(client, 4000, vip, 80);
    t.equal(map.lookup(there), -1);
    const { base } = connect(map, tcp, there);
    for (let turn = 0; turn < 2; turn++) t.equal(map.lookup({ ...there }), base, 'by hash, then remembered');
    t.equal(map.lookup(tuple(vip, 80, client, 4000)), -1, 'not the other way round');
    t.equal(map.lookup({ ...there, protocol: 17 }), -1);
    t.equal(map.lookup({ ...there, srcPort: 4001 }), -1);
    t.equal(map.lookup({ ...there, dst3: there.dst3 + 1 }), -1);
    const handle = map.handleOf(base);
    t.equal(map.at(handle), base);
    map.remove(base);
    t.equal(map.lookup(there), -1, 'what was remembered is not believed');
    t.equal(map.at(handle), -1);
    const other = connect(map, tcp, tuple(client, 4001, vip, 80));
    t.equal(other.base, base, 'the slot is used again');
    t.equal(map.at(handle), -1, 'by another');
    for (const wild of [0, -1, 1 << 19, 0x7fffffff]) t.equal(map.at(wild), -1, `handle ${wild}`);
  }
  t.end();
});

t.test('a row goes with its connection', (t) => {
  const { map, tcp, any } = make();
  const kept = connect(map, tcp, tuple('10.0.0.2', 1, '10.96.0.1', 80));
  const gone = connect(map, tcp, tuple('10.0.0.2', 2, '10.96.0.1', 80));
  const udp = connect(map, any, tuple('10.0.0.2', 3, '10.96.0.1', 53, 17));
  tcp.remove(gone.slot);
  t.ok(map.isOwned(kept.base));
  t.notOk(map.isOwned(gone.base));
  tcp.insert(tuple('10.0.0.9', 9, '10.96.0.9', 90), 0);
  t.notOk(map.isOwned(gone.base), 'the slot has another connection by now');
  t.equal(map.expire(64), 1);
  t.equal(map.count, 2);
  any.remove(udp.slot);
  t.equal(map.expire(64), 1);
  t.equal(map.file.counters.expired, 2);
  const to = addressWords('10.0.0.3');
  map.words.set([...to, 8080, nat.NAT_MASQUERADE, 7, 9], kept.base + nat.NAT_TO);
  const [entry] = map.entries();
  t.strictSame([entry.kind, entry.sourcePort, entry.destinationPort], ['masquerade', 1, 80]);
  t.strictSame([entry.to, entry.toPort, entry.frontendHandle, entry.backend], [to, 8080, 7, 9]);
  const order = [nat.NAT_TO_PORT, nat.NAT_KIND, nat.NAT_FRONTEND, nat.NAT_BACKEND].map((word) => word - nat.NAT_TO);
  t.strictSame(order, [4, 5, 6, 7]);
  t.end();
});

t.test('full: the row used longest ago makes room', (t) => {
  const { map, tcp } = make(16);
  for (let i = 0; i < 16; i++) {
    map.nowSec = i;
    connect(map, tcp, tuple('10.0.0.2', i, '10.96.0.1', 80));
  }
  map.nowSec = 100;
  map.touch(map.lookup(tuple('10.0.0.2', 0, '10.96.0.1', 80)));
  connect(map, tcp, tuple('10.0.0.2', 99, '10.96.0.1', 80));
  t.equal(map.count, 16);
  t.equal(map.file.counters.evictions, 1);
  t.not(map.lookup(tuple('10.0.0.2', 0, '10.96.0.1', 80)), -1, 'used just now');
  t.equal(map.lookup(tuple('10.0.0.2', 1, '10.96.0.1', 80)), -1, 'used longest ago');
  t.not(map.lookup(tuple('10.0.0.2', 99, '10.96.0.1', 80)), -1);
  const [slot] = [...tcp.slots()].slice(-1);
  tcp.remove(slot);
  connect(map, tcp, tuple('10.0.0.2', 200, '10.96.0.1', 80));
  t.equal(map.lookup(tuple('10.0.0.2', 99, '10.96.0.1', 80)), -1, 'the one whose connection has gone, however young');
  t.end();
});

t.test('a dataplane that was killed finds its rows again, handles too', (t) => {
  const { map, tcp, reopen } = make();
  const there = tuple('10.0.0.2', 1, '10.96.0.1', 80);
  const { base } = connect(map, tcp, there);
  const handle = map.handleOf(base);
  const after = reopen();
  t.ok(after.file.recovered);
  t.equal(after.lookup(there), base);
  t.equal(after.at(handle), base);
  t.ok(after.isOwned(base));
  t.end();
});
