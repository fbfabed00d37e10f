/** Manifests as text and names: what names an object, where each YAML document of a text lies, what a text refers to. */
import { parseAllDocuments } from 'yaml';
import { isDocumentKind, readDocuments } from '../../policy/document/document.ts';
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

/** A piece of a text with the line it begins on, from 1. */
export interface Slice {
  readonly firstLine: number;
  readonly text: string;
}

/** The YAML documents of a text, each with the line it begins on. */
export function sliceDocuments(text: string): Slice[] {
  const documents = parseAllDocuments(text, { merge: false, logLevel: 'silent' });
  if (!Array.isArray(documents)) return [];
  return documents.map((document) => {
    const [from, , to] = document.range;
    return { firstLine: text.slice(0, from).split('\n').length, text: text.slice(from, to) };
  });
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
  for (const yaml of parseAllDocuments(text, { logLevel: 'silent' })) {
    const plain = 'contents' in yaml && yaml.errors.length === 0 ? (yaml.toJS() as PlainObject | null) : null;
    for (const object of isList(plain) ? plain.items : [plain]) {
      const reference = referenceIn(object, namespace);
      if (reference === undefined) continue;
      if (!references.some((one) => referenceOf(one) === referenceOf(reference))) references.push(reference);
    }
  }
  return { references, problems: problems.filter(({ code }) => MATTERS.has(code)) };
}

/** What may be wrong with a document that is only to be named. */
const MATTERS = new Set(['syntax', 'no-kind', 'unknown-kind']);

/** Anybody wrote it: each member may be of any type. */
interface PlainObject {
  readonly kind?: string;
  readonly metadata?: { readonly name?: unknown; readonly namespace?: unknown };
  readonly items?: readonly PlainObject[];
}

function isList(plain: PlainObject | null): plain is PlainObject & { items: readonly PlainObject[] } {
  return typeof plain?.kind === 'string' && plain.kind.endsWith('List') && Array.isArray(plain.items);
}

function referenceIn(object: PlainObject | null, fallback = 'default'): Reference | undefined {
  const { kind, metadata } = object ?? {};
  if (typeof kind !== 'string' || !isDocumentKind(kind) || typeof metadata?.name !== 'string') return undefined;
  const namespace = typeof metadata.namespace === 'string' ? metadata.namespace : fallback;
  return { kind, namespace: CLUSTER_SCOPED.has(kind) ? '' : namespace, name: metadata.name };
}

const CLUSTER_SCOPED = new Set(['Namespace', 'Node', 'CiliumClusterwideNetworkPolicy', 'CiliumCIDRGroup']);
