/**
 * The versions of one object, at most one a source, and which of them counts. One rule for all sources:
 *
 *  1. The one written last.
 *  2. Of those written at the same time: `api` (what was applied here), then `kubernetes`, then `directory`.
 *
 * When that one is taken away, the next counts again; nothing is merged field by field.
 */
import { ShapedPod } from '../../policy/document/shaped-pod.ts';
import type { Document } from '../../policy/document/document.ts';

/** A document with the time it was written, ms since the epoch. */
export interface SourcedDocument {
  readonly document: Document;
  readonly atMs: number;
  /** When the object was first there; `atMs` unless told. */
  readonly createdMs?: number;
}

export type SourceName = 'api' | 'kubernetes' | 'directory';

export type Versions = Partial<Record<SourceName, SourcedDocument>>;

/** The one that counts, and its source. */
export function counting(versions: Versions): { source: SourceName; sourced: SourcedDocument } | undefined {
  const { api, kubernetes, directory } = versions;
  let found = api && { source: 'api' as SourceName, sourced: api };
  if (kubernetes !== undefined && (found === undefined || kubernetes.atMs > found.sourced.atMs))
    found = { source: 'kubernetes', sourced: kubernetes };
  if (directory !== undefined && (found === undefined || directory.atMs > found.sourced.atMs))
    found = { source: 'directory', sourced: directory };
  return found;
}

/** The document that counts. */
export function winner(versions: Versions | undefined): Document | undefined {
  return versions === undefined ? undefined : counting(versions)?.sourced.document;
}

/** Whether Kubernetes has the object and somebody else too. */
export function isContested({ kubernetes, api, directory }: Versions): boolean {
  return kubernetes !== undefined && (api !== undefined || directory !== undefined);
}

/** Names both holders of a contested object, and which one counts. */
export function contestSentence(key: string, versions: Versions): string {
  const { api, directory } = versions;
  const others = [
    ...(api === undefined ? [] : [`what was applied from ${placeOf(api.document)}`]),
    ...(directory === undefined ? [] : [placeOf(directory.document)]),
  ].join(' and ');
  const source = counting(versions)?.source ?? 'kubernetes';
  const counts = { api: 'what was applied', kubernetes: 'that of Kubernetes', directory: 'that of the file' }[source];
  return `${key}: found it in Kubernetes and in ${others}, wanted one holder: ${counts} counts, which was written last`;
}

/** `file:line`. */
export function placeOf({ file, line }: Document): string {
  return `${file}:${line}`;
}

/** Whether two documents are the same in all that was written, and come from the same place. */
export function isSame(a: Document, b: Document): boolean {
  return a === b || (a.file === b.file && a.line === b.line && isSameObject(a, b));
}

export function isSameObject(a: Document, b: Document): boolean {
  if (a instanceof ShapedPod && b instanceof ShapedPod) return a.isSame(b);
  return JSON.stringify(asWritten(a)) === JSON.stringify(asWritten(b));
}

/** Without what the API adds to objects that it shows, so that one that is read and applied again is unchanged. */
function asWritten({ object }: Document): object {
  return { ...object, metadata: { ...(object['metadata'] as object), creationTimestamp: undefined } };
}
