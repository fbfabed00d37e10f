#!/usr/bin/env node
// Checks the sources and pages of the repository in one process: each source is parsed once, and every concern has a
// module in sources/. Prints each finding, and the ten longest functions.
//   scripts/check-sources.mjs [--root FOLDER] [--only PATH ...]
//     --root   another folder than this repository
//     --only   only the findings about these files
import { join } from 'node:path';
import { circles } from './sources/circles.mjs';
import { constants } from './sources/constants.mjs';
import { essays } from './sources/essays.mjs';
import { unusedExports as exports } from './sources/exports.mjs';
import { imports } from './sources/imports.mjs';
import { packages } from './sources/packages.mjs';
import { readmes } from './sources/readmes.mjs';
import { longestFunctions, size } from './sources/size.mjs';
import { readRepository } from './sources/sources.mjs';

const checks = { imports, circles, constants, exports, packages, readmes, essays, size };

const argv = process.argv.slice(2);
const root = argv[0] === '--root' ? argv.splice(0, 2)[1] : join(import.meta.dirname, '..');
const only = argv[0] === '--only' ? argv.slice(1) : undefined;

const repository = readRepository(root);
const findings = Object.entries(checks).flatMap(([check, find]) => find(repository).map((text) => ({ check, text })));
const asked = findings.filter(({ text }) => only === undefined || only.some((path) => text.startsWith(`${path}:`)));
for (const { check, text } of asked) console.log(`${check}: ${text}`);
if (only === undefined) {
  console.log('the ten longest functions:');
  for (const line of longestFunctions(repository)) console.log(`  ${line}`);
}
process.exitCode = asked.length > 0 ? 1 : 0;
