/** Addresses of pods and nodes: whoever compiles them may trust that they are some. */
import { isIP } from 'node:net';
import { pathText } from './document-path.ts';
import { quote } from '../rule/problems.ts';
import type { Reader } from './reader.ts';

/** A single IPv4 or IPv6 address: no length, no zone. */
export function isAddress(text: string): boolean {
  return !text.includes('%') && isIP(text) !== 0;
}

/** An empty address is one that is not known yet, as the API server writes it. */
function checkAddress(text: string | undefined, path: string, reader: Reader): void {
  if (text === undefined || text === '' || isAddress(text)) return;
  reader.problem(path, 'address', `read address: found ${quote(text)}, wanted an IPv4 or IPv6 address`);
}

interface PodObject {
  readonly status?: { readonly podIP?: string; readonly podIPs?: readonly { readonly ip?: string }[] };
}

/** Every address that a Pod names, the same one twice perhaps, and where. */
export function listedAddresses(object: object): { path: (string | number)[]; address: string }[] {
  const { status = {} } = object as PodObject;
  const all = [
    { path: ['status', 'podIP'], address: status.podIP ?? '' },
    ...(status.podIPs ?? []).map(({ ip = '' }, i) => ({ path: ['status', 'podIPs', i, 'ip'], address: ip })),
  ];
  return all.filter(({ address }) => address !== '');
}

/** Nodes have names among their addresses too. */
export function isNodeAddress({
  type = '',
  address = '',
}: {
  readonly type?: string;
  readonly address?: string;
}): boolean {
  return address !== '' && (type === 'InternalIP' || type === 'ExternalIP' || type === 'CiliumInternalIP');
}

/** Checks the addresses of a Pod or Node. */
export function checkAddresses(kind: string, object: object, reader: Reader): void {
  if (kind === 'Pod') {
    for (const { path, address } of listedAddresses(object)) checkAddress(address, pathText(path), reader);
  }
  if (kind === 'Node') {
    const { status } = object as NodeObject;
    status?.addresses?.forEach((one, i) => {
      if (isNodeAddress(one)) checkAddress(one.address, `status.addresses[${i}].address`, reader);
    });
  }
}

export interface NodeObject {
  readonly status?: { readonly addresses?: readonly { readonly type?: string; readonly address?: string }[] };
}
