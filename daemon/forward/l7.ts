/** The L7 engine as the dataplane sees it: over this process's conntrack rows and rule sets, and with its access log as events. */
import type { RedirectMeans } from '../../dataplane/assemble.ts';
import type { Conntrack } from '../../dataplane/conntrack.ts';
import type { Recorder } from '../../dataplane/record.ts';
import type { Redirect } from '../../dataplane/redirect.ts';
import { L7Engine } from '../../l7proxy/engine.ts';
import type { StreamOwner } from '../../l7proxy/parser.ts';
import type { Maps } from '../../policy-maps/pinned.ts';
import { MessageRecords } from './message-records.ts';
import { EGRESS, INGRESS } from '../../wire/direction.ts';
import type { Frame } from '../../wire/frame.ts';
import { FORWARD } from '../../wire/reasons.ts';

const RELEASED_AT_ONCE = 16;
const ROUSED_AT_ONCE = 16; // two frames each, between two flushes

export class L7Streams implements Redirect {
  readonly engine: L7Engine;
  readonly #recorder: Recorder;
  readonly #conntrack: Conntrack;

  constructor({ sender, datagramSender, recorder, conntrack }: RedirectMeans, maps: Maps) {
    this.#conntrack = conntrack;
    this.#recorder = recorder;
    this.engine = new L7Engine({
      words: maps.ctTcp.words,
      anyWords: maps.ctAny.words,
      ruleSets: maps.l7Rules,
      parserState: maps.l7State,
      output: sender,
      datagramOutput: {
        sendDatagram: (...datagram) => datagramSender.sendDatagram(...datagram),
        heldEnded: (reason, owner, bytes) => this.#countHeld(reason, owner, bytes),
      },
      teaching: { fqdn: maps.fqdn, events: maps.dnsEvents.writer(maps.config), config: maps.config },
      log: new MessageRecords(recorder.access, maps),
    });
  }

  admit(f: Frame, egress: number, ingress: number): number {
    return this.engine.admit(f, egress, ingress);
  }

  segment(f: Frame, ctSlot: number, isReply: boolean): number {
    return this.engine.segment(f, ctSlot, isReply);
  }

  datagram(f: Frame, ctSlot: number, isReply: boolean): number {
    return this.engine.datagram(f, ctSlot, isReply);
  }

  beginBatch(nowMs: number): void {
    this.engine.streams.closeSec = this.#conntrack.life.closeSec;
    this.engine.recording = this.#recorder.isTelling;
    this.engine.tick(nowMs);
  }

  /**
   * After a restart, when the ports are open, some of the connections at a time: those that cannot go on are ended
   * (TcpConnections.rouse).
   * @returns false when there are no more
   */
  rouseSome(slots: Iterator<number>): boolean {
    for (let roused = 0; roused < ROUSED_AT_ONCE; ) {
      const next: IteratorResult<number, unknown> = slots.next();
      if (next.done === true) return false;
      if (this.engine.streams.rouse(next.value)) roused++;
    }
    return true;
  }

  /** When `releaseSome` must be called at the latest; infinity when nothing is held. */
  get releaseAtMs(): number {
    return this.engine.releaseAtMs;
  }

  /** Lets what is held go on, some of it at a time. @returns how many messages went; 0 = no more can go now */
  releaseSome(nowMs: number): number {
    return this.engine.release(nowMs, RELEASED_AT_ONCE);
  }

  /** As the engine counts frames: what is forwarded once for each end that is here, what is dropped once. */
  #countHeld(reason: number, { slot, srcEndpoint, dstEndpoint }: StreamOwner, bytes: number): void {
    if (reason !== FORWARD) {
      this.#recorder.counted(reason, dstEndpoint !== 0 ? EGRESS : INGRESS, bytes);
      return;
    }
    this.#conntrack.noteHeld(slot, bytes);
    if (dstEndpoint !== 0) this.#recorder.forwarded(EGRESS, bytes);
    if (srcEndpoint !== 0) this.#recorder.forwarded(INGRESS, bytes);
  }

  readonly onExpire = (ctSlot: number): void => {
    this.engine.streams.close(ctSlot);
  };
}
