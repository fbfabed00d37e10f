/** Addresses that documents name: whoever compiles them may trust that they are some. */
import { isIP } from 'node:net';
import { parsePrefix } from '../../wire/prefix.ts';
import { pathText } from './document-path.ts';
import { quote } from '../rule/problems.ts';
import type { Reader } from './reader.ts';

/** A single IPv4 or IPv6 address: no length, no zone. IPv4 in IPv6 clothes is none, since the maps could not tell the two apart. */
export function isAddress(text: string): boolean {
  const family = text.includes('%') ? 0 : isIP(text);
  return family !== 0 && parsePrefix(text, 'host').family === family;
}

/** Says of a text that is no address that it is none. @returns whether it is one */
export function checkAddress(text: string, path: string, reader: Reader): boolean {
  if (isAddress(text)) return true;
  reader.problem(path, 'address', `read address: found ${quote(text)}, wanted an IPv4 or IPv6 address`);
  return false;
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

/** Checks the addresses of a Pod or Node. An empty one is not known yet, as the API server writes it. */
export function checkAddresses(kind: string, object: object, reader: Reader): void {
  if (kind === 'Pod') {
    for (const { path, address } of listedAddresses(object)) checkAddress(address, pathText(path), reader);
  }
  if (kind === 'Node') {
    const { status } = object as NodeObject;
    status?.addresses?.forEach((one, i) => {
      if (isNodeAddress(one) && one.address !== undefined)
        checkAddress(one.address, `status.addresses[${i}].address`, reader);
    });
  }
}

export interface NodeObject {
  readonly status?: { readonly addresses?: readonly { readonly type?: string; readonly address?: string }[] };
}
