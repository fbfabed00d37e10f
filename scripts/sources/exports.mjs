// An export that nobody imports says that somebody may rely on it, and hides that it is dead.
//   - Tests are no users of what its own file has no use for, or dead code would live by its tests: what only they need
//     stands in test/, or says in its JSDoc that it is "for tests". A part that its file uses may have tests of its own.
//   - In wire/ they count: a header's codec is whole, and tests build the frames that the product only reads.
//   - Generated code has what its source has.
//   - A type needs no importer when another export of its file speaks of it: a caller must be able to name what it gives
//     and gets.
import ts from 'typescript';

export function unusedExports({ sources }) {
  const takenByCode = takenBy(sources.filter(({ isTest }) => !isTest));
  const takenByAll = takenBy(sources);
  const problems = [];
  for (const { path, exports, isTest, isGenerated, tree } of sources) {
    if (isGenerated) continue;
    for (const { name, line, node } of exports) {
      const testsCount = isTest || path.startsWith('wire/') || isForTests(node, tree) || isUsed(name, node, tree);
      if (isTaken(testsCount ? takenByAll : takenByCode, path, name) || isSpokenOf(name, node, exports)) continue;
      const who = isTaken(takenByAll, path, name) ? 'only tests use' : 'nothing imports';
      problems.push(`${path}:${line}: exports ${name}, which ${who}`);
    }
  }
  return problems;
}

const isTaken = (taken, path, name) => taken.get(path)?.has(name) || taken.get(path)?.has('*');

/** Path of a source -> the names that other files take from it, `*` when that may be any. */
function takenBy(sources) {
  const taken = new Map();
  for (const { path, imports } of sources) {
    for (const { target, names } of imports) {
      if (target === undefined || target === path) continue;
      if (!taken.has(target)) taken.set(target, new Set());
      for (const name of names ?? ['*']) taken.get(target).add(name);
    }
  }
  return taken;
}

/** Whether the comment above a declaration says that it is for tests. */
function isForTests(node, tree) {
  const statement = ts.isVariableDeclaration(node) ? node.parent.parent : node;
  return /\bfor tests\b/i.test(tree.text.slice(statement.getFullStart(), statement.getStart(tree)));
}

/** Whether a source says the name of its own declaration anywhere else. */
function isUsed(name, declaration, tree) {
  const says = (node) =>
    (ts.isIdentifier(node) && node.text === name && node.parent !== declaration) || ts.forEachChild(node, says);
  return says(tree) === true;
}

/** Whether `node` declares a type that another export of its file names. */
function isSpokenOf(name, node, exports) {
  if (!ts.isInterfaceDeclaration(node) && !ts.isTypeAliasDeclaration(node)) return false;
  const names = (child) => (ts.isIdentifier(child) && child.text === name) || ts.forEachChild(child, names);
  return exports.some((other) => other.node !== node && names(other.node));
}
