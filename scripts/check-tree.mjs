// What no other check says: no catch-all folders, no unfinished words, no source file past 400 lines; and, to be seen
// on every run, the ten longest functions.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import ts from 'typescript';
import { isTest, parse, report, repositoryFiles, root, sourceFiles } from './source-files.mjs';

const MAX_FILE_LINES = 400;

const problems = [];
for (const path of repositoryFiles()) {
  if (/(^|\/)(utils?|common|helpers?|types)\//.test(path))
    problems.push(`${path}: name the folder after what is in it`);
  if (!/\.(ts|c|h|mjs)$/.test(path) && !/^scripts\/[a-z-]+$/.test(path)) continue;
  const lines = readFileSync(join(root, path), 'utf8').split('\n');
  lines.forEach((line, index) => {
    // Spelt in two halves so that this line is not found.
    if (/\b(TO{1}DO|FIX{1}ME|X{3})\b(?!\()/.test(line))
      problems.push(`${path}:${index + 1}: unfinished: ${line.trim()}`);
  });
  if (path.endsWith('.ts') && !isTest(path) && lines.length > MAX_FILE_LINES) {
    problems.push(`${path}: ${lines.length} lines, at most ${MAX_FILE_LINES}`);
  }
}

/** Every function of a source with a body, and its length in lines. */
function functionsOf(path) {
  const tree = parse(path);
  const found = [];
  const line = (position) => tree.getLineAndCharacterOfPosition(position).line;
  const visit = (node) => {
    if (ts.isFunctionLike(node) && node.body) {
      const name = node.name?.getText() ?? node.parent.name?.getText() ?? '(anonymous)';
      const start = line(node.getStart());
      found.push({ path, name, line: start + 1, length: line(node.getEnd()) - start + 1 });
    }
    ts.forEachChild(node, visit);
  };
  visit(tree);
  return found;
}

const functions = sourceFiles()
  .filter((path) => !isTest(path))
  .flatMap(functionsOf);
functions.sort((a, b) => b.length - a.length);
console.log('the ten longest functions:');
for (const { path, name, line, length } of functions.slice(0, 10))
  console.log(`  ${String(length).padStart(4)}  ${name}  ${path}:${line}`);
report('tree', problems);
