/** Counters of TCP connections under L7 rules, all since start. What was in them, each protocol counts. */
import * as counter from '../../policy-maps/counters.ts';
import type { CounterReader } from '../protocol.ts';
import type { ConnectionTable } from './connection-table.ts';
import type { BytePool } from './kept-bytes.ts';

export class StreamCounters {
  opened = 0;
  /** Connections not taken because the share of their endpoint was full, or their rules cannot be read. */
  refused = 0;
  tableFull = 0;
  /** Of those refused: their rule sets are missing, disagree, or are for a protocol that is not read here. */
  unread = 0;
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
  /** How often what waited in one stream was dropped, because what it waited for never came. */
  earlyAged = 0;
  /** Segments dropped because their bytes could not be kept. */
  noMemory = 0;
  /** Segments that were a repetition; whose repeated bytes were not what was sent, and were replaced. */
  repeated = 0;
  repeatedOtherwise = 0;
  /** Segments sent again on a timer of ours; connections given up because nobody acknowledged, or a head never ended. */
  resent = 0;
  gaveUp = 0;
  headTimeouts = 0;
}

/** Under which numbers they are known (policy-maps/counters.ts). */
export function streamReaders(counters: StreamCounters, pool: BytePool, table: ConnectionTable): CounterReader[] {
  return [
    [counter.L7_OPENED, () => counters.opened],
    [counter.L7_REFUSED, () => counters.refused],
    [counter.L7_TABLE_FULL, () => counters.tableFull],
    [counter.L7_UNREAD, () => counters.unread],
    [counter.L7_RESUMED, () => counters.resumed],
    [counter.L7_UNRESUMED, () => counters.unresumed],
    [counter.L7_RESETS, () => counters.resets],
    [counter.L7_CLOSES, () => counters.closes],
    [counter.L7_BAD_CHECKSUM, () => counters.badChecksum],
    [counter.L7_INVALID, () => counters.invalid],
    [counter.L7_EARLY, () => counters.early],
    [counter.L7_EARLY_DROPPED, () => counters.earlyDropped],
    [counter.L7_NO_MEMORY, () => counters.noMemory],
    [counter.L7_REPEATED, () => counters.repeated],
    [counter.L7_REPEATED_OTHERWISE, () => counters.repeatedOtherwise],
    [counter.L7_RESENT, () => counters.resent],
    [counter.L7_GAVE_UP, () => counters.gaveUp],
    [counter.L7_HEAD_TIMEOUTS, () => counters.headTimeouts],
    [counter.L7_EARLY_AGED, () => counters.earlyAged],
    [counter.L7_MEMORY_REFUSED, () => pool.refusedStreams],
    [counter.L7_MEMORY_SHARE_FULL, () => pool.shares.refused],
    [counter.L7_MEMORY_FULL_ENDPOINT, () => pool.shares.refusedEndpoint],
    [counter.L7_FLOWS, () => table.count],
    [counter.L7_RECLAIMED, () => table.reclaimed],
    [counter.L7_FULL_ENDPOINT, () => table.shares.refusedEndpoint],
    [counter.L7_MEMORY, () => pool.usedBytes],
    [counter.L7_MEMORY_PEAK, () => pool.shares.peak],
  ];
}
