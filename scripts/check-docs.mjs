// Compares each code folder with its README.md, both ways: what other folders import must be named there, or its file, and
// a name that its headings or the first cells of its tables put in `backticks` must exist.
import { existsSync, readFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import ts from 'typescript';
import { isTest, parse, report, repositoryFiles, root, sourceFiles } from './source-files.mjs';

const codeFolders = [
  'wire',
  'linux',
  'api',
  'explain',
  'policy-maps',
  'policy',
  'dataplane',
  'dataplane/native',
  'l7proxy',
  'hubble',
  'daemon',
  'cli',
];

const files = sourceFiles().filter((path) => !isTest(path));
const trees = new Map(files.map((path) => [path, parse(path)]));
const folderOf = (path) =>
  codeFolders.filter((name) => path.startsWith(`${name}/`)).sort((a, b) => b.length - a.length)[0];

/** Names that a source exports. */
function exportsOf(tree) {
  const names = [];
  for (const statement of tree.statements) {
    if (!statement.modifiers?.some((modifier) => modifier.kind === ts.SyntaxKind.ExportKeyword)) continue;
    if (statement.name) names.push(statement.name.text);
    for (const declaration of statement.declarationList?.declarations ?? []) {
      if (ts.isIdentifier(declaration.name)) names.push(declaration.name.text);
    }
  }
  return names;
}

/** Folder -> names that code in another folder imports from it (a namespace import counts the file, not its names). */
function importedFromOutside() {
  const used = new Map(codeFolders.map((folder) => [folder, new Map()]));
  for (const [path, tree] of trees) {
    for (const statement of tree.statements) {
      if (!ts.isImportDeclaration(statement) || !statement.moduleSpecifier.text.startsWith('.')) continue;
      const target = join(dirname(path), statement.moduleSpecifier.text);
      const folder = folderOf(target);
      if (!folder || folder === folderOf(path)) continue;
      const bindings = statement.importClause?.namedBindings;
      const names = bindings && ts.isNamedImports(bindings) ? bindings.elements : [];
      for (const element of names) used.get(folder).set((element.propertyName ?? element.name).text, target);
    }
  }
  return used;
}

/** Names in backticks in the headings and the first table cells of a README. */
function documentedNames(text) {
  const names = new Set();
  const prose = text.replace(/^```[\s\S]*?^```/gm, '');
  for (const line of prose.split('\n')) {
    const part = /^#+ /.test(line) ? line : /^\| /.test(line) ? line.split('|')[1] : '';
    for (const [, name] of part.matchAll(/`([A-Za-z_$][\w$]*)(?:\(|<|`)/g)) names.add(name);
  }
  return names;
}

/** Every identifier a folder's sources contain, so that methods, fields and constants count as existing. */
function knownWords(folder) {
  const words = new Set();
  for (const path of repositoryFiles().filter(
    (file) => file.startsWith(`${folder}/`) && /\.(ts|c|h|json)$/.test(file),
  )) {
    for (const [word] of readFileSync(join(root, path), 'utf8').matchAll(/[A-Za-z_$][\w$]*/g)) words.add(word);
  }
  return words;
}

const problems = [];
const used = importedFromOutside();
for (const folder of codeFolders) {
  if (!files.some((path) => folderOf(path) === folder)) continue;
  const readme = `${folder}/README.md`;
  if (!existsSync(join(root, readme))) {
    problems.push(`${readme}: missing`);
    continue;
  }
  const text = readFileSync(join(root, readme), 'utf8');
  for (const [name, target] of used.get(folder)) {
    if (!exportsOf(trees.get(target) ?? { statements: [] }).includes(name)) continue;
    const isNamed = (word) => new RegExp(`(?<![\\w$])${word.replace(/[$.]/g, '\\$&')}(?![\\w$])`).test(text);
    if (!isNamed(name) && !isNamed(basename(target))) {
      problems.push(`${readme}: does not name ${name} (nor ${basename(target)}), which other folders import`);
    }
  }
  const words = knownWords(folder);
  for (const name of documentedNames(text))
    if (!words.has(name)) problems.push(`${readme}: names \`${name}\`, which ${folder}/ does not have`);
}
report('docs', problems);
