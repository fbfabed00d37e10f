/** Merge patch (RFC 7386): fields of objects are merged, null removes one, everything else replaces what was there. */
import { StatusError } from '../storage/status-error.ts';
import { checkPlain, fieldOf, isObject, type Plain, type PlainDraft } from './plain.ts';

/** @param document is left as it is. @throws StatusError 400 for what is no object, or too deep */
export function applyMergePatch<T extends object>(document: T, patch: unknown): T {
  checkPlain(patch, 'merge patch');
  if (!isObject(patch)) throw StatusError.badRequest('Invalid JSON Patch');
  return merge(document as unknown as Plain, patch) as unknown as T;
}

function merge(document: Plain | undefined, patch: Plain): Plain {
  if (!isObject(patch)) return patch;
  const merged: PlainDraft = isObject(document) ? { ...document } : {};
  for (const [name, value] of Object.entries(patch)) {
    if (value === null) delete merged[name];
    else merged[name] = merge(fieldOf(merged, name), value);
  }
  return merged;
}
