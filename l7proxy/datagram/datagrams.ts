/**
 * UDP datagrams under L7 rules. Each is a whole message, so nothing is kept of a conversation: its rule sets are in the
 * conntrack row, its judge is found by them, and one parser of its protocol reads it. A frame that will be cut into several is
 * dropped: its receiver would read other messages than were judged. What no protocol of the registry reads
 * is dropped, and counted. An answer that must wait is kept (held.ts) and leaves in a frame of our own, or something else
 * does in its place; its conversation's row says where to.
 */
import { ConnectionRows } from '../../policy-maps/connection-rows.ts';
import * as counter from '../../policy-maps/counters.ts';
import type { Frame } from '../../wire/frame.ts';
import * as vnet from '../../wire/header/virtio-net.ts';
import * as offload from '../../wire/offload.ts';
import { PROTO_UDP } from '../../wire/protocols.ts';
import {
  DROP_CSUM_L4,
  DROP_FRAG_NOSUPPORT,
  DROP_L7_HELD,
  DROP_PROXY_UNKNOWN_PROTO,
  FORWARD,
  HELD,
} from '../../wire/reasons.ts';
import { type JudgeKey, NOBODY, REQUEST, RESPONSE, type StreamOwner } from '../parser.ts';
import {
  type CounterReader,
  DATAGRAM_ANSWER,
  DATAGRAM_HOLD,
  DATAGRAM_PASS,
  DATAGRAM_REPLACE,
  type DatagramParser,
  type DatagramProtocol,
} from '../protocol.ts';
import { HeldDatagrams } from './held.ts';

/** Sends datagrams of our own. */
export interface DatagramOutput {
  /** Sends payload[start, end) in the conversation of `ctSlot`; one that cannot be sent is lost, as on any wire. */
  sendDatagram(ctSlot: number, toResponder: boolean, payload: Uint8Array, start: number, end: number): boolean;
  /**
   * How a datagram ended that was held. Its frame was not counted.
   * @param reason FORWARD, or the drop reason @param bytes of its frame
   */
  heldEnded(reason: number, owner: StreamOwner, bytes: number): void;
}

/** The protocols of an engine (protocols.ts). */
export interface DatagramProtocols {
  datagramOf(key: JudgeKey): DatagramProtocol | undefined;
}

class DatagramCounters {
  /** Datagrams read, and let through or not. */
  passed = 0;
  denied = 0;
  badChecksum = 0;
  /** Dropped: no protocol here reads what their rule sets are for. */
  unread = 0;
  /** Dropped: several in one frame. */
  several = 0;
  /** Held, and not sent: their conversation was gone, or their port. */
  heldLost = 0;
}

function datagramReaders(counters: DatagramCounters): CounterReader[] {
  return [
    [counter.L7_DATAGRAMS_PASSED, () => counters.passed],
    [counter.L7_DATAGRAMS_DENIED, () => counters.denied],
    [counter.L7_DATAGRAMS_UNREAD, () => counters.unread],
    [counter.L7_DATAGRAMS_BAD_CHECKSUM, () => counters.badChecksum],
    [counter.L7_DATAGRAMS_SEVERAL, () => counters.several],
    [counter.DNS_HELD_LOST, () => counters.heldLost],
  ];
}

type Owner = { -readonly [Key in keyof StreamOwner]: StreamOwner[Key] };

export class Datagrams {
  readonly counters: DatagramCounters = new DatagramCounters();
  readonly readers: readonly CounterReader[] = datagramReaders(this.counters);
  readonly held = new HeldDatagrams();
  readonly #rows: ConnectionRows;
  readonly #protocols: DatagramProtocols;
  readonly #output: DatagramOutput;
  /** Of the datagram at hand: used again. */
  readonly #owner: Owner = { ...NOBODY, isDatagram: true };

  /** @param words rows of the conntrack map of what is not TCP */
  constructor(words: Int32Array, protocols: DatagramProtocols, output: DatagramOutput) {
    this.#rows = new ConnectionRows(words);
    this.#protocols = protocols;
    this.#output = output;
  }

  /**
   * One datagram of a redirected conversation, whole (no fragment).
   * @param frame parsed; its checksum is verified here
   * @param ctSlot row of the conversation @param isReply it comes from the responder
   * @returns FORWARD, HELD (an answer of our own goes back instead), or a drop reason
   */
  datagram(frame: Frame, ctSlot: number, isReply: boolean): number {
    const owner = this.#ownerOf(frame, ctSlot, isReply);
    const protocol = frame.protocol === PROTO_UDP ? this.#protocols.datagramOf(owner) : undefined;
    if (protocol === undefined) {
      this.counters.unread++;
      return DROP_PROXY_UNKNOWN_PROTO;
    }
    if (areSeveral(frame)) {
      this.counters.several++;
      return DROP_FRAG_NOSUPPORT;
    }
    if (!offload.validate(frame)) {
      this.counters.badChecksum++;
      return DROP_CSUM_L4;
    }
    const { parser } = protocol;
    const { bytes, payloadOffset, payloadLength } = frame;
    const way = isReply ? RESPONSE : REQUEST;
    const judge = protocol.judgeOf(owner);
    const end = payloadOffset + payloadLength;
    const outcome = parser.onDatagram(judge, owner, way, bytes, payloadOffset, end);
    if (outcome === DATAGRAM_HOLD) return this.#hold(owner, parser, frame);
    return this.#end(ctSlot, isReply, parser, outcome);
  }

  /**
   * Lets datagrams go on that were held and need wait no longer, the first ones first.
   * @param most how many at once
   * @returns how many went
   */
  release(nowMs: number, most: number): number {
    const { held } = this;
    let count = 0;
    for (; count < most && held.parser !== null; count++) {
      const { owner, parser, ticket, bytes, start, end } = held;
      const outcome = parser.onHeld(owner, ticket, bytes, start, end, nowMs < held.deadlineMs);
      if (outcome === DATAGRAM_HOLD) break;
      this.#sendHeld(parser, outcome);
      held.shift();
    }
    return count;
  }

  #hold(owner: StreamOwner, parser: DatagramParser, frame: Frame): number {
    if (this.held.hold(owner, parser, frame)) return HELD;
    const { bytes, payloadOffset, payloadLength } = frame;
    return this.#end(
      owner.slot,
      true,
      parser,
      parser.onNoRoom(owner, bytes, payloadOffset, payloadOffset + payloadLength),
    );
  }

  /** What becomes of a datagram that does not wait. @param isReply it comes from the responder */
  #end(ctSlot: number, isReply: boolean, parser: DatagramParser, outcome: number): number {
    if (outcome === DATAGRAM_PASS) this.counters.passed++;
    else this.counters.denied++;
    if (outcome !== DATAGRAM_ANSWER && outcome !== DATAGRAM_REPLACE) return outcome;
    const toResponder = isReply === (outcome === DATAGRAM_ANSWER);
    this.#output.sendDatagram(ctSlot, toResponder, parser.answer, 0, parser.answerBytes);
    return outcome === DATAGRAM_ANSWER ? HELD : DROP_L7_HELD;
  }

  /** Sends the first that was held, or what goes in its place; its row may be another conversation's by now. */
  #sendHeld(parser: DatagramParser, outcome: number): void {
    const { owner, bytes, start, end, frameBytes } = this.held;
    const isHere = this.#rows.generation(owner.slot) === owner.slotGeneration;
    const isPassed = outcome === DATAGRAM_PASS;
    if (isPassed) this.counters.passed++;
    else this.counters.denied++;
    const isSent =
      isHere &&
      (isPassed
        ? this.#output.sendDatagram(owner.slot, false, bytes, start, end)
        : this.#output.sendDatagram(owner.slot, false, parser.answer, 0, parser.answerBytes));
    if (!isSent) this.counters.heldLost++;
    this.#output.heldEnded(isPassed && isSent ? FORWARD : DROP_L7_HELD, owner, frameBytes);
  }

  #ownerOf(frame: Frame, ctSlot: number, isReply: boolean): StreamOwner {
    const owner = this.#owner;
    owner.slot = ctSlot;
    owner.slotGeneration = this.#rows.generation(ctSlot);
    owner.egressRuleSet = this.#rows.egressRuleSet(ctSlot);
    owner.ingressRuleSet = this.#rows.ingressRuleSet(ctSlot);
    owner.srcIdentity = isReply ? frame.dstIdentity : frame.srcIdentity;
    owner.dstIdentity = isReply ? frame.srcIdentity : frame.dstIdentity;
    owner.srcEndpoint = isReply ? frame.dstEndpoint : frame.srcEndpoint;
    owner.dstEndpoint = isReply ? frame.srcEndpoint : frame.dstEndpoint;
    return owner;
  }
}

/** Whether the frame will be cut into several datagrams: the payload is not one message then. */
function areSeveral({ bytes, offset, payloadLength }: Frame): boolean {
  return vnet.gsoType(bytes, offset) !== vnet.GSO_NONE && payloadLength > vnet.gsoSize(bytes, offset);
}
