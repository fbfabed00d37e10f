/** What was learnt from DNS, as documents: `sluice fqdn`, and a part of the status. */
import type { FqdnCacheDocument, FqdnSelectorDocument, NamesDocument } from '../../api/shapes.ts';
import { deafRules } from '../../policy/fqdn/deaf.ts';
import { addressOf } from '../../policy/fqdn/pre-cache.ts';
import { LabelSet } from '../../policy/rule/labels.ts';
import { policyName } from '../../policy/rule/rule.ts';
import { fqdnRegExp } from '../../wire/fqdn.ts';
import type { Agent } from '../agent.ts';
import { ApiError } from './router.ts';

/** A pattern of names that a query gives; '' = all. @throws ApiError when it is none */
export function patternIn(query: URLSearchParams): string {
  const pattern = query.get('pattern') ?? '';
  if (/^[-a-zA-Z0-9_.*]{0,255}$/.test(pattern)) return pattern;
  throw new ApiError(
    400,
    `pattern: found "${pattern}", wanted a name with * for any characters, such as *.example.com`,
  );
}

/** `GET /v1/fqdn/cache`: the addresses that one answer gave and that end together are one document. */
export function fqdnCacheDocuments({ learning }: Agent, query: URLSearchParams): FqdnCacheDocument[] {
  const pattern = patternIn(query);
  const regexp = pattern === '' ? undefined : fqdnRegExp({ matchPattern: pattern });
  const [endpoint, source] = [query.get('endpoint'), query.get('source')];
  const found = new Map<string, FqdnCacheDocument & { ips: string[] }>();
  for (const lookup of learning.cache.entries()) {
    const { pair } = lookup;
    const kind = pair.isGuarded ? 'guarded' : lookup.pendingSec === Number.POSITIVE_INFINITY ? 'lookup' : 'connection';
    const isWanted = (endpoint ?? String(lookup.endpoint)) === String(lookup.endpoint) && (source ?? kind) === kind;
    if (!isWanted || regexp?.test(pair.name) === false) continue;
    const { lookedUpMs, expiresMs, ttlSec } = learning.timesOf(lookup);
    const [lookupTime, expirationTime] = [lookedUpMs, expiresMs].map((ms) => new Date(ms).toISOString());
    const key = [lookup.endpoint, kind, pair.name, lookup.lookedUpSec, lookup.expiresSec, ttlSec].join(' ');
    const document = found.get(key) ?? {
      'endpoint-id': lookup.endpoint,
      source: kind,
      fqdn: pair.name,
      ttl: ttlSec,
      'lookup-time': lookupTime,
      'expiration-time': expirationTime,
      ips: [],
    };
    document.ips.push(addressOf(pair.prefix));
    found.set(key, document);
  }
  return [...found.values()];
}

/** `GET /v1/fqdn/names`. */
export function fqdnSelectorDocuments({ compilation }: Agent): FqdnSelectorDocument[] {
  return [...compilation.cluster.names.selectors()];
}

/** Of the status. */
export function namesDocument(agent: Agent): NamesDocument {
  const { cache, counts } = agent.learning;
  const { lookups, names, zombies } = cache.size;
  return {
    selectors: agent.compilation.cluster.names.patterns().length,
    names,
    lookups,
    zombies,
    ...counts,
    unlearnt: unlearnt(agent),
  };
}

/** Policies with toFQDNs for whose pods no DNS rule is in force. */
function unlearnt({ compilation, directory }: Agent): NamesDocument['unlearnt'] {
  const { policies, names } = compilation.cluster;
  if (!names.hasPatterns) return [];
  const pods = new Map<string, string[]>();
  for (const [id, { identity, labels }] of directory.published) {
    const rules = policies.rulesFor(identity, new LabelSet(labels), 'pod').map(({ rule }) => rule);
    const { namespace = '', podName = `endpoint ${id}` } = directory.endpoint(id) ?? {};
    for (const policy of new Set(deafRules(rules).map(({ origin }) => policyName(origin)))) {
      pods.set(policy, [...(pods.get(policy) ?? []), namespace === '' ? podName : `${namespace}/${podName}`]);
    }
  }
  return [...pods].map(([policy, all]) => ({ policy, pods: all }));
}
