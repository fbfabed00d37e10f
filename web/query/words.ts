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

/** The quote of a shell within which backslashes mean characters. */
const ANSI_C = "$'";
/** What may stand in a shell's line as it is. */
const PLAIN = /^[\w./:,@%+-][\w./:,@%+=-]*$/;

// eslint-disable-next-line no-control-regex
const CONTROL = /[\u0000-\u001f\u007f-\u009f\u2028\u2029]/;
const CONTROLS = new RegExp(CONTROL, 'g');
/** Of `$'...'`, as quoteWord writes it. */
const ESCAPED = /\\(?:x([\da-f]{2})|u([\da-f]{4})|([\\']))/iy;

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
    const escaped = open === ANSI_C && character === '\\' ? escapedAt(line, at) : undefined;
    if (escaped !== undefined) {
      text += escaped.text;
      at = escaped.to - 1;
    } else if (character === (open === ANSI_C ? "'" : open)) open = '';
    else if (open === '' && character === '$' && line[at + 1] === "'") {
      open = ANSI_C;
      at++;
    } else if (open === '' && (character === '"' || character === "'")) open = character;
    else if (character === '\\' && escapes(open, line[at + 1])) text += line[++at];
    else text += character;
  }
  const isQuoted = /["'\\]/.test(line[from]) || line.startsWith(ANSI_C, from);
  return { text, from, to: at, isQuoted, open };
}

function escapedAt(line: string, at: number): { readonly text: string; readonly to: number } | undefined {
  ESCAPED.lastIndex = at;
  const [all, byte, unit, itself] = ESCAPED.exec(line) ?? [];
  if (all === undefined) return undefined;
  const code = byte ?? unit;
  return { text: code === undefined ? itself : String.fromCharCode(parseInt(code, 16)), to: at + all.length };
}

/** Between single quotes a backslash is one; between double quotes it is, but before what would mean something there. */
function escapes(quote: string, next: string | undefined): boolean {
  return next !== undefined && (quote === '' || (quote === '"' && '"\\$`'.includes(next)));
}

/**
 * @returns `text` as a word that a shell, and `splitWords`, read as just that. Control characters are written as `$'\x03'`: as they are, a terminal
 * into which somebody pastes them takes them for keys (Ctrl+C, Enter), within quotes too, and an input of one line drops line ends.
 */
export function quoteWord(text: string): string {
  if (PLAIN.test(text)) return text;
  if (!CONTROL.test(text)) return `'${text.replaceAll("'", "'\\''")}'`;
  const escaped = text.replace(/[\\']/g, '\\$&').replace(CONTROLS, escape);
  return `$'${escaped}'`;
}

/** Bytes for ASCII; by \u what a shell writes in the encoding of its own. */
function escape(character: string): string {
  const code = character.charCodeAt(0);
  return code < 0x80 ? `\\x${hex(code, 2)}` : `\\u${hex(code, 4)}`;
}

const hex = (code: number, digits: number): string => code.toString(16).padStart(digits, '0');
