/**
 * THE EXAMPLE (docs/adding.md): a protocol of lines. This file says what its rules mean: may this identity send a line that
 * begins with this word? It is the only place that says so, on the wire and offline.
 */
import type { L7Rule, L7RuleSet } from '../../policy-maps/l7-rules.ts';
import { RuleJudge } from '../judge.ts';
import { firstAllowing, rulesFor } from '../offline.ts';
import type { JudgeKey } from '../parser.ts';
import type { OfflineRules, ProtocolServices } from '../protocol.ts';

/** A protocol that users have puts its list into policy-maps' L7Rule; the example keeps it to itself. */
export interface LineRule extends L7Rule {
  /** Words that a line may begin with; absent = any. */
  readonly words?: readonly string[];
}

export interface LineRequest {
  readonly word: string;
}

/** Rules of one set for one remote: alternatives. */
export function lineOffline(ruleSet: L7RuleSet, remote: number): OfflineRules<LineRequest> {
  const rules: readonly LineRule[] = rulesFor(ruleSet, remote);
  return ({ word }) => firstAllowing(rules, ({ words }: LineRule) => words?.includes(word) ?? true);
}

/** The same on the wire: both ends' rules must allow. */
export class LineJudge extends RuleJudge<OfflineRules<LineRequest>> {
  constructor(services: ProtocolServices, key: JudgeKey, nextId: () => number) {
    super(services, lineOffline, key, nextId);
  }

  /** @returns the cookie of the rule that allows the request, -1 when an end has none that does, or its rules are missing */
  judge(request: LineRequest): number {
    if (!this.isUsable) return -1; // isUsable reads the rules again if they changed
    const egress = this.egress?.(request) ?? 0;
    const ingress = this.ingress?.(request) ?? 0;
    return egress < 0 || ingress < 0 ? -1 : ingress || egress;
  }
}
