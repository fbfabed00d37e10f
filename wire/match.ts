/** What a policy entry matched a packet by (bpf/lib/policy.h): a verdict event carries the number. */

export const MATCH_NONE = 0;
export const MATCH_L3_ONLY = 1;
export const MATCH_L3_L4 = 2;
export const MATCH_L4_ONLY = 3;
export const MATCH_ALL = 4;
export const MATCH_L3_PROTO = 5;
export const MATCH_PROTO_ONLY = 6;
