/** Kubernetes' grammars of names, as the API server holds objects to them. */

/** Lower-case letters, digits and inner hyphens, at most 63: a namespace. */
export function isDnsLabel(text: string): boolean {
  return text.length <= 63 && /^[a-z0-9](?:[-a-z0-9]*[a-z0-9])?$/.test(text);
}

/** DNS labels with dots between them, at most 253 characters: the name of most objects. Each part may be longer than 63. */
export function isDnsSubdomain(text: string): boolean {
  return text.length <= 253 && text.split('.').every((part) => /^[a-z0-9](?:[-a-z0-9]*[a-z0-9])?$/.test(part));
}

/** `[prefix/]name`: the key of a label or an annotation. */
export function isQualifiedName(text: string): boolean {
  const parts = text.split('/');
  const name = parts.pop() as string;
  const isPrefixed = parts.length === 0 || (parts.length === 1 && isDnsSubdomain(parts[0]));
  return isPrefixed && name.length <= 63 && /^[A-Za-z0-9](?:[-A-Za-z0-9_.]*[A-Za-z0-9])?$/.test(name);
}

/** Nothing, or at most 63 letters, digits, '-', '_' and '.', the first and last a letter or digit. */
export function isLabelValue(text: string): boolean {
  return text.length <= 63 && /^(?:[A-Za-z0-9](?:[-A-Za-z0-9_.]*[A-Za-z0-9])?)?$/.test(text);
}

/** A DNS name with or without its final dot, or a pattern with stars, at most 255: no label is empty. */
export function isDnsName(text: string, stars: boolean): boolean {
  const parts = (text.endsWith('.') ? text.slice(0, -1) : text).split('.');
  const label = stars ? /^[-a-zA-Z0-9_*]+$/ : /^[-a-zA-Z0-9_]+$/;
  return text.length <= 255 && parts.every((part) => label.test(part));
}
