/**
 * Step 5: what policy says to a frame of a connection that nothing good is known of.
 *
 * A connection has two sides: its initiator is judged by egress policy, its responder by ingress policy, each only when
 * it is an endpoint of this node. A `Side` says which port that is in the frame at hand, and who is at the other end.
 *
 *  1. An ICMP error is judged as the opening of the connection that it is about would be now, like a reply, whoever sends
 *     it. "Fragmentation needed" of a router outside passes, if so configured.
 *  2. A frame is judged as the opening of its connection would be now: a reply, by what is said of the connection, whose
 *     first frame went the other way. So a denial that is new cuts both directions, and a reply needs no policy of its own.
 *  3. An endpoint without a published policy is closed (203). What has no policy because it is no endpoint is not judged.
 *  4. A later fragment whose ports are unknown can only match entries without a port.
 *  5. Otherwise the policy map decides, by protocol and destination port, or ICMP type.
 *  6. A denial of an endpoint under audit passes, and is told as AUDIT; so does what a policy on trial would have denied.
 *  7. Who began a TCP connection that was found in its middle is not known. If L7 rules would apply the other way round, its
 *     place in the stream is lost, and it cannot go on.
 *  8. A pod that reaches itself through a service is not judged, as it is not when it talks to itself at home.
 */
import { type Direction, EGRESS, INGRESS } from '../wire/direction.ts';
import { PROTO_ICMP, PROTO_ICMPV6, PROTO_TCP } from '../wire/protocols.ts';
import { CONFIG_ALLOW_ICMP_FRAG_NEEDED, CONFIG_AUDIT_MODE, type ConfigMap } from '../policy-maps/config-map.ts';
import type { PolicyMap } from '../policy-maps/policy-map.ts';
import type { PolicyStatsMap } from '../policy-maps/policy-stats-map.ts';
import { FLAG_REPLY_KNOWN } from '../wire/event.ts';
import { type Frame, TRANSLATED_LOOPBACK } from '../wire/frame.ts';
import { ROLE_POD } from '../wire/port-kinds.ts';
import { DROP_EP_NOT_READY, DROP_STREAM_CLOSED } from '../wire/reasons.ts';
import { type Conntrack, CT_NEW, CT_RELATED, CT_REPLY } from './conntrack.ts';
import { requestTypeOf } from './icmp-tuple.ts';
import type { Identifier } from './identify.ts';
import type { PortTable } from './port/table.ts';
import type { Recorder } from './record.ts';
import { Decision } from './verdict.ts';

/** Connections a batch whose counters have been given to others and are asked for anew. */
const RENEWALS_PER_BATCH = 64;

/** One side of the connection that the frame at hand belongs to. */
class Side {
  readonly direction: Direction;
  readonly decision: Decision;
  readonly trial: Decision;
  /** Index of the port of the endpoint whose policy is asked; -1 when there is none. */
  port = -1;
  /** Security identity of the other side. */
  remote = 0;

  constructor(direction: Direction) {
    this.direction = direction;
    this.decision = new Decision(direction);
    this.trial = new Decision(direction);
  }
}

const NOBODY = new Decision(0);

export interface JudgeParts {
  readonly ports: PortTable;
  readonly config: ConfigMap;
  readonly conntrack: Conntrack;
  readonly identifier: Identifier;
  readonly recorder: Recorder;
  readonly stats: PolicyStatsMap;
}

export class Judge {
  /** Of the frame under way: the decision that dropped it, whose direction and rule are told with the drop. */
  culprit = NOBODY;
  readonly #ports: PortTable;
  readonly #config: ConfigMap;
  readonly #conntrack: Conntrack;
  readonly #identifier: Identifier;
  readonly #recorder: Recorder;
  readonly #stats: PolicyStatsMap;
  readonly #initiator = new Side(EGRESS);
  readonly #responder = new Side(INGRESS);
  readonly #spare = new Decision(0);
  /** Where policy is looked up: the protocol and the port, or ICMP type, that the connection was opened to. */
  #protocol = 0;
  #point = 0;
  #lacksPorts = false;
  #isAuditing = false;
  #allowsFragNeeded = false;
  #renewals = 0;

  constructor(parts: JudgeParts) {
    this.#ports = parts.ports;
    this.#config = parts.config;
    this.#conntrack = parts.conntrack;
    this.#identifier = parts.identifier;
    this.#recorder = parts.recorder;
    this.#stats = parts.stats;
  }

  /** Egress decision of the last frame that was judged. */
  get egress(): Decision {
    return this.#initiator.decision;
  }

  /** Ingress decision of the last frame that was judged. */
  get ingress(): Decision {
    return this.#responder.decision;
  }

  /** @param nowSec monotonic seconds */
  beginBatch(nowSec: number): void {
    this.#stats.now = nowSec;
    this.#renewals = 0;
    this.#isAuditing = this.#config.words[CONFIG_AUDIT_MODE] !== 0;
    this.#allowsFragNeeded = this.#config.words[CONFIG_ALLOW_ICMP_FRAG_NEEDED] !== 0;
  }

  beginFrame(): void {
    this.culprit = NOBODY;
  }

  /** Whether policy has dropped the frame under way. */
  get hasCulprit(): boolean {
    return this.culprit !== NOBODY;
  }

  /** @returns 0, or a drop reason. Preconditions: the frame is identified and tracked */
  judge(f: Frame): number {
    const { decision: egress } = this.#initiator;
    const { decision: ingress } = this.#responder;
    egress.clear();
    ingress.clear();
    if ((f.translation & TRANSLATED_LOOPBACK) !== 0) return this.#ports.policy[f.port] === null ? DROP_EP_NOT_READY : 0; // 8
    if (this.#allowsFragNeeded && isForeignFragNeeded(f)) return 0; // 1
    if (f.ctStatus === CT_RELATED) {
      this.#faceQuoted(f);
      return this.#judgeSide(f, this.#initiator) || this.#judgeSide(f, this.#responder);
    }
    this.#face(f, f.isReply); // 2
    const refusal = this.#judgeSide(f, this.#initiator) || this.#judgeSide(f, this.#responder);
    if (refusal !== 0 || f.protocol !== PROTO_TCP || this.#conntrack.isBeginKnown(f)) return refusal;
    this.#face(f, !f.isReply); // 7
    return this.#redirects(this.#initiator) || this.#redirects(this.#responder) ? DROP_STREAM_CLOSED : 0;
  }

  /** Counts a frame that goes on for the entries that let its connection pass. */
  count(f: Frame, bytes: number): void {
    const conntrack = this.#conntrack;
    const isEgressCounted = this.#countOne(conntrack.egressStats(f), bytes);
    const isIngressCounted = this.#countOne(conntrack.ingressStats(f), bytes);
    if (isEgressCounted && isIngressCounted) return;
    if (this.#renewals++ < RENEWALS_PER_BATCH) conntrack.forgetDecision(f);
  }

  /** @returns false when the counters belong to another entry by now */
  #countOne(handle: number, bytes: number): boolean {
    return handle < 0 || this.#stats.add(handle, bytes);
  }

  /** Says who the two sides are in frame `f`. */
  #face(f: Frame, isReply: boolean): void {
    this.#initiator.port = isReply ? f.outPort : f.port;
    this.#initiator.remote = isReply ? f.srcIdentity : f.dstIdentity;
    this.#responder.port = isReply ? f.port : f.outPort;
    this.#responder.remote = isReply ? f.dstIdentity : f.srcIdentity;
    this.#lacksPorts = f.isFragment && !f.isFirstFragment && f.dstPort === 0 && f.srcPort === 0;
    this.#protocol = f.protocol;
    this.#point = policyPoint(f, isReply);
  }

  /** The same for an ICMP error: who the two sides of the quoted packet's connection are. Its sender gets the error. */
  #faceQuoted(f: Frame): void {
    const { quoted, isQuotedReply } = this.#conntrack;
    const peer = this.#identifier.identityAt(f.family, quoted.dst0, quoted.dst1, quoted.dst2, quoted.dst3);
    this.#initiator.port = isQuotedReply ? f.port : f.outPort;
    this.#initiator.remote = isQuotedReply ? f.dstIdentity : peer;
    this.#responder.port = isQuotedReply ? f.outPort : f.port;
    this.#responder.remote = isQuotedReply ? peer : f.dstIdentity;
    this.#lacksPorts = false;
    this.#protocol = quoted.protocol;
    this.#point = quoted.policyPoint(isQuotedReply);
  }

  #judgeSide(f: Frame, side: Side): number {
    const policy = this.#ports.policy[side.port];
    if (policy === null && this.#ports.role[side.port] !== ROLE_POD) return 0; // 3
    const { decision } = side;
    this.#lookUp(policy, side, decision);
    if (decision.verdict < 0) return this.#refuse(f, side);
    if (f.ctStatus === CT_NEW && !this.#wouldFailTrial(f, side)) this.#recorder.verdict(f, decision, FLAG_REPLY_KNOWN);
    if (decision.entrySlot >= 0) {
      const endpoint = this.#ports.endpoint[side.port];
      decision.statsHandle = this.#stats.slotFor(endpoint, decision.entryIdentity, decision.entryPoint);
    }
    return 0;
  }

  #lookUp(policy: PolicyMap | null, side: Side, decision: Decision): void {
    decision.clear();
    if (policy === null) {
      decision.verdict = -DROP_EP_NOT_READY;
      return;
    }
    decision.verdict = this.#lacksPorts
      ? policy.lookupFragment(side.remote, side.direction, this.#protocol) // 4
      : policy.lookup(side.remote, side.direction, this.#protocol, this.#point); // 5
    decision.matchType = policy.matchType;
    decision.authType = policy.authType;
    decision.cookie = policy.cookie;
    decision.entrySlot = policy.entrySlot;
    decision.entryIdentity = policy.entryIdentity;
    decision.entryPoint = policy.entryPoint;
  }

  /** A denial: final unless the endpoint is only being audited. Told, but of a reply: its drop says enough. */
  #refuse(f: Frame, side: Side): number {
    const { decision } = side;
    const reason = -decision.verdict;
    const isReply = f.ctStatus === CT_REPLY || f.ctStatus === CT_RELATED;
    decision.isAudited = (this.#isAuditing || this.#ports.isAudited[side.port] !== 0) && reason !== DROP_EP_NOT_READY;
    if (!isReply && (!decision.isAudited || f.ctStatus === CT_NEW)) this.#recorder.verdict(f, decision, 0);
    if (decision.isAudited) {
      decision.verdict = 0;
      return 0;
    }
    if (!isReply) this.culprit = decision;
    return reason;
  }

  /** A policy on trial is looked up beside the others; what it would have dropped passes, and is told as AUDIT. */
  #wouldFailTrial(f: Frame, side: Side): boolean {
    const trial = this.#ports.trial[side.port];
    if (trial === null) return false;
    this.#lookUp(trial, side, side.trial);
    if (side.trial.verdict >= 0) return false;
    side.trial.isAudited = true;
    this.#recorder.verdict(f, side.trial, 0);
    return true;
  }

  /** Whether L7 rules of either side would apply to a connection between these two ends, whoever of them began it. */
  mayRedirect(f: Frame): boolean {
    for (const isReply of [false, true]) {
      this.#face(f, isReply);
      if (this.#redirects(this.#initiator) || this.#redirects(this.#responder)) return true;
    }
    return false;
  }

  #redirects(side: Side): boolean {
    const policy = this.#ports.policy[side.port];
    if (policy === null) return false;
    this.#lookUp(policy, side, this.#spare);
    return this.#spare.verdict > 0;
  }
}

/** The port, or ICMP type, that the connection was opened to. */
function policyPoint(f: Frame, isReply: boolean): number {
  if (f.protocol === PROTO_ICMP || f.protocol === PROTO_ICMPV6) return isReply ? requestTypeOf(f) : f.icmpType;
  return isReply ? f.srcPort : f.dstPort;
}

/**
 * ICMPv4 "fragmentation needed" of a router outside. It passes every policy (Cilium: allow-icmp-frag-needed), or path MTU
 * discovery dies. A pod is no router, and may not lower the path MTU of others.
 */
function isForeignFragNeeded(f: Frame): boolean {
  return f.protocol === PROTO_ICMP && f.icmpType === 3 && f.icmpCode === 4 && f.srcEndpoint === 0;
}
