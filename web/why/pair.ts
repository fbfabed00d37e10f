/** A question about two ends, as somebody types it, and as the address keeps it. What the judge is asked is a line of `sluice policy verdict --queries`. */
import { RESERVED_NAMES } from '../../wire/identities.ts';

/** What stands in the form. */
export interface Pair {
  readonly from: string;
  readonly to: string;
  readonly protocol: string;
  readonly port: string;
  /** Of an HTTP request; '' = none is asked about. */
  readonly method: string;
  readonly path: string;
}

export const EMPTY_PAIR: Pair = { from: '', to: '', protocol: 'TCP', port: '', method: '', path: '' };
export const PROTOCOLS = ['TCP', 'UDP', 'SCTP', 'ICMP', 'ICMPv6'];

/** @returns undefined when the address asks about no pair */
export function pairOf(params: ReadonlyMap<string, string>): Pair | undefined {
  if (!params.has('from') && !params.has('to')) return undefined;
  const names = Object.keys(EMPTY_PAIR) as (keyof Pair)[];
  return Object.fromEntries(names.map((name) => [name, params.get(name) ?? EMPTY_PAIR[name]])) as unknown as Pair;
}

/**
 * The question, as readQuery of explain/ reads it.
 * @throws SyntaxError with what is missing
 */
export function questionOf({ from, to, protocol, port, method, path }: Pair): object {
  const isIcmp = protocol.startsWith('ICMP');
  if (!isIcmp && port.trim() === '') throw new SyntaxError('Which port? A number, or a name of the destination.');
  return {
    from: endOf('From', from),
    to: endOf('To', to),
    protocol,
    ...(port.trim() !== '' && { port: /^\d+$/.test(port.trim()) ? Number(port) : port.trim() }),
    ...((method !== '' || path !== '') && { http: { method: method || 'GET', path: path || '/' } }),
  };
}

function endOf(name: string, text: string): object {
  const given = text.trim();
  if (given === '') throw new SyntaxError(`${name} whom? A pod, an address, an entity such as world, or labels.`);
  if (given.includes('=')) {
    const [, namespace, labels] = /^(?:([a-z0-9-]+)\/)?(.*)$/s.exec(given)!;
    const list = labels.split(',').map((label) => (label.includes(':') ? label.trim() : `k8s:${label.trim()}`));
    return { labels: list, ...(namespace !== undefined && { namespace }) };
  }
  if (/^[0-9.]+$|^[0-9a-f]*:[0-9a-f:.]*$/i.test(given)) return { ip: given };
  if (given.includes('/')) return { pod: given };
  if (ENTITIES.includes(given)) return { entity: given };
  return { pod: `default/${given}` };
}

export const ENTITIES = ['all', 'cluster', ...RESERVED_NAMES.filter((name) => name !== 'unknown')];
