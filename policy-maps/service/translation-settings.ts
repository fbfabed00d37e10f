/**
 * What the dataplane must know of translation beside the tables: words of `runtime_config` that the agent writes and the
 * dataplane takes over about once a second.
 */
import { isV4Mapped } from '../../wire/address.ts';
import type { ConfigMap } from '../config-map.ts';
import { type AddressWords, addressAt } from '../ipcache.ts';
import type { SourceRange } from './source-range-map.ts';

// --- specification: words of the config map
const NO_BACKEND_RESPONSE = 192;
const MUST_MASQUERADE = 193;
/** 1: not all rows of egress gateway policies found room. */
const EGRESS_INCOMPLETE = 194;
const LOOPBACK_V4 = 196;
const LOOPBACK_V6 = 200;
const MASQUERADE_V4 = 204;
const MASQUERADE_V6 = 208;
/** First port << 16 | last port. */
const MASQUERADE_PORTS = 212;
/** MAX_NATIVE_PREFIXES times address and prefix length + 1; 0 ends them. */
const NATIVE_PREFIXES = 216;
const PREFIX_WORDS = 5;
const MAX_NATIVE_PREFIXES = 8;

export interface PortRange {
  readonly first: number;
  readonly last: number;
}

/** Above the ports that Linux gives to its own connections (32768 to 60999), so that the host's are not disturbed. */
export const DEFAULT_MASQUERADE_PORTS: PortRange = { first: 61000, last: 65535 };

/** Both sides' view of the words. */
export class TranslationSettings {
  readonly #config: ConfigMap;

  constructor(config: ConfigMap) {
    this.#config = config;
  }

  /** Whether a service without backends answers: a TCP reset, or ICMP port unreachable (service-no-backend-response). */
  get isRejecting(): boolean {
    return this.#config.load(NO_BACKEND_RESPONSE) !== 0;
  }

  set isRejecting(is: boolean) {
    this.#config.store(NO_BACKEND_RESPONSE, is ? 1 : 0);
  }

  /** Who a pod believes to talk to when a service leads back to itself; all 0: such connections are dropped. */
  loopback(family: 4 | 6): AddressWords {
    return this.#config.address(family === 4 ? LOOPBACK_V4 : LOOPBACK_V6);
  }

  /** The same of the address's own family. Tell the address filter of it too. */
  setLoopback(address: AddressWords): void {
    this.#config.setAddress(isV4Mapped(address[0], address[1], address[2]) ? LOOPBACK_V4 : LOOPBACK_V6, address);
  }

  /** Who pods are to those outside; all 0: they keep their addresses. */
  masquerade(family: 4 | 6): AddressWords {
    return this.#config.address(family === 4 ? MASQUERADE_V4 : MASQUERADE_V6);
  }

  /** The same of one family, all 0 for none. Tell the address filter of it too. */
  setMasquerade(family: 4 | 6, address: AddressWords): void {
    this.#config.setAddress(family === 4 ? MASQUERADE_V4 : MASQUERADE_V6, address);
  }

  /** Whether pods may not be seen outside with their own addresses: without another one they reach nobody there. */
  get mustMasquerade(): boolean {
    return this.#config.load(MUST_MASQUERADE) !== 0;
  }

  set mustMasquerade(must: boolean) {
    this.#config.store(MUST_MASQUERADE, must ? 1 : 0);
  }

  /** Whether rows of egress gateway policies are missing: then pods to whom none applies may be meant by one. */
  get isEgressIncomplete(): boolean {
    return this.#config.load(EGRESS_INCOMPLETE) !== 0;
  }

  set isEgressIncomplete(is: boolean) {
    this.#config.store(EGRESS_INCOMPLETE, is ? 1 : 0);
  }

  /** The ports that masqueraded connections get. */
  get masqueradePorts(): PortRange {
    const word = this.#config.load(MASQUERADE_PORTS);
    if (word === 0) return DEFAULT_MASQUERADE_PORTS;
    return { first: word >>> 16, last: word & 0xffff };
  }

  /** @throws {RangeError} when that is no range */
  set masqueradePorts({ first, last }: PortRange) {
    if (!(first >= 1 && first <= last && last <= 65535))
      throw new RangeError(`masquerade ports: found ${first} to ${last}, wanted 1 to 65535, the lower one first`);
    this.#config.store(MASQUERADE_PORTS, (first << 16) | last);
  }

  /** Destinations that see pods' own addresses. */
  nativePrefixes(): SourceRange[] {
    const { words } = this.#config;
    const prefixes: SourceRange[] = [];
    for (let at = NATIVE_PREFIXES; at < NATIVE_PREFIXES + MAX_NATIVE_PREFIXES * PREFIX_WORDS; at += PREFIX_WORDS) {
      if (words[at + 4] === 0) break;
      prefixes.push({ address: addressAt(words, at), prefixLength: words[at + 4] - 1 });
    }
    return prefixes;
  }

  /** @throws {RangeError} when there are more than 8 */
  setNativePrefixes(prefixes: readonly SourceRange[]): void {
    if (prefixes.length > MAX_NATIVE_PREFIXES)
      throw new RangeError(`native routing prefixes: found ${prefixes.length}, wanted ${MAX_NATIVE_PREFIXES} at most`);
    const { words } = this.#config;
    words.fill(0, NATIVE_PREFIXES, NATIVE_PREFIXES + MAX_NATIVE_PREFIXES * PREFIX_WORDS);
    for (const [i, { address, prefixLength }] of prefixes.entries())
      words.set([...address, prefixLength + 1], NATIVE_PREFIXES + i * PREFIX_WORDS);
  }
}
