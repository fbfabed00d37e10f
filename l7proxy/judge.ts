/**
 * What the judges of all protocols have in common. A judge is for one kind of connection: the rule sets that apply to it
 * (egress of its source, ingress of its destination: both must allow) for the two identities. Connections of the same kind
 * share one, so that what was found out for one serves all.
 *
 * Rules may change under a living connection. `refresh` is called before each message: one comparison while nothing in the
 * rule map has changed; else the rule sets are read anew and, if theirs changed, the judge gets a new number. A rule set that
 * has vanished, or is for another protocol, makes the judge unusable: it denies everything.
 */
import { LRUCache } from 'lru-cache';
import type { L7RuleSet } from '../policy-maps/l7-rules.ts';
import type { Judge, JudgeKey } from './parser.ts';
import type { ProtocolServices } from './protocol.ts';

/** Judges kept when no connection uses them. */
const MAX_JUDGES = 1024;

/** Compiles the rules of a rule set for one remote. */
export type Compile<Rules> = (ruleSet: L7RuleSet, remote: number) => Rules;

/** One end's rules for its remote. */
class EndRules<Rules> {
  /** null = this end has none, or they are missing. */
  rules: Rules | null = null;
  isMissing = false;
  readonly #ruleSet: number;
  readonly #remote: number;
  #generation = -1;

  constructor(ruleSet: number, remote: number) {
    this.#ruleSet = ruleSet;
    this.#remote = remote;
  }

  /** Reads the rules again. @returns true when they changed */
  reload({ ruleSets, name }: ProtocolServices, compile: Compile<Rules>): boolean {
    if (this.#ruleSet === 0) return false;
    const entry = ruleSets.get(this.#ruleSet);
    const generation = entry?.ruleSet.parser === name ? entry.generation : -2;
    if (generation === this.#generation) return false;
    this.#generation = generation;
    this.isMissing = generation === -2;
    this.rules = entry === undefined || this.isMissing ? null : compile(entry.ruleSet, this.#remote);
    return true;
  }
}

/** The judge of a protocol extends this with its own question, answered from `egress` and `ingress`. */
export class RuleJudge<Rules> implements Judge {
  readonly #services: ProtocolServices;
  readonly #compile: Compile<Rules>;
  readonly #nextId: () => number;
  readonly #egress: EndRules<Rules>;
  readonly #ingress: EndRules<Rules>;
  #id = 0;
  #sourceGeneration = Number.NaN;

  constructor(services: ProtocolServices, compile: Compile<Rules>, key: JudgeKey, nextId: () => number) {
    this.#services = services;
    this.#compile = compile;
    this.#nextId = nextId;
    this.#egress = new EndRules(key.egressRuleSet, key.dstIdentity);
    this.#ingress = new EndRules(key.ingressRuleSet, key.srcIdentity);
  }

  refresh(): number {
    const { generation } = this.#services.ruleSets;
    if (generation === this.#sourceGeneration) return this.#id;
    this.#sourceGeneration = generation;
    const egressChanged = this.#egress.reload(this.#services, this.#compile);
    if (this.#ingress.reload(this.#services, this.#compile) || egressChanged || this.#id === 0) {
      this.#id = this.#nextId();
      this.onChange();
    }
    return this.#id;
  }

  /** The rules changed: what was remembered of verdicts is no longer true. */
  protected onChange(): void {}

  get isUsable(): boolean {
    this.refresh();
    return !this.isEgressMissing && !this.isIngressMissing;
  }

  /** The source's rules for the destination; null = it has none. */
  protected get egress(): Rules | null {
    return this.#egress.rules;
  }

  /** The destination's rules for the source; null = it has none. */
  protected get ingress(): Rules | null {
    return this.#ingress.rules;
  }

  protected get isEgressMissing(): boolean {
    return this.#egress.isMissing;
  }

  protected get isIngressMissing(): boolean {
    return this.#ingress.isMissing;
  }
}

/** All judges of one protocol in one engine. */
export class Judges<J extends Judge> {
  readonly #make: (key: JudgeKey, nextId: () => number) => J;
  readonly #judges = new LRUCache<string, J>({ max: MAX_JUDGES });
  #lastId = 0;

  constructor(make: (key: JudgeKey, nextId: () => number) => J) {
    this.#make = make;
  }

  judgeOf(key: JudgeKey): J {
    const name = `${key.egressRuleSet} ${key.ingressRuleSet} ${key.srcIdentity} ${key.dstIdentity}`;
    let judge = this.#judges.get(name);
    if (judge === undefined) {
      judge = this.#make(key, this.#nextId);
      this.#judges.set(name, judge);
    }
    return judge;
  }

  /** Numbers are never used twice: a memo that outlives a judge cannot be mistaken. */
  readonly #nextId = (): number => {
    this.#lastId = (this.#lastId + 1) | 0;
    return this.#lastId;
  };
}
