/**
 * The L7 rules that allow the requests of a port, exactly or in general.
 *
 *   exact     every method with its path, every name, every topic with what was done to it
 *   general   methods of one path in one rule; numbers, UUIDs and long hexadecimal parts of a path for any such; any query string where
 *             one was seen; all methods of a gRPC service; from 3 names of one domain on, the domain; what a producer or a consumer of a topic does
 */
import { namesTopics, ROLES } from '../../l7proxy/kafka/api-keys.ts';
import { API_KEY_NAMES } from '../../wire/kafka.ts';
import type { FlowQuery } from '../query.ts';
import { escapeRegExp } from '../literal.ts';
import type { Request } from '../flows/sighting.ts';

export type L7Mode = 'exact' | 'general' | 'off';

/** Rules for a port: `rules` of a port rule, or its `serverNames`. */
export type L7Part =
  | { readonly rules: Readonly<Record<string, readonly object[]>> }
  | { readonly serverNames: readonly string[] };

export interface L7Choice {
  /** undefined: every request passes. */
  readonly part: L7Part | undefined;
  /** What that allows besides what was seen. */
  readonly notes: readonly string[];
}

type Kind = keyof Request;

/** A question that stands for all, where answers have to be read and questions are not to be judged. */
export const ANY_NAME = '*';

/**
 * @param isEgress DNS rules are for egress alone
 * @param unnamed paths that no pattern can mean exactly, as a judge found
 */
export function l7Of(
  requests: readonly Request[],
  mode: L7Mode,
  { isEgress, unnamed }: { isEgress: boolean; unnamed: ReadonlySet<string> },
): L7Choice {
  const kinds = [...new Set(requests.flatMap((request) => Object.keys(request) as Kind[]))];
  if (kinds.length === 0) return { part: undefined, notes: [] };
  const isAnyName = isEgress && requests.some(({ dns }) => dns?.query === ANY_NAME);
  if (isAnyName) return { part: { rules: { dns: [{ matchPattern: ANY_NAME }] } }, notes: [] };
  if (mode === 'off') return open('requests are not looked at: every request passes');
  if (kinds.length > 1)
    return open(`requests of several protocols (${kinds.sort().join(', ')}) on one port: every request passes`);
  const [kind] = kinds;
  const of = <K extends Kind>(key: K): NonNullable<Request[K]>[] =>
    requests.flatMap((request) => (request[key] === undefined ? [] : [request[key]]));
  const isGeneral = mode === 'general';
  switch (kind) {
    case 'http':
      return httpOf(of('http'), isGeneral, unnamed);
    case 'dns':
      return isEgress
        ? dnsOf(
            of('dns').map(({ query }) => query),
            isGeneral,
          )
        : open('every DNS name may be asked for');
    case 'kafka':
      return kafkaOf(of('kafka'), isGeneral);
    case 'sni':
      return sniOf(of('sni'), isGeneral);
  }
}

function open(note: string): L7Choice {
  return { part: undefined, notes: [note] };
}

type Http = NonNullable<FlowQuery['http']>;

function httpOf(requests: readonly Http[], isGeneral: boolean, unnamed: ReadonlySet<string>): L7Choice {
  const notes = new Set(['HTTP requests pass by method and path, whatever their host and headers']);
  const methodsOf = new Map<string, Set<string>>();
  for (const { method = 'GET', path = '/' } of requests) {
    const isNamed = !unnamed.has(path) && method !== 'CONNECT';
    if (!isNamed) notes.add('some paths cannot be named exactly: their methods pass with every path');
    const general = isGeneral ? generalPath(method, path) : escapeRegExp(path);
    const pattern = isNamed ? redacted(general) : '';
    if (isNamed && general !== escapeRegExp(path))
      notes.add('parts of paths that look like identifiers, and query strings, may be any others');
    if (pattern !== general && isNamed) notes.add('query strings that were redacted may be any');
    methodsOf.set(pattern, (methodsOf.get(pattern) ?? new Set()).add(method));
  }
  const http = [...methodsOf]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .flatMap(([path, methods]) =>
      methodRules([...methods].sort(), isGeneral).map((method) => httpRule(method, path, requests)),
    );
  return { part: { rules: { http } }, notes: [...notes].sort() };
}

/** CONNECT names a host and no path. */
function httpRule(method: string, path: string, requests: readonly Http[]): object {
  if (method !== 'CONNECT') return { method, ...(path !== '' && { path }) };
  const hosts = [...new Set(requests.flatMap((one) => (one.method === 'CONNECT' ? [one.host ?? one.path ?? ''] : [])))];
  return { method, host: hosts.sort().map(escapeRegExp).join('|') };
}

function methodRules(methods: readonly string[], isGeneral: boolean): string[] {
  const plain = methods.filter((method) => method !== 'CONNECT').map(escapeRegExp);
  const connect = methods.filter((method) => method === 'CONNECT');
  return [...(isGeneral && plain.length > 0 ? [plain.join('|')] : plain), ...connect];
}

const IDENTIFIERS: readonly (readonly [RegExp, string])[] = [
  [/^\d+$/, '[0-9]+'],
  [/^[\da-f]{8}-[\da-f]{4}-[\da-f]{4}-[\da-f]{4}-[\da-f]{12}$/i, '[0-9A-Fa-f-]{36}'],
  [/^(?=.*\d)[\da-f]{12,}$/i, '[0-9A-Fa-f]+'],
];
const GRPC_PATH = /^\/((?:[A-Za-z_]\w*\.)+[A-Za-z_]\w*)\/[A-Za-z_]\w*$/;

function generalPath(method: string, text: string): string {
  const [path, query] = [text.replace(/\?.*$/s, ''), text.includes('?')];
  const service = method === 'POST' && !query ? GRPC_PATH.exec(path)?.[1] : undefined;
  if (service !== undefined) return `/${escapeRegExp(service)}/[A-Za-z0-9_]+`;
  const parts = path
    .split('/')
    .map((part) => IDENTIFIERS.find(([looks]) => looks.test(part))?.[1] ?? escapeRegExp(part));
  return `${parts.join('/')}${query ? '(\\?.*)?' : ''}`;
}

/** What an export replaced stands for whatever was there. */
function redacted(pattern: string): string {
  return pattern.replaceAll('HUBBLE_REDACTED', '.*');
}

/** From so many names of one domain on, its names in general. */
const MANY_NAMES = 3;

function dnsOf(queries: readonly string[], isGeneral: boolean): L7Choice {
  const names = [...new Set(queries)].sort();
  const { exact, domains } = isGeneral ? domainsOf(names) : { exact: names, domains: [] };
  const rules = [
    ...domains.map((domain) => ({ matchPattern: `*.${domain}` })),
    ...exact.map((matchName) => ({ matchName })),
  ];
  const notes = domains.map((domain) => `every name in ${domain} may be asked for`);
  return { part: { rules: { dns: rules } }, notes };
}

function domainsOf(names: readonly string[]): { exact: string[]; domains: string[] } {
  const parentOf = (name: string): string => name.slice(name.indexOf('.') + 1);
  const counts = new Map<string, number>();
  for (const name of names) {
    const parent = parentOf(name);
    // `*.com` would be half of the world.
    if (name.includes('.') && parent.includes('.')) counts.set(parent, (counts.get(parent) ?? 0) + 1);
  }
  const domains = [...counts].filter(([, count]) => count >= MANY_NAMES).map(([domain]) => domain);
  return { exact: names.filter((name) => !domains.includes(parentOf(name))), domains: domains.sort() };
}

type Kafka = NonNullable<FlowQuery['kafka']>;

function kafkaOf(requests: readonly Kafka[], isGeneral: boolean): L7Choice {
  const byTopic = new Map<string, Set<string>>();
  for (const { apiKey = '', topic = '' } of requests)
    byTopic.set(topic, (byTopic.get(topic) ?? new Set()).add(String(apiKey)));
  const roles = isGeneral ? rolesOf(byTopic) : [];
  const isOfRole = (topic: string, key: string): boolean =>
    roles.some(
      (one) =>
        ROLES[one.role].includes(API_KEY_NAMES.indexOf(key)) &&
        (one.topic === topic || !namesTopics(API_KEY_NAMES.indexOf(key))),
    );
  const exact = [...byTopic]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .flatMap(([topic, keys]) =>
      [...keys]
        .sort()
        .filter((key) => !isOfRole(topic, key))
        .map((apiKey) => ({ apiKey, ...(topic !== '' && { topic }) })),
    );
  const notes = roles.length > 0 ? ['Kafka clients may do all that producers and consumers of their topics do'] : [];
  return { part: { rules: { kafka: [...roles, ...exact] } }, notes };
}

/** Who produces to a topic, and who consumes it, by what only they do. */
function rolesOf(byTopic: ReadonlyMap<string, ReadonlySet<string>>): { role: 'produce' | 'consume'; topic: string }[] {
  return [...byTopic]
    .filter(([topic]) => topic !== '')
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .flatMap(([topic, keys]) => {
      const isConsumer = keys.has('fetch') || keys.has('offsets');
      const isProducer = keys.has('produce');
      return [
        ...(isProducer ? [{ role: 'produce', topic } as const] : []),
        ...(isConsumer ? [{ role: 'consume', topic } as const] : []),
      ];
    });
}

function sniOf(names: readonly string[], isGeneral: boolean): L7Choice {
  const sorted = [...new Set(names)].sort();
  if (sorted.includes('')) return open('TLS without a server name was seen: every server name passes');
  const { exact, domains } = isGeneral ? domainsOf(sorted) : { exact: sorted, domains: [] };
  const serverNames = [...domains.map((domain) => `*.${domain}`), ...exact];
  return { part: { serverNames }, notes: domains.map((domain) => `every server name in ${domain} passes`) };
}
