// Makes the programs: `node scripts/bundle.mjs`. Each becomes one file with all that it imports, dist/bin/code/NAME.cjs, with
// its source map and the code that V8 made of it, and a starter dist/bin/NAME.cjs. docs/decisions/0004-one-file-a-program.md
// has the measurements.
//
//   cli/main.ts, daemon/sluiced.ts ... --esbuild--> code/NAME.cjs --rehearse.cjs--> code/NAME.cjs.v8
import { execFileSync } from 'node:child_process';
import { chmodSync, copyFileSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { build } from 'esbuild';

const ROOT = dirname(import.meta.dirname);
const BIN = join(ROOT, 'dist/bin');
const EXAMPLE = 'examples/tour/manifests.yaml';
const NOWHERE = ['--run-dir', '/nonexistent'];

/** Name of each program, its source, and what it is rehearsed with (rehearse.cjs). */
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
  for (const name of ['start.cjs', 'rehearse.cjs']) copyFileSync(join(import.meta.dirname, name), join(BIN, name));
  const rehearsals = Object.entries(PROGRAMS).map(([name, program]) => [name, program.rehearsals]);
  writeFileSync(join(BIN, 'rehearsals.json'), JSON.stringify(Object.fromEntries(rehearsals)));
  for (const name of Object.keys(PROGRAMS)) {
    const starter = join(BIN, `${name}.cjs`);
    writeFileSync(starter, `#!/usr/bin/env node\nrequire('./start.cjs').start('${name}');\n`);
    chmodSync(starter, 0o755);
  }
  execFileSync(process.execPath, [join(BIN, 'rehearse.cjs')], { stdio: 'inherit' });
}

await bundle();
