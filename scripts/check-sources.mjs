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
import { known as knownHere } from './sources/known.mjs';
import { packages } from './sources/packages.mjs';
import { readmes } from './sources/readmes.mjs';
import { longestFunctions, size } from './sources/size.mjs';
import { readRepository } from './sources/sources.mjs';

const checks = { imports, circles, constants, exports, packages, readmes, essays, size };

const argv = process.argv.slice(2);
const here = join(import.meta.dirname, '..');
const root = argv[0] === '--root' ? argv.splice(0, 2)[1] : here;
const known = root === here ? knownHere : [];
const only = argv[0] === '--only' ? argv.slice(1) : undefined;

const repository = readRepository(root);
const findings = Object.entries(checks).flatMap(([check, find]) => find(repository).map((text) => ({ check, text })));
const isKnown = ({ check, text }) => known.some((entry) => entry.check === check && text.includes(entry.has));
const isAsked = ({ text }) => only === undefined || only.some((path) => text.startsWith(`${path}:`));

const failures = findings.filter((finding) => isAsked(finding) && !isKnown(finding));
for (const { check, text } of failures) console.log(`${check}: ${text}`);
if (only === undefined) {
  const gone = known.filter(
    (entry) => !findings.some(({ check, text }) => check === entry.check && text.includes(entry.has)),
  );
  for (const { check, has } of gone)
    console.log(`known, but gone: ${check}: ${has}: remove it from scripts/sources/known.mjs`);
  console.log(`${findings.filter(isKnown).length} known findings are to be cleared; the ten longest functions:`);
  for (const line of longestFunctions(repository)) console.log(`  ${line}`);
}
process.exitCode = failures.length > 0 ? 1 : 0;
