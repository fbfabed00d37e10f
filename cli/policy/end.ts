/** One end of a flow as people write it, for flags and test files. */

/**
 * `namespace/pod` is a pod, digits and dots or colons an address, `a=b,c=d` labels, any other word an entity; anything but
 * a text is handed back as it is.
 */
export function endFrom(value: unknown): unknown {
  if (typeof value !== 'string') return value;
  if (value.includes('=')) return { labels: value.split(',') };
  if (/^[\d.]+$/.test(value) || value.includes(':')) return { ip: value };
  return value.includes('/') ? { pod: value } : { entity: value };
}
