/** DNS rules: may this identity ask for this name? */
import type { DnsRule, L7RuleSet } from '../../policy-maps/l7-rules.ts';
import { fqdnRegExp, normalizeName } from '../../wire/fqdn.ts';
import { firstAllowing, rulesFor } from '../offline.ts';
import type { OfflineRules } from '../protocol.ts';

/** A question, as far as rules see it. */
export interface DnsRequest {
  /** The name that is asked for, with or without its final dot. */
  readonly query: string;
}

/** The DNS rules of one rule set for one remote: alternatives; one of them without a DNS list allows every name. */
export function dnsOffline(ruleSet: L7RuleSet, remote: number): OfflineRules<DnsRequest> {
  const rules = rulesFor(ruleSet, remote);
  return ({ query }) => firstAllowing(rules, ({ dns }) => allowsName(dns, query));
}

function allowsName(rules: readonly DnsRule[] | null | undefined, name: string): boolean {
  if (rules === null || rules === undefined) return true;
  const normalized = normalizeName(name);
  return rules.some((rule) => fqdnRegExp(rule).test(normalized));
}
