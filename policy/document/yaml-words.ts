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

/** The number that kubectl makes of `010`, `0b101`, `0X50` or `1_000`, which we would read as ten, or as a string; undefined when we agree. */
export function numberToKubectl(node: Node): number | undefined {
  const text = plainText(node) ?? '';
  if (!/^[-+]?\d/.test(text)) return undefined;
  const value = integerOf(text.replaceAll('_', '').toLowerCase());
  return value === (node as Scalar).value ? undefined : value;
}

/** As Go's strconv.ParseInt with base 0 has it. */
function integerOf(text: string): number | undefined {
  const sign = text.startsWith('-') ? -1 : 1;
  const digits = text.replace(/^[-+]/, '');
  if (/^0[0-7]+$/.test(digits)) return sign * Number.parseInt(digits, 8);
  if (/^(0x[\da-f]+|0o[0-7]+|0b[01]+|0|[1-9]\d*)$/.test(digits)) return sign * Number(digits);
  return undefined;
}

function plainText(node: Node): string | undefined {
  return isScalar(node) && node.type === Scalar.PLAIN && node.tag === undefined ? node.source : undefined;
}
