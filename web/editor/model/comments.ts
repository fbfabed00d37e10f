/** The comments of a text, as the lexer tells them from what only looks like one. */
import { Lexer } from 'yaml';

export interface Comment {
  /** Offsets in the text. */
  readonly from: number;
  readonly to: number;
  /** With its `#`. */
  readonly text: string;
}

const SCALAR = '\u001f';
/** What the lexer puts between the pieces of the text: a document begins, a bracket is missing, a scalar follows. */
const MARKS = new Set(['\u0002', '\u0018', SCALAR]);

export function commentsOf(text: string): Comment[] {
  const comments: Comment[] = [];
  let at = 0;
  let isScalar = false;
  for (const piece of new Lexer().lex(text)) {
    if (!isScalar && MARKS.has(piece)) {
      isScalar = piece === SCALAR;
      continue;
    }
    if (!isScalar && piece.startsWith('#')) comments.push({ from: at, to: at + piece.length, text: piece.trimEnd() });
    at += piece.length;
    isScalar = false;
  }
  return comments;
}
