/**
 * The judge of one kind of flow: the rule sets that apply to it (egress of its source, ingress of its destination: both
 * must allow) for the two identities. Flows of the same kind share one judge, so that what was found out for one serves
 * all: verdicts are kept in an LRU by (method, target, host), and whole heads in the memo of the parser, under `refresh()`.
 *
 * Rules may change under a living connection. `refresh` is called before each head: one comparison while nothing in the
 * rule map has changed; else the rule sets are read anew and, if theirs changed, the judge gets a new number. A rule set
 * that has vanished, or is not for HTTP, denies everything and ends the connection.
 */
import { LRUCache } from 'lru-cache';
import type { L7RuleSet } from '../../policy-maps/l7-rules.ts';
import { editHead, type HeaderEdits, latin1, withholdUpgrade } from './headers.ts';
import { type PathReadings, RemoteRules, viewOf } from './rules.ts';
import type { Head } from '../http1/head.ts';
import { asksForWebsocket } from '../http1/start-line.ts';
import { ALLOW, ALLOW_EDITED, DENY, DENY_CLOSE, type HttpJudge } from '../http1/shared.ts';

/** Where rule sets come from; policy-maps' L7RuleMap is one. */
export interface RuleSetSource {
  /** Moves with every change of any rule set. */
  readonly generation: number;
  /** The rule set in force under an id; `generation` tells its versions apart. */
  get(id: number): { readonly generation: number; readonly ruleSet: L7RuleSet } | undefined;
}

/** What a judge is for. Rule set 0 = none on that side. */
export interface JudgeKey {
  readonly egressRuleSet: number;
  readonly ingressRuleSet: number;
  readonly srcIdentity: number;
  readonly dstIdentity: number;
}

/** Judges kept when no flow uses them. */
const MAX_JUDGES = 1024;
const MAX_VERDICTS = 2048;
const MAX_VERDICT_KEY_BYTES = 1024;

const NOTHING = new Uint8Array(0);

/** One side of a flow: its rules for its remote. */
class Side {
  readonly #ruleSet: number;
  readonly #remote: number;
  #generation = -1;
  rules: RemoteRules | null = null;
  isMissing = false;

  constructor(ruleSet: number, remote: number) {
    this.#ruleSet = ruleSet;
    this.#remote = remote;
  }

  /** Reads the rules again. @returns true when they changed */
  reload(source: RuleSetSource): boolean {
    if (this.#ruleSet === 0) return false;
    const entry = source.get(this.#ruleSet);
    const generation = entry?.ruleSet.parser === 'http' ? entry.generation : -2;
    if (generation === this.#generation) return false;
    this.#generation = generation;
    this.isMissing = generation === -2;
    this.rules = entry === undefined || this.isMissing ? null : new RemoteRules(entry.ruleSet, this.#remote);
    return true;
  }
}

export class Judge implements HttpJudge {
  readonly #owner: HttpJudges;
  readonly #egress: Side;
  readonly #ingress: Side;
  readonly #verdicts = new LRUCache<string, number>({ max: MAX_VERDICTS });
  #id = 0;
  #sourceGeneration = Number.NaN;
  editedHead: Uint8Array = NOTHING;
  /** Of the last request judged the long way: what allowed it, and which side denied it (1 egress, 2 ingress, 0 none). */
  egressCookie = 0;
  ingressCookie = 0;
  deniedBy = 0;
  edits: HeaderEdits = noEdits();

  constructor(owner: HttpJudges, key: JudgeKey) {
    this.#owner = owner;
    this.#egress = new Side(key.egressRuleSet, key.dstIdentity);
    this.#ingress = new Side(key.ingressRuleSet, key.srcIdentity);
  }

  refresh(): number {
    const { source } = this.#owner;
    const { generation } = source;
    if (generation === this.#sourceGeneration) return this.#id;
    this.#sourceGeneration = generation;
    const egressChanged = this.#egress.reload(source);
    if (this.#ingress.reload(source) || egressChanged || this.#id === 0) {
      this.#id = this.#owner.nextId();
      this.#verdicts.clear();
    }
    return this.#id;
  }

  /** Whether the rules that this judge needs are there. */
  get isUsable(): boolean {
    this.refresh();
    return !this.#egress.isMissing && !this.#ingress.isMissing;
  }

  judge(bytes: Uint8Array, head: Head): number {
    if (this.#egress.isMissing || this.#ingress.isMissing) {
      this.deniedBy = this.#egress.isMissing ? 1 : 2;
      return DENY_CLOSE;
    }
    const readsHeaders = this.#egress.rules?.readsHeaders === true || this.#ingress.rules?.readsHeaders === true;
    if (readsHeaders || head.hasUpgrade || this.#owner.isExplaining()) return this.#decide(bytes, head);
    const key = verdictKey(bytes, head);
    const known = this.#verdicts.get(key);
    if (known !== undefined) return known;
    const verdict = this.#decide(bytes, head);
    if (key.length <= MAX_VERDICT_KEY_BYTES) this.#verdicts.set(key, verdict);
    return verdict;
  }

  #decide(bytes: Uint8Array, head: Head): number {
    const view = viewOf(bytes, head, this.#owner.pathReadings);
    const egress = this.#egress.rules;
    const ingress = this.#ingress.rules;
    const isUpgradeWithheld = head.hasUpgrade && !asksForWebsocket(bytes, head);
    const mayEdit = egress?.hasActions === true || ingress?.hasActions === true || isUpgradeWithheld;
    if (mayEdit) this.edits = noEdits();
    this.deniedBy = 0;
    if (egress !== null && !egress.allows(view, bytes, head, this.edits)) this.deniedBy = 1;
    else if (ingress !== null && !ingress.allows(view, bytes, head, this.edits)) this.deniedBy = 2;
    this.egressCookie = egress?.cookie ?? 0;
    this.ingressCookie = ingress?.cookie ?? 0;
    if (this.deniedBy !== 0) return DENY;
    if (isUpgradeWithheld) withholdUpgrade(bytes, head, this.edits);
    const edited = mayEdit ? editHead(bytes, head, this.edits) : undefined;
    if (edited === undefined) return ALLOW;
    this.editedHead = edited;
    return ALLOW_EDITED;
  }
}

/** All judges of a proxy. */
export class HttpJudges {
  readonly source: RuleSetSource;
  readonly pathReadings: PathReadings;
  /** True while records are wanted, which name the rule that decided: the LRU of verdicts does not know it. */
  readonly isExplaining: () => boolean;
  readonly #judges = new LRUCache<string, Judge>({ max: MAX_JUDGES });
  #lastId = 0;

  constructor(source: RuleSetSource, pathReadings: PathReadings, isExplaining: () => boolean) {
    this.source = source;
    this.pathReadings = pathReadings;
    this.isExplaining = isExplaining;
  }

  judgeOf(key: JudgeKey): Judge {
    const name = `${key.egressRuleSet} ${key.ingressRuleSet} ${key.srcIdentity} ${key.dstIdentity}`;
    let judge = this.#judges.get(name);
    if (judge === undefined) {
      judge = new Judge(this, key);
      this.#judges.set(name, judge);
    }
    return judge;
  }

  /** Numbers are never used twice: a memo that outlives a judge cannot be mistaken. */
  nextId(): number {
    this.#lastId = (this.#lastId + 1) | 0;
    return this.#lastId;
  }
}

function verdictKey(bytes: Uint8Array, head: Head): string {
  const request = latin1(bytes, head.methodStart, head.targetEnd);
  return head.host < 0 ? request : `${request}\n${latin1(bytes, head.valueStart[head.host], head.valueEnd[head.host])}`;
}

function noEdits(): HeaderEdits {
  return { remove: new Set(), add: [], missing: {}, rejected: {} };
}
