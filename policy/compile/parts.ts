/** The parts that all endpoint policies share; the compiler owns them, and a policy sees no more of it than this. */
import type { SelectorCache } from '../identity/selector-cache.ts';
import type { PolicyOptions } from '../rule/options.ts';
import type { CookieJar } from './cookies.ts';
import type { PortNames } from './port-names.ts';
import type { RuleSetTable } from './rule-set-table.ts';

/** A policy that is told when an identity's pods give a port name other numbers. */
export interface NameWatcher {
  touchNames(identity: number, name: string): void;
}

export interface PolicyParts<Policy extends NameWatcher = NameWatcher> {
  readonly options: PolicyOptions;
  readonly selectors: SelectorCache;
  readonly cookies: CookieJar;
  readonly ruleSets: RuleSetTable;
  readonly portNames: PortNames;
  /** The policy wants to be brought up to date in the next `refresh()` of the compiler. */
  markChanged(policy: Policy): void;
  /** From now on the policy is told of changes of this port name. */
  watchName(name: string, policy: Policy): void;
  /** Takes back `watchName`. */
  forgetName(name: string, policy: Policy): void;
}
