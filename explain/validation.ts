/** What is wrong with manifests, as a document: what `sluice policy validate -o json` prints, and the page shows. */
import type { Document } from '../policy/document/document.ts';
import { referenceOf } from '../policy/document/manifest.ts';
import type { Problem } from '../policy/rule/problems.ts';

export interface Validation {
  readonly valid: boolean;
  /** Those without errors. */
  readonly documents: readonly { readonly document: string; readonly file: string; readonly line: number }[];
  readonly problems: readonly Problem[];
}

export function validationOf(documents: readonly Document[], problems: readonly Problem[], valid: boolean): Validation {
  const named = documents.map(({ file, line, object }) => ({ document: referenceOf(object), file, line }));
  return { valid, documents: named, problems };
}
