/**
 * Steps 2, 4 and 6: recall what was decided for a connection, track one that nothing good is known of, commit what was allowed
 * (cilium bpf/lib/conntrack.h). Outside policy-maps, the words of rows are read and written here and in
 * connection-life.ts; the L7 engine writes lifetimes and its own eight words (l7proxy/stream/row-life.ts, saved-state.ts).
 *
 * A decision is good for one world generation: the agent raises that word after each publication, so an unchanged word
 * means that policy, identities, addresses and ports are what they were when the decision was made. A frame of such a
 * connection needs one lookup and no judging (`recall`); any change sends the next frame of every connection through
 * the whole path again. That is how "established is re-evaluated" costs nothing while nothing changes.
 *
 * `track` answers new, established, reply or related. An entry is made only after an allow (`commit`).
 *
 * A TCP segment in the middle of a connection that has no entry makes one, as in Linux (nf_conntrack_tcp_loose). Who began
 * such a connection nobody knows; so it may not be one that the other side would have to have judged by L7 rules. Where
 * `needsSyn` is set, it makes none (138).
 *
 * How long entries live, and when they are told of: connection-life.ts.
 */
import { PROTO_TCP } from '../wire/protocols.ts';
import type { ConntrackMap, TupleFields } from '../policy-maps/conntrack-map.ts';
import * as row from '../policy-maps/conntrack-row.ts';
import * as ethernet from '../wire/header/ethernet.ts';
import { type Frame, TRANSLATED_LOOPBACK } from '../wire/frame.ts';
import {
  DROP_CT_CREATE_FAILED,
  DROP_CT_NO_BEGIN,
  DROP_INVALID_SIP,
  DROP_NOT_TRANSLATED,
  DROP_TUPLE_TAKEN,
} from '../wire/reasons.ts';
import { ROLE_POD } from '../wire/port-kinds.ts';
import { isClosing, isOpening, isReopening, Lifecycle, reopen } from './connection-life.ts';
import { isIcmpError } from './parse.ts';
import type { PortTable } from './port/table.ts';
import { QuotedTuple } from './related.ts';
import type { Decision } from './verdict.ts';

// Copies in this module: an imported binding is loaded and checked at every use (bench/pipeline, a tenth of a frame).
const {
  CT_DEST_ENDPOINT,
  CT_DST_SEC_ID,
  CT_EGRESS_COOKIE,
  CT_EGRESS_STATS,
  CT_EGRESS_VERDICT,
  CT_FLAG_BEGAN_WITH_SYN,
  CT_FLAG_PROXY_REDIRECT,
  CT_FLAG_SEEN_REPLY,
  CT_FLAG_TRANSLATED,
  CT_FLAGS,
  CT_INGRESS_COOKIE,
  CT_INGRESS_STATS,
  CT_ROW_WORDS,
  CT_INGRESS_VERDICT,
  CT_INITIATOR_PORT,
  CT_LIFETIME,
  CT_RESPONDER_PORT,
  CT_REV_NAT,
  CT_SOURCE_ENDPOINT,
  CT_SRC_SEC_ID,
  CT_WORLD_GENERATION,
} = row;

const SPECIAL = CT_FLAG_PROXY_REDIRECT | CT_FLAG_TRANSLATED;

/** `Frame.ctStatus`: what a frame is to its connection. */
export const CT_NEW = 0;
const CT_ESTABLISHED = 1;
export const CT_REPLY = 2;
export const CT_RELATED = 3;

export class Conntrack {
  readonly tcp: ConntrackMap;
  readonly any: ConntrackMap;
  readonly #ports: PortTable;
  /** Of the last related frame: the packet that the error quotes, and whether that packet was a reply. */
  readonly quoted = new QuotedTuple();
  isQuotedReply = false;
  /** Slot of the connection that the packet is of, in the table of its protocol. */
  quotedSlot = -1;
  /** Of the last tracked frame: the row that gives way if the new connection is allowed; -1 for none. */
  #givesWay = -1;
  /** No TCP connection is taken up in its middle. */
  needsSyn = false;
  /** Timers and clock of all entries. */
  readonly life = new Lifecycle();

  constructor(tcp: ConntrackMap, any: ConntrackMap, ports: PortTable) {
    this.tcp = tcp;
    this.any = any;
    this.#ports = ports;
  }

  /** @param nowSec monotonic seconds */
  beginBatch(nowSec: number): void {
    this.life.nowSec = nowSec;
    this.tcp.nowSec = nowSec;
    this.any.nowSec = nowSec;
  }

  #tableOf(protocol: number): ConntrackMap {
    return protocol === PROTO_TCP ? this.tcp : this.any;
  }

  /**
   * Takes over the decision that was made for this frame's connection, if it is still good.
   * Fills what the rest of the path needs: ctSlot, ctStatus, isReply, outPort, identities, endpoints.
   * @param world the world generation, read before the batch
   */
  recall(f: Frame, world: number): boolean {
    if (f.family === 0 || isIcmpError(f)) return false;
    const table = this.#tableOf(f.protocol);
    const found = table.lookup(f);
    if (found < 0) return false;
    const { words } = table;
    const base = (found >> 1) * CT_ROW_WORDS;
    const isReply = (found & 1) !== 0;
    if (words[base + CT_WORLD_GENERATION] !== world || words[base + CT_LIFETIME] < this.life.nowSec) return false;
    if (words[base + (isReply ? CT_RESPONDER_PORT : CT_INITIATOR_PORT)] !== f.port) return false;
    if (!this.#isFromItsEnd(f) || isReopening(words, base, f, isReply)) return false;
    const frontend = words[base + CT_REV_NAT];
    if (isReply ? f.frontend !== 0 : f.frontend !== frontend) return false;
    if (isReply) f.frontend = frontend;
    f.ctSlot = found >> 1;
    f.isReply = isReply;
    f.ctStatus = isReply ? CT_REPLY : CT_ESTABLISHED;
    f.outPort = words[base + (isReply ? CT_INITIATOR_PORT : CT_RESPONDER_PORT)];
    f.srcEndpoint = words[base + (isReply ? CT_DEST_ENDPOINT : CT_SOURCE_ENDPOINT)];
    f.dstEndpoint = words[base + (isReply ? CT_SOURCE_ENDPOINT : CT_DEST_ENDPOINT)];
    f.srcIdentity = words[base + (isReply ? CT_DST_SEC_ID : CT_SRC_SEC_ID)];
    f.dstIdentity = words[base + (isReply ? CT_SRC_SEC_ID : CT_DST_SEC_ID)];
    return true;
  }

  /**
   * Looks the connection up anew.
   * @returns 0, 132 for an ICMP error from a pod that is not about its own packets, 138 for a segment that would take a
   * connection up in its middle when that is not wanted, 249 when the same two ends are connected by another address, 250 for
   * an answer over a loopback address to nothing
   */
  track(f: Frame): number {
    f.ctSlot = -1;
    f.isReply = false;
    f.ctStatus = CT_NEW;
    this.#givesWay = -1;
    if (isIcmpError(f)) return this.#trackError(f);
    const table = this.#tableOf(f.protocol);
    const found = table.lookup(f);
    if (found < 0) return this.#begin(f);
    const base = (found >> 1) * CT_ROW_WORDS;
    const isOver =
      table.words[base + CT_LIFETIME] < this.life.nowSec || isReopening(table.words, base, f, (found & 1) !== 0);
    if (isOver || !isBetween(table.words, base, f, (found & 1) !== 0)) {
      // Whoever uses these addresses and ports now begins anew, and may be the other side. Until that is allowed the row
      // stays: anybody can forge a SYN, or an address, and what is refused must not end a connection.
      this.#givesWay = found >> 1;
      return this.#begin(f);
    }
    const isReply = (found & 1) !== 0;
    if (!isReply && isOrphan(f)) return DROP_NOT_TRANSLATED;
    // Replies could not be told apart: the tuple of the backend is one, what its client knows it by are two.
    if ((isReply ? 0 : table.words[base + CT_REV_NAT]) !== f.frontend) return DROP_TUPLE_TAKEN;
    f.frontend = table.words[base + CT_REV_NAT];
    f.ctSlot = found >> 1;
    f.isReply = isReply;
    f.ctStatus = isReply ? CT_REPLY : CT_ESTABLISHED;
    return 0;
  }

  /** Whether a connection may begin with this frame, as far as conntrack is concerned. @returns 0, 138, or 250 */
  #begin(f: Frame): number {
    if (isOrphan(f)) return DROP_NOT_TRANSLATED;
    return this.needsSyn && f.protocol === PROTO_TCP && !isOpening(f) ? DROP_CT_NO_BEGIN : 0;
  }

  /** Whether a connection with these two ends is alive that was opened to another address than `f.frontend`. */
  isTaken(f: TupleFields, frontend: number): boolean {
    const table = this.#tableOf(f.protocol);
    const found = table.lookup(f);
    if (found < 0) return false;
    if (!this.isLive(f.protocol, found >> 1)) return false;
    return (found & 1) !== 0 || table.words[(found >> 1) * CT_ROW_WORDS + CT_REV_NAT] !== frontend;
  }

  /** Whether a connection is neither over nor closing. @param slot in the table of the protocol */
  isLive(protocol: number, slot: number): boolean {
    const { words } = this.#tableOf(protocol);
    const base = slot * CT_ROW_WORDS;
    return words[base + CT_LIFETIME] >= this.life.nowSec && !isClosing(words, base);
  }

  /** Ends a connection whose initiator has come by `port` and is told so. Somebody else's is left alone. */
  end(protocol: number, slot: number, port: number): void {
    const { words } = this.#tableOf(protocol);
    const base = slot * CT_ROW_WORDS;
    if (words[base + CT_INITIATOR_PORT] === port && !isClosing(words, base)) this.life.close(words, base);
  }

  /** Forgets the connection of a frame that was just committed, which cannot go on. */
  abandon(f: Frame): void {
    this.#tableOf(f.protocol).remove(f.ctSlot);
    f.ctSlot = -1;
  }

  /** The rows that the frame's connection is among. */
  rowsOf(protocol: number): ConntrackMap {
    return this.#tableOf(protocol);
  }

  /** Whether frames of the connection are neither judged by L7 rules nor leave with another source. Preconditions: ctSlot is set */
  isPlain(f: Frame): boolean {
    return (this.#tableOf(f.protocol).words[f.ctSlot * CT_ROW_WORDS + CT_FLAGS] & SPECIAL) === 0;
  }

  /** Whether frames of the connection leave with another source. Preconditions: ctSlot is set */
  isTranslated(f: Frame): boolean {
    return (this.#tableOf(f.protocol).words[f.ctSlot * CT_ROW_WORDS + CT_FLAGS] & CT_FLAG_TRANSLATED) !== 0;
  }

  /** Whether it is known which end began the connection of a tracked TCP segment. */
  isBeginKnown(f: Frame): boolean {
    if (f.ctSlot < 0) return isOpening(f);
    return (this.tcp.words[f.ctSlot * CT_ROW_WORDS + CT_FLAGS] & CT_FLAG_BEGAN_WITH_SYN) !== 0;
  }

  /**
   * Stores what was decided, in a new entry for a new connection.
   * @returns 0, or 155 when the table takes no more
   */
  commit(f: Frame, egress: Decision, ingress: Decision, world: number): number {
    if (f.ctStatus === CT_RELATED || isIcmpError(f) || (f.isFragment && !f.isFirstFragment && f.ctSlot < 0)) return 0;
    const table = this.#tableOf(f.protocol);
    if (f.ctStatus === CT_NEW) {
      if (this.#givesWay >= 0) table.remove(this.#givesWay);
      this.#givesWay = -1;
      f.ctSlot = table.insert(f, f.srcEndpoint === 0 ? f.dstEndpoint : f.srcEndpoint);
      if (f.ctSlot < 0) return DROP_CT_CREATE_FAILED;
      reopen(table.words, f.ctSlot * CT_ROW_WORDS, f);
    }
    const { words } = table;
    const base = f.ctSlot * CT_ROW_WORDS;
    this.#storeEnds(words, base, f);
    const isRedirected = egress.verdict > 0 || ingress.verdict > 0;
    // A forward frame tells the L7 engine of its rules, and finds the source that it leaves with: so one must come this way.
    const isSpecial = isRedirected || f.srcEndpoint === 0 || (words[base + CT_FLAGS] & SPECIAL) !== 0;
    if (f.isReply && isSpecial) return 0;
    words[base + CT_EGRESS_VERDICT] = egress.verdict;
    words[base + CT_INGRESS_VERDICT] = ingress.verdict;
    words[base + CT_EGRESS_COOKIE] = egress.cookie;
    words[base + CT_INGRESS_COOKIE] = ingress.cookie;
    words[base + CT_EGRESS_STATS] = egress.statsHandle;
    words[base + CT_INGRESS_STATS] = ingress.statsHandle;
    if (isRedirected) words[base + CT_FLAGS] |= CT_FLAG_PROXY_REDIRECT;
    words[base + CT_WORLD_GENERATION] = world;
    return 0;
  }

  /** Counts a frame that goes on, and notes what it does to its connection. @returns true when an event is due */
  note(f: Frame): boolean {
    if (f.ctSlot < 0) return true;
    const table = this.#tableOf(f.protocol);
    const { words } = table;
    const base = f.ctSlot * CT_ROW_WORDS;
    table.account(base, 1, f.length);
    if (f.isReply) words[base + CT_FLAGS] |= CT_FLAG_SEEN_REPLY;
    return this.life.touch(words, base, f, f.isReply);
  }

  /** The same for a reply that is not TCP and was built here, in place of one that was held. @param bytes of its frame */
  noteHeld(ctSlot: number, bytes: number): void {
    const { words } = this.any;
    const base = ctSlot * CT_ROW_WORDS;
    this.any.account(base, 1, bytes);
    words[base + CT_FLAGS] |= CT_FLAG_SEEN_REPLY;
    words[base + CT_LIFETIME] = this.life.nowSec + this.life.anySec;
  }

  /** Whether the frame's connection has L7 rules. Preconditions: ctSlot is set */
  isRedirected(f: Frame): boolean {
    return (this.#tableOf(f.protocol).words[f.ctSlot * CT_ROW_WORDS + CT_FLAGS] & CT_FLAG_PROXY_REDIRECT) !== 0;
  }

  /** Counters of the entry that let the frame's connection out; -1 when there are none. Preconditions: ctSlot is set */
  egressStats(f: Frame): number {
    return this.#tableOf(f.protocol).words[f.ctSlot * CT_ROW_WORDS + CT_EGRESS_STATS];
  }

  /** The same of the entry that let it in. */
  ingressStats(f: Frame): number {
    return this.#tableOf(f.protocol).words[f.ctSlot * CT_ROW_WORDS + CT_INGRESS_STATS];
  }

  /** Cookie of the entry that let the frame's connection out, 0 for none. Preconditions: ctSlot is set */
  egressCookie(f: Frame): number {
    return this.#tableOf(f.protocol).words[f.ctSlot * CT_ROW_WORDS + CT_EGRESS_COOKIE];
  }

  /** The same of the entry that let it in. */
  ingressCookie(f: Frame): number {
    return this.#tableOf(f.protocol).words[f.ctSlot * CT_ROW_WORDS + CT_INGRESS_COOKIE];
  }

  /** Sends the next frame of the connection through the whole path again. Preconditions: ctSlot is set */
  forgetDecision(f: Frame): void {
    this.#tableOf(f.protocol).words[f.ctSlot * CT_ROW_WORDS + CT_WORLD_GENERATION] = 0;
  }

  /** Recall has not seen the policy path, so it repeats the two cheap checks on the sender: a pod's MAC, and ours. */
  #isFromItsEnd(f: Frame): boolean {
    const ports = this.#ports;
    const { bytes, offset, port } = f;
    if (ethernet.dstMacLow(bytes, offset) !== ports.ownLow[port]) return false;
    if (ethernet.dstMacHigh(bytes, offset) !== ports.ownHigh[port]) return false;
    if (ports.role[port] !== ROLE_POD) return true;
    return (
      ethernet.srcMacLow(bytes, offset) === ports.macLow[port] &&
      ethernet.srcMacHigh(bytes, offset) === ports.macHigh[port]
    );
  }

  /** An ICMP error belongs to the connection of the packet it quotes; a pod may only speak for itself, not as a router. */
  #trackError(f: Frame): number {
    const { quoted } = this;
    const isPod = this.#ports.role[f.port] === ROLE_POD;
    if (!quoted.readFrom(f)) return isPod ? DROP_INVALID_SIP : 0;
    // Before anything is looked up: the host's own connections, and those of pods that are over, have no entry.
    if (isPod && !isSentByQuotedPeer(f, quoted)) return DROP_INVALID_SIP;
    const table = this.#tableOf(quoted.protocol);
    const found = table.lookup(quoted);
    if (found < 0 || table.words[(found >> 1) * CT_ROW_WORDS + CT_LIFETIME] < this.life.nowSec) return 0;
    this.isQuotedReply = (found & 1) !== 0;
    this.quotedSlot = found >> 1;
    f.frontend = table.words[(found >> 1) * CT_ROW_WORDS + CT_REV_NAT];
    f.ctStatus = CT_RELATED;
    return 0;
  }

  /** Where both ends are now: ports and endpoints may have moved since the entry was made. */
  #storeEnds(words: Int32Array, base: number, f: Frame): void {
    words[base + (f.isReply ? CT_RESPONDER_PORT : CT_INITIATOR_PORT)] = f.port;
    words[base + (f.isReply ? CT_INITIATOR_PORT : CT_RESPONDER_PORT)] = f.outPort;
    words[base + (f.isReply ? CT_DEST_ENDPOINT : CT_SOURCE_ENDPOINT)] = f.srcEndpoint;
    words[base + (f.isReply ? CT_SOURCE_ENDPOINT : CT_DEST_ENDPOINT)] = f.dstEndpoint;
    words[base + (f.isReply ? CT_DST_SEC_ID : CT_SRC_SEC_ID)] = f.srcIdentity;
    words[base + (f.isReply ? CT_SRC_SEC_ID : CT_DST_SEC_ID)] = f.dstIdentity;
  }
}

/** An answer to a loopback address that was not asked for. */
function isOrphan(f: Frame): boolean {
  return (f.translation & TRANSLATED_LOOPBACK) !== 0 && f.frontend === 0;
}

/** Whether the ends of an entry are still the same endpoints: an address may have gone to another pod. */
function isBetween(words: Int32Array, base: number, f: Frame, isReply: boolean): boolean {
  return (
    words[base + (isReply ? CT_DEST_ENDPOINT : CT_SOURCE_ENDPOINT)] === f.srcEndpoint &&
    words[base + (isReply ? CT_SOURCE_ENDPOINT : CT_DEST_ENDPOINT)] === f.dstEndpoint
  );
}

function isSentByQuotedPeer(f: Frame, quoted: QuotedTuple): boolean {
  return f.src3 === quoted.dst3 && f.src2 === quoted.dst2 && f.src1 === quoted.dst1 && f.src0 === quoted.dst0;
}
