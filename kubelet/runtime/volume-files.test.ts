/** Files of volumes change all at once, and follow what is wanted. */
import { mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { writeVolume } from './volume-files.ts';

const folder = mkdtempSync(join(tmpdir(), 'sluice-volume-'));
t.teardown(() => rmSync(folder, { recursive: true, force: true }));
const file = (path: string, text: string, mode = 0o644) => ({ path, bytes: Buffer.from(text), mode });

t.test('a volume is written once, changed by a link, and what is gone from it goes', (t) => {
  t.equal(writeVolume(folder, [file('a', '1'), file('d/e/f', '2', 0o400)], undefined), true);
  t.equal(readFileSync(join(folder, 'a'), 'utf8') + readFileSync(join(folder, 'd/e/f'), 'utf8'), '12');
  t.equal(statSync(join(folder, 'd/e/f')).mode & 0o777, 0o400);
  t.equal(
    writeVolume(folder, [file('a', '1'), file('d/e/f', '2', 0o400)], undefined),
    false,
    'the same is not written again',
  );
  const before = readlinkSync(join(folder, '..data'));
  t.equal(writeVolume(folder, [file('a', '3'), file('g', '')], undefined), true);
  t.not(readlinkSync(join(folder, '..data')), before);
  t.strictSame(
    readdirSync(folder).filter((name) => !name.startsWith('..')),
    ['a', 'g'],
  );
  t.strictSame(readdirSync(folder).length, 4, 'the folder before is gone');
  t.equal(readFileSync(join(folder, 'a'), 'utf8'), '3');
  writeVolume(folder, [], undefined);
  t.strictSame(
    readdirSync(folder).filter((name) => !name.startsWith('..')),
    [],
  );
  t.throws(() => writeVolume(folder, [file('x', ''), file('x/y', '')], undefined), 'a file that is also a folder');
  t.end();
});
