// One number has one home: a constant of the same name and value that two folders declare is one that will be changed in
// one of them. Tests may say again what they expect.
import { dirname } from 'node:path';
import ts from 'typescript';

export function constants({ sources }) {
  /** `NAME = value` -> where it is declared. */
  const homes = new Map();
  for (const { path, tree, isTest } of sources) {
    if (isTest) continue;
    for (const statement of tree.statements) {
      if (!ts.isVariableStatement(statement) || !(statement.declarationList.flags & ts.NodeFlags.Const)) continue;
      for (const { name, initializer } of statement.declarationList.declarations) {
        const value = initializer && valueOf(initializer);
        if (value === undefined || !ts.isIdentifier(name)) continue;
        const key = `${name.text} = ${typeof value === 'string' ? JSON.stringify(value) : value}`;
        homes.set(key, [...(homes.get(key) ?? []), path]);
      }
    }
  }
  const problems = [];
  for (const [key, paths] of homes) {
    if (new Set(paths.map(dirname)).size > 1)
      problems.push(`${paths[0]}: ${key} is declared again in ${paths.slice(1).join(', ')}`);
  }
  return problems;
}

const binary = {
  [ts.SyntaxKind.PlusToken]: (a, b) => a + b,
  [ts.SyntaxKind.MinusToken]: (a, b) => a - b,
  [ts.SyntaxKind.AsteriskToken]: (a, b) => a * b,
  [ts.SyntaxKind.AsteriskAsteriskToken]: (a, b) => a ** b,
  [ts.SyntaxKind.LessThanLessThanToken]: (a, b) => a << b,
  [ts.SyntaxKind.BarToken]: (a, b) => a | b,
};

/** The value of an expression of literals alone, or undefined. */
function valueOf(node) {
  if (ts.isAsExpression(node) || ts.isParenthesizedExpression(node)) return valueOf(node.expression);
  if (ts.isNumericLiteral(node)) return Number(node.text);
  if (ts.isBigIntLiteral(node)) return BigInt(node.text.slice(0, -1));
  if (ts.isStringLiteralLike(node)) return node.text;
  if (ts.isPrefixUnaryExpression(node) && node.operator === ts.SyntaxKind.MinusToken) {
    const value = valueOf(node.operand);
    return typeof value === 'string' || value === undefined ? undefined : -value;
  }
  // wire/reasons.ts: a reason is its number.
  if (ts.isCallExpression(node) && /^(reason|own)$/.test(node.expression.text)) return valueOf(node.arguments[0]);
  if (!ts.isBinaryExpression(node)) return undefined;
  const apply = binary[node.operatorToken.kind];
  const left = valueOf(node.left);
  const right = valueOf(node.right);
  return apply && typeof left === 'number' && typeof right === 'number' ? apply(left, right) : undefined;
}
