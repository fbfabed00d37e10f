/** Text in words as a shell reads them: spaces part them; quotes and backslashes keep what stands in them. Nothing is expanded. */

export interface Word {
  /** Without its quotes. */
  readonly text: string;
  /** Where it stands in the line, quotes included. */
  readonly from: number;
  readonly to: number;
  /** It begins with a quote or a backslash, so that it is text, whatever it looks like. */
  readonly isQuoted: boolean;
  /** The quote that nobody closed; '' when all are. Only the last word can have one. */
  readonly open: string;
}

/** What may stand in a shell's line as it is. */
const PLAIN = /^[\w./:,@%+-][\w./:,@%+=-]*$/;

/** @returns the words of a line, in their order */
export function splitWords(line: string): readonly Word[] {
  const words: Word[] = [];
  let at = 0;
  for (;;) {
    while (at < line.length && /\s/.test(line[at])) at++;
    if (at >= line.length) return words;
    const word = wordAt(line, at);
    words.push(word);
    at = word.to;
  }
}

function wordAt(line: string, from: number): Word {
  let text = '';
  let open = '';
  let at = from;
  for (; at < line.length; at++) {
    const character = line[at];
    if (open === '' && /\s/.test(character)) break;
    if (character === open) open = '';
    else if (open === '' && (character === '"' || character === "'")) open = character;
    else if (character === '\\' && escapes(open, line[at + 1])) text += line[++at];
    else text += character;
  }
  return { text, from, to: at, isQuoted: /["'\\]/.test(line[from]), open };
}

/** Between single quotes a backslash is one; between double quotes it is, but before what would mean something there. */
function escapes(quote: string, next: string | undefined): boolean {
  return next !== undefined && (quote === '' || (quote === '"' && '"\\$`'.includes(next)));
}

/** @returns `text` as a word that a shell, and `splitWords`, read as just that */
export function quoteWord(text: string): string {
  return PLAIN.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}
