/** What the policy of one endpoint says to one frame, in one direction: filled by the judge, noted in conntrack, and told. */
import { MATCH_NONE } from '../wire/match.ts';
import type { Verdict } from './record.ts';

/** What was decided in one direction. One object a direction lives as long as the judge. */
export class Decision implements Verdict {
  readonly direction: number;
  /** 0 allow, > 0 rule set, < 0 minus the drop reason. */
  verdict = 0;
  matchType = 0;
  authType = 0;
  cookie = 0;
  isAudited = false;
  /** Key of the chosen entry, for its counters; entrySlot -1 when no entry was chosen. */
  entrySlot = -1;
  entryIdentity = 0;
  entryPoint = 0;
  /** Counters of the chosen entry in the policystats map, -1 when none. */
  statsHandle = -1;

  constructor(direction: number) {
    this.direction = direction;
  }

  clear(): void {
    this.verdict = 0;
    this.matchType = MATCH_NONE;
    this.authType = 0;
    this.cookie = 0;
    this.isAudited = false;
    this.entrySlot = -1;
    this.statsHandle = -1;
  }
}
