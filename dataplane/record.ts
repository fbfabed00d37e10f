/**
 * The one place that counts and tells: every way a frame can end comes through here.
 *
 * Counting is exact: each outcome adds to the metrics map. Telling is bounded: an event costs a 256-byte record, so
 * each kind has a budget (budget.ts), of which each port has some for itself: a flood hides its own events, not those of
 * others. Drops go to a ring of their own, so that no amount of forwarded traffic pushes them out, and are told all, one by one
 * or as counts (drop-teller.ts); so do requests and responses under L7 rules (access-records.ts). Other events over their rate are counted in `skipped` and told to nobody.
 */
import * as event from '../wire/event.ts';
import type { Frame } from '../wire/frame.ts';
import { FORWARD } from '../wire/reasons.ts';
import { EGRESS, INGRESS } from '../wire/direction.ts';
import type { SlotRing } from '../wire/l7-record.ts';
import { AccessRecords } from './access-records.ts';
import { Budget, OWN_EVENTS_PER_SEC } from './budget.ts';
import type { DropTeller } from './drop-teller.ts';
import { describeFrame } from './frame-event.ts';
import type { FrameRecorder } from './frame-recorder.ts';

/** What this file needs of the pinned metrics map. */
export interface MetricsSink {
  add(reason: number, direction: number, packets: number, bytes: number): void;
}

/** A policy decision worth telling. */
export interface Verdict {
  readonly direction: number;
  /** 0 allow, > 0 rule set, < 0 minus the drop reason. */
  readonly verdict: number;
  readonly matchType: number;
  readonly authType: number;
  readonly cookie: number;
  readonly isAudited: boolean;
}

/** Where it is told but for drops: the pinned rings, and recordings of frames. */
export interface EventPlaces {
  readonly events: SlotRing;
  readonly l7Events: SlotRing & { readonly capacity: number };
  readonly frames: FrameRecorder;
}

export class Recorder {
  /** Of requests and responses. */
  readonly access: AccessRecords;
  /** Of whole frames, for who asks for them. */
  readonly frames: FrameRecorder;
  readonly #metrics: MetricsSink;
  readonly #drops: DropTeller;
  readonly #events: SlotRing;
  /** Of denied verdicts, which go where the drops go. */
  readonly #deniedBudget: Budget;
  readonly #eventBudget: Budget;
  /** Whether anything is told; outcomes are counted in any case. */
  isTelling = true;
  #epochMs = 0;

  /** @param ratePerSec events a second for denied verdicts, and as many for the rest; a burst of one second's worth may pass */
  constructor(metrics: MetricsSink, drops: DropTeller, { events, l7Events, frames }: EventPlaces, ratePerSec: number) {
    this.#metrics = metrics;
    this.#drops = drops;
    this.#events = events;
    this.access = new AccessRecords(l7Events);
    this.frames = frames;
    this.#deniedBudget = new Budget(ratePerSec, OWN_EVENTS_PER_SEC);
    this.#eventBudget = new Budget(ratePerSec, OWN_EVENTS_PER_SEC);
  }

  /** Once a batch. @param epochMs wall clock for the events @param nowMs monotonic, for the rates */
  tick(epochMs: number, nowMs: number): void {
    this.#epochMs = epochMs;
    this.frames.tick(epochMs);
    this.#drops.tick(epochMs, nowMs);
    this.#deniedBudget.beginBatch(nowMs);
    this.#eventBudget.beginBatch(nowMs);
    this.access.tick(epochMs, nowMs);
  }

  /** Drops that were not told one by one, but as counts. */
  get dropsCounted(): number {
    return this.#drops.counted;
  }

  /** Events other than drops that were not told because they came faster than the rate allows. */
  get skipped(): number {
    return this.#deniedBudget.refused + this.#eventBudget.refused;
  }

  forwarded(direction: number, bytes: number): void {
    this.#metrics.add(FORWARD, direction, 1, bytes);
  }

  /** Counts an outcome that is nobody's business (multicast chatter, answered ARP): no event. */
  counted(reason: number, direction: number, bytes: number): void {
    this.#metrics.add(reason, direction, 1, bytes);
  }

  drop(f: Frame, reason: number, direction: number, verdict: Verdict): void {
    this.#metrics.add(reason, direction, 1, f.length);
    if (this.frames.isOn) this.frames.drop(f, reason, direction, verdict.cookie);
    if (!this.isTelling) return;
    if (!this.#drops.mayTell(f.port)) {
      this.#drops.count(f, reason, direction, verdict.cookie);
      return;
    }
    const at = this.#drops.next();
    const { bytes } = this.#drops;
    event.begin(bytes, at, event.EVENT_DROP, reason, this.#epochMs);
    describeFrame(bytes, at, f, 0);
    event.setDirection(bytes, at, direction);
    event.setVerdict(bytes, at, -reason);
    event.setCookies(bytes, at, verdict.cookie, 0);
    event.capture(bytes, at, f.bytes, f.offset, f.length);
    this.#drops.commit();
  }

  verdict(f: Frame, verdict: Verdict, flags: number): void {
    if (!this.isTelling) return;
    const isDrop = verdict.verdict < 0;
    const sink = isDrop && !verdict.isAudited ? this.#drops : this.#events;
    if (!(sink === this.#drops ? this.#deniedBudget : this.#eventBudget).take(f.port)) return;
    const at = sink.next();
    event.begin(sink.bytes, at, event.EVENT_POLICY_VERDICT, 0, this.#epochMs);
    describeFrame(sink.bytes, at, f, flags | (verdict.isAudited ? event.FLAG_AUDITED : 0));
    event.setDirection(sink.bytes, at, verdict.direction);
    event.setVerdict(sink.bytes, at, verdict.verdict);
    event.setMatchType(sink.bytes, at, verdict.matchType);
    event.setAuthType(sink.bytes, at, verdict.authType);
    event.setCookies(sink.bytes, at, verdict.cookie, 0);
    event.capture(sink.bytes, at, f.bytes, f.offset, f.length);
    sink.commit();
  }

  trace(f: Frame, point: number, reason: number, isReply: boolean): void {
    if (!this.isTelling || !this.#eventBudget.take(f.port)) return;
    const { bytes } = this.#events;
    const at = this.#events.next();
    event.begin(bytes, at, event.EVENT_TRACE, point, this.#epochMs);
    describeFrame(bytes, at, f, event.FLAG_REPLY_KNOWN | (isReply ? event.FLAG_REPLY : 0));
    event.setTraceReason(bytes, at, reason);
    event.setDirection(bytes, at, f.dstEndpoint !== 0 ? INGRESS : EGRESS);
    event.capture(bytes, at, f.bytes, f.offset, f.length);
    this.#events.commit();
  }
}
