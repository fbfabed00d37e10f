/** Counters of the L7 engine, all since start but for `flows`. Requests and parse errors are in Http1Shared. */
export class ProxyStats {
  /** Flows now. */
  flows = 0;
  opened = 0;
  /** Connections not taken because the table was full, or their rules cannot be read. */
  refused = 0;
  tableFull = 0;
  /** Connections taken up from a former process; connections that could not be. */
  resumed = 0;
  unresumed = 0;
  /** Connections reset by us, and ended by us behind a reply. */
  resets = 0;
  closes = 0;
  /** Segments that could not be believed: wrong checksum, URG, no ACK, old timestamp, outside the window, odd SYN. */
  badChecksum = 0;
  invalid = 0;
  /** Segments that came too early and waited; that came too early and could not. */
  early = 0;
  earlyDropped = 0;
  /** Segments dropped because their bytes could not be kept. */
  noMemory = 0;
  /** Segments that were a repetition; whose repeated bytes were not what was sent, and were replaced. */
  repeated = 0;
  repeatedOtherwise = 0;
  /** Segments sent again on a timer of ours; flows given up because nobody acknowledged, or a head never ended. */
  resent = 0;
  gaveUp = 0;
  headTimeouts = 0;
}
