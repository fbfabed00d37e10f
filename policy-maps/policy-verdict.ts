/** Verdicts of a policy lookup: 0 allows, above 0 is a rule set, below 0 a drop reason with its sign turned. */
import * as reasons from '../wire/reasons.ts';

export const DROP_NO_MATCH = -reasons.DROP_POLICY;
export const DROP_FRAGMENT = -reasons.DROP_FRAG_NOSUPPORT;
export const DROP_DENY = -reasons.DROP_POLICY_DENY;
export const DROP_AUTH = -reasons.DROP_POLICY_AUTH_REQUIRED;
export const DROP_NO_POLICY = -reasons.DROP_EP_NOT_READY;
