/** The dataplane takes up what the agent says, and lets go by itself when nobody says any more. Time is the test's own. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { mapFile } from '../../dataplane/native/index.ts';
import { CONFIG_RECORDING } from '../../policy-maps/config-map.ts';
import { MIN_RECORDING_BYTES, RECORDING_FILE, RecordingMap } from '../../policy-maps/recording-map.ts';
import { World } from '../../test/dataplane-world.ts';
import { Recordings } from './recordings.ts';

function rig(t: Test) {
  const world = new World();
  t.teardown(() => world.close());
  const problems: string[] = [];
  const { frames } = world.dataplane.recorder;
  const { config } = world.maps;
  const recordings = new Recordings(world.folder, config, frames, (text) => problems.push(text));
  const path = join(world.folder, RECORDING_FILE);
  const begin = (number: number, untilMs: number): RecordingMap => {
    const map = RecordingMap.create(path, { capacity: MIN_RECORDING_BYTES }, mapFile);
    map.begin(number, 1000);
    map.extend(untilMs);
    config.store(CONFIG_RECORDING, number);
    return map;
  };
  return { config, frames, recordings, problems, path, begin };
}

t.test('a recording lasts until the agent ends it, or has not put its end off', (t) => {
  const { config, frames, recordings, begin, problems } = rig(t);
  recordings.refresh(0);
  t.equal(frames.isOn, false);
  const map = begin(1, 3000);
  recordings.refresh(50);
  t.equal(frames.isOn, true);
  t.equal(map.takenUp, 1);
  map.extend(6000);
  recordings.refresh(5999);
  t.equal(frames.isOn, true);
  recordings.refresh(6001);
  t.equal(frames.isOn, false, 'the agent is dead');
  map.extend(9000);
  recordings.refresh(6050);
  t.equal(frames.isOn, false, 'and what is over does not come back');
  const next = begin(2, 9000);
  recordings.refresh(6100);
  t.equal(next.takenUp, 2);
  begin(3, 9000);
  recordings.refresh(6150);
  t.equal(frames.isOn, true, 'one follows the other');
  config.store(CONFIG_RECORDING, 0);
  recordings.refresh(6200);
  t.equal(frames.isOn, false);
  t.strictSame(problems, []);
  t.end();
});

t.test('a file that is none, or of another recording, is told or passed over, and the next one works', (t) => {
  const { config, frames, recordings, begin, problems, path } = rig(t);
  config.store(CONFIG_RECORDING, 1);
  recordings.refresh(0);
  t.match(problems, [/^recording of frames: .*ENOENT/]);
  writeFileSync(path, Buffer.alloc(4096));
  config.store(CONFIG_RECORDING, 2);
  recordings.refresh(50);
  recordings.refresh(100);
  t.match(problems, [/ENOENT/, /magic word/]);
  t.equal(problems.length, 2, 'told once');
  const map = begin(3, 3000);
  map.begin(4, 1000);
  recordings.refresh(150);
  t.equal(frames.isOn, false, 'the file is another recording’s');
  begin(5, 3000);
  recordings.refresh(200);
  t.equal(frames.isOn, true);
  t.end();
});
