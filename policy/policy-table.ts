/** The policies in force, their rules by subject, and the rules that select an identity. */
import type { Compiler, NumberedRule } from './compile/compiler.ts';
import { mentionsSecret, withSecrets } from './header-secrets.ts';
import type { LabelSet } from './rule/labels.ts';
import { labelsPeer, type Peer } from './rule/peer.ts';
import { MultiMap } from './rule/multi-map.ts';
import { type Element, type Policy, policyName, type Rule } from './rule/rule.ts';
import type { CachedPeer, SelectorUser } from './identity/selector-cache.ts';
import type { Problem } from './rule/problems.ts';
import type { SecretTable } from './secret-table.ts';
import { selects } from './rule/selector.ts';
import type { ServiceTable } from './service-table.ts';

/** What the table tells its cluster. */
export interface PolicyEvents {
  /** The peers of the rule matter from now on. */
  readonly use: (rule: NumberedRule) => void;
  readonly unuse: (rule: NumberedRule) => void;
  /** Endpoints of the identity are selected by other rules than before. */
  readonly touch: (identity: number) => void;
  /** Host endpoints may be. */
  readonly touchHost: () => void;
}

interface LivePolicy {
  readonly policy: Policy;
  readonly rules: readonly NumberedRule[];
  readonly text: string;
  /** Of its secrets. */
  readonly problems: readonly Problem[];
}

export class PolicyTable implements SelectorUser {
  readonly #policies = new Map<string, LivePolicy>();
  readonly #subjects = new MultiMap<CachedPeer, NumberedRule>();
  readonly #cachedSubjects = new Map<number, CachedPeer>();
  readonly #hostRules = new Set<NumberedRule>();
  readonly #audited = new Set<number>();
  #nextNumber = 1;

  readonly #compiler: Compiler;
  readonly #services: ServiceTable;
  readonly #secrets: SecretTable;
  readonly #events: PolicyEvents;

  constructor(compiler: Compiler, services: ServiceTable, secrets: SecretTable, events: PolicyEvents) {
    this.#compiler = compiler;
    this.#services = services;
    this.#secrets = secrets;
    this.#events = events;
  }

  get size(): number {
    return this.#policies.size;
  }

  *[Symbol.iterator](): Iterator<Policy> {
    for (const { policy } of this.#policies.values()) yield policy;
  }

  /** Does nothing when the same policy is there already. */
  set(policy: Policy): void {
    const name = policyName(policy);
    const problems: Problem[] = [];
    const resolve = (rule: Rule) => withSecrets(this.#withServices(rule), this.#secrets, problems);
    const resolved = { ...policy, rules: policy.rules.map(resolve) };
    const text = textOf(resolved);
    const before = this.#policies.get(name);
    if (before?.text === text) {
      this.#policies.set(name, { ...before, policy, problems });
      return;
    }
    const rules = resolved.rules.map((rule) => this.#add(rule, policy));
    this.#policies.set(name, { policy, rules, text, problems });
    // The old rules go after the new ones came, so that what both name stays known throughout.
    for (const rule of before?.rules ?? []) this.#drop(rule);
  }

  remove(ref: { kind: string; namespace: string; name: string }): boolean {
    const name = policyName(ref);
    const held = this.#policies.get(name);
    if (held === undefined) return false;
    this.#policies.delete(name);
    for (const rule of held.rules) this.#drop(rule);
    return true;
  }

  /** Rules about these services are made anew; those that come out the same stay. @param keys `namespace/name` */
  servicesChanged(keys: ReadonlySet<string>): void {
    for (const { policy } of [...this.#policies.values()]) if (this.#mentions(policy, keys)) this.set(policy);
  }

  /** The same of secrets. @param keys `namespace/name` */
  secretsChanged(keys: ReadonlySet<string>): void {
    for (const { policy } of [...this.#policies.values()]) {
      if (policy.rules.some((rule) => mentionsSecret(rule, keys))) this.set(policy);
    }
  }

  /** Secrets that rules name, and that say nothing. */
  get missingSecrets(): readonly Problem[] {
    return [...this.#policies.values()].flatMap(({ problems }) => problems);
  }

  #mentions({ rules }: Policy, keys: ReadonlySet<string>): boolean {
    const concerns = ({ service }: Peer): boolean => service !== undefined && this.#services.concerns(service, keys);
    const mentions = ({ peers }: Element): boolean => peers.some(concerns);
    return rules.some(({ ingress, egress }) => ingress.some(mentions) || egress.some(mentions));
  }

  #add(rule: Rule, policy: Policy): NumberedRule {
    const numbered: NumberedRule = { number: this.#nextNumber++, order: policyName(policy), rule };
    if (policy.audit) this.#audited.add(numbered.number);
    this.#events.use(numbered);
    if (rule.selectsNodes) {
      this.#hostRules.add(numbered);
      this.#events.touchHost();
      return numbered;
    }
    const cached = this.#compiler.selectors.use(labelsPeer(rule.subject), this);
    this.#subjects.add(cached, numbered);
    this.#cachedSubjects.set(numbered.number, cached);
    for (const identity of cached.identities) this.#events.touch(identity);
    return numbered;
  }

  #drop(numbered: NumberedRule): void {
    this.#events.unuse(numbered);
    this.#audited.delete(numbered.number);
    if (this.#hostRules.delete(numbered)) {
      this.#events.touchHost();
      return;
    }
    const cached = this.#cachedSubjects.get(numbered.number);
    if (cached === undefined) return;
    this.#cachedSubjects.delete(numbered.number);
    for (const identity of cached.identities) this.#events.touch(identity);
    this.#subjects.remove(cached, numbered);
    this.#compiler.selectors.release(cached, this);
  }

  /** A subject began or ceased to select an identity. */
  touch(identity: number): void {
    this.#events.touch(identity);
  }

  rulesFor(identity: number, labels: LabelSet, kind: 'pod' | 'init' | 'host'): NumberedRule[] {
    if (kind === 'host') {
      const isEnforced = this.#compiler.options['enable-host-firewall'];
      return isEnforced ? [...this.#hostRules].filter(({ rule }) => selects(rule.subject, labels)) : [];
    }
    const rules: NumberedRule[] = [];
    for (const cached of this.#compiler.selectors.holders(identity)) rules.push(...this.#subjects.get(cached));
    return rules;
  }

  isAudited(number: number): boolean {
    return this.#audited.has(number);
  }

  #withServices(rule: Rule): Rule {
    const resolve = (element: Element): Element => {
      if (!element.peers.some(({ service }) => service !== undefined)) return element;
      const peers = element.peers.flatMap((peer): Peer[] =>
        peer.service === undefined ? [peer] : this.#services.peersOf(peer.service),
      );
      return { ...element, peers };
    };
    return { ...rule, ingress: rule.ingress.map(resolve), egress: rule.egress.map(resolve) };
  }
}

/** Equal for policies that mean the same and stand in the same place. */
function textOf(policy: Policy): string {
  return JSON.stringify(policy, (_, value: unknown) => (typeof value === 'bigint' ? value.toString(36) : value));
}
