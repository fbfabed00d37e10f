/**
 * Step 5: what the policy of one endpoint says to one frame, in one direction.
 *
 *  1. An endpoint without a published policy is closed (reason 203).
 *  2. A later fragment whose ports are unknown can only match entries without a port.
 *  3. Otherwise the policy map decides, by protocol and destination port, or ICMP type.
 */
import type { PolicyMap } from '../policy-maps/policy-map.ts';
import type { Frame } from '../wire/frame.ts';
import { MATCH_NONE } from '../wire/match.ts';
import { PROTO_ICMP, PROTO_ICMPV6 } from '../wire/protocols.ts';
import { DROP_EP_NOT_READY } from '../wire/reasons.ts';
import { requestTypeOf } from './icmp-tuple.ts';
import type { Verdict } from './record.ts';

/** The decision in one direction, filled by `judge`. One object per direction lives as long as the engine. */
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

/**
 * @param policy of the endpoint, null when none is published
 * @param remote security identity of the other side
 * @param isEgress 1 when the endpoint sends, 0 when it receives
 */
export function judge(f: Frame, policy: PolicyMap | null, remote: number, isEgress: 0 | 1, decision: Decision): void {
  decision.clear();
  if (policy === null) {
    decision.verdict = -DROP_EP_NOT_READY;
    return;
  }
  const lacksPorts = f.isFragment && !f.isFirstFragment && f.dstPort === 0 && f.srcPort === 0;
  decision.verdict = lacksPorts
    ? policy.lookupFragment(remote, isEgress, f.protocol)
    : policy.lookup(remote, isEgress, f.protocol, policyPort(f));
  decision.matchType = policy.matchType;
  decision.authType = policy.authType;
  decision.cookie = policy.cookie;
  decision.entrySlot = policy.entrySlot;
  decision.entryIdentity = policy.entryIdentity;
  decision.entryPoint = policy.entryPoint;
}

/** The port, or ICMP type, that the connection was opened to. */
function policyPort(f: Frame): number {
  if (f.protocol === PROTO_ICMP || f.protocol === PROTO_ICMPV6) return f.isReply ? requestTypeOf(f) : f.icmpType;
  return f.isReply ? f.srcPort : f.dstPort;
}
