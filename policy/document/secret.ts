/** Secrets as the cluster wants them, and as they are shown. */
import type { SecretSpec } from '../rule/spec.ts';
import type { Document } from './document.ts';
import { HIDDEN, SECRET_FIELDS } from '../validate/secret.ts';

/** Values with a character a byte, as headers are compared. */
export function secretFromDocument({ namespace, name, object }: Document): SecretSpec {
  const { data, stringData } = object as Partial<Record<(typeof SECRET_FIELDS)[number], Record<string, string>>>;
  const values = new Map<string, string>();
  for (const [key, value] of Object.entries(data ?? {}))
    values.set(key, Buffer.from(value, 'base64').toString('latin1'));
  for (const [key, value] of Object.entries(stringData ?? {})) values.set(key, Buffer.from(value).toString('latin1'));
  return { namespace, name, values };
}

/** An object as it is shown: a Secret without its values, and without the copy of them that kubectl apply leaves in an annotation. */
export function shownObject(object: Document['object']): Document['object'] {
  if (object['kind'] !== 'Secret') return object;
  const shown = { ...object };
  for (const field of SECRET_FIELDS) {
    const values = object[field] as Record<string, string> | undefined;
    if (values === undefined) continue;
    shown[field] = Object.fromEntries(Object.keys(values).map((key) => [key, HIDDEN]));
  }
  const { annotations, ...metadata } = (object['metadata'] ?? {}) as { annotations?: Record<string, string> };
  if (annotations === undefined) return shown;
  const kept = Object.entries(annotations).filter(([key]) => key !== LAST_APPLIED);
  return { ...shown, metadata: { ...metadata, annotations: Object.fromEntries(kept) } };
}

export const LAST_APPLIED = 'kubectl.kubernetes.io/last-applied-configuration';
