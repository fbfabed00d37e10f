/** Names and the patterns that policies select them with (cilium: matchpattern). */

/**
 * The regular expression of a pattern, to be tried on a lower-case name with its final dot.
 *   1. only stars (and a final dot): every name;
 *   2. `**.` at the start: one or more whole labels;
 *   3. any other run of stars: any part of one label, possibly nothing.
 */
function patternRegExp(pattern: string): RegExp {
  const text = withFinalDot(pattern.toLowerCase().trim());
  if (/^\*+\.$/.test(text)) return /^(?:[-a-z0-9_]+\.)*\.?$/;
  const leading = /^\*{2,}\./.exec(text);
  const rest = leading === null ? text : text.slice(leading[0].length);
  const body = rest.replaceAll('.', '[.]').replace(/\*+/g, '[-a-z0-9_]*');
  return new RegExp(`^${leading === null ? '' : '(?:[-a-z0-9_]+[.])+'}${body}$`);
}

/** Lower case, with the final dot. */
export function normalizeName(name: string): string {
  return withFinalDot(name.toLowerCase());
}

function withFinalDot(text: string): string {
  return text.endsWith('.') ? text : `${text}.`;
}

/** A selector as one regular expression; a selector with neither field matches nothing. */
export function fqdnRegExp({ matchName, matchPattern }: { matchName?: string; matchPattern?: string }): RegExp {
  if ((matchName ?? '') !== '') {
    return new RegExp(`^${normalizeName(matchName as string).replaceAll('.', '[.]')}$`);
  }
  return (matchPattern ?? '') === '' ? /^(?!)/ : patternRegExp(matchPattern as string);
}

/**
 * The whole labels in which every name that the selector matches must end: `example.com.` of `*.example.com`, '' of `*`, all
 * of a name.
 */
export function tailOf({ matchName, matchPattern }: { matchName?: string; matchPattern?: string }): string {
  if ((matchName ?? '') !== '') return normalizeName(matchName as string);
  const text = withFinalDot((matchPattern ?? '').toLowerCase().trim());
  if (!text.includes('*')) return text;
  const rest = text.slice(text.lastIndexOf('*') + 1);
  return rest.slice(rest.indexOf('.') + 1);
}

/** Every tail that a selector of the name can have. @param name normalized */
export function tailsOf(name: string): string[] {
  const tails = [name];
  for (let dot = name.indexOf('.'); dot >= 0; dot = name.indexOf('.', dot + 1)) tails.push(name.slice(dot + 1));
  return tails;
}
