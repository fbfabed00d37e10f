/**
 * What a record costs until it is a flow, and what the flow costs until it is a message: own CPU time of this process, garbage
 * collection included, by kind of record, all kinds in turn.
 */
import { DirectoryMirror } from '../hubble/decode/directory-mirror.ts';
import type { LazyEnvelope } from '../daemon/observe/lazy-envelope.ts';
import { RingSource } from '../daemon/observe/ring-source.ts';
import { encodeEnvelope } from '../hubble/message/envelope.ts';
import { EventRing } from '../policy-maps/event-ring.ts';
import { memoryMapper } from '../policy-maps/table/memory-mapper.ts';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { EventTown, KINDS, type Kind, RecordTime, townDirectory } from './event-town.ts';

const ROUNDS = 5;
const DIFFERENT = 4096; // records of a kind
const FLOWS = 10 * DIFFERENT; // of a kind in a round
const SPAN_MS = 0.02; // between two records, 50,000 a second

const directory = new DirectoryMirror();
directory.learn(townDirectory());
const town = new EventTown();
const records = Object.keys(KINDS).map((kind) => {
  return [kind, Array.from({ length: DIFFERENT }, () => town.record(kind as Kind))] as const;
});
const folder = mkdtempSync(join(tmpdir(), 'slb-decoding-'));
const ring = EventRing.create(join(folder, 'events'), { capacity: DIFFERENT }, memoryMapper());
rmSync(folder, { recursive: true });
const times = new RecordTime(ring.bytes);
const source = new RingSource(ring, 0, undefined, { nodeName: 'node-1', directory, isOwn: () => false });
let nowMs = Date.UTC(2026, 0, 2);
let spent = { keep: 0, decode: 0, encode: 0, json: 0 };

function measure(what: keyof typeof spent, work: () => void): void {
  const before = process.cpuUsage();
  work();
  const { user, system } = process.cpuUsage(before);
  spent[what] += user + system;
}

function pass(of: readonly Uint8Array[]): void {
  for (const record of of) {
    const at = ring.next();
    ring.bytes.set(record, at);
    times.set(at, Math.floor((nowMs += SPAN_MS)));
  }
  ring.commit();
  const seen: LazyEnvelope[] = [];
  let bytes = 0;
  measure('keep', () => void source.read(seen));
  measure('decode', () => {
    for (const envelope of seen) bytes += envelope.flow.time.length;
  });
  measure('encode', () => {
    for (const envelope of seen) bytes += encodeEnvelope(envelope).length;
  });
  measure('json', () => {
    for (const envelope of seen) bytes += JSON.stringify(envelope).length;
  });
  if (seen.length !== of.length || bytes < 100 * of.length)
    throw new Error(`found ${seen.length} flows, ${bytes} bytes`);
}

const METRICS = { keep: 'keeping', decode: 'decoding', encode: 'encoding as protobuf', json: 'encoding as JSON' };

for (let round = 0; round <= ROUNDS; round++) {
  for (const [kind, of] of records) {
    spent = { keep: 0, decode: 0, encode: 0, json: 0 };
    for (let flows = 0; flows < FLOWS; flows += of.length) pass(of);
    if (round === 0) continue; // everything is compiled then
    for (const [what, us] of Object.entries(spent)) {
      const metric = `${METRICS[what as keyof typeof spent]}: ${kind}`;
      console.log(JSON.stringify({ metric, value: us / FLOWS, unit: 'us CPU' }));
    }
  }
}
