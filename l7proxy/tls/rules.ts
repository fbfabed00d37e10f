/** Rules of server names: may this identity begin TLS with this server? */
import type { L7RuleSet } from '../../policy-maps/l7-rules.ts';
import { firstAllowing, rulesFor } from '../offline.ts';
import type { OfflineRules } from '../protocol.ts';

/** A ClientHello, as far as rules see it. */
export interface TlsRequest {
  readonly serverName: string;
}

/** The rules of one rule set for one remote: alternatives; one of them without names allows every server. */
export function tlsOffline(ruleSet: L7RuleSet, remote: number): OfflineRules<TlsRequest> {
  const rules = rulesFor(ruleSet, remote);
  return ({ serverName }) => firstAllowing(rules, ({ serverNames }) => allowsServer(serverNames, serverName));
}

/** Server names are patterns: `*.a.example` is one label, `**.a.example` any number of them. */
function allowsServer(names: readonly string[] | undefined, name: string): boolean {
  if (names === undefined) return true;
  const wanted = name.toLowerCase().replace(/\.$/, '');
  return names.some((pattern) => {
    if (pattern === '*') return true;
    const [, stars, rest] = /^(\*{0,2})(.*)$/.exec(pattern.toLowerCase()) ?? [];
    if (stars === '') return wanted === rest;
    const head = wanted.slice(0, wanted.length - rest.length);
    return wanted.endsWith(rest) && head !== '' && (stars === '**' || !head.includes('.'));
  });
}
