// Makes the programs: `node scripts/bundle.mjs`. Each becomes one file with all that it imports, dist/bin/code/NAME.cjs, with
// its source map and the code that V8 made of it, and a starter dist/bin/NAME.cjs. docs/decisions/0004-one-file-a-program.md
// has the measurements.
//
//   cli/main.ts, daemon/sluiced.ts ... --esbuild--> code/NAME.cjs --rehearsal--> code/NAME.cjs.v8
//
// A rehearsal runs the program with harmless arguments, so that V8 has compiled the functions that a start needs; what else
// there is it compiles when it is called, as ever. Threads and children cannot be rehearsed: their top level alone is kept.
import { spawnSync } from 'node:child_process';
import { chmodSync, copyFileSync, existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const ROOT = dirname(import.meta.dirname);
const BIN = join(ROOT, 'dist/bin');
const EXAMPLE = join(ROOT, 'examples/tour/manifests.yaml');
const NOWHERE = ['--run-dir', '/nonexistent'];

/** Name of each program, its source, and what it is rehearsed with. */
const PROGRAMS = {
  sluice: {
    source: 'cli/main.ts',
    rehearsals: [
      ['version'],
      ['status', ...NOWHERE],
      ['get', 'pods', ...NOWHERE],
      ['observe', ...NOWHERE],
      ['policy', 'validate', EXAMPLE],
      ['policy', 'matrix', '-m', EXAMPLE],
      ['__complete', '--', 'get', 'po'],
    ],
  },
  sluiced: { source: 'daemon/sluiced.ts', rehearsals: [['--check']] },
  'sluice-dataplane': { source: 'daemon/sluice-dataplane.ts', rehearsals: [] },
  'sluice-standby': { source: 'daemon/sluice-dataplane.ts', rehearsals: [] }, // the same under a name that shows which is which
  'sluice-dns': { source: 'nameserver/main.ts', rehearsals: [['--help']] },
  'sluice-judge': { source: 'daemon/judge/judge.ts', rehearsals: [] },
  forwarding: { source: 'daemon/forward/forwarding.ts', rehearsals: [] },
  observatory: { source: 'daemon/observe/thread.ts', rehearsals: [] },
  kubernetes: { source: 'daemon/kubernetes/thread.ts', rehearsals: [] },
  page: { source: 'daemon/page/thread.ts', rehearsals: [] },
  'kube-api': { source: 'daemon/kube-api/thread.ts', rehearsals: [] },
  'pcap-child': { source: 'daemon/forward/pcap-child.ts', rehearsals: [] },
  'stand-in': { source: 'kubelet/images/stand-in.ts', rehearsals: [] },
  'capture-worker': { source: 'cli/capture/capture-worker.ts', rehearsals: [] },
};

async function bundle() {
  rmSync(BIN, { recursive: true, force: true });
  mkdirSync(BIN, { recursive: true });
  await build({
    absWorkingDir: ROOT,
    entryPoints: Object.entries(PROGRAMS).map(([name, { source }]) => ({ in: source, out: name })),
    outdir: join(BIN, 'code'),
    outExtension: { '.js': '.cjs' },
    bundle: true,
    platform: 'node',
    target: 'node20',
    format: 'cjs',
    supported: { 'dynamic-import': false },
    define: { 'import.meta.url': 'importMetaUrl', 'import.meta.dirname': '__dirname' },
    banner: { js: "const importMetaUrl = require('node:url').pathToFileURL(__filename).href;" },
    external: ['cap', 'raw-socket'], // addons, found where they are installed
    minifySyntax: true, // a constant of another module is its value where it is used
    sourcemap: true,
    sourcesContent: false,
    legalComments: 'none',
    logLevel: 'warning',
  });
  copyFileSync(join(import.meta.dirname, 'start.cjs'), join(BIN, 'start.cjs'));
  for (const [name, { rehearsals }] of Object.entries(PROGRAMS)) {
    const starter = join(BIN, `${name}.cjs`);
    writeFileSync(starter, `#!/usr/bin/env node\nrequire('./start.cjs').start('${name}');\n`);
    chmodSync(starter, 0o755);
    const script = fileURLToPath(import.meta.url);
    const rehearsal = spawnSync(process.execPath, [script, '--rehearse', name, JSON.stringify(rehearsals)], {
      stdio: ['ignore', 'ignore', 'pipe'],
      encoding: 'utf8',
    });
    if (rehearsal.status !== 0 || !existsSync(join(BIN, 'code', `${name}.cjs.v8`)))
      throw new Error(`rehearse ${name}: exit code ${rehearsal.status}: ${rehearsal.stderr}`);
  }
}

/** Runs a program once for each list of arguments, one after the other, and keeps V8's code. */
function rehearse(name, rehearsals) {
  const { script, run, codeFile } = createRequire(import.meta.url)(join(BIN, 'start.cjs')).compile(name);
  const next = () => {
    const args = rehearsals.shift();
    if (args === undefined) {
      process.off('beforeExit', next);
      writeFileSync(codeFile, script.createCachedData());
      process.exitCode = 0; // the rehearsals without a daemon have failed as they should
      return;
    }
    process.argv = [process.execPath, join(BIN, `${name}.cjs`), ...args];
    run();
    setImmediate(() => {}); // without anything to wait for, Node would not ask again
  };
  process.on('beforeExit', next);
}

if (process.argv[2] === '--rehearse') rehearse(process.argv[3], JSON.parse(process.argv[4]));
else await bundle();
