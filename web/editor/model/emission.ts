/** Values as YAML, in the style of the text that they are put into: its indentation, its brackets, its line ends. */
import { type Document, isCollection, isMap, isScalar, isSeq, Scalar, stringify, visit } from 'yaml';
import { isFields } from './values.ts';

export interface Style {
  readonly newline: '\n' | '\r\n';
  /** Spaces a level. */
  readonly step: number;
  /** Whether items stand further in than the key of their list. */
  readonly isItemIndented: boolean;
  /** Whether small maps and lists are written in brackets. */
  readonly hasBrackets: boolean;
  readonly mapPadding: '' | ' ';
  readonly listPadding: '' | ' ';
  /** The text is JSON, and has to stay so. */
  readonly isJson: boolean;
}

/** A value in brackets is no longer than this. */
const BRACKETS_MAX = 72; // characters

export function styleOf(text: string, { contents }: Document.Parsed): Style {
  const style = {
    newline: text.includes('\r\n') ? '\r\n' : '\n',
    step: 2,
    isItemIndented: true,
    hasBrackets: false,
    mapPadding: ' ',
    listPadding: '',
    isJson: isMap(contents) && contents.flow === true,
  } as { -readonly [Field in keyof Style]: Style[Field] };
  const isKnown = { step: false, items: false, map: false, list: false };
  const columnOf = (offset: number): number => offset - (text.lastIndexOf('\n', offset - 1) + 1);
  visit(contents, {
    Scalar: (key, { type }) => {
      if (key === 'key' && type !== Scalar.QUOTE_DOUBLE) style.isJson = false;
    },
    Collection: (_, node) => {
      const [start] = node.range ?? [0];
      if (node.flow !== true || node.items.length === 0) return;
      style.hasBrackets = true;
      const padding = text[start + 1] === ' ' ? ' ' : '';
      if (isMap(node) && !isKnown.map) style.mapPadding = padding;
      if (isSeq(node) && !isKnown.list) style.listPadding = padding;
      isKnown[isMap(node) ? 'map' : 'list'] = true;
    },
    Pair: (_, { key, value }) => {
      if (!isScalar(key) || !isCollection(value) || value.flow === true || value.items.length === 0) return;
      const further = columnOf(value.range?.[0] ?? 0) - columnOf(key.range?.[0] ?? 0);
      if (isSeq(value) && !isKnown.items) {
        style.isItemIndented = further > 0;
        isKnown.items = true;
      }
      if (isMap(value) && !isKnown.step && further > 0 && further <= 8) {
        style.step = further;
        isKnown.step = true;
      }
    },
  });
  return style;
}

/** On one line, so that it may stand in brackets. */
export function inline(value: unknown, style: Style): string {
  if (style.isJson) return jsonOf(value);
  if (Array.isArray(value)) {
    const items = value.map((item: unknown) => inline(item, style));
    return items.length === 0 ? '[]' : `[${style.listPadding}${items.join(', ')}${style.listPadding}]`;
  }
  if (isFields(value)) {
    const pairs = Object.entries(value).map(([key, item]) => `${scalarText(key)}: ${inline(item, style)}`);
    return pairs.length === 0 ? '{}' : `{${style.mapPadding}${pairs.join(', ')}${style.mapPadding}}`;
  }
  return scalarText(value);
}

function jsonOf(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(jsonOf).join(', ')}]`;
  if (!isFields(value)) return typeof value === 'string' ? quoted(value) : JSON.stringify(value);
  const pairs = Object.entries(value).map(([key, item]) => `${quoted(key)}: ${jsonOf(item)}`);
  return pairs.length === 0 ? '{}' : `{ ${pairs.join(', ')} }`;
}

/** Whether a value is written on the line of its key or dash. */
export function isInline(value: unknown, style: Style): boolean {
  if (Array.isArray(value) ? value.length === 0 : !isFields(value) || Object.keys(value).length === 0) return true;
  return style.hasBrackets && inline(value, style).length <= BRACKETS_MAX && depthOf(value) <= 2;
}

function depthOf(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 0;
  return 1 + Math.max(0, ...Object.values(value).map(depthOf));
}

/** The lines of a map or list; the first begins where the value does, the others are indented from there. */
export function block(value: unknown, style: Style): string[] {
  if (isInline(value, style)) return [inline(value, style)];
  if (Array.isArray(value)) return value.flatMap((item: unknown) => itemLines(item, style));
  return Object.entries(value as Record<string, unknown>).flatMap(([key, item]) => pairLines(key, item, style));
}

/** The lines of an item of a list with its dash. */
export function itemLines(value: unknown, style: Style): string[] {
  return block(value, style).map((line, i) => (i === 0 ? `- ${line}` : `  ${line}`));
}

/** The lines of a key with its value. */
export function pairLines(key: string, value: unknown, style: Style): string[] {
  const name = scalarText(key);
  if (isInline(value, style)) return [`${name}: ${inline(value, style)}`];
  return [`${name}:`, ...block(value, style).map((line) => indentOf(value, style) + line)];
}

/** How much further in the lines of a value are than the key before it. */
export function indentOf(value: unknown, { step, isItemIndented }: Style): string {
  return ' '.repeat(Array.isArray(value) && !isItemIndented ? 0 : step);
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const UNSEEN = /[\u0000-\u001f\u007f-\u00a0\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g;

/** As plain as it may be where other readers of YAML, and brackets around it, mean the same. */
function scalarText(value: unknown): string {
  if (typeof value !== 'string') return stringify(value ?? null).trimEnd();
  UNSEEN.lastIndex = 0;
  if (UNSEEN.test(value)) return quoted(value);
  const one = stringify([value], { collectionStyle: 'flow', lineWidth: 0, flowCollectionPadding: false }).trim();
  const plain = one.slice(1, -1);
  // YAML 1.1, which kubectl reads, has more words and numbers that are no strings.
  const old = stringify(value, { version: '1.1', lineWidth: 0 }).trim();
  return plain === value && old === value ? plain : quoted(value);
}

/** In double quotes; what nobody can see is written as an escape. */
function quoted(value: string): string {
  return JSON.stringify(value).replace(UNSEEN, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

/** In the quotes that the old one has. */
export function sameQuotes({ type }: Scalar, wanted: unknown, style: Style): string {
  if (typeof wanted !== 'string' || type === Scalar.PLAIN) return inline(wanted, style);
  if (type === Scalar.QUOTE_SINGLE && /^[\x20-\x7e]*$/.test(wanted)) return `'${wanted.replaceAll("'", "''")}'`;
  return quoted(wanted);
}
