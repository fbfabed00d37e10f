/**
 * A changed value of a document -> the text with as little changed as possible. What is not changed keeps its bytes: comments, order,
 * quotes, indentation, line ends.
 *
 *   1. Old and new value are compared from the root down. Where they differ, the text is spliced: a scalar between its ends, an item or
 *      a key by its lines, a list in brackets by what stands between its commas (brackets.ts).
 *   2. Comments beside and above what is taken out stay, those inside go with it; when a part is written anew as a whole, or moved,
 *      they stand above it.
 *   3. The new text is read again, and must mean what was wanted and have every other document as it was. If not, the change is
 *      refused: an anchor that others point to, or a merged map, must be changed in the text. In place of an alias its value is written.
 */
import { isMap, isNode, isScalar, isSeq, type YAMLMap, type YAMLSeq } from 'yaml';
import { aligned } from './alignment.ts';
import { bracketsText } from './brackets.ts';
import { type Comment, commentsOf } from './comments.ts';
import {
  block,
  indentOf,
  inline,
  isInline,
  itemLines,
  pairLines,
  sameQuotes,
  type Style,
  styleOf,
} from './emission.ts';
import { type OpenDocument, type OpenText, openText } from './policy-text.ts';
import { isOneLine, type Place, placesOfList, placesOfMap, Unwritable } from './tokens.ts';
import { fieldOf, type Fields, isFields, isSame, itemsOf, valueAt } from './values.ts';

export interface Written {
  readonly text: string;
}

export interface Refused {
  /** A sentence for a person. */
  readonly refused: string;
}

/**
 * The text in which one document has another value.
 * @param isMove what is taken out is put in elsewhere: its comments go there
 */
export function write(open: OpenText, index: number, wanted: unknown, isMove = false): Written | Refused {
  const document = open.documents[index] as OpenDocument | undefined;
  if (document?.value === undefined) return { refused: 'the text has mistakes: mend them first' };
  if (isSame(document.value, wanted)) return { text: open.text };
  try {
    const text = new Writing(open.text, document, isMove).write(wanted);
    return isWhatWasWanted(open, openText(text), index, wanted)
      ? { text }
      : { refused: 'aliases, anchors or merged maps stand here: change them in the text' };
  } catch (error) {
    if (error instanceof Unwritable) return { refused: `${error.message}: change it in the text` };
    throw error;
  }
}

function isWhatWasWanted(before: OpenText, after: OpenText, index: number, wanted: unknown): boolean {
  if (before.documents.length !== after.documents.length || before.problems.length !== after.problems.length)
    return false;
  return after.documents.every(({ value }, i) => isSame(value, i === index ? wanted : before.documents[i].value));
}

interface Splice {
  readonly from: number;
  readonly to: number;
  readonly text: string;
}

/** Where a value stands: behind a colon or dash. */
interface Slot {
  readonly place: Place;
  /** Of the key or dash. */
  readonly column: number;
  readonly isItem: boolean;
}

class Writing {
  readonly #text: string;
  readonly #document: OpenDocument;
  readonly #style: Style;
  readonly #isMove: boolean;
  readonly #splices: Splice[] = [];
  /** Comments that have lost their place. */
  readonly #homeless: string[] = [];
  readonly #comments: readonly Comment[];

  constructor(text: string, document: OpenDocument, isMove: boolean) {
    this.#text = text;
    this.#document = document;
    this.#style = styleOf(text, document.root);
    this.#isMove = isMove;
    this.#comments = commentsOf(text);
  }

  write(wanted: unknown): string {
    const { root, value } = this.#document;
    if (!isMap(root.contents) || !isFields(wanted)) throw new Unwritable('the document is no map');
    this.#collection(root.contents, value, wanted);
    this.#house(root.contents.range[0]);
    return spliced(this.#text, this.#splices);
  }

  #collection(node: YAMLMap | YAMLSeq, old: unknown, wanted: unknown): void {
    if (node.flow === true) this.#brackets(node, old, wanted);
    else if (isMap(node)) this.#map(node, old, wanted as Fields);
    else this.#list(node, itemsOf(old), itemsOf(wanted));
  }

  #brackets(node: YAMLMap | YAMLSeq, old: unknown, wanted: unknown): void {
    const [from, to] = node.range as [number, number, number];
    this.#splice(from, to, bracketsText(this.#text, node, old, wanted, this.#style));
  }

  #map(node: YAMLMap, old: unknown, wanted: Fields): void {
    const places = placesOfMap(node);
    const columns = this.#columnOf(places[0].from);
    const isKept = places.map(({ key }) => Object.hasOwn(wanted, key));
    this.#remove(places, isKept);
    places.forEach((place, i) => {
      if (isKept[i])
        this.#value({ place, column: columns, isItem: false }, valueAt(old, [place.key]), wanted[place.key]);
    });
    const own = new Map(places.map((place, i) => [place.key, i]));
    let after = -1;
    for (const [key, value] of Object.entries(wanted)) {
      const at = own.get(key);
      if (at !== undefined) after = at;
      else if (!isSame(fieldOf(old, key), value))
        this.#insert(places, after, columns, pairLines(key, value, this.#style));
    }
  }

  #list(node: YAMLSeq, old: readonly unknown[], wanted: readonly unknown[]): void {
    const places = placesOfList(node);
    const column = this.#columnOf(places[0].from);
    const pairs = aligned(old, wanted);
    const kept = new Set(pairs.flatMap(({ old: at, fresh }) => (fresh === undefined || at === undefined ? [] : [at])));
    this.#remove(
      places,
      places.map((_, i) => kept.has(i)),
    );
    let after = -1;
    for (const { old: at, fresh } of pairs) {
      if (at !== undefined && fresh !== undefined)
        this.#value({ place: places[at], column, isItem: true }, old[at], wanted[fresh]);
      else if (fresh !== undefined) this.#insert(places, after, column, itemLines(wanted[fresh], this.#style));
      if (at !== undefined) after = at;
    }
  }

  /** A value that stays in its place, perhaps as another. */
  #value(slot: Slot, old: unknown, wanted: unknown): void {
    if (isSame(old, wanted)) return;
    const { node } = slot.place;
    const isBoth = (isMap(node) && isFields(wanted)) || (isSeq(node) && Array.isArray(wanted));
    const isEmptied = isBoth && Object.keys(wanted as object).length === 0;
    if (isBoth && node.items.length > 0 && !isEmptied && this.#keepsSome(node, wanted)) {
      this.#collection(node, old, wanted);
    } else if (isOneLine(node, this.#text) && isScalar(node) && isInline(wanted, this.#style)) {
      const [from, to] = node.range as [number, number, number];
      this.#splice(from, to, sameQuotes(node, wanted, this.#style));
    } else this.#replace(slot, wanted);
  }

  /** A map none of whose keys stay is written anew. */
  #keepsSome(node: YAMLMap | YAMLSeq, wanted: unknown): boolean {
    return isSeq(node) || placesOfMap(node).some(({ key }) => Object.hasOwn(wanted as Fields, key));
  }

  #replace({ place, column, isItem }: Slot, wanted: unknown): void {
    const { node, valueFrom, to } = place;
    if (isNode(node) && (('anchor' in node && node.anchor !== undefined) || node.tag !== undefined))
      throw new Unwritable('an anchor or tag stands here');
    const inside = this.#inside(valueFrom, to);
    if (isInline(wanted, this.#style)) {
      this.#homeless.push(...inside);
      this.#splice(valueFrom, to, ` ${inline(wanted, this.#style)}`);
      return;
    }
    const further = isItem ? '  ' : indentOf(wanted, this.#style);
    const lines = [...inside, ...block(wanted, this.#style)];
    const indent = ' '.repeat(column) + further;
    const joined = lines.join(this.#style.newline + indent);
    const isOnDash = isItem && inside.length === 0;
    this.#splice(valueFrom, to, isOnDash ? ` ${joined}` : this.#style.newline + indent + joined);
  }

  /** The comments between two offsets. */
  #inside(from: number, to: number): string[] {
    return this.#comments.filter((one) => one.from >= from && one.to <= to).map(({ text }) => text);
  }

  #remove(places: readonly Place[], isKept: readonly boolean[]): void {
    places.forEach((place, i) => {
      if (isKept[i]) return;
      const end = this.#endOfLine(place.to);
      if (this.#isMove) this.#homeless.push(...this.#inside(place.from, end));
      const start = this.#startOfLine(place.from);
      const isFirstOnLine = this.#text.slice(start, place.from).trim() === '';
      const next = places[i + 1] as Place | undefined;
      if (isFirstOnLine) this.#splice(start, this.#nextLine(end), '');
      // Behind a dash: the next one moves up, unless comments stand between.
      else if (next !== undefined && isKept[i + 1] && this.#text.slice(end, next.from).trim() === '')
        this.#splice(place.from, next.from, '');
      else this.#splice(place.from, end, '');
    });
  }

  /** @param after the place that they follow; -1 for the first of all */
  #insert(places: readonly Place[], after: number, column: number, lines: readonly string[]): void {
    const { newline } = this.#style;
    const indent = ' '.repeat(column);
    const all = [...this.#homeless.splice(0), ...lines];
    if (after < 0) {
      const [{ from }] = places;
      const start = this.#startOfLine(from);
      if (this.#text.slice(start, from).trim() === '')
        this.#splice(start, start, all.map((line) => indent + line + newline).join(''));
      else this.#splice(from, from, all.map((line) => line + newline + indent).join(''));
      return;
    }
    const end = this.#endOfLine(places[after].to);
    const next = this.#nextLine(end);
    if (end < this.#text.length) this.#splice(next, next, all.map((line) => indent + line + newline).join(''));
    else this.#splice(end, end, all.map((line) => newline + indent + line).join(''));
  }

  /** Comments that found no other place stand above the document's first line. */
  #house(from: number): void {
    const start = this.#startOfLine(from);
    for (const comment of this.#homeless.splice(0))
      this.#splices.unshift({ from: start, to: start, text: comment + this.#style.newline });
  }

  #splice(from: number, to: number, text: string): void {
    this.#splices.push({ from, to, text });
  }

  #startOfLine(at: number): number {
    return this.#text.lastIndexOf('\n', at - 1) + 1;
  }

  #columnOf(at: number): number {
    return at - this.#startOfLine(at);
  }

  /** Where its line end begins, or the end of the text. */
  #endOfLine(at: number): number {
    // A block scalar has its line end in it.
    const newline = this.#text[at - 1] === '\n' ? at - 1 : this.#text.indexOf('\n', at);
    if (newline < 0) return this.#text.length;
    return this.#text[newline - 1] === '\r' ? newline - 1 : newline;
  }

  /** Behind a line end; the end of the text where there is none. */
  #nextLine(end: number): number {
    const newline = this.#text.indexOf('\n', end);
    return newline < 0 ? this.#text.length : newline + 1;
  }
}

function spliced(text: string, splices: readonly Splice[]): string {
  const ordered = [...splices].sort((a, b) => a.from - b.from || a.to - b.to);
  let result = '';
  let at = 0;
  for (const { from, to, text: fresh } of ordered) {
    if (from < at) throw new Unwritable('two changes meet here');
    result += text.slice(at, from) + fresh;
    at = to;
  }
  return result + text.slice(at);
}
