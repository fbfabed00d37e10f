'use strict';
/**
 * Runs a program from its one file (scripts/bundle.mjs copies this beside the programs). V8 is handed the code that it made
 * of the file when it was built: compiling it anew costs a command more than its own work does.
 *
 * Code of another version of Node, or made with other flags, V8 refuses by itself, and compiles: slower and no different.
 */
const { readFileSync } = require('node:fs');
const { createRequire, wrap } = require('node:module');
const { dirname, join } = require('node:path');
const { Script } = require('node:vm');

/** @param name of the program, a file in the folder `code` */
exports.compile = (name) => {
  const filename = join(__dirname, 'code', `${name}.cjs`);
  const source = wrap(readFileSync(filename, 'latin1')); // esbuild writes ASCII
  const script = new Script(source, { filename, cachedData: codeOf(filename) });
  const module = { exports: {} };
  const run = () =>
    script.runInThisContext()(module.exports, createRequire(filename), module, filename, dirname(filename));
  return { script, run, codeFile: `${filename}.v8` };
};

exports.start = (name) => {
  // Node takes source maps into account for what it loads itself only: `node --enable-source-maps` for a readable stack.
  if (process.sourceMapsEnabled) require(join(__dirname, 'code', `${name}.cjs`));
  else exports.compile(name).run();
};

function codeOf(filename) {
  try {
    return readFileSync(`${filename}.v8`);
  } catch {
    return undefined; // being built just now
  }
}
