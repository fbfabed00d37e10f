/** Documents with others laid over them. */
import type { Document } from '../policy/document/document.ts';

/** Of what goes; a namespace is the empty text where there is none. */
export interface Named {
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
}

/** What of `given` neither `applied` replaces nor `removed` names, and `applied`. */
export function overlaid(
  given: readonly Document[],
  applied: readonly Document[],
  removed: readonly Named[] = [],
): Document[] {
  const gone = new Set([...applied, ...removed].map(keyOf));
  return [...given.filter((one) => !gone.has(keyOf(one))), ...applied];
}

function keyOf({ kind, namespace, name }: Named): string {
  return `${kind}/${namespace}/${name}`;
}
