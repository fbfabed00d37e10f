/**
 * Documents in a form that is kept as JSON and is a document again without its text being read, which takes fifty times as long:
 * the object in plain values, and the lines that its rules lead back to. The rules themselves are made anew.
 *
 * Only the program that kept it, with the configuration that it had then, may take it back: the object has been checked, and
 * lacks what that program did not know.
 */
import type { PolicyConfig } from '../rule/options.ts';
import { completeOptions, type PolicyOptions } from '../rule/options.ts';
import type { Document } from './document.ts';
import type { DocumentKind } from './kinds.ts';
import { isPolicyKind, policyOf } from './document-policy.ts';

/** A document less what can be made again. */
export interface KeptDocument {
  readonly kind: DocumentKind;
  readonly namespace: string;
  readonly line: number;
  readonly object: Document['object'];
  /** Path in the document -> line; what is not in it is on the line of the document. */
  readonly lines?: Readonly<Record<string, number>>;
}

/** The form to keep; it shares the object with the document. */
export function keep({ kind, namespace, line, object, policy }: Document): KeptDocument {
  if (policy === undefined) return { kind, namespace, line, object };
  const origins = policy.rules.flatMap(({ origin, ingress, egress }) => [
    origin,
    ...originsOf(ingress),
    ...originsOf(egress),
  ]);
  return { kind, namespace, line, object, lines: Object.fromEntries(origins.map((one) => [one.path, one.line])) };
}

function originsOf(
  elements: readonly { readonly origin: { path: string; line: number } }[],
): { path: string; line: number }[] {
  return elements.map(({ origin }) => origin);
}

/** Makes documents of what was kept, under one configuration. */
export class Reviver {
  readonly #options: PolicyOptions;

  constructor(config: PolicyConfig) {
    this.#options = completeOptions(config);
  }

  /** @param file what the text was called */
  document({ kind, namespace, line, object, lines = {} }: KeptDocument, file: string): Document {
    const { apiVersion = '', metadata = {} } = object as { apiVersion?: string; metadata?: Metadata };
    const { name = '', labels = NONE, annotations = NONE } = metadata;
    const document: Document = { kind, apiVersion, namespace, name, labels, annotations, file, line, object };
    if (!isPolicyKind(kind)) return document;
    return { ...document, policy: policyOf(document, this.#options, (path) => lines[path] ?? line) };
  }
}

/** Shared by the many that have none. */
const NONE = {};

interface Metadata {
  readonly name?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
}
