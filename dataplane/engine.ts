/**
 * The way of a frame.
 *
 *   parse -> recall ------------------------------------------------------------> redirect -> deliver
 *             | no good decision in conntrack                                     ^
 *             identify -> track -> egress verdict -> ingress verdict -> commit ---'
 *
 * One call a step; 0 goes on, CONSUMED ends well, anything else is a drop reason. Every frame leaves through `finish`,
 * where it is counted and told. Nothing here allocates for a frame.
 */
import {
  CONFIG_ALLOW_ICMP_FRAG_NEEDED,
  CONFIG_AUDIT_MODE,
  CONFIG_WORLD_IDENTITY,
  type ConfigMap,
} from '../policy-maps/config-map.ts';
import * as row from '../policy-maps/conntrack-row.ts';
import type { FragmentMap } from '../policy-maps/fragment-map.ts';
import type { PolicyStatsMap } from '../policy-maps/policy-stats-map.ts';
import { EGRESS, INGRESS } from '../wire/direction.ts';
import * as event from '../wire/event.ts';
import type { Frame } from '../wire/frame.ts';
import { IDENTITY_WORLD } from '../wire/identities.ts';
import { PROTO_ICMP, PROTO_TCP } from '../wire/protocols.ts';
import {
  CONSUMED,
  DROP_EP_NOT_READY,
  DROP_FRAG_NEEDED,
  DROP_FRAG_NOSUPPORT,
  DROP_MIN,
  DROP_MULTICAST_HANDLED,
  DROP_PROXY_UNKNOWN_PROTO,
  DROP_STREAM_CLOSED,
  DROP_TTL_EXCEEDED,
  HELD,
} from '../wire/reasons.ts';
import { ROLE_HOST, ROLE_POD } from '../wire/port-kinds.ts';
import { CT_NEW, CT_RELATED, CT_REPLY } from './conntrack.ts';
import type { Deliverer } from './deliver.ts';
import { notePorts, restorePorts } from './fragments.ts';
import { type RouterAddress, toTimeExceeded, toTooBig } from './icmp-error.ts';
import { type Identifier } from './identify.ts';
import { parse } from './parse.ts';
import type { PortTable } from './port/table.ts';
import type { Recorder } from './record.ts';
import { type StreamProxy } from './redirect.ts';
import type { Tracker } from './track.ts';
import { Decision, judge } from './verdict.ts';

// Copies in this module: an imported binding is loaded and checked at every use (bench/pipeline, a tenth of a frame).
const { CT_EGRESS_STATS, CT_FLAG_PROXY_REDIRECT, CT_FLAGS, CT_INGRESS_STATS, CT_ROW_WORDS } = row;

/** ICMP errors a second, and at most as many in a burst. */
const ERRORS_PER_SEC = 1000;

export interface EngineParts {
  readonly ports: PortTable;
  readonly config: ConfigMap;
  readonly identifier: Identifier;
  readonly tracker: Tracker;
  readonly deliverer: Deliverer;
  readonly recorder: Recorder;
  readonly stats: PolicyStatsMap;
  readonly fragments: FragmentMap;
  readonly router: RouterAddress;
  /** Judges redirected streams; null when no L7 engine is wired in: redirected flows are then dropped (180). */
  readonly proxy: StreamProxy | null;
}

export class Engine {
  readonly #ports: PortTable;
  readonly #config: ConfigMap;
  readonly #identifier: Identifier;
  readonly #tracker: Tracker;
  readonly #deliverer: Deliverer;
  readonly #recorder: Recorder;
  readonly #stats: PolicyStatsMap;
  readonly #fragments: FragmentMap;
  readonly #router: RouterAddress;
  readonly #proxy: StreamProxy | null;
  readonly #egress = new Decision(EGRESS);
  readonly #ingress = new Decision(INGRESS);
  readonly #egressTrial = new Decision(EGRESS);
  readonly #ingressTrial = new Decision(INGRESS);
  readonly #none = new Decision(0);
  readonly #spare = new Decision(0);
  /** The direction whose policy dropped the frame under way. */
  #culprit: Decision = this.#none;
  #world = 0;
  #audit = false;
  #allowsFragNeeded = false;
  #errorTokens = ERRORS_PER_SEC;
  #nowMs = 0;

  constructor(parts: EngineParts) {
    this.#ports = parts.ports;
    this.#config = parts.config;
    this.#identifier = parts.identifier;
    this.#tracker = parts.tracker;
    this.#deliverer = parts.deliverer;
    this.#recorder = parts.recorder;
    this.#stats = parts.stats;
    this.#fragments = parts.fragments;
    this.#router = parts.router;
    this.#proxy = parts.proxy;
  }

  /** Once a batch, before its frames: reads the clock and the words that decisions depend on. */
  beginBatch(epochMs: number, nowMs: number): void {
    this.#recorder.tick(epochMs, nowMs);
    this.#proxy?.beginBatch(nowMs);
    this.#tracker.beginBatch(Math.floor(nowMs / 1000));
    this.#errorTokens = Math.min(ERRORS_PER_SEC, this.#errorTokens + ((nowMs - this.#nowMs) * ERRORS_PER_SEC) / 1000);
    this.#nowMs = nowMs;
    this.#world = this.#config.worldGeneration | 0;
    this.#stats.now = this.#tracker.life.nowSec;
    this.#audit = this.#config.words[CONFIG_AUDIT_MODE] !== 0;
    this.#allowsFragNeeded = this.#config.words[CONFIG_ALLOW_ICMP_FRAG_NEEDED] !== 0;
    const world = this.#config.words[CONFIG_WORLD_IDENTITY] || IDENTITY_WORLD;
    this.#identifier.worldV4 = world;
    this.#identifier.worldV6 = world;
  }

  /** One frame from a port, to its end. */
  runFrame(f: Frame): void {
    this.#culprit = this.#none;
    let outcome = parse(f);
    if (outcome === 0 && f.isFragment) restorePorts(f, this.#fragments, this.#tracker.life.nowSec);
    if (outcome === 0 && !this.#tracker.recall(f, this.#world)) outcome = this.#admit(f);
    if (outcome === 0 && f.isFragment) notePorts(f, this.#fragments, this.#tracker.life.nowSec);
    if (outcome === 0) outcome = this.#redirect(f) || this.forward(f);
    if (outcome !== 0) this.#stop(f, outcome);
  }

  /** Delivers a frame that may pass, counts and tells it. @returns 0, or a drop reason of the deliverer */
  forward(f: Frame): number {
    const isDue = this.#tracker.note(f);
    const { srcEndpoint, dstEndpoint, length } = f;
    if (isDue) this.#recorder.trace(f, observationPoint(f, this.#ports), traceReason(f), f.isReply);
    const refusal = this.#deliverer.deliver(f);
    if (refusal !== 0) return refusal;
    if (srcEndpoint !== 0) this.#recorder.forwarded(EGRESS, length);
    if (dstEndpoint !== 0) this.#recorder.forwarded(INGRESS, length);
    if (f.ctSlot >= 0 && !f.isReply) this.#countEntries(f, length);
    return 0;
  }

  #admit(f: Frame): number {
    return (
      this.#identifier.identify(f) ||
      this.#tracker.track(f) ||
      this.#judge(f) ||
      this.#judgeUnknownStream(f) ||
      this.#commit(f)
    );
  }

  /** Egress policy of a local source, then ingress policy of a local destination. An error goes with what it is about. */
  #judge(f: Frame): number {
    this.#egress.clear();
    this.#ingress.clear();
    if (f.ctStatus === CT_RELATED || (this.#allowsFragNeeded && isForeignFragNeeded(f))) return 0;
    if (f.ctStatus === CT_REPLY) return this.#judgeReply(f);
    return (
      this.#judgeSide(f, f.port, f.dstIdentity, 1, this.#egress) ||
      this.#judgeSide(f, f.outPort, f.srcIdentity, 0, this.#ingress)
    );
  }

  #judgeSide(f: Frame, side: number, remote: number, isEgress: 0 | 1, decision: Decision): number {
    const policy = this.#ports.policy[side];
    if (policy === null && this.#ports.role[side] !== ROLE_POD) return 0; // nobody's policy applies to strangers
    judge(f, policy, remote, isEgress, decision);
    if (decision.verdict < 0) return this.#refuse(f, side, decision);
    if (f.ctStatus === CT_NEW && !this.#wouldFailTrial(f, side, remote, isEgress)) {
      this.#recorder.verdict(f, decision, event.FLAG_REPLY_KNOWN);
    }
    decision.statsHandle = this.#statsOf(this.#ports.endpoint[side], decision);
    return 0;
  }

  /**
   * A reply goes by what is said of the connection, whose first frame went the other way: a denial that is new cuts both
   * directions, and a reply needs no policy of its own.
   */
  #judgeReply(f: Frame): number {
    return (
      this.#judgeReplySide(f, f.outPort, f.srcIdentity, 1, this.#egress) ||
      this.#judgeReplySide(f, f.port, f.dstIdentity, 0, this.#ingress)
    );
  }

  #judgeReplySide(f: Frame, side: number, remote: number, isEgress: 0 | 1, decision: Decision): number {
    const policy = this.#ports.policy[side];
    if (policy === null && this.#ports.role[side] !== ROLE_POD) return 0;
    judge(f, policy, remote, isEgress, decision);
    decision.isAudited = decision.verdict < 0 && this.#isAuditing(side, decision);
    if (decision.verdict < 0 && !decision.isAudited) return -decision.verdict;
    if (decision.isAudited) decision.verdict = 0;
    decision.statsHandle = this.#statsOf(this.#ports.endpoint[side], decision);
    return 0;
  }

  /**
   * A connection that was found in its middle may be the other side's. Then it would have been judged the other way round;
   * and if that means L7 rules, its place in the stream is lost, and it cannot go on.
   */
  #judgeUnknownStream(f: Frame): number {
    if (f.protocol !== PROTO_TCP || f.ctStatus === CT_RELATED || this.#tracker.isBeginKnown(f)) return 0;
    const { isReply } = f;
    const opener = isReply ? f.port : f.outPort;
    const other = isReply ? f.outPort : f.port;
    const openerIdentity = isReply ? f.srcIdentity : f.dstIdentity;
    const otherIdentity = isReply ? f.dstIdentity : f.srcIdentity;
    f.isReply = !isReply;
    const isRedirected = this.#redirects(f, opener, otherIdentity, 1) || this.#redirects(f, other, openerIdentity, 0);
    f.isReply = isReply;
    return isRedirected ? DROP_STREAM_CLOSED : 0;
  }

  #redirects(f: Frame, side: number, remote: number, isEgress: 0 | 1): boolean {
    const policy = this.#ports.policy[side];
    if (policy === null) return false;
    judge(f, policy, remote, isEgress, this.#spare);
    return this.#spare.verdict > 0;
  }

  /** A policy under trial is looked up beside the others; what it would have dropped passes, and is told as AUDIT. */
  #wouldFailTrial(f: Frame, side: number, remote: number, isEgress: 0 | 1): boolean {
    const trial = this.#ports.trial[side];
    if (trial === null) return false;
    const decision = isEgress === 1 ? this.#egressTrial : this.#ingressTrial;
    judge(f, trial, remote, isEgress, decision);
    if (decision.verdict >= 0) return false;
    decision.isAudited = true;
    this.#recorder.verdict(f, decision, 0);
    return true;
  }

  /** A denial: told, and final unless the endpoint is only being audited. */
  #refuse(f: Frame, side: number, decision: Decision): number {
    decision.isAudited = this.#isAuditing(side, decision);
    if (!decision.isAudited || f.ctStatus === CT_NEW) this.#recorder.verdict(f, decision, 0);
    if (!decision.isAudited) {
      this.#culprit = decision;
      return -decision.verdict;
    }
    decision.verdict = 0;
    return 0;
  }

  #isAuditing(side: number, decision: Decision): boolean {
    return (this.#audit || this.#ports.isAudited[side] !== 0) && -decision.verdict !== DROP_EP_NOT_READY;
  }

  #statsOf(endpoint: number, decision: Decision): number {
    if (decision.entrySlot < 0) return -1;
    return this.#stats.slotFor(endpoint, decision.entryIdentity, decision.entryPoint);
  }

  #commit(f: Frame): number {
    const refusal = this.#tracker.commit(f, this.#egress, this.#ingress, this.#world);
    if (refusal !== 0 || f.ctSlot < 0 || f.isReply || f.ctStatus === CT_RELATED) return refusal;
    if (this.#egress.verdict > 0 || this.#ingress.verdict > 0 || this.#isRedirected(f)) {
      if (this.#proxy === null || f.protocol !== PROTO_TCP) return DROP_PROXY_UNKNOWN_PROTO;
      return this.#proxy.admit(f, this.#egress.verdict, this.#ingress.verdict);
    }
    return 0;
  }

  #isRedirected(f: Frame): boolean {
    const table = this.#tracker.tableOf(f.protocol);
    return (table.words[f.ctSlot * CT_ROW_WORDS + CT_FLAGS] & CT_FLAG_PROXY_REDIRECT) !== 0;
  }

  /** Hands the segments of a stream with L7 rules to the L7 engine. @returns 0 to forward, HELD, or a drop reason */
  #redirect(f: Frame): number {
    if (f.ctSlot < 0 || f.protocol !== PROTO_TCP || !this.#isRedirected(f)) return 0;
    if (f.isFragment) return DROP_FRAG_NOSUPPORT; // a stream is judged in whole segments or not at all
    return this.#proxy === null ? DROP_PROXY_UNKNOWN_PROTO : this.#proxy.segment(f, f.ctSlot, f.isReply);
  }

  #countEntries(f: Frame, bytes: number): void {
    const table = this.#tracker.tableOf(f.protocol);
    const base = f.ctSlot * CT_ROW_WORDS;
    const egress = table.words[base + CT_EGRESS_STATS];
    const ingress = table.words[base + CT_INGRESS_STATS];
    if (egress >= 0) this.#stats.add(egress, bytes);
    if (ingress >= 0) this.#stats.add(ingress, bytes);
  }

  /** The end of a frame that does not go on: counted, told, and answered where a router owes an answer. */
  #stop(f: Frame, outcome: number): void {
    if (outcome === HELD) return;
    const direction = this.#directionOf(f);
    if (outcome < DROP_MIN) {
      if (outcome === CONSUMED) this.#recorder.counted(DROP_MULTICAST_HANDLED, direction, f.length);
      return;
    }
    this.#recorder.drop(f, outcome, direction, this.#culprit);
    if (outcome === DROP_TTL_EXCEEDED || outcome === DROP_FRAG_NEEDED) this.#answer(f, outcome);
  }

  #directionOf(f: Frame): number {
    if (this.#culprit !== this.#none) return this.#culprit.direction;
    return this.#ports.role[f.port] === ROLE_POD ? EGRESS : INGRESS;
  }

  #answer(f: Frame, reason: number): void {
    if (this.#errorTokens < 1) return;
    const mtu = f.outPort >= 0 ? this.#ports.mtu[f.outPort] : 0;
    const isMade = reason === DROP_TTL_EXCEEDED ? toTimeExceeded(f, this.#router) : toTooBig(f, this.#router, mtu);
    if (!isMade) return;
    this.#errorTokens--;
    this.#ports.queue(f.port, f.offset, f.length);
  }
}

/**
 * ICMPv4 "fragmentation needed" of a router outside. It passes every policy (Cilium: allow-icmp-frag-needed), or path MTU
 * discovery dies. A pod is no router, and may not lower the path MTU of others.
 */
function isForeignFragNeeded(f: Frame): boolean {
  return f.protocol === PROTO_ICMP && f.icmpType === 3 && f.icmpCode === 4 && f.srcEndpoint === 0;
}

function observationPoint(f: Frame, ports: PortTable): number {
  const role = ports.role[f.outPort];
  if (role === ROLE_POD) return event.TRACE_TO_ENDPOINT;
  return role === ROLE_HOST ? event.TRACE_TO_HOST : event.TRACE_TO_NETWORK;
}

function traceReason(f: Frame): number {
  return f.ctStatus; // the numbers agree: new, established, reply, related
}
