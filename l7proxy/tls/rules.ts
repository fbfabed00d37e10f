/**
 * Rules of server names: may this identity begin TLS with this server? The only place that says so, on the wire and offline.
 * Rules for one remote are alternatives; one of them without names allows every stream, whatever it is.
 */
import type { L7RuleSet } from '../../policy-maps/l7-rules.ts';
import { EGRESS, INGRESS } from '../../wire/direction.ts';
import { RuleJudge } from '../judge.ts';
import { rulesFor } from '../offline.ts';
import type { JudgeKey } from '../parser.ts';
import type { OfflineRules, ProtocolServices } from '../protocol.ts';
import { ServerName, ServerNames } from './server-name.ts';

/** A ClientHello, as far as rules see it. */
export interface TlsRequest {
  readonly serverName: string;
}

/** The rules of one set for one remote. */
class RemoteNames {
  /** A rule says nothing of names. */
  readonly isOpen: boolean;
  readonly #cookies: readonly number[];
  /** null = every stream. */
  readonly #names: readonly (ServerNames | null)[];

  constructor(ruleSet: L7RuleSet, remote: number) {
    const rules = rulesFor(ruleSet, remote);
    this.#cookies = rules.map(({ cookie }) => cookie);
    this.#names = rules.map(({ serverNames }) => (serverNames === undefined ? null : new ServerNames(serverNames)));
    this.isOpen = this.#names.includes(null);
  }

  /** @param name null = the hello has none that could match @returns the cookie of the first rule that allows it, -1 = none */
  judge(name: ServerName | null): number {
    for (let i = 0; i < this.#names.length; i++) {
      const names = this.#names[i];
      if (names === null || (name !== null && names.matches(name))) return this.#cookies[i];
    }
    return -1;
  }
}

/** Judges offline. */
export function tlsOffline(ruleSet: L7RuleSet, remote: number): OfflineRules<TlsRequest> {
  const rules = new RemoteNames(ruleSet, remote);
  const name = new ServerName();
  return ({ serverName }) => {
    const bytes = Buffer.from(serverName);
    return rules.judge(name.load(bytes, 0, bytes.length) ? name : null);
  };
}

/** The same on the wire: both ends' rules must allow. */
export class TlsJudge extends RuleJudge<RemoteNames> {
  /** Of the last hello: who refused it (0 = nobody), and the rules of both ends that allowed it. */
  deniedBy = 0;
  egressCookie = 0;
  ingressCookie = 0;

  constructor(services: ProtocolServices, key: JudgeKey, nextId: () => number) {
    super(services, (ruleSet, remote) => new RemoteNames(ruleSet, remote), key, nextId);
  }

  /** No end asks for names: the stream need not be TLS. */
  get isOpen(): boolean {
    return this.isUsable && (this.egress?.isOpen ?? true) && (this.ingress?.isOpen ?? true);
  }

  /** @param name null = the hello has none that could match @returns whether it may go on */
  judge(name: ServerName | null): boolean {
    this.refresh();
    this.deniedBy = 0;
    this.egressCookie = this.#ask(this.egress, this.isEgressMissing, name, EGRESS);
    this.ingressCookie = this.deniedBy === 0 ? this.#ask(this.ingress, this.isIngressMissing, name, INGRESS) : 0;
    return this.deniedBy === 0;
  }

  #ask(rules: RemoteNames | null, isMissing: boolean, name: ServerName | null, direction: number): number {
    if (rules === null && !isMissing) return 0;
    const cookie = rules === null ? -1 : rules.judge(name);
    if (cookie < 0) this.deniedBy = direction;
    return Math.max(cookie, 0);
  }
}
