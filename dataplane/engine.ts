/**
 * The way of a frame.
 *
 *   1 parse, translate in -> 2 recall -----------------------------------> 7 redirect -> 8 translate out, deliver
 *                               | no good decision in conntrack              ^
 *                               3 identify -> 4 track -> 5 judge -> 6 commit '
 *
 * One call a step; 0 goes on, HELD and CONSUMED end a frame well, anything else is a drop reason. A frame leaves by `#forward`,
 * or ends in `#end`; in both it is counted and told. The functions stand in the order of the steps. Nothing here allocates
 * for a frame.
 */
import { EGRESS, INGRESS } from '../wire/direction.ts';
import { IDENTITY_WORLD } from '../wire/identities.ts';
import { PROTO_TCP } from '../wire/protocols.ts';
import { CONFIG_WORLD_IDENTITY, type ConfigMap } from '../policy-maps/config-map.ts';
import type { FragmentMap } from '../policy-maps/fragment-map.ts';
import type { AddressFilter } from '../policy-maps/service/address-filter.ts';
import * as event from '../wire/event.ts';
import { type Frame, TRANSLATED_DESTINATION } from '../wire/frame.ts';
import { ROLE_HOST, ROLE_POD } from '../wire/port-kinds.ts';
import { CONSUMED, DROP_FRAG_NOSUPPORT, DROP_MIN, DROP_MULTICAST_HANDLED, HELD } from '../wire/reasons.ts';
import { type Conntrack, CT_RELATED } from './conntrack.ts';
import type { Deliverer } from './deliver.ts';
import { notePorts, restorePorts } from './fragments.ts';
import type { IcmpErrors } from './icmp-error.ts';
import { type Identifier } from './identify.ts';
import type { Judge } from './judge.ts';
import type { Translator } from './nat/translator.ts';
import { parse } from './parse.ts';
import type { PortTable } from './port/table.ts';
import type { Recorder } from './record.ts';
import type { Redirect } from './redirect.ts';
import type { Settled } from './settled.ts';

export interface EngineParts {
  readonly ports: PortTable;
  readonly config: ConfigMap;
  readonly identifier: Identifier;
  readonly conntrack: Conntrack;
  readonly judge: Judge;
  readonly translator: Translator;
  readonly addressFilter: AddressFilter;
  readonly redirect: Redirect;
  readonly deliverer: Deliverer;
  readonly errors: IcmpErrors;
  readonly recorder: Recorder;
  readonly fragments: FragmentMap;
  readonly settled: Settled;
}

export class Engine {
  readonly #ports: PortTable;
  readonly #config: ConfigMap;
  readonly #identifier: Identifier;
  readonly #conntrack: Conntrack;
  readonly #judge: Judge;
  readonly #translator: Translator;
  readonly #filter: AddressFilter;
  readonly #redirect: Redirect;
  readonly #deliverer: Deliverer;
  readonly #errors: IcmpErrors;
  readonly #recorder: Recorder;
  readonly #fragments: FragmentMap;
  readonly #settled: Settled;
  #world = 0;

  constructor(parts: EngineParts) {
    this.#ports = parts.ports;
    this.#config = parts.config;
    this.#identifier = parts.identifier;
    this.#conntrack = parts.conntrack;
    this.#judge = parts.judge;
    this.#translator = parts.translator;
    this.#filter = parts.addressFilter;
    this.#redirect = parts.redirect;
    this.#deliverer = parts.deliverer;
    this.#errors = parts.errors;
    this.#recorder = parts.recorder;
    this.#fragments = parts.fragments;
    this.#settled = parts.settled;
  }

  /** Once a batch, before its frames: reads the clock and the words that decisions depend on. */
  beginBatch(epochMs: number, nowMs: number): void {
    const nowSec = Math.floor(nowMs / 1000);
    this.#recorder.tick(epochMs, nowMs);
    this.#redirect.beginBatch(nowMs);
    this.#conntrack.beginBatch(nowSec);
    this.#judge.beginBatch(nowSec);
    this.#errors.beginBatch(nowMs);
    this.#world = this.#config.worldGeneration | 0;
    this.#translator.beginBatch(this.#world, nowSec);
    const world = this.#config.words[CONFIG_WORLD_IDENTITY] || IDENTITY_WORLD;
    this.#identifier.worldV4 = world;
    this.#identifier.worldV6 = world;
  }

  /** One frame from a port, to its end. */
  runFrame(f: Frame): void {
    this.#judge.beginFrame();
    const outcome = parse(f) || this.#translate(f) || this.#know(f) || this.#pass(f);
    if (outcome !== 0) this.#end(f, outcome);
  }

  /** Where the frame really goes. */
  #translate(f: Frame): number {
    if (f.isFragment) restorePorts(f, this.#fragments, this.#conntrack.life.nowSec);
    const mayConcern = this.#filter.mayConcern(f.dst0, f.dst1, f.dst2, f.dst3);
    return mayConcern && f.family !== 0 ? this.#translator.translateIn(f) : 0;
  }

  /** Steps 2 to 6: takes over what was decided for the frame's connection, or decides. */
  #know(f: Frame): number {
    const refusal = this.#conntrack.recall(f, this.#world) ? 0 : this.#decide(f);
    if (refusal !== 0 || !f.isFragment) return refusal;
    const was = (f.translation & TRANSLATED_DESTINATION) === 0 ? f : this.#translator.original;
    notePorts(f, was, this.#fragments, this.#conntrack.life.nowSec);
    return 0;
  }

  #decide(f: Frame): number {
    return this.#identifier.identify(f) || this.#conntrack.track(f) || this.#judge.judge(f) || this.#commit(f);
  }

  #commit(f: Frame): number {
    const { egress, ingress } = this.#judge;
    const refusal = this.#conntrack.commit(f, egress, ingress, this.#world) || this.#translator.commit(f);
    if (refusal !== 0 && f.ctSlot >= 0) this.#conntrack.forgetDecision(f); // or the next frame would pass by it
    if (refusal !== 0 || f.ctSlot < 0 || f.isReply || f.ctStatus === CT_RELATED) return refusal;
    const isRedirected = egress.verdict > 0 || ingress.verdict > 0 || this.#conntrack.isRedirected(f);
    return isRedirected ? this.#redirect.admit(f, egress.verdict, ingress.verdict) : 0;
  }

  /** Steps 7 and 8. Most frames belong to a connection that has neither L7 rules nor another source outside. */
  #pass(f: Frame): number {
    if (f.ctSlot >= 0 && this.#conntrack.isPlain(f)) return this.#forward(f, true);
    return this.#judgeContent(f) || this.#forward(f, false);
  }

  /** Step 7: hands the frames of a connection with L7 rules to the L7 engine. @returns 0 to forward, HELD, or a drop reason */
  #judgeContent(f: Frame): number {
    if (f.ctSlot < 0 || !this.#conntrack.isRedirected(f)) return 0;
    if (f.isFragment) return DROP_FRAG_NOSUPPORT; // content is judged whole or not at all
    const { frames } = this.#recorder;
    const { length } = f;
    const isRecorded = frames.isOn && frames.pass(f, event.TRACE_TO_PROXY);
    const outcome =
      f.protocol === PROTO_TCP
        ? this.#redirect.segment(f, f.ctSlot, f.isReply)
        : this.#redirect.datagram(f, f.ctSlot, f.isReply);
    if (isRecorded) frames.settle(outcome === HELD || (outcome === 0 && f.length !== length));
    return outcome;
  }

  /** Step 8: delivers a frame that may pass, counts and tells it. @returns 0, or a drop reason of the deliverer */
  #forward(f: Frame, isPlain: boolean): number {
    const isDue = this.#conntrack.note(f);
    const { srcEndpoint, dstEndpoint, length } = f;
    const { frames } = this.#recorder;
    if (isDue) this.#recorder.trace(f, this.#observationPoint(f), traceReason(f), f.isReply);
    const isRecorded = frames.isOn && frames.pass(f, this.#observationPoint(f));
    const refusal = isPlain ? this.#deliverer.deliver(f) : this.#leave(f);
    if (isRecorded) frames.settle(refusal === 0);
    if (refusal !== 0) return refusal;
    if (srcEndpoint !== 0) this.#recorder.forwarded(EGRESS, length);
    if (dstEndpoint !== 0) this.#recorder.forwarded(INGRESS, length);
    if (f.ctSlot >= 0 && !f.isReply) this.#judge.count(f, length);
    if (isPlain && this.#settled.threshold !== 0 && !frames.isOn) this.#settled.consider(f, this.#world);
    return 0;
  }

  #leave(f: Frame): number {
    const refusal = this.#translator.translateOut(f) || this.#deliverer.deliver(f);
    if (refusal !== 0) this.#translator.undoSource(f);
    return refusal;
  }

  /** The end of a frame that does not go on: counted, told, and answered where a router owes an answer. */
  #end(f: Frame, outcome: number): void {
    if (outcome === HELD) return;
    const direction = this.#directionOf(f);
    if (outcome === CONSUMED) this.#recorder.counted(DROP_MULTICAST_HANDLED, direction, f.length);
    if (outcome < DROP_MIN) return;
    // A frame that is refused before its sender is looked up comes from the pod behind the port, whatever it says.
    if (f.srcEndpoint === 0 && this.#ports.role[f.port] === ROLE_POD) {
      f.srcEndpoint = this.#ports.endpoint[f.port];
      f.srcIdentity = this.#ports.identity[f.port];
    }
    this.#recorder.drop(f, outcome, direction, this.#judge.culprit);
    if (f.translation !== 0) this.#translator.undo(f);
    this.#errors.answer(f, outcome);
  }

  #directionOf(f: Frame): number {
    if (this.#judge.hasCulprit) return this.#judge.culprit.direction;
    return this.#ports.role[f.port] === ROLE_POD ? EGRESS : INGRESS;
  }

  #observationPoint(f: Frame): number {
    const role = this.#ports.role[f.outPort];
    if (role === ROLE_POD) return event.TRACE_TO_ENDPOINT;
    return role === ROLE_HOST ? event.TRACE_TO_HOST : event.TRACE_TO_NETWORK;
  }
}

function traceReason(f: Frame): number {
  return f.ctStatus; // the numbers agree: new, established, reply, related
}
