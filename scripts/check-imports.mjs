// Holds the folders to their order: each imports only itself and the folders named here, so every arrow points down.
// Tests and benches may import any folder.
import { dirname, join } from 'node:path';
import ts from 'typescript';
import { isTest, parse, report, sourceFiles } from './source-files.mjs';

const allowed = {
  wire: [],
  'policy-maps': ['wire'],
  policy: ['wire', 'policy-maps'],
  'dataplane/native': [],
  dataplane: ['dataplane/native', 'wire', 'policy-maps'],
  l7proxy: ['wire', 'policy-maps'],
  hubble: ['wire'],
  explain: ['wire', 'policy-maps', 'policy', 'dataplane', 'l7proxy', 'hubble'],
  linux: ['dataplane/native'],
  api: ['wire', 'policy'],
  daemon: [
    'wire',
    'policy-maps',
    'policy',
    'dataplane',
    'dataplane/native',
    'l7proxy',
    'hubble',
    'explain',
    'linux',
    'api',
  ],
  cli: [
    'wire',
    'policy-maps',
    'policy',
    'dataplane',
    'dataplane/native',
    'l7proxy',
    'hubble',
    'explain',
    'linux',
    'api',
  ],
};

/** The longest folder of the table that holds `path`, or its first folder. */
function folderOf(path) {
  const names = Object.keys(allowed).filter((name) => path.startsWith(`${name}/`));
  return names.sort((a, b) => b.length - a.length)[0] ?? path.split('/')[0];
}

/** Every module that a source names: import, export from, import() with a literal. */
function importsOf(tree) {
  const found = [];
  const visit = (node) => {
    const isStatic = ts.isImportDeclaration(node) || ts.isExportDeclaration(node);
    const isDynamic = ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword;
    const specifier = isStatic ? node.moduleSpecifier : isDynamic ? node.arguments[0] : undefined;
    if (specifier && ts.isStringLiteral(specifier)) {
      found.push({ text: specifier.text, line: tree.getLineAndCharacterOfPosition(node.getStart()).line + 1 });
    }
    ts.forEachChild(node, visit);
  };
  visit(tree);
  return found;
}

const problems = [];
for (const path of sourceFiles()) {
  for (const { text, line } of importsOf(parse(path))) {
    if (!text.startsWith('.')) continue;
    if (!/\.(ts|json)$/.test(text)) problems.push(`${path}:${line}: a relative import ends in .ts, found '${text}'`);
    const from = folderOf(path);
    const to = folderOf(join(dirname(path), text));
    if (from === to || isTest(path) || !(from in allowed) || allowed[from].includes(to)) continue;
    problems.push(
      `${path}:${line}: ${from}/ must not import ${to}/ (allowed: ${allowed[from].join(', ') || 'nothing'})`,
    );
  }
}
report('imports', problems);
