// Makes images out of one program each: node scripts/cluster/image.mjs OUT.tar NAME=PROGRAM[:ARGUMENT]... in the format that `docker save` has.
import { createHash } from 'node:crypto';
import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';

const [out, ...images] = process.argv.slice(2);
const work = mkdtempSync(join(tmpdir(), 'slcl-image-'));

/** A layer with a program at its top, and the folders that programs expect. */
function layerOf(program) {
  const name = `${basename(program)}.tar`;
  const root = join(work, `${basename(program)}-root`);
  for (const folder of ['tmp', 'etc', 'bin', 'usr/bin']) mkdirSync(join(root, folder), { recursive: true });
  copyFileSync(program, join(root, basename(program)));
  for (const [file, text] of [
    ['etc/passwd', 'root:x:0:0:root:/:/bin/sh\n'],
    ['etc/group', 'root:x:0:\n'],
  ])
    writeFileSync(join(root, file), text);
  copyFileSync(join(dirname(program), 'busybox'), join(root, 'bin/busybox'));
  const tools = execFileSync(join(root, 'bin/busybox'), ['--list'], { encoding: 'utf8' }).split('\n');
  for (const tool of tools.filter((name) => /^[a-z]\w*$/.test(name) && name !== 'busybox'))
    execFileSync('ln', ['-sf', 'busybox', join(root, 'bin', tool)]);
  // End-to-end specs ask Services with these, from inside; busybox's nc does not know all that they say to it.
  for (const tool of ['/usr/bin/curl', '/bin/nc.openbsd', '/bin/dash']) {
    const libraries = execFileSync('ldd', [tool], { encoding: 'utf8' }).match(/\/\S+(?= \()/g);
    for (const file of [tool, ...libraries]) {
      mkdirSync(join(root, dirname(file)), { recursive: true });
      copyFileSync(file, join(root, file));
    }
  }
  execFileSync('ln', ['-sf', 'nc.openbsd', join(root, 'bin/nc')]);
  // busybox's shell would run its own nc, whatever lies in bin.
  execFileSync('ln', ['-sf', 'dash', join(root, 'bin/sh')]);
  execFileSync('tar', [
    '--sort=name',
    '--mtime=@0',
    '--owner=0',
    '--group=0',
    '-C',
    root,
    '-cf',
    join(work, name),
    '.',
  ]);
  return name;
}

const manifest = images.map((given) => {
  const [name, what] = given.split('=');
  const [program, ...command] = what.split(':');
  const layer = layerOf(program);
  const digest = createHash('sha256')
    .update(readFileSync(join(work, layer)))
    .digest('hex');
  const config = {
    architecture: 'amd64',
    os: 'linux',
    config: { Entrypoint: [`/${basename(program)}`], Cmd: command, Env: ['PATH=/:/bin:/usr/bin'], WorkingDir: '/' },
    rootfs: { type: 'layers', diff_ids: [`sha256:${digest}`] },
    history: [],
  };
  const file = `${createHash('sha256').update(JSON.stringify(config)).digest('hex')}.json`;
  writeFileSync(join(work, file), JSON.stringify(config));
  return { Config: file, RepoTags: [name], Layers: [layer] };
});
writeFileSync(join(work, 'manifest.json'), JSON.stringify(manifest));
const files = [...new Set(['manifest.json', ...manifest.flatMap(({ Config, Layers }) => [Config, ...Layers])])];
execFileSync('tar', ['-C', work, '-cf', out, ...files]);
rmSync(work, { recursive: true, force: true });
console.error(`image: ${images.length} images, ${statSync(out).size >> 20} MiB`);
