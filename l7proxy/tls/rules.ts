/** Rules of server names: may this identity begin TLS with this server? */
import type { L7RuleSet } from '../../policy-maps/l7-rules.ts';
import { fqdnRegExp, normalizeName } from '../../wire/fqdn.ts';
import { firstAllowing, rulesFor } from '../offline.ts';
import type { OfflineRules } from '../protocol.ts';

/** A ClientHello, as far as rules see it. */
export interface TlsRequest {
  readonly serverName: string;
}

/** The rules of one rule set for one remote: alternatives; one of them without names allows every server. */
export function tlsOffline(ruleSet: L7RuleSet, remote: number): OfflineRules<TlsRequest> {
  const rules = rulesFor(ruleSet, remote).map(({ serverNames, cookie }) => ({
    cookie,
    // Cilium (sanitizeServerNamePattern) means by the stars of server names what it means by those of DNS names.
    patterns: serverNames?.map((matchPattern) => fqdnRegExp({ matchPattern })),
  }));
  return ({ serverName }) => {
    const name = normalizeName(serverName);
    return firstAllowing(rules, ({ patterns }) => patterns === undefined || patterns.some((one) => one.test(name)));
  };
}
