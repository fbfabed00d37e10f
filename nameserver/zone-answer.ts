/**
 * Answers out of the zone: its records, or that a name exists without such (NODATA), or that it does not exist (NXDOMAIN), both
 * with the SOA. Several records begin at one drawn by chance, so that clients that take the first are spread.
 */
import { FLAG_AUTHORITATIVE, RCODE_NAME_ERROR, type DnsMessage } from '../wire/dns/message.ts';
import { DomainName } from '../wire/dns/name.ts';
import { TYPE_ANY, TYPE_CNAME, TYPE_HINFO, TYPE_SOA, TYPE_SRV } from '../wire/dns/types.ts';
import { QUESTION_NAME, type Reply } from './reply.ts';
import type { Apex, RecordSet, Zone, ZoneNode } from './zone.ts';

const MAX_ALIASES = 8;
const SRV_NAME_AT = 6;

/** What becomes of a question. */
export const ANSWERED = 1;
/** The zone is not about it: others are to be asked. */
export const NOT_HERE = 0;
/** It has come to an alias that leads elsewhere: `aliasOf`; records that lead there are written. */
const ELSEWHERE = 2;

/** What is answered to ANY (RFC 8482). */
export const ANY_DATA = Uint8Array.from(Buffer.from('\x07RFC8482\0', 'latin1'));

export class ZoneAnswers {
  /** Where an alias leads that the zone does not hold. */
  readonly alias: DomainName = new DomainName();
  /** Where in the message its name is, for records that it owns. */
  aliasAt = 0;
  readonly #random: (below: number) => number;
  #zone: Zone;

  /** @param random 0 <= answer < below */
  constructor(zone: Zone, random: (below: number) => number) {
    this.#zone = zone;
    this.#random = random;
  }

  get zone(): Zone {
    return this.#zone;
  }

  setZone(zone: Zone): void {
    this.#zone = zone;
  }

  /**
   * Writes what the zone says.
   * @param name of the question @param reply begun; finished by the caller with `rcode` and `flags`
   * @returns ANSWERED, NOT_HERE or ELSEWHERE
   */
  answer(query: DnsMessage, name: DomainName, reply: Reply): number {
    this.rcode = 0;
    this.flags = FLAG_AUTHORITATIVE;
    let owner: number = QUESTION_NAME;
    let at = name;
    for (let aliases = 0; aliases <= MAX_ALIASES; aliases++) {
      const apex = this.#zone.apexOf(at);
      const node = this.#zone.nodeOf(at);
      if (apex === undefined && (node === undefined || !has(node, query.type))) {
        if (aliases === 0) return NOT_HERE;
        this.aliasAt = owner;
        return ELSEWHERE;
      }
      if (node?.alias === undefined || query.type === TYPE_ANY) {
        this.#write(query.type, node, reply, { owner, apex, length: at.length });
        return ANSWERED;
      }
      const data = reply.nextData;
      reply.answer(owner, TYPE_CNAME, this.#zone.ttlSec, node.alias);
      if (query.type === TYPE_CNAME) return ANSWERED;
      owner = data;
      at = this.alias;
      if (!at.load(node.alias, 0, node.alias.length, 0)) return ANSWERED;
    }
    return ANSWERED;
  }

  /** Of the last answer. */
  rcode = 0;
  flags = 0;

  #write(
    type: number,
    node: ZoneNode | undefined,
    reply: Reply,
    { owner, apex, length }: { owner: number; apex: Apex | undefined; length: number },
  ): void {
    const set = node?.sets.find((one) => one.type === type);
    if (set !== undefined) this.#writeSet(set, owner, reply);
    else if (node !== undefined && type === TYPE_ANY) reply.answer(owner, TYPE_HINFO, this.#zone.ttlSec, ANY_DATA);
    else if (apex !== undefined) {
      if (node === undefined) this.rcode = RCODE_NAME_ERROR;
      reply.authority(owner + length - apex.nameBytes, TYPE_SOA, this.#zone.ttlSec, apex.soa);
    }
  }

  #writeSet({ type, data, targets }: RecordSet, owner: number, reply: Reply): void {
    const count = data.length;
    const first = count > 1 ? this.#random(count) : 0;
    const names: number[] = [];
    for (let i = 0; i < count; i++) {
      const at = reply.nextData + SRV_NAME_AT;
      if (!reply.answer(owner, type, this.#zone.ttlSec, data[(first + i) % count])) return;
      if (type === TYPE_SRV) names.push(at);
    }
    for (const [i, at] of names.entries()) {
      for (const set of targets[(first + i) % count].sets)
        for (const address of set.data) if (!reply.additional(at, set.type, this.#zone.ttlSec, address)) return;
    }
  }
}

function has(node: ZoneNode, type: number): boolean {
  return node.sets.some((set) => set.type === type);
}
