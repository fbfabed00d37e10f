/** Addresses that documents name: whoever compiles them may trust that they are some. */
import { isIP } from 'node:net';
import { contains, parsePrefix } from '../../wire/prefix.ts';
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

/** No machine can have these, or only itself: who sent frames there would reach the node, and who took those for them its own talk. */
const IMPOSSIBLE = [
  { prefix: '0.0.0.0/8', what: 'an unspecified' },
  { prefix: '127.0.0.0/8', what: 'a loopback' },
  { prefix: '169.254.0.0/16', what: 'a link-local' },
  { prefix: '224.0.0.0/4', what: 'a multicast' },
  { prefix: '255.255.255.255/32', what: 'the broadcast' },
  { prefix: '::/127', what: 'an unspecified or loopback' },
  { prefix: 'fe80::/10', what: 'a link-local' },
  { prefix: 'ff00::/8', what: 'a multicast' },
].map(({ prefix, what }) => ({ prefix: parsePrefix(prefix), what }));

/** What kind of address it is that no machine can have; '' when one can. Preconditions: it is an address */
export function impossibleUse(text: string): string {
  const address = parsePrefix(text, 'host');
  return IMPOSSIBLE.find(({ prefix }) => contains(prefix, address))?.what ?? '';
}

/** Checks an address that traffic may be sent to. @returns whether it is one */
export function checkMachineAddress(text: string, path: string, reader: Reader): boolean {
  // An empty address is one that is not known yet, as the API server writes it.
  if (text === '') return false;
  if (!checkAddress(text, path, reader)) return false;
  const use = impossibleUse(text);
  if (use !== '')
    reader.problem(path, 'address', `read address: found ${use} address, ${text}, wanted one of a machine`);
  return use === '';
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
    for (const { path, address } of listedAddresses(object)) checkMachineAddress(address, pathText(path), reader);
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
