/**
 * Pieces of a text, each of which is read as one document again without what was around it, in the place that it had. So the
 * objects of a long list are kept one by one, and the text of each counts once.
 *
 * An item of a list that leans on other parts of the text (an anchor, a tag, the kind of its list) is kept with the whole YAML
 * document that it stands in, and a document under a directive with the whole text; who keeps several such items keeps that
 * piece once, since they get the same one.
 */
import type { Document as YamlDocument, Node } from 'yaml';
import type { Place, Stream } from './stream.ts';

/** A piece of a text. */
export interface Slice extends Place {
  readonly text: string;
}

/** Of an anchor, an alias or a tag; strings may look like one, and are then taken for one. */
const LEANING = /(?:^|[\s,[{?:-])[&*!]/;

/** Cuts one text. */
export class Slicer {
  readonly #stream: Stream;
  readonly #whole: Slice | undefined;
  #range: readonly [number, number] = [0, 0];
  #document: Slice | undefined;
  #isLeaning: boolean | undefined;

  constructor(stream: Stream) {
    this.#stream = stream;
    this.#whole = /^%/m.test(stream.text) ? this.#cut(0, stream.text.length) : undefined;
  }

  /** What follows is about this YAML document of the text. */
  begin({ range }: YamlDocument.Parsed): void {
    // The marker before it may be one that parseStream() has put there, which has no place in the text that was given.
    const marker = /^---\s/.test(this.#stream.text.slice(range[0], range[0] + 4)) ? 4 : 0;
    this.#range = [range[0] + marker, range[2]];
    this.#document = undefined;
    this.#isLeaning = undefined;
  }

  /** The whole YAML document; the same one whenever it is asked for. */
  document(): Slice {
    this.#document ??= this.#whole ?? this.#cut(...this.#range);
    return this.#document;
  }

  /** An item of the list that the document is. */
  item(node: Node): Slice {
    this.#isLeaning ??= this.#whole !== undefined || LEANING.test(this.document().text);
    if (this.#isLeaning || !node.range) return this.document();
    const [from, , to] = node.range;
    const slice = this.#cut(from, to);
    // In block style the column is the indentation that the following lines have too.
    if ((node as { flow?: boolean }).flow === true) return slice;
    return { line: slice.line, column: 1, text: ' '.repeat(slice.column - 1) + slice.text };
  }

  #cut(from: number, to: number): Slice {
    const { line, col } = this.#stream.lines.linePos(from);
    return { line: Math.max(1, line), column: Math.max(1, col), text: this.#stream.text.slice(from, to) };
  }
}
