/**
 * Text -> YAML documents, for whoever reads manifests. Byte order marks before later documents, as `cat` makes them, are none of the
 * text. JSON objects one after another, as `kubectl get --watch -o json` and `jq` print them, are no YAML: a `---` is put between
 * them before they are parsed, and places are told as they are in the text that was given.
 */
import { type Document, LineCounter, parseAllDocuments } from 'yaml';
import { depthFault, tooDeep } from './nesting.ts';

/** The text without byte order marks: files that were put together have one wherever another begins. */
export function withoutMark(text: string): string {
  return text.replace(/^\uFEFF/gm, '');
}

/** Where a text begins in the file that it is of, both from 1. */
export interface Place {
  readonly line: number;
  readonly column: number;
}

/** A text, parsed. */
export interface Stream {
  /** As it was parsed: ranges of nodes are about this. */
  readonly text: string;
  readonly documents: readonly Document.Parsed[];
  /** Places in the text that was given. */
  readonly lines: LineCounter;
}

/** @param place where the text begins in its file @throws nothing: what the parser cannot read it says in the document */
export function parseStream(given: string, place?: Place): Stream {
  const plain = withoutMark(given);
  const breaks = breaksOfJson(plain);
  const text = joined(plain, breaks);
  const lines = new LineCounter();
  const fault = depthFault(text);
  if (fault !== undefined) return { text, documents: [tooDeep(text, fault, lines)], lines };
  const parsed = parseAllDocuments(text, { lineCounter: lines, merge: false, logLevel: 'silent' });
  const documents = Array.isArray(parsed) ? parsed.filter((one): one is Document.Parsed => 'contents' in one) : [];
  const own = breaks.length === 0 ? lines : linesOf(plain, breaks);
  return { text, documents, lines: place === undefined ? own : movedTo(place, own) };
}

/** The same lines, further down. */
function movedTo({ line: first, column }: Place, lines: LineCounter): LineCounter {
  const placeOf = lines.linePos;
  lines.linePos = (offset) => {
    const { line, col } = placeOf(offset);
    return { line: line + first - 1, col: line === 1 ? col + column - 1 : col };
  };
  return lines;
}

const MARKER = '\n--- ';

/** Where an object of a stream of JSON follows another; none when the text is something else, YAML after all. */
function breaksOfJson(text: string): number[] {
  if (!/^\s{0,1000}\{/.test(text)) return [];
  const breaks: number[] = [];
  let depth = 0;
  let isFirst = true;
  for (let at = 0; at < text.length; at++) {
    const char = text[at];
    if (char === '"') at = endOfString(text, at);
    else if (char === "'" || char === '#')
      return []; // JSON has neither
    else if (char === '}') depth--;
    else if (char === '{') {
      if (depth === 0 && !isFirst) breaks.push(at);
      isFirst = false;
      depth++;
      continue;
    }
    if (depth < 0 || (depth === 0 && !/[\s}]/.test(char))) return [];
  }
  return breaks;
}

/** @param at of the first quote; the end of the text when there is no other */
function endOfString(text: string, at: number): number {
  let end = at + 1;
  while (end < text.length && text[end] !== '"') end += text[end] === '\\' ? 2 : 1;
  return end;
}

function joined(text: string, breaks: readonly number[]): string {
  const ends = [...breaks, text.length];
  return ends.map((end, i) => text.slice(i === 0 ? 0 : ends[i - 1], end)).join(MARKER);
}

/** Lines of a text, for offsets in what `joined` made of it. */
function linesOf(text: string, breaks: readonly number[]): LineCounter {
  const lines = new LineCounter();
  for (let at = 0; at >= 0; at = text.indexOf('\n', at) + 1 || -1) lines.addNewLine(at);
  const places = breaks.map((at, i) => at + i * MARKER.length);
  const placeOf = lines.linePos;
  lines.linePos = (offset) => {
    const before = countBelow(places, offset);
    return placeOf(Math.max(0, Math.min(text.length, offset - before * MARKER.length)));
  };
  return lines;
}

/** How many of ascending numbers are below a limit. */
function countBelow(numbers: readonly number[], limit: number): number {
  let low = 0;
  for (let high = numbers.length; low < high; ) {
    const middle = (low + high) >> 1;
    if (numbers[middle] < limit) low = middle + 1;
    else high = middle;
  }
  return low;
}
