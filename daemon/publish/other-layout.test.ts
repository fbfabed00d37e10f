// An upgrade in place whose tables have another layout: nothing of them is read.
import { spawn } from 'node:child_process';
import { closeSync, existsSync, mkdirSync, mkdtempSync, openSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { dataplaneNote } from '../../linux/dataplane-process.ts';
import { isAlive, processWithPid } from '../../linux/process-id.ts';
import { mapFile } from '../../dataplane/native/index.ts';
import { MIN_RECORDING_BYTES, RECORDING_FILE, RecordingMap } from '../../policy-maps/recording-map.ts';
import { HEADER_BYTES, KINDS, MAGIC, W_KIND, W_MAGIC, W_VERSION } from '../../policy-maps/table/map-header.ts';
import { PinnedMaps } from './pinned-maps.ts';
import { retireOtherLayout } from './other-layout.ts';

const CAPACITIES = { 'bpf-ct-global-tcp-max': 1024, 'bpf-ct-global-any-max': 1024, 'bpf-ipcache-map-max': 1024 };

function writeWord(path: string, word: number, value: number): void {
  const fd = openSync(path, 'r+');
  writeSync(fd, new Uint8Array(Int32Array.of(value).buffer), 0, 4, word * 4);
  closeSync(fd);
}

/** A run directory with the maps of an agent that is gone, and a process that stands for its dataplane. */
function left(t: Test) {
  const runDir = mkdtempSync(join(tmpdir(), 'sluice-layout-'));
  t.teardown(() => rmSync(runDir, { recursive: true, force: true }));
  const directory = join(runDir, 'maps');
  const maps = new PinnedMaps({ directory, capacities: CAPACITIES, isInUse: false });
  maps.policy(7);
  maps.close();
  const child = spawn('sleep', ['1000'], { stdio: 'ignore' });
  t.teardown(() => child.kill('SIGKILL'));
  const dataplane = processWithPid(child.pid ?? 0);
  if (dataplane === undefined) throw new Error('start sleep: it has ended');
  mkdirSync(join(runDir, 'state'), { recursive: true });
  dataplaneNote(runDir).save(dataplane);
  return { runDir, directory, dataplane };
}

t.test('maps of this layout are left, and the dataplane that has them', async (t) => {
  const { runDir, directory, dataplane } = left(t);
  const recording = RecordingMap.create(join(directory, RECORDING_FILE), { capacity: MIN_RECORDING_BYTES }, mapFile);
  writeWord(recording.file.path, W_VERSION, 77);
  t.strictSame(await retireOtherLayout(runDir), [], 'what an agent left of a recording counts for nothing');
  t.ok(existsSync(join(directory, 'ct_tcp')));
  t.ok(isAlive(dataplane));
  t.strictSame(await retireOtherLayout(join(runDir, 'none')), [], 'and on the first start there are none');
});

for (const file of ['ct_tcp', 'policy_7']) {
  t.test(`${file} of another layout: all maps are made anew, behind the end of the dataplane`, async (t) => {
    const { runDir, directory, dataplane } = left(t);
    writeWord(join(directory, file), W_VERSION, 77);
    t.throws(
      () => new PinnedMaps({ directory, capacities: CAPACITIES, isInUse: true }).policy(7),
      /layout version: found 77/,
    );
    t.strictSame(await retireOtherLayout(runDir), [file]);
    t.notOk(isAlive(dataplane));
    t.notOk(existsSync(directory));
    const maps = new PinnedMaps({ directory, capacities: CAPACITIES, isInUse: false });
    t.equal(maps.ctTcp.count, 0);
    maps.close();
  });
}

t.test('what is no map of ours is not touched: the agent refuses it by name', async (t) => {
  const { runDir, directory, dataplane } = left(t);
  const path = join(directory, 'ct_tcp');
  for (const [word, value] of [
    [W_KIND, KINDS.metrics],
    [W_MAGIC, MAGIC + 1],
  ]) {
    writeWord(path, word, value);
    t.strictSame(await retireOtherLayout(runDir), []);
  }
  writeFileSync(join(directory, 'notes'), Buffer.alloc(HEADER_BYTES));
  writeFileSync(path, 'short');
  t.strictSame(await retireOtherLayout(runDir), []);
  t.ok(isAlive(dataplane));
});
