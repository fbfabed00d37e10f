/** What the API server refuses in what a pod says of names. Each text becomes part of a file in the pod, so none may hold a blank. */
import { isIP } from 'node:net';
import type { DnsConfigDocument, NamesDocument } from '../document/pod-names.ts';
import type { Reader } from '../document/reader.ts';
import { quote } from '../rule/problems.ts';
import { isDnsLabel, isDnsName, isDnsSubdomain } from './names.ts';

export const MAX_NAMESERVERS = 3;
export const MAX_SEARCHES = 32;
/** Of all search domains together, blanks between them included. */
export const MAX_SEARCH_CHARACTERS = 2048;

/** @param path where the pod's `spec` lies, of a Pod or of the template of a workload */
export function validatePodNames(object: object, path: string, reader: Reader): void {
  let value: unknown = object;
  for (const name of path.split('.')) value = (value as Record<string, unknown> | undefined)?.[name];
  const { hostname, subdomain, hostAliases = [], dnsPolicy, dnsConfig = {} } = (value ?? {}) as NamesDocument;
  const label = "at most 63 lower-case letters, digits and '-'";
  for (const [field, text] of Object.entries({ hostname, subdomain })) {
    if (text === undefined || text === '' || isDnsLabel(text)) continue;
    reader.problem(`${path}.${field}`, 'name', `read ${field}: found ${quote(text)}, wanted ${label}`);
  }
  hostAliases.forEach(({ ip = '', hostnames = [] }, i) => {
    checkIp(ip, `${path}.hostAliases[${i}].ip`, reader);
    hostnames.forEach((text, j) => {
      if (isDnsSubdomain(text)) return;
      const place = `${path}.hostAliases[${i}].hostnames[${j}]`;
      reader.problem(place, 'name', `read host name: found ${quote(text)}, wanted a DNS name in lower case`);
    });
  });
  checkDnsConfig(dnsConfig, `${path}.dnsConfig`, reader);
  if (dnsPolicy !== 'None' || (dnsConfig.nameservers?.length ?? 0) > 0) return;
  const wanted = 'wanted one name server at least, as dnsPolicy is None';
  reader.problem(`${path}.dnsConfig`, 'missing-field', `read dnsConfig: found no nameservers, ${wanted}`);
}

function checkDnsConfig(config: DnsConfigDocument, path: string, reader: Reader): void {
  const { nameservers = [], searches = [], options = [] } = config;
  atMost(nameservers.length, MAX_NAMESERVERS, `${path}.nameservers`, reader);
  nameservers.forEach((text, i) => checkIp(text, `${path}.nameservers[${i}]`, reader));
  atMost(searches.length, MAX_SEARCHES, `${path}.searches`, reader);
  const characters = searches.join(' ').length;
  if (characters > MAX_SEARCH_CHARACTERS) {
    const message = `read searches: found ${characters} characters, wanted at most ${MAX_SEARCH_CHARACTERS}`;
    reader.problem(`${path}.searches`, 'too-many', message);
  }
  searches.forEach((text, i) => {
    if (text === '.' || isDnsName(text, false)) return;
    reader.problem(`${path}.searches[${i}]`, 'name', `read search: found ${quote(text)}, wanted a DNS name`);
  });
  options.forEach(({ name = '', value = '' }, i) => {
    const [field, text] = isWord(name) ? ['value', value] : ['name', name];
    if (isWord(name) && (value === '' || isWord(value))) return;
    const message = `read option: found ${quote(text)}, wanted characters without blanks`;
    reader.problem(`${path}.options[${i}].${field}`, 'name', message);
  });
}

function isWord(text: string): boolean {
  return /^[!-~]+$/.test(text);
}

function checkIp(text: string, path: string, reader: Reader): void {
  // A zone (%eth0) names an interface of who wrote it.
  if (isIP(text) === 0 || text.includes('%'))
    reader.problem(path, 'address', `read address: found ${quote(text)}, wanted one of IPv4 or IPv6`);
}

function atMost(found: number, most: number, path: string, reader: Reader): void {
  if (found > most) reader.problem(path, 'too-many', `read ${path}: found ${found}, wanted at most ${most}`);
}
