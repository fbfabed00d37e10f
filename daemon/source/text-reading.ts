/** Documents out of kept pieces of text: a piece that several objects share is read once. */
import type { Document } from '../../policy/document/document.ts';
import type { Slice } from '../../policy/document/slice.ts';
import { hasErrors, type Problem } from '../../policy/rule/problems.ts';
import type { ReadManifests } from './reader.ts';
import { referenceOf } from './text.ts';

/** Reads pieces of one text. */
export class TextReading {
  /** What is wrong with the pieces that hold errors. */
  readonly problems: Problem[] = [];
  readonly #read: ReadManifests;
  readonly #file: string;
  readonly #namespace: string | undefined;
  readonly #found = new Map<Slice, ReadonlyMap<string, Document>>();

  /** @param file what the text was called @param namespace that of documents that name none */
  constructor(read: ReadManifests, file: string, namespace: string | undefined) {
    this.#read = read;
    this.#file = file;
    this.#namespace = namespace;
  }

  /** @returns undefined when the piece holds no such object that is in order */
  document(reference: string, slice: Slice): Document | undefined {
    const known = this.#found.get(slice);
    if (known !== undefined) return known.get(reference);
    const { documents, problems } = this.#read(slice.text, this.#file, this.#namespace, slice);
    if (hasErrors(problems)) this.problems.push(...problems);
    const found = new Map(documents.map((document) => [referenceOf(document), document]));
    this.#found.set(slice, found);
    return found.get(reference);
  }
}
