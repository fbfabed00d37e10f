// The repository's own TypeScript sources, and what each imports; shared by the checks of this folder.
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import ts from 'typescript';

export const root = join(import.meta.dirname, '..');

/** Paths from the repository's root of every file that git tracks or would track. */
export function repositoryFiles() {
  const list = execFileSync('git', ['ls-files', '-co', '--exclude-standard'], { cwd: root, encoding: 'utf8' });
  return list.split('\n').filter((path) => path !== '' && existsSync(join(root, path)));
}

/** Paths of every TypeScript source. */
export const sourceFiles = () => repositoryFiles().filter((path) => path.endsWith('.ts'));

/** A source's syntax tree. */
export function parse(path) {
  return ts.createSourceFile(path, readFileSync(join(root, path), 'utf8'), ts.ScriptTarget.ES2023, true);
}

/** Tests and benches stand beside the code but are no part of it. */
export const isTest = (path) => /\.(test|bench)\.ts$/.test(path) || /^(test|bench)\//.test(path);

/** Prints what was found wrong and sets the exit code. */
export function report(check, problems) {
  for (const problem of problems) console.log(`${check}: ${problem}`);
  if (problems.length > 0) process.exitCode = 1;
}
