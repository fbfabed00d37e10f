/** Connections in the hands of the kernel, as the API tells of them. */

/** With `offload: nft`. */
export interface OffloadDocument {
  /** Connections that the kernel forwards now, and how many it may have. */
  readonly active: number;
  readonly capacity: number;
  /** Since the agent began: handed over; out again (closed, idle, or because something was published). */
  readonly taken: number;
  readonly ended: number;
  /** Offered by the dataplane, and left with it: no longer fit, or no room. */
  readonly refused: number;
  readonly full: number;
}
