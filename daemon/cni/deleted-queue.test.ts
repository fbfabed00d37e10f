/** Calls that waited for the agent, and whatever else lies in their folder. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { DeletedQueue } from './deleted-queue.ts';
import type { CniRequest } from './request.ts';

const runDir = mkdtempSync(join(tmpdir(), 'sluice-deleted-'));
t.teardown(() => rmSync(runDir, { recursive: true }));
const folder = join(runDir, 'cni/deleted');

const call = (command: string, containerId: string): string =>
  JSON.stringify({
    environment: { CNI_COMMAND: command, CNI_CONTAINERID: containerId, CNI_IFNAME: 'eth0' },
    config: '{"cniVersion": "1.0.0", "name": "net"}',
  });

t.test('each call is done once, in its order, and nothing else in the folder is in its way', async (t) => {
  mkdirSync(join(folder, '02-folder/inner'), { recursive: true });
  writeFileSync(join(folder, '01-first'), call('DEL', 'first'));
  execFileSync('mkfifo', [join(folder, '03-pipe')]);
  symlinkSync('/dev/zero', join(folder, '04-link'));
  writeFileSync(join(folder, '05-huge'), '');
  truncateSync(join(folder, '05-huge'), 2 ** 40);
  writeFileSync(join(folder, '06-garbage'), '{"environment": null');
  writeFileSync(join(folder, '07-another'), call('ADD', 'another'));
  writeFileSync(join(folder, '08-failing'), call('DEL', 'failing'));
  writeFileSync(join(folder, '09-last'), call('DEL', 'last'));
  const done: string[] = [];
  const told: string[] = [];
  const queue = new DeletedQueue(
    runDir,
    {
      call: ({ containerId }: CniRequest) => {
        if (containerId === 'failing') return Promise.reject(new Error('no'));
        done.push(containerId);
        return Promise.resolve({ result: undefined });
      },
    },
    {
      info: () => undefined,
      warn: ({ file = folder }: { file?: string }) => void told.push(file.slice(folder.length + 1)),
    } as never,
  );
  await queue.drain();
  t.strictSame(done, ['first', 'last']);
  t.strictSame(
    told.map((name) => name.slice(0, 2)),
    ['02', '03', '04', '05', '06', '07', '08'],
  );
  t.strictSame(readdirSync(folder), []);

  rmSync(folder, { recursive: true });
  writeFileSync(folder, 'no folder');
  await queue.drain();
  rmSync(folder);
  mkdirSync(folder);
  writeFileSync(join(folder, '10'), call('DEL', 'afterwards'));
  await queue.drain();
  t.strictSame(done, ['first', 'last', 'afterwards'], 'it goes on after a folder that was none');
});
