// The repository's TypeScript sources, each parsed once, and the facts that the checks of this folder ask for.
//
//   source   path, text, tree (TypeScript's syntax tree), isTest, isGenerated,
//            imports    { specifier, target, line, names, isNamespace }: target is the path from the root of a relative import, else
//                       undefined; names is a Set of what is taken from it, or undefined when that may be anything;
//                       isNamespace for `import * as`
//            exports    { name, line, node }
//            functions  { name, line, length } of every function with a body
//            words      Set of every identifier, and of every word inside a string
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import ts from 'typescript';

/** Tests and benches stand beside the code but are no part of it. */
export const isTest = (path) => /\.(test|bench)\.ts$/.test(path) || /^(test|bench)\//.test(path);

/** What scripts/protos makes of the .proto files. */
const isGenerated = (path) => path.endsWith('_pb.ts');

const WORD = /[A-Za-z_$][\w$]*/g;
export const wordsOf = (text) => text.match(WORD) ?? [];

/** Every file below `root` that git tracks or would track, and the facts of every source. */
export function readRepository(root) {
  const list = execFileSync('git', ['ls-files', '-co', '--exclude-standard'], { cwd: root, encoding: 'utf8' });
  const files = list.split('\n').filter((path) => path !== '' && existsSync(join(root, path)));
  const text = (path) => readFileSync(join(root, path), 'utf8');
  const sources = files.filter((path) => /\.tsx?$/.test(path)).map((path) => factsOf(path, text(path)));
  return { root, files, text, sources, byPath: new Map(sources.map((source) => [source.path, source])) };
}

/** The facts of one source, gathered in one walk. */
export function factsOf(path, text) {
  const tree = ts.createSourceFile(path, text, ts.ScriptTarget.ES2023, true);
  const facts = {
    path,
    text,
    tree,
    isTest: isTest(path),
    isGenerated: isGenerated(path),
    imports: [],
    exports: [],
    functions: [],
    words: new Set(),
  };
  const lineOf = (node) => tree.getLineAndCharacterOfPosition(node.getStart(tree)).line + 1;
  /** Local name of a namespace import -> that import. */
  const namespaces = new Map();

  const addImport = (node, specifier, names) => {
    const target = specifier.startsWith('.') ? join(dirname(path), specifier) : undefined;
    const found = { specifier, target, line: lineOf(node), names, isNamespace: false };
    facts.imports.push(found);
    return found;
  };

  const visit = (node) => {
    if (ts.isIdentifier(node)) {
      facts.words.add(node.text);
      const namespace = namespaces.get(node.text);
      if (namespace) useNamespace(node, namespace);
    } else if (ts.isPrivateIdentifier(node)) {
      facts.words.add(node.text.slice(1));
    } else if (ts.isStringLiteralLike(node) || ts.isTemplateHead(node) || ts.isTemplateMiddleOrTemplateTail(node)) {
      for (const word of wordsOf(node.text)) facts.words.add(word);
    } else if (ts.isImportDeclaration(node)) {
      const found = addImport(node, node.moduleSpecifier.text, importedNames(node.importClause));
      const bindings = node.importClause?.namedBindings;
      if (bindings && ts.isNamespaceImport(bindings)) {
        found.isNamespace = true;
        namespaces.set(bindings.name.text, found);
      }
    } else if (ts.isExportDeclaration(node) && node.moduleSpecifier) {
      addImport(node, node.moduleSpecifier.text, reexportedNames(node));
    } else if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)) {
      addImport(
        node,
        node.argument.literal.text,
        node.qualifier && new Set([wordsOf(node.qualifier.getText(tree))[0]]),
      );
    } else if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword) {
      if (ts.isStringLiteralLike(node.arguments[0])) addImport(node, node.arguments[0].text, awaitedNames(node));
    } else if (ts.isFunctionLike(node) && node.body) {
      const name = node.name?.getText(tree) ?? node.parent.name?.getText(tree) ?? '(anonymous)';
      const end = tree.getLineAndCharacterOfPosition(node.getEnd()).line + 1;
      facts.functions.push({ path, name, line: lineOf(node), length: end - lineOf(node) + 1 });
    }
    ts.forEachChild(node, visit);
  };
  visit(tree);
  for (const statement of tree.statements) {
    for (const { name, node } of exportedBy(statement)) facts.exports.push({ name, line: lineOf(node), node });
  }
  return facts;
}

/** What an import clause takes; a namespace import adds the names it is asked for as they are met. */
function importedNames(clause) {
  const names = new Set();
  if (clause?.name) names.add('default');
  const bindings = clause?.namedBindings;
  if (bindings && ts.isNamedImports(bindings)) {
    for (const element of bindings.elements) names.add((element.propertyName ?? element.name).text);
  }
  return names;
}

function reexportedNames(node) {
  if (!node.exportClause || ts.isNamespaceExport(node.exportClause)) return undefined;
  return new Set(node.exportClause.elements.map((element) => (element.propertyName ?? element.name).text));
}

/** `space.name` takes the name; the namespace in any other place may be used for anything. */
function useNamespace(identifier, namespace) {
  const { parent } = identifier;
  if (ts.isNamespaceImport(parent) || namespace.names === undefined) return;
  if (ts.isPropertyAccessExpression(parent) && parent.expression === identifier) namespace.names.add(parent.name.text);
  else if (ts.isQualifiedName(parent) && parent.left === identifier) namespace.names.add(parent.right.text);
  else if (!ts.isPropertyAccessExpression(parent) && !ts.isPropertyAssignment(parent)) namespace.names = undefined;
}

/** What is taken from `await import(...)`, `(await import(...)).name` and `import(...).then(({ name }) => ...)`. */
function awaitedNames(call) {
  let node = call.parent;
  if (ts.isPropertyAccessExpression(node) && node.name.text === 'then' && ts.isCallExpression(node.parent)) {
    const [parameter] = node.parent.arguments[0]?.parameters ?? [];
    return parameter && namesOfPattern(parameter.name);
  }
  while (ts.isAwaitExpression(node) || ts.isParenthesizedExpression(node)) node = node.parent;
  if (ts.isPropertyAccessExpression(node)) return new Set([node.name.text]);
  return ts.isVariableDeclaration(node) ? namesOfPattern(node.name) : undefined;
}

function namesOfPattern(name) {
  if (!ts.isObjectBindingPattern(name)) return undefined;
  return new Set(name.elements.map((element) => (element.propertyName ?? element.name).getText()));
}

const isExported = (statement) => statement.modifiers?.some(({ kind }) => kind === ts.SyntaxKind.ExportKeyword);

/** The names that a statement of a module exports. */
function exportedBy(statement) {
  if (ts.isExportDeclaration(statement) && statement.exportClause && ts.isNamedExports(statement.exportClause))
    return statement.exportClause.elements.map((element) => ({ name: element.name.text, node: element }));
  if (ts.isExportAssignment(statement)) return [{ name: 'default', node: statement }];
  if (!isExported(statement)) return [];
  if (ts.isVariableStatement(statement)) {
    const declarations = statement.declarationList.declarations.filter(({ name }) => ts.isIdentifier(name));
    return declarations.map((node) => ({ name: node.name.text, node }));
  }
  return statement.name ? [{ name: statement.name.text, node: statement }] : [];
}
