/** What is wrong with a Secret. No problem quotes what was found, for they go into logs. */
import { joinPath } from '../document/document-path.ts';
import type { Reader } from '../document/reader.ts';

/** In the place of a value that is shown; no base64, so that nobody applies it. */
export const HIDDEN = '<hidden>';
const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;
/** Of one value, as in Kubernetes. */
const MAX_VALUE_BYTES = 1_048_576;

/** Where a Secret has its values. */
export const SECRET_FIELDS = ['data', 'stringData'] as const;

/** Checks what is in a Secret. */
export function validateSecret(object: Readonly<Record<string, unknown>>, reader: Reader): void {
  for (const field of SECRET_FIELDS) {
    const values: unknown = object[field] ?? {};
    if (typeof values !== 'object' || Array.isArray(values)) {
      reader.problem(field, 'secret-data', `read ${field}: found something else, wanted a map of values`);
      continue;
    }
    for (const [key, value] of Object.entries(values as object)) checkValue(field, key, value, reader);
  }
}

function checkValue(field: (typeof SECRET_FIELDS)[number], key: string, value: unknown, reader: Reader): void {
  const place = joinPath(field, key);
  const wanted = field === 'data' ? 'base64' : 'a string';
  const isFit = typeof value === 'string' && (field !== 'data' || BASE64.test(value.replace(/\s/g, '')));
  if (!isFit) {
    const hint = value === HIDDEN ? 'values are not shown: write the real one' : 'the value is not repeated here';
    reader.problem(place, 'secret-data', `read ${field}: found a value that is not ${wanted}, wanted ${wanted}`, hint);
  } else if (value.length > MAX_VALUE_BYTES) {
    reader.problem(place, 'secret-data', `read ${field}: found over ${MAX_VALUE_BYTES} characters, wanted fewer`);
  }
}
