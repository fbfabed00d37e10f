/**
 * The text of a policy with the lines of its parts. The agent keeps what was written as an object, so the text is written anew from that: its
 * comments and its own line breaks stay in the file, whose place is told beside it.
 */
import { LineCounter, parseDocument } from 'yaml';
import { asWritten, documentsText } from '../editor/model/changes.ts';

const MAX_LINES = 5000;

export interface PolicyText {
  readonly lines: readonly string[];
  /** Whether there are more lines than are shown. */
  readonly isCut: boolean;
  /** The line, from 1, of what `path` (`spec.ingress[0]`) names, or of the closest thing around it that is there. */
  readonly lineOf: (path: string) => number;
}

export function policyText(object: object): PolicyText {
  const text = documentsText([asWritten(object)]);
  const lines = text.replace(/\n$/, '').split('\n');
  const counter = new LineCounter();
  const document = parseDocument(text, { lineCounter: counter });
  const lineOf = (path: string): number => {
    const steps = stepsOf(path);
    for (; steps.length > 0; steps.pop()) {
      const at = offsetOf(document.getIn(steps, true));
      if (at === undefined) continue;
      const { line } = counter.linePos(at);
      // What belongs to a name begins on the line after it, unless it is an item of a list.
      return typeof steps.at(-1) === 'string' ? keyLine(lines, line, String(steps.at(-1))) : line;
    }
    return 1;
  };
  return { lines: lines.slice(0, MAX_LINES), isCut: lines.length > MAX_LINES, lineOf };
}

/** `spec.ingress[0]` as `spec`, `ingress`, 0. */
function stepsOf(path: string): (string | number)[] {
  return [...path.matchAll(/\[(\d+)\]|([^.[\]]+)/g)].map(([, index, name]) =>
    index === undefined ? name : Number(index),
  );
}

function offsetOf(node: unknown): number | undefined {
  return (node as { readonly range?: readonly number[] } | undefined)?.range?.[0];
}

function keyLine(lines: readonly string[], line: number, name: string): number {
  const isKey = (text = '') => text.trimStart().replace(/^- /, '').startsWith(`${name}:`);
  return !isKey(lines[line - 1]) && isKey(lines[line - 2]) ? line - 1 : line;
}

/** A rule of a policy, and where in its file it is. */
export interface Place {
  readonly path: string;
  readonly line: number;
}

/** The line to show for line `wanted` of the file: that of the last rule which begins there or before. */
export function shownLine(text: PolicyText, places: readonly Place[], wanted: number): number {
  let best: Place | undefined;
  for (const place of places)
    if (place.line <= wanted && place.line >= (best?.line ?? 0) && place.path !== '') best = place;
  return best === undefined ? 1 : text.lineOf(best.path);
}
