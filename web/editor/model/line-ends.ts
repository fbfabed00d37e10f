/** Text areas have line feeds only: what a text's lines ended with is kept beside, and put back. */

export type LineEnds = '\n' | '\r\n';

/** Of most of its lines. */
export function markOfLines(text: string): LineEnds {
  const carried = text.split('\r\n').length - 1;
  return carried > 0 && carried * 2 >= text.split('\n').length - 1 ? '\r\n' : '\n';
}

export function unixLines(text: string): string {
  return text.replace(/\r\n?/g, '\n');
}

export function withLineEnds(text: string, ends: LineEnds): string {
  return ends === '\n' ? text : text.replaceAll('\n', ends);
}
