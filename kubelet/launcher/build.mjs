// Builds sluice-container: `node kubelet/launcher/build.mjs [--force]`. Does nothing when the binary is newer than its sources.
// It is static, since it runs on when the host's libraries are out of its reach.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';

const folder = import.meta.dirname;
const binary = join(folder, 'build/sluice-container');
const sources = readdirSync(folder).filter((name) => /\.(c|h|mjs)$/.test(name));
const newest = Math.max(...sources.map((name) => statSync(join(folder, name)).mtimeMs));
const isFresh = existsSync(binary) && statSync(binary).mtimeMs > newest;

if (!isFresh || process.argv.includes('--force')) {
  mkdirSync(join(folder, 'build'), { recursive: true });
  const flags = ['-static', '-s', '-Os', '-std=gnu11', '-Wall', '-Wextra', '-Werror', '-Wshadow'];
  const files = sources.filter((name) => name.endsWith('.c')).map((name) => join(folder, name));
  const { status } = spawnSync('gcc', [...flags, '-o', binary, ...files], { stdio: ['ignore', 'ignore', 'inherit'] });
  if (status !== 0) {
    process.stderr.write(
      'kubelet/launcher: sluice-container did not build; it needs gcc (apt-get install build-essential)\n',
    );
    process.exit(1);
  }
}
