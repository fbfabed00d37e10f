/**
 * Objects as an API gives them -> documents, without a text between: the way of objects that come by the ten thousand. What is right is
 * read in place; an object that is not goes through `readDocuments`, so that it is refused with the very sentences that
 * `policy validate` has for it.
 */
import { LineCounter, Document as YamlDocument } from 'yaml';
import { type Document, documentOf, readDocuments } from './document.ts';
import { type DocumentKind, isDocumentKind, shapeOf } from './kinds.ts';
import { fitted, MISFIT } from './fitting.ts';
import { Reader } from './reader.ts';
import { completeOptions, type PolicyConfig, type PolicyOptions } from '../rule/options.ts';
import { hasErrors, type Problem } from '../rule/problems.ts';
import { policyName } from '../rule/rule.ts';

/** What one object is: a document, or why it is none. */
export interface ReadObject {
  readonly document: Document | undefined;
  readonly problems: readonly Problem[];
}

/** Reads objects under one configuration. */
export class ObjectReader {
  readonly #config: PolicyConfig;
  readonly #options: PolicyOptions;

  constructor(config: PolicyConfig = {}) {
    this.#config = config;
    this.#options = completeOptions(config);
  }

  /**
   * @param object with apiVersion and kind; it is shared with the document, so leave it as it is
   * @param file what problems and origins name
   */
  read(object: object, file: string): ReadObject {
    const { kind } = object as { kind?: unknown };
    const read = typeof kind === 'string' && isDocumentKind(kind) ? this.#readFitting(kind, object, file) : undefined;
    return read ?? this.#readAsText(object, file);
  }

  /** @returns undefined when it must be read as text */
  #readFitting(kind: DocumentKind, object: object, file: string): ReadObject | undefined {
    const value = fitted(object, shapeOf(kind));
    if (value === MISFIT) return undefined;
    const reader = new Reader(NO_YAML, NO_LINES, file);
    const context = { options: this.#options, file, namespace: 'default' };
    try {
      const document = documentOf(kind, value as Document['object'], reader, context);
      reader.documentName = policyName(document);
      return hasErrors(reader.problems) ? undefined : { document, problems: named(reader.problems, document) };
    } catch {
      return undefined; // a fault of ours, which the text reader tells of
    }
  }

  #readAsText(object: object, file: string): ReadObject {
    const { documents, problems } = readDocuments(JSON.stringify(object), file, this.#config);
    // There is no text that its author would find: the path tells the place.
    return {
      document: documents[0],
      problems: problems.map((problem) => ({ ...problem, line: 1, column: 1 })),
    };
  }
}

const NO_YAML = new YamlDocument();
const NO_LINES = new LineCounter();

/** Warnings that were given before the name was known. */
function named(problems: readonly Problem[], document: Document): readonly Problem[] {
  return problems.map((problem) => ({ document: policyName(document), ...problem }));
}
