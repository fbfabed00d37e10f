/**
 * How deep a text nests, before it is parsed. The yaml package builds its tree by calls within calls, a few a level: a thousand brackets use the
 * stack up. That is an exception as a rule, which it reports; but a regular expression that V8 has to compile at the end of the stack ends the
 * whole process ("RegExpCompiler Allocation failed"), and so two thousand brackets in a manifest ended the agent.
 *
 * Its lexer is flat, and knows brackets that are none (in texts and comments). It is asked only about texts that may be deep: most have too
 * few brackets and columns for that. A level of block style takes a column at least.
 */
import { type Document, Lexer, type LineCounter, parseDocument, YAMLParseError } from 'yaml';

/** Levels, in brackets and columns together; of the stack, these take less than half. Manifests have 40. */
const NESTING_LIMIT = 400;
/** The lexer puts this before a text, and others of no length between documents. */
const BEFORE_TEXT = '\u001f';
const MARKS = '\u0002\u0018';
/** What may stand before the first word of a line. */
const LEADING = ' -?:\t';

/** What the yaml package passes on when a document nests deeper than the stack. */
export const STACK_EXCEEDED = 'Maximum call stack size exceeded';

/** What takes the place of a text that is too deep: a document with that error. @param lines learns the lines of the text */
export function tooDeep(text: string, at: number, lines: LineCounter): Document.Parsed {
  const document = parseDocument('');
  document.errors.push(new YAMLParseError([at, at + 1], 'BAD_COLLECTION_TYPE', STACK_EXCEEDED));
  lines.addNewLine(0);
  for (let end = text.indexOf('\n'); end >= 0 && end < at; end = text.indexOf('\n', end + 1)) lines.addNewLine(end + 1);
  return document;
}

/** @returns the offset where a text is too deep; undefined when it is not */
export function depthFault(text: string): number | undefined {
  return mayBeDeep(text) ? deepAt(text) : undefined;
}

/** Counts every bracket that opens, whatever it is, and none that closes. */
function mayBeDeep(text: string): boolean {
  let [brackets, columns, mostColumns] = [0, 0, 0];
  let isLeading = true;
  for (let at = 0; at < text.length; at++) {
    const char = text[at];
    if (char === '[' || char === '{') brackets++;
    if (char === '\n') [isLeading, columns] = [true, 0];
    else if (isLeading && LEADING.includes(char)) mostColumns = Math.max(mostColumns, ++columns);
    else isLeading = false;
    if (brackets + mostColumns > NESTING_LIMIT) return true;
  }
  return false;
}

function deepAt(text: string): number | undefined {
  let [at, brackets, columns] = [0, 0, 0];
  let [isLeading, isText] = [true, false];
  for (const token of new Lexer().lex(text)) {
    if (token === BEFORE_TEXT) isText = true;
    if (token === BEFORE_TEXT || MARKS.includes(token)) continue;
    at += token.length;
    if (token.endsWith('\n')) [isLeading, columns] = [true, 0];
    else if (!isText && isLeading && LEADING.includes(token[0])) columns += token.length;
    else isLeading = false;
    if (!isText && (token === '[' || token === '{')) brackets++;
    if (!isText && (token === ']' || token === '}')) brackets = Math.max(0, brackets - 1);
    if (!isText && token === '---') brackets = 0;
    isText = false;
    if (brackets + columns > NESTING_LIMIT) return at - 1;
  }
  return undefined;
}
