/**
 * The judge of HTTP requests (judge.ts has what all judges do). What was decided is kept in an LRU by (method, target, host), and
 * whole heads in the memo of the parser, under `refresh()`. An unusable judge denies everything and ends the connection.
 */
import { LRUCache } from 'lru-cache';
import { EGRESS, INGRESS } from '../../wire/direction.ts';
import type { Head } from '../http1/head.ts';
import { asksForWebsocket } from '../http1/start-line.ts';
import { Judges, RuleJudge } from '../judge.ts';
import type { JudgeKey } from '../parser.ts';
import type { ProtocolServices } from '../protocol.ts';
import { latin1, withholdUpgrade } from './headers.ts';
import { ALLOW, ALLOW_EDITED, DENY, DENY_CLOSE, type HttpJudge, type Judgement, noEdits } from './judgement.ts';
import { RemoteRules, viewOf } from './rules.ts';

const MAX_VERDICTS = 2048;
const MAX_VERDICT_KEY_BYTES = 1024;

/** What was decided of a request without headers that count. */
interface Decided {
  readonly verdict: number;
  readonly deniedBy: number;
  readonly egressCookie: number;
  readonly ingressCookie: number;
}

class RequestJudge extends RuleJudge<RemoteRules> implements HttpJudge {
  headerNames: ReadonlySet<string> = new Set();
  #secretNames: ReadonlySet<string> = new Set();
  readonly #verdicts = new LRUCache<string, Decided>({ max: MAX_VERDICTS });

  constructor(services: ProtocolServices, key: JudgeKey, nextId: () => number) {
    super(services, (ruleSet, remote) => new RemoteRules(ruleSet, remote), key, nextId);
  }

  protected override onChange(): void {
    this.#verdicts.clear();
    this.headerNames = new Set([...(this.egress?.headerNames ?? []), ...(this.ingress?.headerNames ?? [])]);
    this.#secretNames = new Set([...(this.egress?.secretNames ?? []), ...(this.ingress?.secretNames ?? [])]);
  }

  judge(bytes: Uint8Array, head: Head, judgement: Judgement): number {
    judgement.clear();
    if (this.isEgressMissing || this.isIngressMissing) {
      judgement.deniedBy = this.isEgressMissing ? EGRESS : INGRESS;
      return DENY_CLOSE;
    }
    const readsHeaders = this.egress?.readsHeaders === true || this.ingress?.readsHeaders === true;
    if (readsHeaders || head.hasUpgrade) return this.#decide(bytes, head, judgement);
    const key = verdictKey(bytes, head);
    const known = this.#verdicts.get(key);
    if (known !== undefined) return recall(known, judgement);
    const verdict = this.#decide(bytes, head, judgement);
    const { deniedBy, egressCookie, ingressCookie } = judgement;
    const decided = { verdict, deniedBy, egressCookie, ingressCookie };
    if (key.length <= MAX_VERDICT_KEY_BYTES) this.#verdicts.set(key, decided);
    return verdict;
  }

  #decide(bytes: Uint8Array, head: Head, judgement: Judgement): number {
    const view = viewOf(bytes, head);
    const { egress, ingress } = this;
    judgement.secretNames = this.#secretNames;
    const isUpgradeWithheld = head.hasUpgrade && !asksForWebsocket(bytes, head);
    const mayEdit = egress?.hasActions === true || ingress?.hasActions === true || isUpgradeWithheld;
    if (mayEdit) judgement.edits = noEdits();
    const { edits } = judgement;
    const byEgress = egress === null ? 0 : egress.judge(view, bytes, head, edits);
    if (byEgress < 0) judgement.deniedBy = EGRESS;
    judgement.egressCookie = cookieOf(byEgress);
    if (byEgress < 0) return DENY;
    const byIngress = ingress === null ? 0 : ingress.judge(view, bytes, head, edits);
    if (byIngress < 0) judgement.deniedBy = INGRESS;
    judgement.ingressCookie = cookieOf(byIngress);
    if (byIngress < 0) return DENY;
    if (isUpgradeWithheld) withholdUpgrade(bytes, head, edits);
    return mayEdit && (edits.remove.size > 0 || edits.add.length > 0) ? ALLOW_EDITED : ALLOW;
  }
}

function recall({ verdict, deniedBy, egressCookie, ingressCookie }: Decided, judgement: Judgement): number {
  judgement.deniedBy = deniedBy;
  judgement.egressCookie = egressCookie;
  judgement.ingressCookie = ingressCookie;
  return verdict;
}

/** All judges of HTTP in one engine. */
export function httpJudges(services: ProtocolServices): Judges<HttpJudge> {
  return new Judges<HttpJudge>((key, nextId) => new RequestJudge(services, key, nextId));
}

/** What RemoteRules.judge says, as the cookie it tells. */
function cookieOf(outcome: number): number {
  return outcome < 0 ? ~outcome : outcome;
}

function verdictKey(bytes: Uint8Array, head: Head): string {
  const request = latin1(bytes, head.methodStart, head.targetEnd);
  return head.host < 0 ? request : `${request}\n${latin1(bytes, head.valueStart[head.host], head.valueEnd[head.host])}`;
}
