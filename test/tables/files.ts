// Files of tables for tests: each new, all gone at the end.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { lpmTableBytes } from '../../policy-maps/table/lpm-table.ts';
import { MapFile } from '../../policy-maps/table/map-file.ts';
import { HEADER_BYTES, type MapLayout } from '../../policy-maps/table/map-header.ts';
import { memoryMapper } from '../../policy-maps/table/memory-mapper.ts';

export const SEED = Number(process.env['SEED'] ?? 20240229);
t.comment(`seed ${SEED}`);

const folder = mkdtempSync(join(tmpdir(), 'sluice-tables-'));
t.teardown(() => rmSync(folder, { recursive: true, force: true }));
let files = 0;

export function newPath(): string {
  return join(folder, `map_${files++}`);
}

export function layout(kind: 'hash' | 'lpm' | 'lru_hash' | 'array', bytes: (capacity: number) => number): MapLayout {
  return {
    kind,
    version: 1,
    keyBytes: 8,
    valueBytes: 8,
    capacity: 64,
    maxCapacity: 1 << 16,
    fileBytes: (capacity) => HEADER_BYTES + bytes(capacity),
  };
}
export const LPM = layout('lpm', (capacity) => lpmTableBytes({ valueWords: 1, capacity }));

export function create(layout: MapLayout, capacity: number): MapFile {
  return MapFile.create(newPath(), layout, { capacity, seed: [SEED, 7] }, memoryMapper());
}
