/**
 * Translation, on the way of a frame: its destination when it comes in, before anybody asks whose connection it is; its source
 * when it goes out, after all judging. In between everybody sees who really talks to whom, so that policy, conntrack and L7 rules
 * know of services no more than of any other address.
 *
 *              in                                         out
 *   service    client -> [service | backend]              [backend | service] -> client
 *   masquerade outside -> [node | pod]                    [pod | node] -> outside
 *   loopback   pod -> [loopback | itself]                 [itself | loopback] -> pod
 *
 * A frame to an address that the filter does not know costs one load. One of an established connection costs one lookup in
 * `nat`, which says where it goes; services are asked for first frames, and after each publication. What a frame would change
 * in the tables is changed by `commit`, when it has been allowed: who is refused, or not who he says he is, leaves no trace.
 *
 * After a publication a connection keeps its backend as long as the service is there and the backend in whatever state. When
 * either has gone a TCP connection ends (248, its client is reset), another protocol gets another backend.
 *
 * ICMP errors are translated by the packet that they quote, both outside and inside. A fragment is translated by the ports of its
 * datagram (fragments.ts): one that comes before its first is dropped (157).
 */
import {
  CT_FLAG_LB_LOOPBACK,
  CT_FLAG_TRANSLATED,
  CT_FLAGS,
  CT_REV_NAT,
  CT_ROW_WORDS,
  CT_SLOT_GENERATION,
} from '../../policy-maps/conntrack-row.ts';
import * as nat from '../../policy-maps/service/nat-map.ts';
import type { TranslationSettings } from '../../policy-maps/service/translation-settings.ts';
import { type Frame, TRANSLATED_DESTINATION, TRANSLATED_LOOPBACK, TRANSLATED_SOURCE } from '../../wire/frame.ts';
import { ROLE_POD } from '../../wire/port-kinds.ts';
import { PROTO_SCTP, PROTO_TCP } from '../../wire/protocols.ts';
import {
  DROP_BACKEND_GONE,
  DROP_FRAG_NOSUPPORT,
  DROP_NAT_NO_MAPPING,
  DROP_NOT_TRANSLATED,
  DROP_SERVICE_PORT,
} from '../../wire/reasons.ts';
import { isOpening } from '../connection-life.ts';
import { type Conntrack, CT_NEW, CT_RELATED } from '../conntrack.ts';
import { isIcmpError } from '../parse.ts';
import type { PortTable } from '../port/table.ts';
import { QuotedTuple } from '../related.ts';
import { type Chooser, NO_SERVICE } from './chooser.ts';
import type { Masquerade } from './masquerade.ts';
import { type OutwardSource, UNCHANGED } from './outward.ts';
import { setDestination, setQuotedDestination, setQuotedSource, setSource } from './rewrite.ts';
import { Tuple } from '../tuple.ts';

// Copies in this module: an imported binding is loaded and checked at every use (bench/pipeline, a tenth of a frame).
const {
  NAT_BACKEND,
  NAT_CT_SLOT,
  NAT_FRONTEND,
  NAT_KIND,
  NAT_MASQUERADE,
  NAT_SERVICE,
  NAT_TO,
  NAT_TO_PORT,
  NAT_WORLD,
} = nat;
const DESTINATION = TRANSLATED_DESTINATION;
const SOURCE = TRANSLATED_SOURCE;
const LOOPBACK = TRANSLATED_LOOPBACK;
const ROW_WORDS = CT_ROW_WORDS;

export interface TranslatorParts {
  readonly nat: nat.NatMap;
  readonly chooser: Chooser;
  readonly outward: OutwardSource;
  readonly masquerade: Masquerade;
  readonly conntrack: Conntrack;
  readonly ports: PortTable;
}

export class Translator {
  /** The frame at hand as it came in, if its destination has been translated. */
  readonly original = new Tuple();
  readonly #nat: nat.NatMap;
  readonly #chooser: Chooser;
  readonly #outward: OutwardSource;
  readonly #masquerade: Masquerade;
  readonly #conntrack: Conntrack;
  readonly #ports: PortTable;
  readonly #quoted = new QuotedTuple();
  readonly #turned = new Tuple();
  /** An address of the frame at hand, for the rewriters; and its source before that was translated. */
  readonly #address = new Int32Array(4);
  readonly #ownSource = new Int32Array(4);
  #ownPort = 0;
  /** Of the frame at hand: its backend, and whether the client is to be given it again. */
  #backend = 0;
  #hasAffinity = false;
  #world = 0;

  constructor(parts: TranslatorParts) {
    this.#nat = parts.nat;
    this.#chooser = parts.chooser;
    this.#outward = parts.outward;
    this.#masquerade = parts.masquerade;
    this.#conntrack = parts.conntrack;
    this.#ports = parts.ports;
  }

  /** Takes over what seldom changes. */
  refresh(settings: TranslationSettings): void {
    this.#outward.refresh(settings);
    this.#masquerade.refresh(settings);
  }

  /** @param world the world generation, read before the batch @param nowSec monotonic seconds */
  beginBatch(world: number, nowSec: number): void {
    this.#world = world;
    this.#nat.nowSec = nowSec;
  }

  /**
   * The destination, if it may have to be another. @returns 0, CONSUMED, or a drop reason
   * Preconditions: it is a frame of IP, the address filter knows its destination, fragments have their ports
   */
  translateIn(f: Frame): number {
    return isIcmpError(f) ? this.#errorIn(f) : this.#frameIn(f);
  }

  #frameIn(f: Frame): number {
    const base = this.#nat.lookup(f);
    if (base < 0) return this.#openIn(f, -1);
    const { words } = this.#nat;
    // Fast: of a connection whose service was asked since the last publication.
    if (words[base + NAT_WORLD] === this.#world && !isOpening(f)) return this.#followRow(f, base);
    if (words[base + NAT_KIND] !== NAT_MASQUERADE) return this.#openIn(f, base);
    const isKnown = this.#nat.isOwned(base);
    return isKnown ? this.#followRow(f, base) : 0;
  }

  #followRow(f: Frame, base: number): number {
    const { words } = this.#nat;
    this.#nat.touch(base);
    f.frontend = words[base + NAT_FRONTEND];
    this.#backend = words[base + NAT_BACKEND];
    this.#hasAffinity = false;
    return this.#divert(f, words, base + NAT_TO, words[base + NAT_TO_PORT]);
  }

  /** A first frame, or the first after a publication. @param base of the row that it has so far, -1 for none */
  #openIn(f: Frame, base: number): number {
    if (f.isFragment && !f.isFirstFragment && f.srcPort === 0 && f.dstPort === 0) {
      return this.#chooser.isVirtual(f.dst0, f.dst1, f.dst2, f.dst3) ? DROP_FRAG_NOSUPPORT : 0;
    }
    if (this.#isLoopback(f)) return this.#loopIn(f);
    const { words } = this.#nat;
    const isUnderWay = base >= 0 && f.protocol === PROTO_TCP && !isOpening(f);
    const found = this.#chooser.find(f);
    if (isUnderWay && (found === NO_SERVICE || found === DROP_SERVICE_PORT)) return this.#endRow(f, base);
    if (found !== 0) return found === NO_SERVICE ? 0 : found;
    if (base >= 0 && this.#goesOn(f, base)) {
      words[base + NAT_WORLD] = this.#world;
      return this.#followRow(f, base);
    }
    f.frontend = this.#chooser.frontendHandle;
    return isUnderWay ? this.#endRow(f, base) : this.#chooser.choose(f) || this.#followChoice(f);
  }

  /** Whether the connection of a row keeps its backend, now that its service was asked again. */
  #goesOn(f: Frame, base: number): boolean {
    const { words } = this.#nat;
    if (words[base + NAT_FRONTEND] !== this.#chooser.frontendHandle) return false;
    const isNew = isOpening(f);
    if (isNew && !(this.#nat.isOwned(base) && this.#conntrack.isLive(f.protocol, words[base + NAT_CT_SLOT])))
      return false;
    return this.#chooser.keeps(words[base + NAT_BACKEND], words, base + NAT_TO, words[base + NAT_TO_PORT], isNew);
  }

  /** The end of a TCP connection whose service or backend has gone: the client is told, and may begin anew. */
  #endRow(f: Frame, base: number): number {
    if (this.#nat.isOwned(base)) this.#conntrack.end(f.protocol, this.#nat.words[base + NAT_CT_SLOT], f.port);
    return DROP_BACKEND_GONE;
  }

  #followChoice(f: Frame): number {
    const { backend, address, port, hasAffinity } = this.#chooser;
    this.#backend = backend;
    this.#hasAffinity = hasAffinity;
    return this.#divert(f, address, 0, port);
  }

  /** Sends a frame elsewhere. */
  #divert(f: Frame, words: Int32Array, at: number, port: number): number {
    // The checksum of SCTP covers the whole packet, of which a fragment does not know the rest.
    if (f.protocol === PROTO_SCTP && f.isFragment && port !== f.dstPort) return DROP_FRAG_NOSUPPORT;
    this.original.copy(f);
    this.original.fragmentId = f.fragmentId;
    setDestination(f, words, at, port);
    const isItself = f.dst3 === f.src3 && f.dst2 === f.src2 && f.dst1 === f.src1 && f.dst0 === f.src0;
    f.translation = isItself ? DESTINATION | LOOPBACK : DESTINATION;
    return 0;
  }

  #isLoopback(f: Frame): boolean {
    const loopback = this.#outward.loopback(f.family);
    const isIt = f.dst3 === loopback[3] && f.dst2 === loopback[2] && f.dst1 === loopback[1] && f.dst0 === loopback[0];
    return isIt && this.#ports.role[f.port] === ROLE_POD;
  }

  /** What a pod answers to itself. */
  #loopIn(f: Frame): number {
    this.#addressOf(f.src0, f.src1, f.src2, f.src3);
    this.#hasAffinity = false;
    return this.#divert(f, this.#address, 0, f.dstPort);
  }

  /** An ICMP error goes where the packet that it quotes came from. */
  #errorIn(f: Frame): number {
    const quoted = this.#quoted;
    if (!quoted.readFrom(f)) return this.#strayError(f);
    if (this.#isLoopback(f)) {
      this.#addressOf(f.src0, f.src1, f.src2, f.src3);
      return this.#divertError(f, this.#address, 0, -1);
    }
    const { words } = this.#nat;
    this.#turned.copyTurned(quoted);
    const base = this.#nat.lookup(this.#turned);
    if (base < 0 || !this.#nat.isOwned(base)) return this.#strayError(f);
    return this.#divertError(f, words, base + NAT_TO, words[base + NAT_TO_PORT]);
  }

  #divertError(f: Frame, words: Int32Array, at: number, port: number): number {
    setQuotedSource(f, this.#quoted, words, at, port);
    return this.#divert(f, words, at, -1);
  }

  #strayError(f: Frame): number {
    return this.#chooser.isVirtual(f.dst0, f.dst1, f.dst2, f.dst3) ? DROP_NOT_TRANSLATED : 0;
  }

  /**
   * Remembers what was made of an allowed frame, in a connection that was just committed.
   * @returns 0, or a drop reason: 167, 168, 169, 194, 204; then a new connection is forgotten
   */
  commit(f: Frame): number {
    if (f.ctSlot < 0 || f.isReply || f.ctStatus === CT_RELATED) return 0;
    const isNew = f.ctStatus === CT_NEW;
    const masquerade = this.#masquerade;
    const refusal =
      (f.frontend === 0 ? 0 : this.#noteService(f, isNew)) || (isNew ? masquerade.open(f) : masquerade.renew(f));
    if (refusal !== 0 && isNew) this.#conntrack.abandon(f);
    return refusal;
  }

  #noteService(f: Frame, isNew: boolean): number {
    const rows = this.#conntrack.rowsOf(f.protocol).words;
    const row = f.ctSlot * ROW_WORDS;
    if (isNew) {
      rows[row + CT_REV_NAT] = f.frontend;
      rows[row + CT_FLAGS] |= CT_FLAG_TRANSLATED | ((f.translation & LOOPBACK) !== 0 ? CT_FLAG_LB_LOOPBACK : 0);
    }
    const base = this.#nat.insert(this.original);
    if (base < 0) return DROP_NAT_NO_MAPPING;
    const { words } = this.#nat;
    words[base + NAT_TO] = f.dst0;
    words[base + NAT_TO + 1] = f.dst1;
    words[base + NAT_TO + 2] = f.dst2;
    words[base + NAT_TO + 3] = f.dst3;
    words[base + NAT_TO_PORT] = f.dstPort;
    words[base + NAT_KIND] = NAT_SERVICE;
    words[base + NAT_FRONTEND] = f.frontend;
    words[base + NAT_BACKEND] = this.#backend;
    words[base + NAT_WORLD] = this.#world;
    words[base + NAT_CT_SLOT] = f.ctSlot;
    words[base + nat.NAT_CT_GENERATION] = rows[row + CT_SLOT_GENERATION];
    if (this.#hasAffinity) this.#chooser.noteAffinity(f, f.frontend, this.#backend, this.#conntrack.life.nowSec);
    return 0;
  }

  /** The source. @returns 0, or a drop reason: 157, 167, 168, 175, 248, 250. Preconditions: the frame may pass */
  translateOut(f: Frame): number {
    if (f.ctSlot < 0) return f.ctStatus === CT_RELATED ? this.#errorOut(f) : this.#masquerade.refuseStray(f);
    return this.#conntrack.isTranslated(f) ? this.#frameOut(f) : 0;
  }

  #frameOut(f: Frame): number {
    const outward = this.#outward;
    const rows = this.#conntrack.rowsOf(f.protocol).words;
    let found = outward.find(rows, f.ctSlot * ROW_WORDS, f.isReply);
    if (found === DROP_NAT_NO_MAPPING) {
      // Its row made room for others. With another port most connections end, but the way out stays translated.
      found = this.#masquerade.renew(f);
      if (found !== 0)
        this.#conntrack.forgetDecision(f); // its next frame asks again
      else found = outward.find(rows, f.ctSlot * ROW_WORDS, f.isReply);
    }
    if (found !== 0) return found === UNCHANGED ? 0 : found;
    const { words, at, port } = outward;
    if (f.protocol === PROTO_SCTP && f.isFragment && port >= 0 && port !== f.srcPort) return DROP_FRAG_NOSUPPORT;
    this.#keepSource(f);
    setSource(f, words, at, port);
    f.translation |= SOURCE;
    return 0;
  }

  /** An ICMP error about a translated connection speaks of the addresses that its receiver knows. */
  #errorOut(f: Frame): number {
    const { quoted, quotedSlot, isQuotedReply } = this.#conntrack;
    const rows = this.#conntrack.rowsOf(quoted.protocol).words;
    if ((rows[quotedSlot * ROW_WORDS + CT_FLAGS] & CT_FLAG_TRANSLATED) === 0) return 0;
    const outward = this.#outward;
    const found = outward.find(rows, quotedSlot * ROW_WORDS, !isQuotedReply);
    if (found !== 0) return found === UNCHANGED ? 0 : found;
    const { words, at, port } = outward;
    setQuotedDestination(f, quoted, words, at, port);
    const isItsPeer =
      f.src3 === quoted.dst3 && f.src2 === quoted.dst2 && f.src1 === quoted.dst1 && f.src0 === quoted.dst0;
    if (isItsPeer) setSource(f, words, at, -1); // a router on the way keeps its own address
    return 0;
  }

  /** Makes of a dropped frame what its sender has sent, so that an answer quotes that. */
  undo(f: Frame): void {
    this.undoSource(f);
    if ((f.translation & DESTINATION) !== 0) {
      const { dst0, dst1, dst2, dst3, dstPort } = this.original;
      this.#addressOf(dst0, dst1, dst2, dst3);
      setDestination(f, this.#address, 0, isIcmpError(f) ? -1 : dstPort);
    }
    f.translation = 0;
  }

  /** A frame that could not leave has the source again that it was judged with. */
  undoSource(f: Frame): void {
    if ((f.translation & SOURCE) !== 0) setSource(f, this.#ownSource, 0, this.#ownPort);
    f.translation &= ~SOURCE;
  }

  #keepSource(f: Frame): void {
    this.#ownSource[0] = f.src0;
    this.#ownSource[1] = f.src1;
    this.#ownSource[2] = f.src2;
    this.#ownSource[3] = f.src3;
    this.#ownPort = f.srcPort;
  }

  #addressOf(w0: number, w1: number, w2: number, w3: number): void {
    this.#address[0] = w0;
    this.#address[1] = w1;
    this.#address[2] = w2;
    this.#address[3] = w3;
  }
}
