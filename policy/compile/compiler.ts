/** The parts that all endpoint policies share, and the policies themselves, one for each set of rules. */
import { CookieJar } from './cookies.ts';
import { EndpointPolicy, type Subject } from './endpoint-policy.ts';
import { MultiMap } from '../rule/multi-map.ts';
import type { PolicyOptions } from '../rule/options.ts';
import type { PolicyParts } from './parts.ts';
import { PortNames } from './port-names.ts';
import type { Rule } from '../rule/rule.ts';
import { RuleSetTable } from './rule-set-table.ts';
import { SelectorCache } from '../identity/selector-cache.ts';

/** A rule with the number it goes by; numbers rise in the order of arrival, and are never used again. */
export interface NumberedRule {
  readonly number: number;
  /** Policies are merged in this order, whatever order they came in. */
  readonly order: string;
  readonly rule: Rule;
}

export class Compiler implements PolicyParts<EndpointPolicy> {
  readonly selectors = new SelectorCache();
  readonly cookies = new CookieJar();
  readonly ruleSets = new RuleSetTable();
  readonly portNames = new PortNames();
  readonly #policies = new Map<string, EndpointPolicy>();
  readonly #changed = new Set<EndpointPolicy>();
  readonly #nameWatchers = new MultiMap<string, EndpointPolicy>();

  readonly options: PolicyOptions;

  constructor(options: PolicyOptions) {
    this.options = options;
  }

  /** The policy of these rules for such a subject; every `acquire` needs a `release`. */
  acquire(rules: readonly NumberedRule[], subject: Subject): EndpointPolicy {
    const sorted = [...rules].sort((a, b) => (a.order < b.order ? -1 : a.order > b.order ? 1 : a.number - b.number));
    const ports = usedPorts(sorted, subject);
    const key = `${subject.kind} ${sorted.map(({ number }) => number).join(',')} ${[...ports].sort().join(' ')}`;
    let policy = this.#policies.get(key);
    if (policy === undefined) {
      const inOrder = sorted.map(({ rule }) => rule);
      policy = new EndpointPolicy(key, inOrder, { kind: subject.kind, ports }, this);
      this.#policies.set(key, policy);
    }
    policy.uses++;
    return policy;
  }

  release(policy: EndpointPolicy): void {
    if (--policy.uses > 0) return;
    this.#policies.delete(policy.key);
    this.#changed.delete(policy);
    policy.dispose();
  }

  get size(): number {
    return this.#policies.size;
  }

  markChanged(policy: EndpointPolicy): void {
    this.#changed.add(policy);
  }

  /** Brings every marked policy up to date. @returns those whose entries changed */
  refresh(): Set<EndpointPolicy> {
    const refreshed = new Set<EndpointPolicy>();
    for (const policy of this.#changed) if (policy.refresh()) refreshed.add(policy);
    this.#changed.clear();
    return refreshed;
  }

  watchName(name: string, policy: EndpointPolicy): void {
    this.#nameWatchers.add(name, policy);
  }

  forgetName(name: string, policy: EndpointPolicy): void {
    this.#nameWatchers.remove(name, policy);
  }

  /** An identity's pods give a port name other numbers than before. */
  renamed(identity: number, names: readonly string[]): void {
    for (const name of names) for (const policy of this.#nameWatchers.get(name)) policy.touchNames(identity, name);
  }
}

/** Of the subject's port names those that its ingress rules mention: two subjects that differ in others share a policy. */
function usedPorts(rules: readonly NumberedRule[], subject: Subject): Map<string, number> {
  const used = new Map<string, number>();
  for (const { rule } of rules) {
    for (const { ports } of rule.ingress) {
      for (const { name, protocol } of ports ?? []) {
        const key = `${protocol}/${name}`;
        const number = name === undefined ? undefined : subject.ports.get(key);
        if (number !== undefined) used.set(key, number);
      }
    }
  }
  return used;
}
