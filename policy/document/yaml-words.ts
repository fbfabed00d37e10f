/**
 * What kubectl reads otherwise than we: it reads YAML 1.1, where `no` is a boolean and `010` is eight, and sends JSON. Only plain
 * scalars are concerned; what stands in quotes is a string to both.
 */
import { isScalar, type Node, Scalar } from 'yaml';

const TRUE = new Set(['y', 'Y', 'yes', 'Yes', 'YES', 'on', 'On', 'ON']);
const FALSE = new Set(['n', 'N', 'no', 'No', 'NO', 'off', 'Off', 'OFF']);

/** The boolean that kubectl makes of a word that is a string to us; undefined when it is one to both. */
export function booleanOfWord(node: Node): boolean | undefined {
  const text = plainText(node);
  if (text === undefined || typeof (node as Scalar).value !== 'string') return undefined;
  return TRUE.has(text) ? true : FALSE.has(text) ? false : undefined;
}

/** The number that kubectl makes of `010` or `0b101`, which we would read as ten, or as a string; undefined when we agree. */
export function numberOfOldOctal(node: Node): number | undefined {
  const text = plainText(node) ?? '';
  if (/^[-+]?0[0-7]+$/.test(text)) {
    const value = Number.parseInt(text, 8);
    return value === (node as Scalar).value ? undefined : value;
  }
  return /^[-+]?0b[01]+$/.test(text) ? Number.parseInt(text.replace('0b', ''), 2) : undefined;
}

function plainText(node: Node): string | undefined {
  return isScalar(node) && node.type === Scalar.PLAIN && node.tag === undefined ? node.source : undefined;
}
