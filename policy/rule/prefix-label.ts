/** Prefixes as keys of labels, where a colon may not stand: `cidr:2001-db8--/32`. */
import { type Prefix, parsePrefix } from '../../wire/prefix.ts';

/** The prefix as a label key: `:` is written `-`, an end that would be empty is written `0` (`0--1/128`). */
export function prefixLabelKey(prefix: Prefix): string {
  if (prefix.family === 4) return prefix.text;
  const [address, length] = prefix.text.split('/');
  let key = address.replaceAll(':', '-');
  if (key.startsWith('-')) key = `0${key}`;
  if (key.endsWith('-')) key = `${key}0`;
  return `${key}/${length}`;
}

/** The opposite of `prefixLabelKey`; undefined when the key is not a prefix. */
export function prefixFromLabelKey(key: string): Prefix | undefined {
  try {
    return parsePrefix(key.replaceAll('-', ':'), 'host');
  } catch {
    return undefined;
  }
}
