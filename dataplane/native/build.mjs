// Builds the addon: `node dataplane/native/build.mjs [--force]`. Does nothing when the binary is newer than its sources.
// node-gyp would download headers from the network; the ones installed beside this node are used when they exist.
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

const folder = import.meta.dirname;
const binary = join(folder, 'build/Release/sluice_native.node');
const sources = readdirSync(folder).filter((name) => /\.(c|h|gyp|mjs)$/.test(name));
const newest = Math.max(...sources.map((name) => statSync(join(folder, name)).mtimeMs));
const isFresh = existsSync(binary) && statSync(binary).mtimeMs > newest;

if (!isFresh || process.argv.includes('--force')) {
  const nodeGyp = createRequire(import.meta.url).resolve('node-gyp/bin/node-gyp.js');
  const prefix = dirname(dirname(process.execPath));
  const hasHeaders = existsSync(join(prefix, 'include/node/node_api.h'));
  const args = [nodeGyp, 'rebuild', '-C', folder, '--silent', ...(hasHeaders ? [`--nodedir=${prefix}`] : [])];
  const { status } = spawnSync(process.execPath, args, { stdio: ['ignore', 'ignore', 'inherit'] });
  if (status !== 0) {
    process.stderr.write(
      'dataplane/native: the addon did not build; it needs gcc, make and python3 (apt-get install build-essential python3)\n',
    );
    process.exit(1);
  }
}
