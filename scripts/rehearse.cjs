'use strict';
/**
 * Keeps the code that V8 makes of the programs, code/NAME.cjs.v8, for start.cjs: `node rehearse.cjs` beside the programs. A rehearsal
 * runs a program with harmless arguments, so that V8 has compiled the functions that a start needs; what else there is it compiles
 * when it is called, as ever. Threads and children cannot be rehearsed: their top level alone is kept.
 *
 * The code is made for one version of Node on one kind of processor, and no two runs give the same bytes: so scripts/bundle.mjs has
 * it made where the programs are built, and a package where it is installed.
 */
const { spawnSync } = require('node:child_process');
const { existsSync, readFileSync, rmSync, writeFileSync } = require('node:fs');
const { dirname, join } = require('node:path');

/** Name of each program, and the argument lists that it is rehearsed with; paths are from the root. */
const REHEARSALS = JSON.parse(readFileSync(join(__dirname, 'rehearsals.json'), 'utf8'));
const ROOT = dirname(dirname(__dirname));

/** Runs a program once for each list of arguments, one after the other, and keeps V8's code. */
function rehearse(name) {
  const { script, run, codeFile } = require('./start.cjs').compile(name);
  const rehearsals = [...REHEARSALS[name]];
  const next = () => {
    const args = rehearsals.shift();
    if (args === undefined) {
      process.off('beforeExit', next);
      writeFileSync(codeFile, script.createCachedData());
      process.exitCode = 0; // the rehearsals without a daemon have failed as they should
      return;
    }
    process.argv = [process.execPath, join(__dirname, `${name}.cjs`), ...args];
    run();
    setImmediate(() => {}); // without anything to wait for, Node would not ask again
  };
  process.on('beforeExit', next);
}

function rehearseAll() {
  for (const name of Object.keys(REHEARSALS)) {
    const codeFile = join(__dirname, 'code', `${name}.cjs.v8`);
    rmSync(codeFile, { force: true });
    const options = { cwd: ROOT, stdio: ['ignore', 'ignore', 'pipe'], encoding: 'utf8' };
    const { status, stderr } = spawnSync(process.execPath, [__filename, name], options);
    if (status !== 0 || !existsSync(codeFile)) throw new Error(`rehearse ${name}: exit code ${status}: ${stderr}`);
  }
}

if (process.argv[2] === undefined) rehearseAll();
else rehearse(process.argv[2]);
