/**
 * Connections that the kernel may forward by itself: which ones are offered to the agent, and how what the kernel counts comes to
 * conntrack, policy counters and metrics.
 *
 *     frame -> consider -> offer -> (agent, daemon/offload) -> kernel ... counts in the map `offload_flows` -> harvest
 *
 * Offered is TCP or UDP between two pods of this node whose frames are read above their interface (PORT_FLAG_UPPER), when policy lets
 * it pass at L4 on both sides under the present world generation, nothing of it is translated or on trial, both directions have been
 * seen, and more than `threshold` bytes have passed. No side may have L7 rules if it were the one that began: a SYN the other way round
 * would make a stream that must be judged, under a tuple that the kernel forwards.
 *
 * A connection is considered again every RETRY_SEC while frames of it come here, and at once in another world, because every
 * publication takes all connections out of the kernel.
 */
import { PROTO_TCP, PROTO_UDP } from '../wire/protocols.ts';
import { EGRESS, INGRESS } from '../wire/direction.ts';
import type { Frame } from '../wire/frame.ts';
import type { ConntrackMap } from '../policy-maps/conntrack-map.ts';
import * as row from '../policy-maps/conntrack-row.ts';
import type { MetricsMap } from '../policy-maps/metrics-map.ts';
import type { OfferMap } from '../policy-maps/offer-map.ts';
import type { KernelCount, OffloadedFlow, OffloadMap } from '../policy-maps/offload-map.ts';
import type { PolicyStatsMap } from '../policy-maps/policy-stats-map.ts';
import type { Conntrack } from './conntrack.ts';
import type { Judge } from './judge.ts';
import type { PortTable } from './port/table.ts';

const RETRY_SHIFT = 2; // of seconds: 4 s
const ETHERNET_BYTES = 14; // which the kernel does not count
const REASON_FORWARDED = 0;
const UNFIT = row.CT_FLAG_RX_CLOSING | row.CT_FLAG_TX_CLOSING | row.CT_FLAG_PROXY_REDIRECT | row.CT_FLAG_TRANSLATED;
const NOTHING: KernelCount = { packets: 0, bytes: 0 };

interface SettledParts {
  readonly offers: OfferMap;
  readonly offload: OffloadMap;
  readonly metrics: MetricsMap;
  readonly stats: PolicyStatsMap;
  readonly conntrack: Conntrack;
  readonly judge: Judge;
  readonly ports: PortTable;
}

/** How far the counts of a row have been taken over. */
interface Taken {
  readonly incarnation: number;
  readonly forward: KernelCount;
  readonly reply: KernelCount;
}

export class Settled {
  /** Bytes of both directions; 0: nothing is offered. */
  threshold = 0;
  /** Offers made. */
  offered = 0;
  readonly #parts: SettledParts;
  #tcpMarks = new Int32Array(0);
  #anyMarks = new Int32Array(0);
  readonly #taken = new Map<number, Taken>();
  #isFirst = true;

  constructor(parts: SettledParts) {
    this.#parts = parts;
  }

  /** @param threshold as above */
  refresh(threshold: number): void {
    this.threshold = threshold;
    if (threshold === 0 || this.#tcpMarks.length > 0) return;
    this.#tcpMarks = new Int32Array(this.#parts.conntrack.tcp.words.length / row.CT_ROW_WORDS);
    this.#anyMarks = new Int32Array(this.#parts.conntrack.any.words.length / row.CT_ROW_WORDS);
  }

  /** Looks at the connection of a frame that has been forwarded. Preconditions: threshold > 0, ctSlot is set */
  consider(f: Frame, world: number): void {
    const { conntrack } = this.#parts;
    const isTcp = f.protocol === PROTO_TCP;
    const { words } = isTcp ? conntrack.tcp : conntrack.any;
    const base = f.ctSlot * row.CT_ROW_WORDS;
    if (words[base + row.CT_BYTES_LO] >>> 0 < this.threshold && words[base + row.CT_BYTES_HI] === 0) return;
    const marks = isTcp ? this.#tcpMarks : this.#anyMarks;
    const generation = words[base + row.CT_SLOT_GENERATION];
    const time = conntrack.life.nowSec >> RETRY_SHIFT;
    const mark = (Math.imul(generation, 0x9e3779b1) ^ Math.imul(world, 0x85ebca77) ^ time) | 1;
    if (marks[f.ctSlot] === mark) return;
    marks[f.ctSlot] = mark;
    if ((isTcp || f.protocol === PROTO_UDP) && this.#isFit(f, words, base, world)) {
      this.#parts.offers.push(isTcp, f.ctSlot, generation, world);
      this.offered++;
    }
  }

  #isFit(f: Frame, words: Int32Array, base: number, world: number): boolean {
    const { ports, judge } = this.#parts;
    const flags = words[base + row.CT_FLAGS];
    return (
      words[base + row.CT_WORLD_GENERATION] === world &&
      words[base + row.CT_EGRESS_VERDICT] === 0 &&
      words[base + row.CT_INGRESS_VERDICT] === 0 &&
      words[base + row.CT_REV_NAT] === 0 &&
      (flags & row.CT_FLAG_SEEN_REPLY) !== 0 &&
      (flags & UNFIT) === 0 &&
      f.srcEndpoint !== 0 &&
      f.dstEndpoint !== 0 &&
      f.translation === 0 &&
      ports.mayOffload[f.port] !== 0 &&
      ports.mayOffload[f.outPort] !== 0 &&
      ports.mtu[f.port] === ports.mtu[f.outPort] &&
      !judge.mayRedirect(f)
    );
  }

  /** Adds what the kernel has counted since the last time. */
  harvest(nowSec: number): void {
    if (this.threshold === 0 && this.#taken.size === 0) return;
    for (const [index, flow] of this.#parts.offload.entries()) {
      const before = this.#taken.get(index);
      const isKnown = before !== undefined && before.incarnation === flow.incarnation;
      // What was there when this process began has been counted by the one before it.
      const from = isKnown ? before : this.#isFirst ? flow : { forward: NOTHING, reply: NOTHING };
      this.#taken.set(index, flow);
      this.#add(flow, minus(flow.forward, from.forward), minus(flow.reply, from.reply), nowSec);
    }
    this.#isFirst = false;
  }

  #add(flow: OffloadedFlow, forward: KernelCount, reply: KernelCount, nowSec: number): void {
    const packets = forward.packets + reply.packets;
    if (packets === 0) return;
    const { conntrack, metrics, stats } = this.#parts;
    const bytes = forward.bytes + reply.bytes;
    for (const direction of [EGRESS, INGRESS]) metrics.add(REASON_FORWARDED, direction, packets, bytes);
    const table = flow.isTcp ? conntrack.tcp : conntrack.any;
    const base = flow.slot * row.CT_ROW_WORDS;
    if (!isSame(table, flow)) return;
    table.account(base, packets, bytes);
    for (const handle of [table.words[base + row.CT_EGRESS_STATS], table.words[base + row.CT_INGRESS_STATS]])
      stats.addMany(handle, forward.packets, forward.bytes);
    conntrack.life.keep(table.words, base, nowSec, flow.isTcp);
  }
}

/** Whether the row is still that of the connection that was handed over. */
function isSame(table: ConntrackMap, { slot, slotGeneration }: OffloadedFlow): boolean {
  return table.words[slot * row.CT_ROW_WORDS + row.CT_SLOT_GENERATION] === slotGeneration;
}

/** With the Ethernet headers. */
function minus(now: KernelCount, before: KernelCount): KernelCount {
  const packets = Math.max(0, now.packets - before.packets);
  return { packets, bytes: Math.max(0, now.bytes - before.bytes) + packets * ETHERNET_BYTES };
}
