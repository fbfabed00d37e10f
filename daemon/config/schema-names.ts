/** Options of names; a part of config/schema.ts. */
import { isIP } from 'node:net';
import { SERVER_PORT } from '../../nameserver/host-resolvers.ts';
import { MAX_UPSTREAMS } from '../../nameserver/zone-file.ts';
import { isDnsSubdomain } from '../../policy/validate/names.ts';
import { rangeProblem } from '../attach/range.ts';
import type { Option } from './option.ts';

/** Reads `192.0.2.1`, `192.0.2.1:5353`, `2001:db8::1` or `[2001:db8::1]:5353`. @returns undefined for anything else */
export function readNameServer(text: string): { address: string; port: number } | undefined {
  if (text.includes('%')) return undefined;
  if (isIP(text) !== 0) return { address: text, port: SERVER_PORT };
  const [, bracketed, plain, number] = /^(?:\[([^\]]+)\]|([^:]+)):(\d{1,5})$/.exec(text) ?? [];
  const address = bracketed ?? plain ?? '';
  const port = Number(number);
  return isIP(address) === (bracketed === undefined ? 4 : 6) && port >= 1 && port <= 65535
    ? { address, port }
    : undefined;
}

/** Of `dns`. */
export const DNS: Readonly<Record<string, Option>> = {
  enabled: {
    type: 'boolean',
    meaning: 'a name server of our own, Service kube-system/kube-dns, unless the documents bring one',
    fallback: true,
  },
  domain: {
    type: 'string',
    meaning: "the cluster's domain",
    fallback: 'cluster.local',
    check: (text) => (isDnsSubdomain(text) ? undefined : 'a DNS name in lower case, without a final dot'),
  },
  upstreams: {
    type: 'list',
    meaning:
      'who it asks for names of other domains, at most 16, as ADDRESS, ADDRESS:PORT or [ADDRESS]:PORT; default: those of /etc/resolv.conf, followed',
    fallback: [],
    max: MAX_UPSTREAMS,
    check: (text) => (readNameServer(text) === undefined ? 'ADDRESS, ADDRESS:PORT or [ADDRESS]:PORT' : undefined),
  },
  guard: {
    type: 'boolean',
    meaning:
      'names outside the domain teach no address of the inside: private, link-local, loopback, of pods and Services; those of the domain none of links and machines, see [DNS](dns.md#guard)',
    fallback: true,
  },
  guardExcept: {
    type: 'list',
    meaning: 'prefixes that any name may have',
    fallback: [],
    check: (text) => rangeProblem(text),
  },
};
