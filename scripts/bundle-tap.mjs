// Makes the test framework one file for the tests in dist/, which find it in dist/node_modules first:
//   scripts/bundle-tap.mjs
//
// A test file that does nothing takes 0.3 s of CPU, most of it to find, read and link the 260 modules of tap; from one file
// that takes half. Without this file Node finds tap where it is installed.
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { build } from 'esbuild';

const ROOT = dirname(import.meta.dirname);
const MODULES = join(ROOT, 'dist/node_modules');
/** tap leaves out of a stack what lies below a folder of this name. */
const UNSEEN = '@tapjs/bundle/tap.mjs';
const ALL = (from) => `export * from '${from}'; export { default } from '${from}';\n`;

rmSync(MODULES, { recursive: true, force: true });
await build({
  stdin: { contents: ALL('tap'), resolveDir: ROOT },
  outfile: join(MODULES, UNSEEN),
  bundle: true,
  platform: 'node',
  target: 'node20',
  format: 'esm',
  // Its CommonJS parts call require().
  banner: {
    js: "import { createRequire as makeRequire } from 'node:module'; const require = makeRequire(import.meta.url);",
  },
  logLevel: 'warning',
});
mkdirSync(join(MODULES, 'tap'));
writeFileSync(join(MODULES, 'tap/package.json'), '{ "name": "tap", "type": "module", "exports": "./index.mjs" }\n');
writeFileSync(join(MODULES, 'tap/index.mjs'), ALL(`../${UNSEEN}`));
