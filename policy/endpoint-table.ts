/**
 * Local endpoints, each with the compiled policy of the rules that select it.
 *
 * An endpoint with audited policies among its rules holds two: the one that is enforced, made of the others, and a
 * shadow made of all. Both are ordinary policies, shared like any.
 */
import type { PolicyEntry } from '../policy-maps/policy-entry.ts';
import type { Compiler } from './compile/compiler.ts';
import type { DirectionState, EndpointPolicy, Subject } from './compile/endpoint-policy.ts';
import type { LabelSet } from './rule/labels.ts';
import { MultiMap } from './rule/multi-map.ts';
import type { PolicyTable } from './policy-table.ts';
import type { Problem } from './rule/problems.ts';
import { policyName } from './rule/rule.ts';

/** An endpoint as its pod (or the host) gives it. */
export interface EndpointSpec {
  /** Its number; from 1. */
  readonly id: number;
  readonly identity: number;
  readonly labels: LabelSet;
  readonly subject: Subject;
  readonly audit: boolean;
}

/** What must be published of one endpoint. */
export interface EndpointChange {
  readonly identity: number;
  readonly labels: readonly string[];
  /** What to publish in its policy map. */
  readonly entries: readonly PolicyEntry[];
  /** Entries of the same rules with the audited policies among them; undefined = no audited policy selects it. */
  readonly shadow: readonly PolicyEntry[] | undefined;
  /** Every drop of this endpoint passes with verdict AUDIT. */
  readonly audit: boolean;
  readonly ingress: DirectionState;
  readonly egress: DirectionState;
}

export interface EndpointChanges {
  readonly changed: Map<number, EndpointChange>;
  readonly removed: number[];
  readonly problems: Problem[];
}

interface Endpoint {
  spec: EndpointSpec;
  policy: EndpointPolicy | undefined;
  shadow: EndpointPolicy | undefined;
}

export class EndpointTable {
  readonly #endpoints = new Map<number, Endpoint>();
  readonly #byIdentity = new MultiMap<number, Endpoint>();
  readonly #byPolicy = new MultiMap<EndpointPolicy, Endpoint>();
  readonly #dirty = new Set<Endpoint>();
  #removed = new Set<number>();
  readonly #compiler: Compiler;

  constructor(compiler: Compiler) {
    this.#compiler = compiler;
  }

  get size(): number {
    return this.#endpoints.size;
  }

  set(spec: EndpointSpec): void {
    const known = this.#endpoints.get(spec.id);
    const endpoint = known ?? { spec, policy: undefined, shadow: undefined };
    if (known !== undefined) this.#byIdentity.remove(known.spec.identity, known);
    endpoint.spec = spec;
    this.#endpoints.set(spec.id, endpoint);
    this.#byIdentity.add(spec.identity, endpoint);
    this.#dirty.add(endpoint);
    this.#removed.delete(spec.id);
  }

  remove(id: number): void {
    const endpoint = this.#endpoints.get(id);
    if (endpoint === undefined) return;
    this.#byIdentity.remove(endpoint.spec.identity, endpoint);
    this.#hold(endpoint, undefined, undefined);
    this.#endpoints.delete(id);
    this.#dirty.delete(endpoint);
    this.#removed.add(id);
  }

  /** Endpoints of the identity may be selected by other rules than before. */
  touchIdentity(identity: number): void {
    for (const endpoint of this.#byIdentity.get(identity)) {
      if (endpoint.spec.subject.kind !== 'host') this.#dirty.add(endpoint);
    }
  }

  touchHosts(): void {
    for (const endpoint of this.#endpoints.values())
      if (endpoint.spec.subject.kind === 'host') this.#dirty.add(endpoint);
  }

  /** Chooses policies anew where rules or identities changed. @returns what must be published */
  refresh(policies: PolicyTable): EndpointChanges {
    const touched = new Set(this.#dirty);
    for (const endpoint of touched) this.#choose(endpoint, policies);
    this.#dirty.clear();
    for (const policy of this.#compiler.refresh()) {
      for (const endpoint of this.#byPolicy.get(policy)) touched.add(endpoint);
    }
    const changed = new Map<number, EndpointChange>();
    const problems = new Map<string, Problem>();
    for (const endpoint of touched) {
      changed.set(endpoint.spec.id, changeOf(endpoint));
      for (const problem of conflictsOf(endpoint))
        problems.set(`${problem.document} ${problem.path} ${problem.message}`, problem);
    }
    const removed = [...this.#removed];
    this.#removed = new Set();
    return { changed, removed, problems: [...problems.values()] };
  }

  #choose(endpoint: Endpoint, policies: PolicyTable): void {
    const { identity, labels, subject } = endpoint.spec;
    const all = policies.rulesFor(identity, labels, subject.kind);
    const enforced = all.filter(({ number }) => !policies.isAudited(number));
    const policy = this.#compiler.acquire(enforced, subject);
    const shadow = enforced.length === all.length ? undefined : this.#compiler.acquire(all, subject);
    this.#hold(endpoint, policy, shadow);
  }

  /** Taken before the old ones are given back, so that rule sets and cookies that both have keep their numbers. */
  #hold(endpoint: Endpoint, policy: EndpointPolicy | undefined, shadow: EndpointPolicy | undefined): void {
    // Compiles now, while the old one still holds what both have in common.
    for (const now of [policy, shadow]) now?.compile();
    const before = [endpoint.policy, endpoint.shadow].filter((one) => one !== undefined);
    for (const old of before) this.#byPolicy.remove(old, endpoint);
    endpoint.policy = policy;
    endpoint.shadow = shadow;
    for (const now of [policy, shadow]) if (now !== undefined) this.#byPolicy.add(now, endpoint);
    for (const old of before) this.#compiler.release(old);
  }
}

function changeOf({ spec, policy, shadow }: Endpoint): EndpointChange {
  const { directions, entries } = policy as EndpointPolicy;
  return {
    identity: spec.identity,
    labels: spec.labels.texts,
    entries,
    shadow: shadow?.entries,
    audit: spec.audit,
    ingress: directions.ingress,
    egress: directions.egress,
  };
}

function conflictsOf({ policy }: Endpoint): Problem[] {
  return (policy?.conflicts ?? []).map(({ origin, message, hint }) => ({
    file: origin.file,
    line: origin.line,
    column: 1,
    path: origin.path,
    severity: 'error',
    message,
    code: 'conflict',
    document: policyName(origin),
    hint,
  }));
}
