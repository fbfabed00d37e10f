/** Manifests as text and names: what names an object, what a text refers to. */
import { isMap, isScalar, isSeq, type Node, type YAMLMap } from 'yaml';
import { readDocuments } from '../../policy/document/document.ts';
import { isDocumentKind } from '../../policy/document/kinds.ts';
import { parseStream } from '../../policy/document/stream.ts';
import { isClusterScoped } from '../../policy/document/manifest.ts';
import type { Problem } from '../../policy/rule/problems.ts';

/** What names an object; `namespace` is '' for kinds that have none. */
export interface Reference {
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
}

/** `Kind/namespace/name`, or `Kind/name` for kinds without namespaces. */
export function referenceOf({ kind, namespace, name }: Reference): string {
  return namespace === '' ? `${kind}/${name}` : `${kind}/${namespace}/${name}`;
}

/** The name alone. */
export function nameOf({ kind, namespace, name }: Reference): Reference {
  return { kind, namespace, name };
}

/**
 * Kind, namespace and name of each document, whatever else is in it. Kinds that apply skips are skipped here with the same warning.
 * @param namespace that of documents that name none
 */
export function readReferences(
  text: string,
  file: string,
  namespace?: string,
): { references: Reference[]; problems: Problem[] } {
  const { documents, problems } = readDocuments(text, file, {}, namespace);
  const references = documents.map(nameOf);
  // A policy that no longer validates must still be deletable: what is missing above is named by its plain fields.
  const known = new Set(references.map(referenceOf));
  for (const reference of writtenReferences(text, namespace)) {
    const key = referenceOf(reference);
    if (!known.has(key)) references.push(reference);
    known.add(key);
  }
  return { references, problems: problems.filter(({ code }) => MATTERS.has(code)) };
}

/** What may be wrong with a document that is only to be named. */
const MATTERS = new Set(['syntax', 'no-kind', 'unknown-kind']);

/** What each document of a text calls itself, as far as that can be made out. */
function writtenReferences(text: string, namespace = 'default'): Reference[] {
  return parseStream(text)
    .documents.filter(({ errors }) => errors.length === 0)
    .flatMap(({ contents }) => referencesIn(contents, namespace));
}

function referencesIn(node: Node | null, fallback: string): Reference[] {
  if (!isMap(node)) return [];
  const [kind, name, namespace] = [['kind'], ['metadata', 'name'], ['metadata', 'namespace']].map((path) =>
    stringAt(node, path),
  );
  const items = node.get('items', true);
  if (kind?.endsWith('List') && isSeq(items))
    return items.items.flatMap((item) => referencesIn(item as Node, fallback));
  if (kind === undefined || !isDocumentKind(kind) || name === undefined) return [];
  return [{ kind, name, namespace: isClusterScoped(kind) ? '' : (namespace ?? fallback) }];
}

function stringAt(node: YAMLMap, path: readonly string[]): string | undefined {
  const [key, ...rest] = path;
  const value = node.get(key, true) as unknown;
  if (rest.length > 0) return isMap(value) ? stringAt(value, rest) : undefined;
  return isScalar(value) && typeof value.value === 'string' ? value.value : undefined;
}
