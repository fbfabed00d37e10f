// The tree of files that every package has: the programs, the addon, the page, node, under usr/lib/sluice.
//
//   usr/lib/sluice/  package.json          version and root of everything (linux/package-root.ts)
//                    bin/node              the node that the programs were built with, without its symbols
//                    dist/bin/, dist/page/ programs; the page for browsers
//                    dataplane/native/..   the addon
//                    dist/cni/, charts/    the CNI plugin; what `sluice install` prints
//                    node_modules/         cap and raw-socket, which are addons of their own and cannot be bundled
//                    examples/tour/        what rehearse.cjs runs the programs with
//
// V8's code is left out: it is made where the package is installed (scripts/rehearse.cjs).
import { execFileSync } from 'node:child_process';
import { chmodSync, copyFileSync, cpSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { parseArgs } from 'node:util';

export const ROOT = dirname(import.meta.dirname);
/** Where everything lies in an installed system. */
export const HOME = 'usr/lib/sluice';
/** Addons of npm packages: what a program needs of them. */
const ADDONS = {
  cap: ['package.json', 'LICENSE', 'lib', 'build/Release/cap.node'],
  'raw-socket': ['package.json', 'index.js', 'build/Release/raw.node'],
};

/** Of this tree; what is a folder is taken whole. */
const PARTS = [
  'dist/bin',
  'dist/page',
  'dist/cni',
  'dataplane/native/build/Release/sluice_native.node',
  'kubelet/launcher/build/sluice-container',
  'charts/sluice',
  'examples/tour',
];
/** What people and units start. */
const STARTED = ['sluice.cjs', 'sluiced.cjs'];

/** The arguments that all packages take. */
export function packageOptions() {
  const options = {
    output: { type: 'string', default: 'dist/packages' },
    version: { type: 'string' },
    compression: { type: 'string', default: 'xz' },
    'system-node': { type: 'boolean', default: false },
  };
  const { values } = parseArgs({ options });
  const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
  const epochSec = Number(process.env.SOURCE_DATE_EPOCH);
  if (!(epochSec >= 0))
    throw new Error(`package: SOURCE_DATE_EPOCH: found ${process.env.SOURCE_DATE_EPOCH}, wanted seconds since 1970`);
  return { version, ...values, epochSec };
}

/** Puts the tree into `folder`. @param node interpreter of the programs; undefined = bring the one that runs this */
export function layTree(folder, version, node) {
  const home = join(folder, HOME);
  const copy = (path, to = path) => {
    mkdirSync(dirname(join(home, to)), { recursive: true });
    cpSync(join(ROOT, path), join(home, to), { recursive: true, filter: isWanted });
  };
  for (const path of PARTS) copy(path);
  for (const [name, parts] of Object.entries(ADDONS)) for (const part of parts) copy(`node_modules/${name}/${part}`);
  const { name, license, type } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
  writeFileSync(join(home, 'package.json'), `${JSON.stringify({ name, version, license, type }, null, 2)}\n`);
  if (node === undefined) bringNode(join(home, 'bin/node'));
  interpret(join(home, 'dist/bin'), node ?? `/${HOME}/bin/node`);
  for (const addon of findAddons(home)) {
    execFileSync('strip', ['--strip-unneeded', addon]);
    chmodSync(addon, 0o644);
  }
}

const isWanted = (path) => !/\.(v8|map)$|\/\.(made|inputs)$/.test(path);

function bringNode(path) {
  mkdirSync(dirname(path), { recursive: true });
  copyFileSync(process.execPath, path);
  chmodSync(path, 0o755);
  execFileSync('strip', ['--strip-unneeded', path]);
}

/** What people start names the node that runs it, for the one in PATH may be another. The other programs are started by these. */
function interpret(bin, node) {
  for (const name of readdirSync(bin).filter((file) => file.endsWith('.cjs'))) {
    const path = join(bin, name);
    const text = readFileSync(path, 'utf8');
    const isStarted = STARTED.includes(name);
    if (text.startsWith('#!')) writeFileSync(path, text.replace(/^#!.*\n/, isStarted ? `#!${node}\n` : ''));
    chmodSync(path, isStarted ? 0o755 : 0o644);
  }
}

function findAddons(home) {
  return readdirSync(home, { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.node'))
    .map((path) => join(home, path));
}
