/** What offline judges have in common. */
import type { L7Rule, L7RuleSet } from '../policy-maps/l7-rules.ts';

/** The rules of a set that are for one remote. */
export function rulesFor(ruleSet: L7RuleSet, remote: number): L7Rule[] {
  return ruleSet.rules.filter(({ remotes }) => remotes === null || remotes.includes(remote));
}

/** @returns the cookie of the first rule that `allows`, -1 when none does */
export function firstAllowing<Rule extends Pick<L7Rule, 'cookie'>>(
  rules: readonly Rule[],
  allows: (rule: Rule) => boolean,
): number {
  return rules.find(allows)?.cookie ?? -1;
}
