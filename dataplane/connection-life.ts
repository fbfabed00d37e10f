/**
 * How long a connection lives, and when it is told of.
 *
 * Life of a TCP entry: SYN only (lives 60 s) -> another segment seen (8000 s) -> closing, by a FIN from each side, or by
 * a RST before the handshake was complete (10 s) -> expired. A SYN on a closing entry opens it anew and is judged as
 * new. Everything else lives 60 s after its last packet.
 *
 * An event is due ("report") when a connection is new, when a TCP flag is seen for the first time in its direction, when
 * one side closes, and every REPORT_SEC: that bounds the number of events by connections, not by packets.
 */
import { PROTO_TCP } from '../wire/protocols.ts';
import * as row from '../policy-maps/conntrack-row.ts';
import type { Frame } from '../wire/frame.ts';
import * as tcp from '../wire/header/tcp.ts';

// Copies in this module: an imported binding is loaded and checked at every use (bench/pipeline, a tenth of a frame).
const {
  CT_FLAGS,
  CT_FLAG_BEGAN_WITH_SYN,
  CT_FLAG_RX_CLOSING,
  CT_FLAG_SEEN_NON_SYN,
  CT_FLAG_TX_CLOSING,
  CT_LAST_RX_REPORT,
  CT_LAST_TX_REPORT,
  CT_LIFETIME,
  CT_RX_FLAGS_SEEN,
  CT_TX_FLAGS_SEEN,
} = row;

// --- specification: Cilium's defaults
export const LIFETIME_TCP_SEC = 8000; // bpf-ct-timeout-regular-tcp
export const LIFETIME_SYN_SEC = 60; // bpf-ct-timeout-regular-tcp-syn
export const LIFETIME_CLOSE_SEC = 10; // bpf-ct-timeout-regular-tcp-fin
export const LIFETIME_ANY_SEC = 60; // bpf-ct-timeout-regular-any
export const REPORT_SEC = 5; // monitor-aggregation-interval

const CLOSING = CT_FLAG_RX_CLOSING | CT_FLAG_TX_CLOSING;

/** True unless both sides are closing. */
function isAlive(words: Int32Array, base: number): boolean {
  return (words[base + CT_FLAGS] & CLOSING) !== CLOSING;
}

/** Whether both sides have closed, so that a SYN on the same ports begins anew. */
export function isClosing(words: Int32Array, base: number): boolean {
  return !isAlive(words, base);
}

/** A segment that begins a connection. */
export function isOpening(f: Frame): boolean {
  return f.protocol === PROTO_TCP && (f.tcpFlags & (tcp.SYN | tcp.ACK)) === tcp.SYN;
}

/**
 * A SYN that uses the ports of a connection which has ended, or comes from the side that did not begin it: a connection
 * of its own, to be judged as new.
 */
export function isReopening(words: Int32Array, base: number, f: Frame, isReply: boolean): boolean {
  return isOpening(f) && (isReply || !isAlive(words, base));
}

/** Begins an entry with frame `f`, and forgets what an earlier connection on the same ports left behind. */
export function reopen(words: Int32Array, base: number, f: Frame): void {
  words[base + CT_FLAGS] &= ~(CLOSING | CT_FLAG_SEEN_NON_SYN | CT_FLAG_BEGAN_WITH_SYN);
  if (isOpening(f)) words[base + CT_FLAGS] |= CT_FLAG_BEGAN_WITH_SYN;
  words[base + CT_TX_FLAGS_SEEN] = 0;
  words[base + CT_RX_FLAGS_SEEN] = 0;
  words[base + CT_LAST_TX_REPORT] = 0;
  words[base + CT_LAST_RX_REPORT] = 0;
}

/** How long entries live and how often they are told of, by the clock of the batch. */
export class Lifecycle {
  /** Monotonic seconds, set once a batch. */
  nowSec = 0;
  tcpSec = LIFETIME_TCP_SEC;
  synSec = LIFETIME_SYN_SEC;
  closeSec = LIFETIME_CLOSE_SEC;
  anySec = LIFETIME_ANY_SEC;
  reportSec = REPORT_SEC;

  /**
   * Notes one packet of a connection: lifetime, closing, flags seen.
   * @returns true when an event is due
   */
  touch(words: Int32Array, base: number, f: Frame, isReply: boolean): boolean {
    let due = false;
    if (f.protocol === PROTO_TCP) {
      if ((f.tcpFlags & (tcp.FIN | tcp.RST)) !== 0) due = this.#close(words, base, f.tcpFlags, isReply);
      if (isAlive(words, base)) words[base + CT_LIFETIME] = this.nowSec + this.#tcpLifetime(words, base, f.tcpFlags);
    } else {
      words[base + CT_LIFETIME] = this.nowSec + this.anySec;
    }
    const seenAt = base + (isReply ? CT_RX_FLAGS_SEEN : CT_TX_FLAGS_SEEN);
    const reportAt = base + (isReply ? CT_LAST_RX_REPORT : CT_LAST_TX_REPORT);
    const seen = words[seenAt] | f.tcpFlags;
    if (!due && seen === words[seenAt] && this.nowSec - words[reportAt] < this.reportSec) return false;
    words[seenAt] = seen;
    words[reportAt] = this.nowSec;
    return true;
  }

  /** Both sides are told that the connection is over: what still comes is of the old one, and a SYN begins a new one. */
  close(words: Int32Array, base: number): void {
    words[base + CT_FLAGS] |= CLOSING;
    words[base + CT_LIFETIME] = this.nowSec + this.closeSec;
  }

  /** Notes that frames of a connection have passed elsewhere: it is in use, whatever they were. */
  keep(words: Int32Array, base: number, nowSec: number, isTcp: boolean): void {
    if (isAlive(words, base)) words[base + CT_LIFETIME] = nowSec + (isTcp ? this.tcpSec : this.anySec);
  }

  #tcpLifetime(words: Int32Array, base: number, flags: number): number {
    if ((flags & tcp.SYN) === 0) words[base + CT_FLAGS] |= CT_FLAG_SEEN_NON_SYN;
    return (words[base + CT_FLAGS] & CT_FLAG_SEEN_NON_SYN) !== 0 ? this.tcpSec : this.synSec;
  }

  /** A FIN or RST. @returns true when it changed the entry */
  #close(words: Int32Array, base: number, flags: number, isReply: boolean): boolean {
    const before = words[base + CT_FLAGS];
    let closing = isReply ? CT_FLAG_RX_CLOSING : CT_FLAG_TX_CLOSING;
    const sawBothSyns = (words[base + CT_TX_FLAGS_SEEN] & words[base + CT_RX_FLAGS_SEEN] & tcp.SYN) !== 0;
    if ((flags & tcp.RST) !== 0 && !sawBothSyns) closing = CLOSING;
    if ((before & closing) === closing) return false;
    words[base + CT_FLAGS] = before | closing;
    if (((before | closing) & CLOSING) === CLOSING) words[base + CT_LIFETIME] = this.nowSec + this.closeSec;
    return true;
  }
}
