/** A file that is followed: word of its change, whichever way it is replaced. */
import { mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { FollowedFile } from './followed-file.ts';

t.test('a file that is replaced is told of, behind a symbolic link too', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'slff-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  const [path, real] = ['resolv.conf', 'real'].map((name) => join(folder, name));
  writeFileSync(real, 'one');
  symlinkSync(real, path);
  const told = new Promise<void>((resolve) => {
    const followed = new FollowedFile(path, () => {
      t.equal(followed.text, 'two');
      followed.close();
      resolve();
    });
    t.equal(followed.text, 'one');
  });
  writeFileSync(`${real}.new`, 'two');
  renameSync(`${real}.new`, real);
  const alive = setInterval(() => {}, 1000); // the watch alone keeps no process
  await told;
  clearInterval(alive);
  t.equal(new FollowedFile(join(folder, 'none'), () => {}).text, '', 'no file');
});
