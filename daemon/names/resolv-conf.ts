/**
 * The resolv.conf of a pod, as the kubelet makes it: of `dnsPolicy` (the cluster's name server and its search domains, what
 * the host has, or nothing), joined with `dnsConfig`. Pure.
 *
 * A name server on the host's loopback is none to a pod, whose loopback is another. Where the host has no other, the
 * cluster's stands in for it, which asks it.
 */
import { isIP } from 'node:net';
import type { PodNames, ResolverOption } from '../../policy/document/pod-names.ts';
import { isLoopback } from '../config/listen-address.ts';
import { MAX_NAMESERVERS, MAX_SEARCH_CHARACTERS, MAX_SEARCHES } from '../../policy/validate/pod-names.ts';

/** What a resolv.conf says. */
export interface ResolvConf {
  readonly nameservers: readonly string[];
  readonly searches: readonly string[];
  readonly options: readonly ResolverOption[];
}

/** Where a pod is. */
export interface NameSite {
  readonly namespace: string;
  readonly domain: string;
  /** Addresses of the cluster's name server, of families that the pod has; none = there is none. */
  readonly nameservers: readonly string[];
  /** What the host has. */
  readonly host: ResolvConf;
}

const NDOTS: ResolverOption = { name: 'ndots', value: '5' };

/** @returns undefined when the host's own file says the same */
export function podResolvConf(names: PodNames, site: NameSite): ResolvConf | undefined {
  const base = baseOf(names, site);
  const own = names.nameservers.length + names.searches.length + names.options.length;
  if (base === site.host && own === 0) return undefined;
  const nameservers = [...new Set([...base.nameservers, ...names.nameservers])].slice(0, MAX_NAMESERVERS);
  const searches = withinLimits([...new Set([...base.searches, ...names.searches])]);
  const options = new Map([...base.options, ...names.options].map((option) => [option.name, option]));
  return { nameservers, searches, options: [...options.values()] };
}

/** What `dnsPolicy` gives, before `dnsConfig`. */
function baseOf({ dnsPolicy }: PodNames, site: NameSite): ResolvConf {
  const { namespace, domain, nameservers, host } = site;
  if (dnsPolicy === 'None') return { nameservers: [], searches: [], options: [] };
  if (dnsPolicy !== 'Default' && nameservers.length > 0) {
    const searches = [`${namespace}.svc.${domain}`, `svc.${domain}`, domain, ...host.searches];
    return { nameservers, searches, options: [NDOTS] };
  }
  const reached = host.nameservers.filter((address) => !isLoopback(address));
  if (reached.length === host.nameservers.length) return host;
  return { ...host, nameservers: reached.length > 0 ? reached : nameservers };
}

function withinLimits(searches: readonly string[]): string[] {
  const kept = searches.slice(0, MAX_SEARCHES);
  while (kept.join(' ').length > MAX_SEARCH_CHARACTERS) kept.pop();
  return kept;
}

/** Reads a resolv.conf as resolvers do: what they would not understand counts for nothing. */
export function parseResolvConf(text: string): ResolvConf {
  const nameservers: string[] = [];
  let searches: readonly string[] = [];
  const options: ResolverOption[] = [];
  for (const line of text.split('\n')) {
    const [keyword, ...words] = line.trim().split(/\s+/);
    if (keyword === 'nameserver' && words[0] !== undefined && isIP(words[0]) !== 0) nameservers.push(words[0]);
    else if (keyword === 'search' || keyword === 'domain') searches = words.filter((word) => word !== '.');
    else if (keyword === 'options') {
      for (const word of words) {
        const [name, ...value] = word.split(':');
        options.push({ name, value: value.join(':') });
      }
    }
  }
  return { nameservers: nameservers.slice(0, MAX_NAMESERVERS), searches, options };
}

export function formatResolvConf({ nameservers, searches, options }: ResolvConf): string {
  const words = options.map(({ name, value }) => (value === '' ? name : `${name}:${value}`));
  const lines = [
    ...(searches.length > 0 ? [`search ${searches.join(' ')}`] : []),
    ...nameservers.map((address) => `nameserver ${address}`),
    ...(words.length > 0 ? [`options ${words.join(' ')}`] : []),
  ];
  return lines.map((line) => `${line}\n`).join('');
}
