// Builds the CNI plugin: `node cni/build.mjs [--force]`. Does nothing when the program is newer than its sources. It is one file that
// needs nothing of the machine that it runs on (musl, static): it is copied to nodes, and into their containers.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, statSync } from 'node:fs';
import { join } from 'node:path';

const folder = import.meta.dirname;
const output = join(folder, '../dist/cni');
const program = join(output, 'sluice-cni');
const sources = readdirSync(folder).filter((name) => /\.(c|h|mjs)$/.test(name));
const newest = Math.max(...[...sources, '../package.json'].map((name) => statSync(join(folder, name)).mtimeMs));
const isFresh = existsSync(program) && statSync(program).mtimeMs > newest;

const FLAGS = ['-std=gnu11', '-D_GNU_SOURCE', '-O2', '-Wall', '-Wextra', '-Werror', '-Wshadow', '-static', '-s'];

if (!isFresh || process.argv.includes('--force')) {
  mkdirSync(output, { recursive: true });
  const files = sources.filter((name) => name.endsWith('.c')).map((name) => join(folder, name));
  // Beside, then renamed: the one that is there may be running.
  const { version } = JSON.parse(readFileSync(join(folder, '../package.json'), 'utf8'));
  const args = [...FLAGS, `-DSLUICE_VERSION="${version}"`, '-o', `${program}.new`, ...files];
  const { status } = spawnSync('musl-gcc', args, { stdio: ['ignore', 'ignore', 'inherit'] });
  if (status !== 0) {
    process.stderr.write(
      'cni: the plugin did not build; it needs musl-gcc (apt-get install build-essential musl-tools)\n',
    );
    process.exit(1);
  }
  renameSync(`${program}.new`, program);
}
