/**
 * What a conntrack row says, by slot, for those who do not run it: who sends segments of their own, who judges streams,
 * who tells of them. The dataplane alone writes rows (dataplane/conntrack.ts); of these words only the eight that are the L7
 * engine's own may be written by others.
 */
import {
  CT_EGRESS_VERDICT,
  CT_FLAG_INITIATOR_HIGH,
  CT_FLAG_RX_CLOSING,
  CT_FLAG_SEEN_REPLY,
  CT_FLAG_TX_CLOSING,
  CT_FLAGS,
  CT_HIGH_ADDRESS,
  CT_INGRESS_VERDICT,
  CT_INITIATOR_PORT,
  CT_L7,
  CT_LOW_ADDRESS,
  CT_PORTS,
  CT_RESPONDER_PORT,
  CT_ROW_WORDS,
  CT_SLOT_GENERATION,
} from './conntrack-row.ts';

export class ConnectionRows {
  /** All rows, ConntrackMap.words. */
  readonly words: Int32Array;

  constructor(words: Int32Array) {
    this.words = words;
  }

  /** Another number once the slot belongs to another connection. */
  generation(slot: number): number {
    return this.words[slot * CT_ROW_WORDS + CT_SLOT_GENERATION];
  }

  /** Rule set of the initiator's egress policy; 0 when it has none for this connection. */
  egressRuleSet(slot: number): number {
    return Math.max(0, this.words[slot * CT_ROW_WORDS + CT_EGRESS_VERDICT]);
  }

  /** The same of the responder's ingress policy. */
  ingressRuleSet(slot: number): number {
    return Math.max(0, this.words[slot * CT_ROW_WORDS + CT_INGRESS_VERDICT]);
  }

  /** Whether both sides have been heard and neither has begun to close. */
  isInTalk(slot: number): boolean {
    const flags = this.words[slot * CT_ROW_WORDS + CT_FLAGS];
    return (flags & (CT_FLAG_SEEN_REPLY | CT_FLAG_RX_CLOSING | CT_FLAG_TX_CLOSING)) === CT_FLAG_SEEN_REPLY;
  }

  /** Index in `words` of the first of the L7 engine's CT_L7_WORDS words. */
  l7At(slot: number): number {
    return slot * CT_ROW_WORDS + CT_L7;
  }

  /** Index in the ports map of the port that leads to the responder, or to the initiator. */
  portTowards(slot: number, toResponder: boolean): number {
    return this.words[slot * CT_ROW_WORDS + (toResponder ? CT_RESPONDER_PORT : CT_INITIATOR_PORT)];
  }

  /** Index in `words` of the four words of an end's address. */
  addressAt(slot: number, ofInitiator: boolean): number {
    return slot * CT_ROW_WORDS + (this.#isHigh(slot, ofInitiator) ? CT_HIGH_ADDRESS : CT_LOW_ADDRESS);
  }

  /** L4 port of an end. */
  l4Port(slot: number, ofInitiator: boolean): number {
    const ports = this.words[slot * CT_ROW_WORDS + CT_PORTS];
    return this.#isHigh(slot, ofInitiator) ? ports & 0xffff : ports >>> 16;
  }

  #isHigh(slot: number, ofInitiator: boolean): boolean {
    return ((this.words[slot * CT_ROW_WORDS + CT_FLAGS] & CT_FLAG_INITIATOR_HIGH) !== 0) === ofInitiator;
  }
}
