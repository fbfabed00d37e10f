/** Which way a packet goes, as the endpoint sees it whose policy judges: in to it, or out of it. */

/** The endpoint receives. In event records and metrics 0 stands for a direction that is not known. */
export const INGRESS = 1;
/** The endpoint sends. */
export const EGRESS = 2;

/**
 * The one form of a direction. Documents and compiled rules index their fields by the words `ingress` and `egress`; the key of a
 * policy map has the bit `egress`, as Cilium's has.
 */
export type Direction = typeof INGRESS | typeof EGRESS;
