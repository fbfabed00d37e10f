import { execFileSync, fork } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import type { Envelope } from '../../hubble/flow.ts';
import { compileFilters } from '../../hubble/filter/filter.ts';
import type { FlowFilter } from '../../hubble/filter/flow-filter.ts';
import { type FlowsRequest, Ring } from '../../hubble/ring.ts';
import { waitFor } from '../../test/command.ts';
import { randomEnvelope } from '../../test/random-flows.ts';
import { randomFrom, SEED } from '../../test/random.ts';
import { History, type HistoryOptions } from './history.ts';
import { keptFlows } from './kept-flows.ts';

const NOW = Date.UTC(2024, 0, 2, 4);

/** A ring and a history that get the same envelopes, as in the observatory. */
class Kept {
  readonly ring: Ring;
  readonly history: History;
  readonly logged: string[] = [];

  constructor(directory: string, more: Partial<HistoryOptions> & { readonly capacity?: number } = {}) {
    const { capacity = 63, ...options } = more;
    this.ring = new Ring({ capacity, nodeName: 'node-1', nowMs: () => NOW });
    this.history = new History({
      directory,
      maxBytes: 2 ** 30,
      maxAgeMs: 3_600_000,
      nodeName: 'node-1',
      seen: () => this.ring.seen,
      replayed: 1000,
      nowMs: () => NOW,
      log: (level, text, fields = {}) => void this.logged.push(`${level}: ${text} ${JSON.stringify(fields)}`),
      ...options,
    });
  }

  take(batch: readonly Envelope[]): void {
    this.ring.take(batch);
    this.history.take(batch);
  }

  async ask(request: FlowsRequest = {}, allow: FlowFilter[] = []): Promise<string[]> {
    const lines: string[] = [];
    const batches = keptFlows(this.ring, this.history, { ...request, allow, deny: [] }, new AbortController().signal);
    for await (const batch of batches) lines.push(...batch.map((one) => JSON.stringify(one)));
    return lines;
  }
}

function folder(t: Test): string {
  const path = mkdtempSync(join(tmpdir(), 'sluice-history-'));
  t.teardown(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

function opened(t: Test, directory: string, more: ConstructorParameters<typeof Kept>[1] = {}): Kept {
  const kept = new Kept(directory, more);
  t.teardown(() => kept.history.stop());
  return kept;
}

function envelopes(count: number, seed = SEED): Envelope[] {
  const draw = randomFrom(seed);
  // A time that nobody can read belongs to no --since.
  const all = Array.from({ length: count }, (_, index) => randomEnvelope(draw, NOW - 1_000_000 + index));
  return all.filter(({ time = '' }) => !Number.isNaN(Date.parse(time)));
}

const texts = (flows: readonly Envelope[]) => flows.map((one) => JSON.stringify(one));

t.test('history: ring and disk are told as one, with no flow twice and none left out', async (t) => {
  const kept = opened(t, folder(t));
  const flows = envelopes(900);
  const flowCount = flows.filter(({ flow }) => flow !== undefined).length;
  for (let at = 0; at < flows.length; ) {
    const size = 1 + ((at * 7) % 40);
    kept.take(flows.slice(at, at + size));
    at += size;
    if (at % 5 === 0) await kept.history.write();
  }
  t.same(await kept.ask(), texts(flows), 'all');
  t.same(
    await kept.ask({ number: flowCount - 1 }),
    texts(flows).slice(-(await kept.ask({ number: flowCount - 1 })).length),
  );
  for (const number of [1, 20, 62, 63, 64, 300]) {
    const last = await kept.ask({ number });
    t.same(last, texts(flows).slice(-last.length), `last ${number}`);
    t.equal(last.filter((line) => line.startsWith('{"flow"')).length, number);
    const first = await kept.ask({ number, first: true });
    t.same(first, texts(flows).slice(0, first.length), `first ${number}`);
  }
  const allow = [{ verdict: ['DROPPED'] }];
  t.same(await kept.ask({}, allow), texts(flows.filter(compileFilters(allow, []))), 'a filter');
  const sinceMs = NOW - 1_000_000 + 450;
  t.same(await kept.ask({ sinceMs }), texts(flows.filter(({ time }) => Date.parse(time ?? '') >= sinceMs)), 'since');
});

t.test('history: what was kept is there after a stop, and after another', async (t) => {
  const directory = folder(t);
  const flows = envelopes(300);
  for (const part of [0, 1, 2]) {
    const kept = new Kept(directory);
    t.same(await kept.ask(), texts(flows.slice(0, part * 100)));
    kept.take(flows.slice(part * 100, part * 100 + 100));
    await kept.history.stop();
  }
  const kept = opened(t, directory);
  t.same(await kept.ask(), texts(flows));
  const { flows: count, segments, lost, oldestMs } = kept.history.status;
  t.same([count, segments, lost, oldestMs], [flows.length, 3, 0, Math.min(...flows.map(timeOf))]);
  t.same(
    readdirSync(directory).filter((name) => !name.endsWith('.flows')),
    [],
    'no journal and no half file is left',
  );
});

const timeOf = ({ time = '' }: Envelope) => Math.floor(Date.parse(time));

t.test('history: kill -9 costs what came after the last write; a torn end is cut off and told', async (t) => {
  const directory = folder(t);
  const child = fork(join(import.meta.dirname, '../../test/history.child.js'), [directory, String(SEED)]);
  await new Promise((resolve) => child.once('message', resolve));
  child.kill('SIGKILL');
  await new Promise((resolve) => child.once('exit', resolve));
  const [journal = ''] = readdirSync(directory).filter((name) => name.endsWith('.journal'));
  writeFileSync(join(directory, journal), 'torn', { flag: 'a' });
  writeFileSync(join(directory, '000000000077.tmp'), 'half a segment');
  const kept = opened(t, directory);
  t.same(await kept.ask(), texts(envelopes(400)));
  t.match(kept.logged, [/warn: the end of a journal of flows was torn and is cut off .*"torn":4/]);
  await kept.history.write();
  t.same(readdirSync(directory), [journal.replace('journal', 'flows')]);
});

t.test('history: flows that the event rings give again after a restart are kept and told once', async (t) => {
  const directory = folder(t);
  const flows = envelopes(300).filter(({ flow }) => flow?.uuid !== undefined && flow.uuid !== 'not-a-uuid');
  const first = new Kept(directory);
  first.take(flows.slice(0, 200));
  await first.history.stop();
  const kept = opened(t, directory);
  await kept.history.ready;
  kept.take(flows.slice(150, 190));
  t.same(await kept.ask(), texts(flows.slice(0, 200)), 'all of them');
  t.same(await kept.ask({ number: 30 }), texts(flows.slice(170, 200)), 'the last');
  kept.take(flows.slice(190));
  t.same(await kept.ask(), texts(flows), 'and what is new');
  t.equal(kept.history.status.flows, flows.length);
});

t.test('history: a segment that is broken is named and left out, the others are served', async (t) => {
  const directory = folder(t);
  const flows = envelopes(400);
  for (const part of [0, 1, 2, 3]) {
    const kept = new Kept(directory);
    kept.take(flows.slice(part * 100, part * 100 + 100));
    await kept.history.stop();
  }
  const [cut = '', flipped = ''] = readdirSync(directory).sort();
  truncateSync(join(directory, cut), 1000);
  const bytes = readFileSync(join(directory, flipped));
  bytes[bytes.length - 9] ^= 4;
  writeFileSync(join(directory, flipped), bytes);
  const kept = opened(t, directory);
  t.same(await kept.ask(), texts(flows.slice(200)));
  t.match(kept.history.status.problems, [
    new RegExp(`the history's ${join(directory, cut)} is left out: found 1000 bytes, wanted`),
    new RegExp(`the history's ${join(directory, flipped)} is left out: found a page whose CRC is wrong`),
  ]);
  kept.take(flows.slice(0, 10));
  await kept.history.write();
  t.equal((await kept.ask()).length, 210, 'and it goes on');
});

t.test('history: the oldest segments go when they are too old, or all are too large', async (t) => {
  const directory = folder(t);
  const flows = envelopes(600);
  for (const part of [0, 1, 2]) {
    const kept = new Kept(directory, { maxAgeMs: 1e9 });
    kept.take(flows.slice(part * 200, part * 200 + 200));
    await kept.history.stop();
  }
  const [, , newest = ''] = readdirSync(directory).sort();
  const bytes = readFileSync(join(directory, newest)).length;
  const small = new Kept(directory, { maxBytes: bytes + 10 });
  await small.history.write();
  t.same(await small.ask(), texts(flows.slice(400)), 'size');
  t.same(readdirSync(directory), [newest]);
  await small.history.stop();
  const old = opened(t, directory, { nowMs: () => NOW + 3_600_000 });
  await old.history.write();
  t.same(await old.ask(), [], 'age');
  t.same(readdirSync(directory), []);
});

t.test('history: a full disk is told, flows wait in memory, and it goes on when there is room', async (t) => {
  const directory = folder(t);
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=512k', 'tmpfs', directory]);
  t.teardown(() => execFileSync('umount', ['-l', directory]));
  const ballast = join(directory, 'ballast');
  writeFileSync(ballast, Buffer.alloc(520_192));
  const kept = opened(t, directory);
  const flows = envelopes(600);
  kept.take(flows);
  await kept.history.write();
  t.match(kept.history.status.problems, [/^write the history in .*: ENOSPC: flows wait in memory$/]);
  t.same(await kept.ask(), texts(flows), 'what cannot be written is answered out of memory');
  rmSync(ballast);
  await kept.history.write();
  t.same(kept.history.status.problems, []);
  t.match(kept.logged, [/error: write the history/, /info: flows are kept on disk again/]);
  await kept.history.stop();
  const again = new Kept(directory);
  t.same(await again.ask(), texts(flows));
  await again.history.stop();
});

t.test('history: what finds no room while the disk is away is counted, and told where it is missing', async (t) => {
  const directory = folder(t);
  rmSync(directory, { recursive: true });
  writeFileSync(directory, 'a file where the directory should be');
  const kept = opened(t, directory);
  const [one] = envelopes(50).filter(({ flow }) => flow !== undefined);
  // Long texts, so that three tables are soon full.
  const long = (index: number) =>
    ({ ...one, flow: { ...one.flow, tomorrow: `${index}`.padEnd(50_000, 'x') } }) as Envelope;
  for (let index = 0; index < 700; index++) kept.take([long(index)]);
  await kept.history.write();
  const { lost, problems, flows } = kept.history.status;
  t.ok(lost > 0 && flows + lost === 700, `${flows} wait in memory, ${lost} are lost`);
  t.match(problems, [/EEXIST|ENOTDIR/]);
  rmSync(directory);
  mkdirSync(directory);
  await kept.history.write();
  const later = envelopes(100);
  kept.take(later);
  const lines = await kept.ask();
  t.match(lines[flows], new RegExp(`OBSERVER_EVENTS_QUEUE.*"num_events_lost":"${lost}"`));
  t.same(lines.slice(flows + 1), texts(later));
});

t.test('history: nobody else can read the files', async (t) => {
  const directory = join(folder(t), 'flows');
  const kept = opened(t, directory);
  kept.take(envelopes(10));
  await kept.history.write();
  await waitFor('a journal', () => Promise.resolve(readdirSync(directory).length === 1));
  const modes = execFileSync('stat', ['-c', '%a', directory, join(directory, readdirSync(directory)[0])]).toString();
  t.equal(modes, '700\n600\n');
});
