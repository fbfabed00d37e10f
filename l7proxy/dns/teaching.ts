/**
 * What answers teach: the addresses that a name has, which policies with toFQDNs let its asker reach. A client connects as soon as
 * it has the answer. So an answer goes on when all of its addresses are published (fqdn-map.ts), and else waits until
 * the agent says that they are (dns-events.ts): it is never the client who waits for a policy, nor a policy that comes late.
 *
 *   no addresses, no egress rules of the asker      GO
 *   a name that no policy can say                   GO
 *   every pair of name and address is published     GO, and the agent is told, at most once a second, that they were given again
 *   no policy has toFQDNs                           the same, published or not
 *   else                                            the agent is asked, and the answer must WAIT
 *   no room to ask, or the asker has too many that wait     REFUSE
 *
 * The agent is told of answers in their order, and publishes in that order. Whoever holds an answer asks `isPublished`, and refuses
 * it after `maxDelayMs`: a dead or slow agent costs lookups, and never lets an address through unlearnt.
 *
 * Of records that are not published yet an endpoint may have as much as is free (shares.ts), and no more than MAX_WAITING: who
 * looks up a thousand new names at once waits for himself alone. Those that only tell that an answer was given again stop at half.
 */
import {
  CONFIG_DNS_MAX_DELAY_MS,
  CONFIG_FQDN_ACTIVE,
  type ConfigMap,
  DEFAULT_DNS_DELAY_MS,
} from '../../policy-maps/config-map.ts';
import { DNS_UNPUBLISHED_CAUSES } from '../../policy-maps/counters.ts';
import {
  DNS_ASK,
  DNS_EVENT_CAPACITY,
  DNS_RENEW,
  type DnsEventWriter,
  dnsRecordsOf,
} from '../../policy-maps/dns-events.ts';
import type { FqdnMap } from '../../policy-maps/fqdn-map.ts';
import { DnsAnswers } from '../../wire/dns/answers.ts';
import type { DnsMessage } from '../../wire/dns/message.ts';
import type { DomainName } from '../../wire/dns/name.ts';
import type { StreamOwner } from '../parser.ts';
import { Shares } from '../stream/shares.ts';

/** What becomes of an answer. */
export const GO = 0;
export const WAIT = 1;
export const REFUSE = 2;

/** Why it was refused: places in DNS_UNPUBLISHED_CAUSES. */
export const CAUSE_DELAY = 0;
const CAUSE_RING_FULL = 1;
const CAUSE_SHARE_FULL = 2;
export const CAUSE_MEMORY_FULL = 3;

/** Records of one endpoint that are not published. */
const MAX_WAITING = 128; // with 256, others waited 60 ms behind who floods (dnsperf, a load of 12)
const TOLD_ROWS = 4096; // answers of which is known that the agent was told of them, and until when
const TOLD_WORDS = 2; // what it was, its end

export interface TeachingMaps {
  readonly fqdn: FqdnMap;
  readonly events: DnsEventWriter;
  readonly config: ConfigMap;
}

export class TeachingCounters {
  /** Answers replaced by SERVFAIL, by cause: places in DNS_UNPUBLISHED_CAUSES. */
  readonly unpublished: Int32Array = new Int32Array(DNS_UNPUBLISHED_CAUSES.length);
  /** Answers that the agent was told of: those that wait, those that went on; and those of which it was not told. */
  asked = 0;
  renewed = 0;
  untaught = 0;
  /** Whose share was full last. */
  fullEndpoint = 0;
}

export class Teaching {
  /** Monotonic; set once a batch. */
  nowMs = 0;
  /** Of the answer that must WAIT. */
  sequence = 0;
  readonly counters = new TeachingCounters();
  readonly #maps: TeachingMaps;
  readonly #answers = new DnsAnswers();
  readonly #shares = new Shares(DNS_EVENT_CAPACITY);
  /** Whose each record in the ring is, 0 for nobody's, and up to where these have been given back. */
  readonly #askers = new Int32Array(DNS_EVENT_CAPACITY);
  #settled: number;
  readonly #told = new Int32Array(TOLD_ROWS * TOLD_WORDS);
  #nowSec = 0;

  constructor(maps: TeachingMaps) {
    this.#maps = maps;
    this.#settled = maps.events.sequence;
  }

  /** How long an answer may wait. */
  get maxDelayMs(): number {
    return this.#maps.config.words[CONFIG_DNS_MAX_DELAY_MS] || DEFAULT_DNS_DELAY_MS;
  }

  /** Whether more of an endpoint's answers may be asked about before those that wait have gone. */
  hasRoom({ srcEndpoint }: StreamOwner): boolean {
    this.#settle();
    return this.#shares.usedBy(srcEndpoint) < MAX_WAITING / 2;
  }

  isPublished(sequence: number): boolean {
    return this.#maps.events.isPublished(sequence);
  }

  /**
   * An answer to a question of the connection's initiator: the message bytes[start, end) was parsed, `name` is its question's.
   * @returns GO, WAIT (as `sequence`) or REFUSE
   */
  consider(
    owner: StreamOwner,
    message: DnsMessage,
    name: DomainName,
    bytes: Uint8Array,
    start: number,
    end: number,
  ): number {
    if (owner.egressRuleSet === 0 || message.answers === 0 || !name.isPlain) return GO;
    const answers = this.#answers;
    if (answers.read(message, bytes, start, end) === 0) return GO;
    this.#nowSec = Math.floor(this.nowMs / 1000);
    this.#maps.events.nowMs = this.nowMs;
    this.#maps.fqdn.setName(name.bytes, name.length);
    const isKnown = this.#maps.config.words[CONFIG_FQDN_ACTIVE] === 0 || this.#areAllPublished();
    this.#settle();
    return isKnown ? this.#renew(owner, name) : this.#ask(owner, name);
  }

  #areAllPublished(): boolean {
    const { addresses, count } = this.#answers;
    for (let at = 0; at < 4 * count; at += 4) {
      const endSec = this.#maps.fqdn.lookup(addresses[at], addresses[at + 1], addresses[at + 2], addresses[at + 3]);
      if (endSec <= this.#nowSec) return false;
    }
    return true;
  }

  #ask(owner: StreamOwner, name: DomainName): number {
    const { events } = this.#maps;
    const records = dnsRecordsOf(this.#answers.count);
    if (!this.#take(owner, records, MAX_WAITING)) {
      if (this.#shares.used + records > DNS_EVENT_CAPACITY) return this.refuse(CAUSE_RING_FULL);
      this.counters.fullEndpoint = owner.srcEndpoint;
      return this.refuse(CAUSE_SHARE_FULL);
    }
    if (!events.write(DNS_ASK, owner, name, this.#answers)) {
      this.#shares.give(owner.srcEndpoint, records);
      return this.refuse(CAUSE_RING_FULL);
    }
    this.#note(owner, records);
    this.counters.asked++;
    this.sequence = events.sequence;
    return WAIT;
  }

  /** Lossy: who is not told ends the pair when it would have ended before. */
  #renew(owner: StreamOwner, name: DomainName): number {
    const { events } = this.#maps;
    const endSec = (this.#nowSec + this.#answers.ttlSec) | 0;
    const row = this.#toldRow(owner);
    const what = this.#digest(owner);
    if (this.#told[row] === what && ((endSec - this.#told[row + 1]) | 0) <= 0) return GO;
    const records = dnsRecordsOf(this.#answers.count);
    const hasRoom = events.free - records >= DNS_EVENT_CAPACITY / 2 && this.#take(owner, records, MAX_WAITING / 2);
    if (!hasRoom) {
      this.counters.untaught++;
      return GO;
    }
    events.write(DNS_RENEW, owner, name, this.#answers);
    this.#note(owner, records);
    this.#told[row] = what;
    this.#told[row + 1] = endSec;
    this.counters.renewed++;
    return GO;
  }

  /** An answer does not go on. @param cause a place in DNS_UNPUBLISHED_CAUSES @returns REFUSE */
  refuse(cause: number): number {
    this.counters.unpublished[cause]++;
    return REFUSE;
  }

  #take({ srcEndpoint }: StreamOwner, records: number, most: number): boolean {
    return this.#shares.usedBy(srcEndpoint) + records <= most && this.#shares.take(srcEndpoint, records);
  }

  /** The records written last are an endpoint's. */
  #note({ srcEndpoint }: StreamOwner, records: number): void {
    const { sequence } = this.#maps.events;
    for (let i = 1; i <= records; i++) this.#askers[(sequence - i) & (DNS_EVENT_CAPACITY - 1)] = srcEndpoint + 1;
  }

  /** Gives back what has been published since. */
  #settle(): void {
    const { published, sequence } = this.#maps.events;
    const to = ((sequence - published) | 0) < 0 ? sequence : published;
    for (; ((to - this.#settled) | 0) > 0; this.#settled = (this.#settled + 1) | 0) {
      const at = this.#settled & (DNS_EVENT_CAPACITY - 1);
      if (this.#askers[at] > 0) this.#shares.give(this.#askers[at] - 1, 1);
      this.#askers[at] = 0;
    }
  }

  /** Whose row tells of this name. */
  #toldRow({ srcEndpoint }: StreamOwner): number {
    const mixed = Math.imul(this.#maps.fqdn.nameHash ^ Math.imul(srcEndpoint, 0x9e3779b1), 0x85ebca6b);
    return ((mixed >>> 16) & (TOLD_ROWS - 1)) * TOLD_WORDS;
  }

  /** Name, asker and addresses as one number, the order of the addresses aside: servers turn them round. */
  #digest({ srcEndpoint }: StreamOwner): number {
    const { addresses, count } = this.#answers;
    let sum = Math.imul(this.#maps.fqdn.nameHash ^ srcEndpoint, 0x2545f491);
    for (let at = 0; at < 4 * count; at += 4) {
      let mixed = addresses[at];
      for (let i = 1; i < 4; i++) mixed = Math.imul(mixed ^ addresses[at + i] ^ (mixed >>> 15), 0x5bd1e995);
      sum = (sum + mixed) | 0;
    }
    return sum;
  }
}
