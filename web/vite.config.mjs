// How the page is built: `node_modules/.bin/vite build web` writes dist/page/, which the agent serves as it is.
//   - Nothing is inlined (the agent's Content-Security-Policy allows no inline script or style), nothing comes from elsewhere.
//   - A module of Node that slips in through an import fails the build, instead of failing in the browser.
//   - Beside each file stands its gzip form.
//   - dist/page/.inputs lists the files that went in; scripts/setup builds again when one of them is newer than that.
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { isBuiltin } from 'node:module';
import { dirname, join, relative } from 'node:path';
import { gzipSync } from 'node:zlib';
import { defineConfig } from 'vite';

const ROOT = dirname(import.meta.dirname);
const OUT = join(ROOT, 'dist/page');
const ALWAYS = ['web/index.html', 'web/vite.config.mjs', 'web/tsconfig.json', 'package-lock.json'];

/** The packages that the page may hold. One that comes in with another is bytes for everybody, and somebody more to trust. */
const PACKAGES = ['preact', '@preact/signals', '@preact/signals-core', 'yaml', 're2js'];

const inputs = new Set(ALWAYS);

/** What both bundles, the page's and the worker's, are watched by. */
const watch = () => ({
  name: 'inputs',
  enforce: 'pre',
  resolveId(source, importer) {
    if (isBuiltin(source)) this.error(`${importer} imports ${source}, which a browser does not have`);
  },
  load(id) {
    const path = relative(ROOT, id.split('?')[0]);
    const name = /node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(path)?.[1];
    if (name !== undefined && !PACKAGES.includes(name))
      this.error(`${name} comes into the page, and is not in PACKAGES`);
    if (!path.startsWith('..') && !path.startsWith('node_modules') && existsSync(join(ROOT, path))) inputs.add(path);
  },
});

/** Every file below `folder`. */
const filesOf = (folder) =>
  readdirSync(folder, { recursive: true })
    .map((name) => join(folder, name))
    .filter((path) => statSync(path).isFile());

const finish = {
  name: 'finish',
  closeBundle() {
    for (const path of filesOf(OUT))
      if (!path.endsWith('.gz')) writeFileSync(`${path}.gz`, gzipSync(readFileSync(path), { level: 9 }));
    for (const path of filesOf(join(import.meta.dirname, 'public'))) inputs.add(relative(ROOT, path));
    writeFileSync(
      join(OUT, '.inputs'),
      [...inputs]
        .sort()
        .map((path) => `${path}\n`)
        .join(''),
    );
  },
};

export default defineConfig({
  root: import.meta.dirname,
  base: '/',
  logLevel: 'warn',
  oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
  plugins: [watch(), finish],
  worker: { format: 'es', plugins: () => [watch()] },
  build: {
    outDir: OUT,
    emptyOutDir: true,
    target: 'es2022',
    modulePreload: false,
    assetsInlineLimit: 0,
    reportCompressedSize: false,
  },
});
