/**
 * One entry of an endpoint's policy map: what the policy compiler produces and the dataplane looks up.
 * Fields and meanings are those of Cilium's policy map (pkg/maps/policymap, bpf/lib/policy.h).
 */
export interface PolicyEntry {
  /** Remote security identity; 0 = any. */
  readonly identity: number;
  readonly egress: boolean;
  /** IP protocol number; 0 = any (then port and portPrefix are 0). */
  readonly protocol: number;
  /** Destination port in host order, or the ICMP type; low bits beyond `portPrefix` are 0. */
  readonly port: number;
  /** How many leading bits of `port` count: 0 (any port) to 16 (this port). */
  readonly portPrefix: number;
  readonly deny: boolean;
  /** Id of the L7 rule set that judges the stream; 0 = none. 1..65535. */
  readonly ruleSet: number;
  /** 0 none, 1 required (spire), 2 always-fail. */
  readonly authType: number;
  readonly hasExplicitAuthType: boolean;
  /** u32, higher wins: ((2^24-1 - priority) << 8) | low byte. See `precedence()`. */
  readonly precedence: number;
  /** Leads back to the rules that made the entry; 0 = none. */
  readonly cookie: number;
}

export const PRECEDENCE_DENY = 255;
export const PRECEDENCE_ALLOW = 1;

/**
 * The precedence word of an entry.
 * @param priority 0 (first) to 2^24-1 (last)
 * @param low PRECEDENCE_DENY, PRECEDENCE_ALLOW, or 255 minus a listener priority 1..126
 */
export function precedence(priority: number, low: number): number {
  return (((0xffffff - priority) << 8) | low) >>> 0;
}
