/**
 * Which source the frames of a connection leave with: read from the conntrack row, for frames that pass and for those that
 * are made here.
 *
 *   to the initiator   of a service: its address and port (ReverseNatMap), which is what the client believes to talk to
 *   to the responder   looped back: the loopback address; masqueraded: the address and port that those outside know
 */
import * as row from '../../policy-maps/conntrack-row.ts';
import { isV4Mapped } from '../../wire/address.ts';
import type { NatMap } from '../../policy-maps/service/nat-map.ts';
import * as nat from '../../policy-maps/service/nat-map.ts';
import type { ReverseNatMap } from '../../policy-maps/service/reverse-nat-map.ts';
import type { TranslationSettings } from '../../policy-maps/service/translation-settings.ts';
import { DROP_BACKEND_GONE, DROP_NAT_NO_MAPPING, DROP_NOT_TRANSLATED } from '../../wire/reasons.ts';

// Copies in this module: an imported binding is loaded and checked at every use (bench/pipeline, a tenth of a frame).
const { CT_FLAGS, CT_FLAG_LB_LOOPBACK, CT_LOW_ADDRESS, CT_MASQUERADE, CT_REV_NAT } = row;
const { NAT_DST, NAT_PORTS } = nat;

/** `find` of a connection whose frames keep their source. */
export const UNCHANGED = -1;
const PORT_WORD = 4; // of a row of ReverseNatMap, behind the address

export class OutwardSource {
  /** What was found last: an address, four words of `words` from `at` on, and a port; -1 for the port that the frame has. */
  words: Int32Array;
  at = 0;
  port = 0;
  readonly #nat: NatMap;
  readonly #reverseNat: ReverseNatMap;
  readonly #loopback4 = new Int32Array(4);
  readonly #loopback6 = new Int32Array(4);

  constructor(natMap: NatMap, reverseNat: ReverseNatMap) {
    this.#nat = natMap;
    this.#reverseNat = reverseNat;
    this.words = reverseNat.words;
  }

  refresh(settings: TranslationSettings): void {
    this.#loopback4.set(settings.loopback(4));
    this.#loopback6.set(settings.loopback(6));
  }

  /** The loopback address of a family; its last word is 0 when there is none. */
  loopback(family: number): Int32Array {
    return family === 4 ? this.#loopback4 : this.#loopback6;
  }

  /**
   * @param rows of the connection's table @param base of its row @param toInitiator which way the frame goes
   * @returns 0 when it is found, UNCHANGED, or a drop reason: 167, 248, 250
   */
  find(rows: Int32Array, base: number, toInitiator: boolean): number {
    if (toInitiator) return this.#ofService(rows[base + CT_REV_NAT]);
    if ((rows[base + CT_FLAGS] & CT_FLAG_LB_LOOPBACK) !== 0) return this.#ofLoopback(rows, base);
    const handle = rows[base + CT_MASQUERADE];
    if (handle === 0) return UNCHANGED;
    const at = this.#nat.at(handle);
    if (at < 0) return DROP_NAT_NO_MAPPING;
    this.#nat.touch(at);
    this.words = this.#nat.words;
    this.at = at + NAT_DST;
    this.port = this.words[at + NAT_PORTS] & 0xffff;
    return 0;
  }

  #ofService(handle: number): number {
    if (handle === 0) return UNCHANGED;
    const at = this.#reverseNat.at(handle);
    if (at < 0) return DROP_BACKEND_GONE;
    this.words = this.#reverseNat.words;
    this.at = at;
    this.port = this.words[at + PORT_WORD] & 0xffff;
    return 0;
  }

  #ofLoopback(rows: Int32Array, base: number): number {
    const low = base + CT_LOW_ADDRESS;
    this.words = isV4Mapped(rows[low], rows[low + 1], rows[low + 2]) ? this.#loopback4 : this.#loopback6;
    this.at = 0;
    this.port = -1;
    return this.words[3] === 0 ? DROP_NOT_TRANSLATED : 0;
  }
}
