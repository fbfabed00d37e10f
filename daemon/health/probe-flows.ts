/**
 * Events of the agent's own health probes, told apart from everything else: they would fill the ring of flows (four a pod and
 * minute) with what nobody asks for. One is a request that the prober has sent, or the answer to it: identifier, sequence number
 * and the pod's address are all compared, so that no pod can hide what it sends by looking like one. What is dropped is told
 * in any case.
 */
import { addressWords } from '../../wire/address.ts';
import { i32, u16 } from '../../wire/bytes.ts';
import { EVENT_POLICY_VERDICT, EVENT_TRACE, type EventRecord, FLAG_IPV6, FLAG_L3 } from '../../wire/event.ts';
import * as ethernet from '../../wire/header/ethernet.ts';
import * as icmp from '../../wire/header/icmp.ts';
import * as icmpv6 from '../../wire/header/icmpv6.ts';
import * as ipv6 from '../../wire/header/ipv6.ts';
import { PROTO_ICMP, PROTO_ICMPV6 } from '../../wire/protocols.ts';

/** Probes that are remembered; rounds are of two per pod. */
const REMEMBERED = 8192;

interface Sent {
  readonly sequence: number;
  /** Of the pod, as wire/address.ts has it. */
  readonly words: readonly number[];
}

/** The probes that one prober has sent lately. */
export class ProbeFlows {
  readonly #id: number;
  readonly #sent: (Sent | undefined)[] = [];

  /** @param id identifier of all its requests */
  constructor(id: number) {
    this.#id = id;
  }

  note(sequence: number, address: string): void {
    this.#sent[sequence % REMEMBERED] = { sequence, words: [...addressWords(address)] };
  }

  /** Whether an event is only about a probe that passed. */
  has(record: EventRecord): boolean {
    const { type, verdict, flags, payload } = record;
    if (type !== EVENT_TRACE && !(type === EVENT_POLICY_VERDICT && verdict >= 0)) return false;
    const at = (flags & FLAG_L3) === 0 ? ethernet.HEADER_BYTES : 0;
    return (flags & FLAG_IPV6) === 0 ? this.#has4(payload, at) : this.#has6(payload, at);
  }

  #has4(packet: Uint8Array, at: number): boolean {
    const message = at + (packet[at] & 15) * 4;
    if (packet.length < message + 8 || packet[at + 9] !== PROTO_ICMP) return false;
    const isRequest = packet[message] === icmp.ECHO_REQUEST;
    if (!isRequest && packet[message] !== icmp.ECHO_REPLY) return false;
    const words = this.#sentIn(packet, message);
    return words !== undefined && words[3] === i32(packet, at + (isRequest ? 16 : 12));
  }

  #has6(packet: Uint8Array, at: number): boolean {
    const message = at + ipv6.HEADER_BYTES;
    if (packet.length < message + 8 || packet[at + 6] !== PROTO_ICMPV6) return false;
    const isRequest = packet[message] === icmpv6.ECHO_REQUEST;
    if (!isRequest && packet[message] !== icmpv6.ECHO_REPLY) return false;
    const from = at + (isRequest ? 24 : 8);
    const words = this.#sentIn(packet, message);
    return words?.every((word, i) => word === i32(packet, from + 4 * i)) === true;
  }

  /** The pod's address in the probe that a message belongs to. */
  #sentIn(packet: Uint8Array, message: number): Sent['words'] | undefined {
    const sequence = u16(packet, message + 6);
    const sent = this.#sent[sequence % REMEMBERED];
    return u16(packet, message + 4) === this.#id && sent?.sequence === sequence ? sent.words : undefined;
  }
}
