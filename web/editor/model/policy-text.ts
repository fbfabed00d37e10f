/**
 * A text of manifests as the editor has it open: its YAML documents, each with its tree and its plain value.
 *
 * The text is the truth, and everything here is read from it anew after each change. Nothing is thrown for a text that is no YAML:
 * its problems are told, and its documents have no value, so that they can be neither drawn nor written to. The same goes for a
 * document that nests too deeply, or that grows beyond bounds by its aliases.
 */
import { type Document, LineCounter, parseAllDocuments } from 'yaml';
import { isFields } from './values.ts';

/** Longer texts are not drawn: reading them at each key would hold up the page. */
export const DRAWN_MAX = 256 * 1024; // characters
const DEPTH_MAX = 64; // levels, as the agent has it
const PROBLEMS_MAX = 20;
/** What an alias may stand for, all in all. */
const ALIASES_MAX = 100;

export interface TextProblem {
  /** Both from 1. */
  readonly line: number;
  readonly column: number;
  readonly message: string;
}

export interface OpenDocument {
  readonly root: Document.Parsed;
  /** undefined when the document cannot be read. */
  readonly value: unknown;
}

export interface OpenText {
  readonly text: string;
  readonly documents: readonly OpenDocument[];
  readonly problems: readonly TextProblem[];
}

/** @throws nothing */
export function openText(text: string): OpenText {
  const said = (message: string): OpenText => ({ text, documents: [], problems: [{ line: 1, column: 1, message }] });
  if (text.length > DRAWN_MAX)
    return said(`the text has ${text.length} characters, more than the ${DRAWN_MAX} that are drawn`);
  const lines = new LineCounter();
  const problems: TextProblem[] = [];
  try {
    const documents = documentsOf(text, lines).map((root): OpenDocument => {
      for (const { message, pos } of root.errors) problems.push(placed(message, pos[0], lines));
      return { root, value: root.errors.length === 0 ? valueOf(root, problems, lines) : undefined };
    });
    return { text, documents, problems: problems.slice(0, PROBLEMS_MAX) };
  } catch {
    // A parser that recurses runs out of stack where brackets nest too deeply.
    return said('found brackets or indentation nested too deeply');
  }
}

function documentsOf(text: string, lines: LineCounter): Document.Parsed[] {
  const parsed = parseAllDocuments(text, {
    lineCounter: lines,
    merge: true,
    keepSourceTokens: true,
    prettyErrors: false,
    logLevel: 'silent',
  });
  return Array.isArray(parsed) ? parsed.filter((one): one is Document.Parsed => 'contents' in one) : [];
}

function placed(message: string, offset: number, lines: LineCounter): TextProblem {
  const { line, col } = lines.linePos(offset);
  return { line: Math.max(1, line), column: Math.max(1, col), message: message.split('\n')[0] };
}

function valueOf(root: Document.Parsed, problems: TextProblem[], lines: LineCounter): unknown {
  const tell = (message: string): void => void problems.push(placed(message, root.range[0], lines));
  try {
    const value: unknown = root.toJS({ maxAliasCount: ALIASES_MAX });
    if (!isDeeperThan(value, DEPTH_MAX)) return value;
    tell(`nests deeper than ${DEPTH_MAX} levels`);
  } catch {
    tell(`has aliases that cannot be followed, or that stand for more than ${ALIASES_MAX} values`);
  }
  return undefined;
}

function isDeeperThan(value: unknown, levels: number): boolean {
  if (typeof value !== 'object' || value === null) return false;
  if (levels === 0) return true;
  const inner = isFields(value) ? Object.values(value) : (value as unknown[]);
  return inner.some((one) => isDeeperThan(one, levels - 1));
}
