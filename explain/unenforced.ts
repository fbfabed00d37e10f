/** Flows that the rules allow and this dataplane does not let pass yet: what stands behind them in the table of such features. */
import { UNENFORCED, type Unenforced } from '../policy/validate/unenforced.ts';
import type { Outcome } from './verdict.ts';
import type { PolicyWorld } from './world.ts';

/** One direction, as it was decided. */
interface Decided {
  readonly outcome: Outcome;
}

/** What keeps an allowed flow from passing live; empty when nothing does. */
export function unenforcedIn(world: PolicyWorld, sides: readonly Decided[]): readonly Unenforced[] {
  const found = new Set<Unenforced>();
  for (const { outcome } of sides) {
    const parser = world.ruleSets.get(outcome.ruleSet)?.parser;
    if (parser !== undefined && parser in UNENFORCED) found.add(parser as Unenforced);
  }
  return [...found];
}
