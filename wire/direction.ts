/** Which way a packet goes, as the endpoint sees it whose policy judges: in to it, or out of it. */

/** The endpoint receives. In event records and metrics 0 stands for a direction that is not known. */
export const INGRESS = 1;
/** The endpoint sends. */
export const EGRESS = 2;
