/**
 * DNS rules: may this identity ask for this name? The only place that says so, on the wire and offline. Rules for one remote are
 * alternatives; one of them without a DNS list allows every name, whatever bytes it has.
 */
import type { L7RuleSet } from '../../policy-maps/l7-rules.ts';
import { EGRESS, INGRESS } from '../../wire/direction.ts';
import { RCODE_NAME_ERROR, RCODE_REFUSED } from '../../wire/dns/message.ts';
import { DomainName } from '../../wire/dns/name.ts';
import { RuleJudge } from '../judge.ts';
import { rulesFor } from '../offline.ts';
import type { JudgeKey } from '../parser.ts';
import type { OfflineRules, ProtocolServices } from '../protocol.ts';
import { NameRules } from './name-rules.ts';

/** A question, as far as rules see it. */
export interface DnsRequest {
  /** The name that is asked for, with or without its final dot. */
  readonly query: string;
}

/** The DNS rules of one rule set for one remote. */
class RemoteNames {
  readonly refusalCode: number;
  /** Of the first rule: what refusals are told with; 0 = no rule is for this remote. */
  readonly firstCookie: number;
  readonly #cookies: readonly number[];
  /** null = every name. */
  readonly #names: readonly (NameRules | null)[];

  constructor(ruleSet: L7RuleSet, remote: number, seed: number) {
    const rules = rulesFor(ruleSet, remote);
    this.refusalCode = ruleSet.nameError === true ? RCODE_NAME_ERROR : RCODE_REFUSED;
    this.firstCookie = rules[0]?.cookie ?? 0;
    this.#cookies = rules.map(({ cookie }) => cookie);
    this.#names = rules.map(({ dns }) => (dns === null || dns === undefined ? null : new NameRules(dns, seed)));
  }

  /** @returns the cookie of the first rule that allows the name, -1 when none does */
  judge(name: DomainName): number {
    for (let i = 0; i < this.#names.length; i++) {
      const names = this.#names[i];
      if (names === null || names.matches(name)) return this.#cookies[i];
    }
    return -1;
  }
}

/** Judges offline. */
export function dnsOffline(ruleSet: L7RuleSet, remote: number): OfflineRules<DnsRequest> {
  const rules = new RemoteNames(ruleSet, remote, 0);
  const name = new DomainName();
  return ({ query }) => (name.loadText(query) ? rules.judge(name) : -1);
}

/** The same on the wire: both ends' rules must allow. */
export class DnsJudge extends RuleJudge<RemoteNames> {
  /** Of the last question: who refused it (0 = nobody), what refusals answer, the rules of both ends that decided. */
  deniedBy = 0;
  refusalCode = RCODE_REFUSED;
  egressCookie = 0;
  ingressCookie = 0;

  constructor(services: ProtocolServices, key: JudgeKey, nextId: () => number) {
    super(services, (ruleSet, remote) => new RemoteNames(ruleSet, remote, services.seed), key, nextId);
  }

  /** @returns whether the name may be asked for */
  judge(name: DomainName): boolean {
    this.refresh();
    this.deniedBy = 0;
    this.refusalCode = RCODE_REFUSED;
    this.egressCookie = this.#ask(this.egress, this.isEgressMissing, name, EGRESS);
    this.ingressCookie = this.deniedBy === 0 ? this.#ask(this.ingress, this.isIngressMissing, name, INGRESS) : 0;
    return this.deniedBy === 0;
  }

  #ask(rules: RemoteNames | null, isMissing: boolean, name: DomainName, direction: number): number {
    if (rules === null && !isMissing) return 0;
    const cookie = rules === null ? -1 : rules.judge(name);
    if (cookie >= 0) return cookie;
    this.deniedBy = direction;
    if (rules === null) return 0;
    this.refusalCode = rules.refusalCode;
    return rules.firstCookie;
  }
}
