/**
 * The words that agent and dataplane share: settings one way, signs of life the other. Each word has one writer, so the
 * map itself is not exclusive. `worldGeneration` is raised by the agent after every publication of anything a verdict
 * depends on; the dataplane reads it first and stamps what it caches with it.
 */
import type { MacWords } from './endpoint-map.ts';
import { type AddressWords, addressAt } from './ipcache.ts';
import type { MapFile } from './table/map-file.ts';
import { HEADER_BYTES, type MapLayout } from './table/map-header.ts';
import { PinnedMap } from './table/pinned-map.ts';

// --- specification: word numbers, for `config.words[CONFIG_WORLD_GENERATION]`
export const CONFIG_WORLD_GENERATION = 0;
/** ENFORCEMENT_DEFAULT, _ALWAYS, _NEVER. */
export const CONFIG_ENFORCEMENT = 1;
/** 1: would-be policy drops pass, and the event says so. */
export const CONFIG_AUDIT_MODE = 2;
/** 1: ICMPv4 "fragmentation needed" passes without a policy. */
export const CONFIG_ALLOW_ICMP_FRAG_NEEDED = 3;
const CONFIG_ROUTER_MAC_HIGH = 4;
const CONFIG_ROUTER_MAC_LOW = 5;
/** Four words each: the address the dataplane itself answers for. */
export const CONFIG_ROUTER_IPV4 = 6;
export const CONFIG_ROUTER_IPV6 = 10;
/** 0 none, 1 low, 3 medium (monitor aggregation). */
export const CONFIG_TRACE_AGGREGATION = 14;
/** Monotonic ms (wraps at 2^32), written by the dataplane at least once a second. */
export const CONFIG_DATAPLANE_HEARTBEAT = 15;
export const CONFIG_DATAPLANE_PID = 16;
export const CONFIG_AGENT_PID = 17;
/** Events a second, 0 = no limit. */
export const CONFIG_EVENT_RATE_LIMIT = 18;
/** Identity of addresses that no ipcache prefix holds. */
export const CONFIG_WORLD_IDENTITY = 19;
// 20 and 21 were never written.
/** Conntrack timeouts in seconds: TCP, TCP before it is established, TCP closing, everything else. */
export const CONFIG_CT_TCP_SEC = 22;
export const CONFIG_CT_TCP_SYN_SEC = 23;
export const CONFIG_CT_TCP_FIN_SEC = 24;
export const CONFIG_CT_ANY_SEC = 25;
export const CONFIG_CT_REPORT_SEC = 26;
/** 1: what is no endpoint's goes to the host's port where there is no uplink. */
export const CONFIG_OUTSIDE_BY_HOST = 27;
/** 1: a TCP connection that conntrack does not know begins with a SYN or not at all. */
export const CONFIG_TCP_NEEDS_SYN = 28;
/** Number of the recording under way (recording-map.ts), by the agent; 0 for none. */
export const CONFIG_RECORDING = 29;
/** Words from here on are free for builders to name. */
export const CONFIG_FIRST_FREE = 32; // open-ports.ts has 129
/** The ranges of podCIDRs: four address words, and then how many bits of them count (IPv4: 96 more); 0 = no range. */
export const CONFIG_POD_RANGE_IPV4 = 176;
export const CONFIG_POD_RANGE_IPV6 = 181;
export const POD_RANGE_BITS = 4;
/** Positions in the ring `events_dns` (dns-events.ts), by the agent: up to where answers may go on, and up to where it has kept them. */
export const CONFIG_DNS_PUBLISHED = 186;
export const CONFIG_DNS_ACKNOWLEDGED = 187;
/** 1: a policy has toFQDNs, so answers with addresses that are not published wait. */
export const CONFIG_FQDN_ACTIVE = 188;
/** How long an answer waits at most, in ms; 0: DEFAULT_DNS_DELAY_MS. */
export const CONFIG_DNS_MAX_DELAY_MS = 189;
export const DEFAULT_DNS_DELAY_MS = 100;
/** Position in the ring `events_drop` up to which the agent has read, and the epoch of `drop_counts` that it asks for and has told. */
export const CONFIG_DROPS_READ = 190;
export const CONFIG_DROP_COUNTS_EPOCH = 191;
export const CONFIG_DROP_COUNTS_TOLD = 195;
/** 1: nothing is told of frames and messages; they are counted all the same. */
export const CONFIG_EVENTS_OFF = 213;
/** Bytes after which a connection is offered to the kernel (offload-map.ts); 0: none is. */
export const CONFIG_OFFLOAD_BYTES = 214;

export const ENFORCEMENT_DEFAULT = 0;
export const ENFORCEMENT_ALWAYS = 1;
export const ENFORCEMENT_NEVER = 2;

const WORDS = 256;

const LAYOUT: MapLayout = {
  kind: 'runtime_config',
  version: 1,
  isDense: true,
  keyBytes: 4,
  valueBytes: 4,
  capacity: WORDS,
  minCapacity: WORDS,
  maxCapacity: WORDS,
  fileBytes: (capacity) => HEADER_BYTES + capacity * 4,
  exclusive: false,
};

export class ConfigMap extends PinnedMap {
  static readonly layout = LAYOUT;
  /** All words; plain reads are fine where a batch of delay does not matter. */
  readonly words: Int32Array;

  constructor(file: MapFile) {
    super(file);
    this.words = file.words(HEADER_BYTES, WORDS);
  }

  /** A word as an unsigned number, read so that everything published before it is seen. */
  load(word: number): number {
    return Atomics.load(this.words, word) >>> 0;
  }

  store(word: number, value: number): void {
    Atomics.store(this.words, word, value);
  }

  /** Tells the dataplane that cached verdicts are stale. Call after publishing. Never leaves 0. */
  bumpWorldGeneration(): void {
    if ((Atomics.add(this.words, CONFIG_WORLD_GENERATION, 1) | 0) === -1)
      Atomics.add(this.words, CONFIG_WORLD_GENERATION, 1);
  }

  get worldGeneration(): number {
    return this.load(CONFIG_WORLD_GENERATION);
  }

  get routerMac(): MacWords {
    return { high: this.words[CONFIG_ROUTER_MAC_HIGH], low: this.words[CONFIG_ROUTER_MAC_LOW] };
  }

  set routerMac(mac: MacWords) {
    this.words[CONFIG_ROUTER_MAC_HIGH] = mac.high;
    this.words[CONFIG_ROUTER_MAC_LOW] = mac.low;
  }

  /** CONFIG_ROUTER_IPV4 or CONFIG_ROUTER_IPV6. */
  address(word: number): AddressWords {
    return addressAt(this.words, word);
  }

  setAddress(word: number, address: AddressWords): void {
    this.words.set(address, word);
  }

  /** The named words that are not zero, for people. */
  *entries(): Generator<{ word: number; value: number }> {
    for (let word = 0; word < WORDS; word++) {
      if (this.words[word] !== 0) yield { word, value: this.words[word] >>> 0 };
    }
  }
}
