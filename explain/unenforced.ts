/** Flows that the rules allow and this dataplane does not let pass yet: what stands behind them in the table of such features. */
import { type Origin, policyName } from '../policy/rule/rule.ts';
import { UNENFORCED, type Unenforced, type UnenforcedUse, unenforcedUses } from '../policy/validate/unenforced.ts';
import type { Outcome } from './verdict.ts';
import type { PolicyWorld } from './world.ts';

/** One direction, as it was decided. */
interface Decided {
  readonly outcome: Outcome;
  /** The rules that decided. */
  readonly origins: readonly Origin[];
}

/** What keeps an allowed flow from passing live; empty when nothing does. */
export function unenforcedIn(world: PolicyWorld, sides: readonly Decided[]): readonly Unenforced[] {
  const found = new Set<Unenforced>();
  for (const { outcome, origins } of sides) {
    const parser = world.ruleSets.get(outcome.ruleSet)?.parser;
    if (parser !== undefined && parser in UNENFORCED) found.add(parser as Unenforced);
    if (outcome.ruleSet === 0 && origins.length > 0 && origins.every((origin) => standsOnNames(world, origin)))
      found.add('names');
  }
  return [...found];
}

/** The rule names its peers by DNS name. */
function standsOnNames({ documents }: PolicyWorld, origin: Origin): boolean {
  const document = documents.find(({ policy }) => policy !== undefined && policyName(policy) === policyName(origin));
  const isOwn = ({ feature, path }: UnenforcedUse) => feature === 'names' && path === `${origin.path}.toFQDNs`;
  return unenforcedUses(document?.object ?? {}).some(isOwn);
}
