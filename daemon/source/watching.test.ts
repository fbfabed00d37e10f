/** Who watches a folder sees what becomes of it, also where others have used up the user's allowance of inotify. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { run } from '../../test/command.ts';

const folder = mkdtempSync(join(tmpdir(), 'sluice-watching-'));
t.teardown(() => rmSync(folder, { recursive: true }));

/** A user namespace has an allowance of its own. */
const IN_NAMESPACE = 'echo $0 > /proc/sys/user/max_inotify_instances && exec "$@"';

for (const [instances, module, name] of [
  ['100', '../../linux/watch-folder.js', 'watchFolder'],
  ['0', '../../linux/watch-folder.js', 'watchFolder'],
  ['100', './watching.js', 'watchDirectory'],
  ['0', './watching.js', 'watchDirectory'],
]) {
  t.test(`${name}() with ${instances} instances of inotify tells of a file that is written`, async (t) => {
    const place = join(folder, `${name}-${instances}`);
    const script = join(folder, `${name}-${instances}.mjs`);
    writeFileSync(
      script,
      `import { mkdirSync, writeFileSync, existsSync } from 'node:fs';
import { ${name} } from ${JSON.stringify(new URL(module, import.meta.url).href)};
mkdirSync(${JSON.stringify(place)});
const file = ${JSON.stringify(join(place, 'new'))};
const end = ${name}(${JSON.stringify(place)}, async () => {
  if (!existsSync(file)) return;
  await end();
  console.log('told');
});
setTimeout(() => writeFileSync(file, 'x'), 300);
setTimeout(() => process.exit(1), 20000).unref();
`,
    );
    const argv = ['unshare', '-Ur', 'sh', '-c', IN_NAMESPACE, instances, process.execPath, script];
    const { code, stdout, stderr } = await run(argv);
    t.equal(`${code} ${stdout}`, '0 told\n', stderr);
  });
}
