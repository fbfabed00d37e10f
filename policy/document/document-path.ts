/** Paths into a document as problems show them: `spec.ingress[0].toPorts[0]`, `metadata.labels["a/b"]`. */

export function joinPath(path: string, key: string): string {
  const step = /^[A-Za-z_][\w-]*$/.test(key) ? key : `[${JSON.stringify(key)}]`;
  return path === '' || step.startsWith('[') ? path + step : `${path}.${step}`;
}

/** The path of what holds it; '' at the top. */
export function parentPath(path: string): string {
  const match = /^(.*?)(\.[\w-]+|\[\d+\]|\["(?:[^"\\]|\\.)*"\]|^[\w-]+)$/s.exec(path);
  return match === null ? '' : match[1];
}

/** `status.podIPs[1].ip` of `['status', 'podIPs', 1, 'ip']`. */
export function pathText(steps: readonly (string | number)[]): string {
  return steps
    .map((step) => (typeof step === 'number' ? `[${step}]` : `.${step}`))
    .join('')
    .slice(1);
}

/** What stands at a path of plain values, e.g. `spec.ingress[0]`; undefined when nothing does. Of names with dots it knows nothing. */
export function valueAt(object: unknown, path: string): unknown {
  let value = object;
  for (const key of stepsOf(path)) value = (value as Readonly<Record<string, unknown>> | null | undefined)?.[key];
  return value;
}

/** The steps of `spec.egress[0].toPorts`: `spec`, `egress`, `0`, `toPorts`. */
export function stepsOf(path: string): string[] {
  return path.split(/[.[\]]+/).filter((key) => key !== '');
}

/** The last name of a path with its indexes, e.g. `toPorts[0]`; `document` at the top. */
export function lastName(path: string): string {
  const match = /([A-Za-z_][\w-]*)(\[[^\]]*\])*$/.exec(path);
  return match?.[0] ?? (path === '' ? 'document' : path);
}
