// The catalogue, and the tables of the READMEs that are made of it and of the counters. UPDATE=1 writes these anew.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import type { Counter } from './counter.ts';
import { COUNTERS } from './counters.ts';
import {
  closePinnedMaps,
  eachMap,
  endpointOfPolicy,
  openPinnedMaps,
  PINNED,
  PINNED_POLICY,
  PINNED_RECORDING,
  type PinnedFile,
  pinnedFileOf,
  pinnedPolicies,
  policyFile,
} from './pinned.ts';
import { MapError } from './table/map-error.ts';
import { memoryMapper } from './table/memory-mapper.ts';
import type { PinnedMap } from './table/pinned-map.ts';

type Tap = typeof t;

const ROOT = join(import.meta.dirname, '../..'); // from dist/
const FILES = Object.values<PinnedFile<PinnedMap>>(PINNED);

const folder = mkdtempSync(join(tmpdir(), 'sluice-pinned-'));
t.teardown(() => rmSync(folder, { recursive: true, force: true }));

t.test('each program opens all maps, with the pens that are its own', (t) => {
  const mapper = memoryMapper();
  const make = ({ file, map }: PinnedFile<PinnedMap>) =>
    map.create(join(folder, file), { capacity: map.layout.minCapacity ?? 64 }, mapper);
  closePinnedMaps(eachMap(make));
  const agent = openPinnedMaps(folder, mapper, 'agent');
  const dataplane = openPinnedMaps(folder, mapper, 'dataplane');
  for (const [name, { writer }] of Object.entries<PinnedFile<PinnedMap>>(PINNED)) {
    t.equal(agent[name as keyof typeof agent].file.writable, writer !== 'dataplane', `${name}, agent`);
    t.equal(dataplane[name as keyof typeof agent].file.writable, writer !== 'agent', `${name}, dataplane`);
  }
  t.throws(() => openPinnedMaps(folder, mapper, 'agent'), MapError, 'while the first one lives');
  closePinnedMaps(agent);
  closePinnedMaps(dataplane);
  closePinnedMaps(openPinnedMaps(folder, mapper, 'dataplane'));
  t.end();
});

t.test('a file name leads back to what it is', (t) => {
  t.equal(new Set(FILES.map(({ file }) => file)).size, FILES.length);
  for (const pinned of FILES) t.equal(pinnedFileOf(pinned.file), pinned);
  t.equal(pinnedFileOf(policyFile(7)), PINNED_POLICY);
  t.equal(pinnedFileOf(policyFile(7, true)), PINNED_POLICY);
  t.equal(pinnedFileOf(PINNED_RECORDING.file), PINNED_RECORDING);
  t.equal(pinnedFileOf('policy_x'), undefined);
  t.equal(endpointOfPolicy(policyFile(7)), 7);
  t.equal(endpointOfPolicy(policyFile(7, true)), undefined, 'a trial is not the policy');
  for (const file of [policyFile(12), policyFile(3), policyFile(3, true)]) writeFileSync(join(folder, file), '');
  t.strictSame(pinnedPolicies(folder), [3, 12]);
  t.end();
});

t.test('README of policy-maps/ lists the catalogue', (t) => {
  const rows = [...FILES, PINNED_POLICY, PINNED_RECORDING].map(
    ({ file, map, writer, capacityOption, meaning }) =>
      `| \`${file}\` | \`${(map as unknown as { name: string }).name}\` | ${writer} | ` +
      `${map.layout.minCapacity === undefined ? (capacityOption ?? '') : 'fixed'} | ${meaning} |`,
  );
  compare(t as Tap, 'policy-maps/README.md', 'pinned', ['| file | class | writer | size | what it is |', ...rows]);
  t.end();
});

t.test('READMEs of dataplane/ and l7proxy/ list their counters', (t) => {
  const groups = [
    ['dataplane/README.md', COUNTERS.filter(({ number }) => number < 64)],
    ['l7proxy/README.md', COUNTERS.filter(({ number }) => number >= 64)],
  ] as const;
  for (const [path, counters] of groups) {
    const names = [...new Set(counters.map(({ name }) => name))];
    const rows = names.map((name) => {
      const all = counters.filter((one) => one.name === name);
      return `| ${nameCell(all)} | ${all[0].unit} | ${[...new Set(all.map(({ meaning }) => meaning))].join(' ')} |`;
    });
    compare(t as Tap, path, 'counters', ['| counter | unit | what it is |', ...rows]);
  }
  t.end();
});

/** `http_errors`, by kind (bad-host, nul) */
function nameCell(counters: readonly Counter[]): string {
  const [{ name, labels, isGauge }] = counters;
  const by = Object.keys(labels).map(
    (label) => `, by ${label} (${counters.map((one) => one.labels[label]).join(', ')})`,
  );
  return `${name}${isGauge ? ', a gauge' : ''}${by.join('')}`;
}

/** Holds what a file has between `<!-- mark -->` and `<!-- end -->` to a table. @param rows of it, the head first */
function compare(t: Tap, path: string, mark: string, [head, ...rows]: readonly string[]): void {
  const table = [head, head.replaceAll(/[^|]+/g, '---'), ...rows].join('\n');
  const text = readFileSync(join(ROOT, path), 'utf8');
  const parts = new RegExp(`^(.*<!-- ${mark} -->\n)(.*?)(<!-- end -->.*)$`, 's').exec(text);
  if (parts === null) throw new Error(`${path}: found no table <!-- ${mark} -->, wanted one`);
  const [, before, found, after] = parts;
  if (process.env['UPDATE'] === '1') writeFileSync(join(ROOT, path), `${before}${table}\n${after}`);
  else t.equal(found, `${table}\n`, `${path}: UPDATE=1 scripts/test policy-maps/pinned writes it`);
}
