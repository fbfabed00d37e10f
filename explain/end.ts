/** One end of a flow as people write it, for flags and test files. */

/**
 * `namespace/pod` is a pod, digits and dots or colons an address, `a=b,c=d` labels of the namespace `default`,
 * `namespace/a=b` of another, any other word an entity; anything but a text is handed back as it is.
 */
export function endFrom(value: unknown): unknown {
  if (typeof value !== 'string') return value;
  // The part of a label's key that a slash ends is a domain, and has a dot; a namespace has none.
  const [, namespace, labels = value] = /^([a-z\d-]+)\/(.*=.*)$/.exec(value) ?? [];
  if (value.includes('=')) return { labels: labels.split(','), ...(namespace !== undefined && { namespace }) };
  if (/^[\d.]+$/.test(value) || value.includes(':')) return { ip: value };
  return value.includes('/') ? { pod: value } : { entity: value };
}
