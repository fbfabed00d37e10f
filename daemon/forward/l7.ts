/**
 * The L7 engine as the dataplane sees it: over this process's conntrack rows and rule sets, and with its access log as
 * events.
 *
 * An access-log record costs some ten microseconds here and in the agent, which is more than judging the request does. So
 * they have a token bucket: a burst of RECORDS_BURST, then RECORDS_PER_SEC a second; requests beyond that are judged all
 * the same, and leave no record.
 */
import type { RedirectMeans } from '../../dataplane/assemble.ts';
import type { Conntrack } from '../../dataplane/conntrack.ts';
import type { Recorder } from '../../dataplane/record.ts';
import type { Redirect } from '../../dataplane/redirect.ts';
import { L7Engine } from '../../l7proxy/engine.ts';
import type { StreamOwner } from '../../l7proxy/parser.ts';
import type { MessageRecord } from '../../l7proxy/protocol.ts';
import { ConnectionRows } from '../../policy-maps/connection-rows.ts';
import type { Maps } from '../../policy-maps/pinned.ts';
import type { AccessLog, AccessLogEndpoint } from '../../wire/access-log.ts';
import { formatIp, isV4Mapped } from '../../wire/address.ts';
import { EGRESS, INGRESS } from '../../wire/direction.ts';
import { FLAG_IPV6 } from '../../wire/event.ts';
import type { Frame } from '../../wire/frame.ts';
import { PROTO_TCP } from '../../wire/protocols.ts';
import { DROP_L7_DENIED, FORWARD } from '../../wire/reasons.ts';

const RECORDS_PER_SEC = 500;
const RECORDS_BURST = 4000;
const RELEASED_AT_ONCE = 16;
const ROUSED_AT_ONCE = 16; // two frames each, between two flushes

export class L7Streams implements Redirect {
  readonly engine: L7Engine;
  readonly #recorder: Recorder;
  readonly #conntrack: Conntrack;
  readonly #rows: ConnectionRows;
  readonly #datagramRows: ConnectionRows;
  readonly #encoder = new TextEncoder();
  #tokens = RECORDS_BURST;
  #filledMs = 0;

  constructor({ sender, datagramSender, recorder, conntrack }: RedirectMeans, maps: Maps) {
    this.#conntrack = conntrack;
    this.#recorder = recorder;
    this.#rows = new ConnectionRows(maps.ctTcp.words);
    this.#datagramRows = new ConnectionRows(maps.ctAny.words);
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
      onRecord: (record) => this.#tell(record),
    });
    this.engine.recording = true;
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
    this.engine.tick(nowMs);
    this.#tokens = Math.min(RECORDS_BURST, this.#tokens + ((nowMs - this.#filledMs) * RECORDS_PER_SEC) / 1000);
    this.#filledMs = nowMs;
    this.engine.recording = this.#tokens >= 1;
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

  #tell(record: MessageRecord): void {
    if (--this.#tokens < 1) this.engine.recording = false;
    const rows = record.protocol === PROTO_TCP ? this.#rows : this.#datagramRows;
    const log: AccessLog = {
      ...record.log,
      SourceEndpoint: endOf(rows, record.ctSlot, true),
      DestinationEndpoint: endOf(rows, record.ctSlot, false),
    };
    const { protocol, srcIdentity, dstIdentity, srcEndpoint, dstEndpoint, cookie } = record;
    const isIPv6 = log.SourceEndpoint?.IPv6 !== undefined;
    this.#recorder.accessLog(this.#encoder.encode(JSON.stringify(log)), {
      protocol,
      port: rows.portTowards(record.ctSlot, record.isIngress),
      flags: isIPv6 ? FLAG_IPV6 : 0,
      srcIdentity,
      dstIdentity,
      srcEndpoint,
      dstEndpoint,
      direction: record.isIngress ? INGRESS : EGRESS,
      verdict: record.log.Verdict === 'Denied' ? -DROP_L7_DENIED : 0,
      cookie,
    });
  }
}

function endOf(rows: ConnectionRows, ctSlot: number, ofInitiator: boolean): AccessLogEndpoint {
  const at = rows.addressAt(ctSlot, ofInitiator);
  const Port = rows.l4Port(ctSlot, ofInitiator);
  const [w0, w1, w2, w3] = rows.words.subarray(at, at + 4);
  const address = formatIp(w0, w1, w2, w3);
  return isV4Mapped(w0, w1, w2) ? { IPv4: address, Port } : { IPv6: address, Port };
}
