/** Manifests as text and names: what names an object, where each YAML document of a text lies, what a text refers to. */
import { parseAllDocuments } from 'yaml';
import { type DocumentKind, readDocuments } from '../../policy/document/document.ts';
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

/** Kind, namespace and name of each document, whatever else is in it. */
export function readReferences(text: string, file: string): { references: Reference[]; problems: Problem[] } {
  const { documents, problems } = readDocuments(text, file);
  const references = documents.map(nameOf);
  // A policy that no longer validates must still be deletable: what is missing above is named by its plain fields.
  for (const yaml of parseAllDocuments(text, { logLevel: 'silent' })) {
    const plain = 'contents' in yaml && yaml.errors.length === 0 ? (yaml.toJS() as PlainObject | null) : null;
    for (const object of plain?.kind?.endsWith('List') ? (plain.items ?? []) : [plain]) {
      if (object?.kind === undefined || object.metadata?.name === undefined) continue;
      const namespace = CLUSTER_SCOPED.has(object.kind) ? '' : (object.metadata.namespace ?? 'default');
      const reference = { kind: object.kind, namespace, name: object.metadata.name };
      if (!references.some((one) => referenceOf(one) === referenceOf(reference))) references.push(reference);
    }
  }
  return { references, problems: problems.filter(({ code }) => code === 'syntax' || code === 'no-kind') };
}

interface PlainObject {
  readonly kind?: DocumentKind;
  readonly metadata?: { readonly name?: string; readonly namespace?: string };
  readonly items?: readonly PlainObject[];
}

const CLUSTER_SCOPED = new Set(['Namespace', 'Node', 'CiliumClusterwideNetworkPolicy', 'CiliumCIDRGroup']);
