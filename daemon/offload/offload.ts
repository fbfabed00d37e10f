/**
 * Settled connections in the hands of the kernel: taken up when the dataplane offers them, and taken out whenever anything might make
 * their verdict another.
 *
 *     ports published -> chains of ports (fast-table.ts)         dataplane -> offers -> accepted -> rows, then elements
 *     publication, port gone, recording, closing, idle, stop -> taken out, with their last counts
 *
 * It is a cache of decisions, so it holds:
 *
 *  1. An offer is taken only if its connection was judged in the present world, and its row still says so (`#accept`).
 *  2. Before the world generation is raised nothing of it is in force any more: `close` shuts the gate, which is one element, and
 *     the kernel forwards nothing from then on. Only then do the maps get empty, and the gate opens again. Whatever fails, the gate
 *     stays shut, and all frames come to the dataplane.
 *  3. A row of `offload_flows` is written before its elements are put in, and told out after they are gone.
 *  4. Whoever begins finds no table: one of an agent that died goes before anything is published. Until then it holds with the last
 *     policy, as everything does.
 *
 * All of it happens in the agent's thread, one call at a time; only tables and chains are made beside, by nft. A port takes part once
 * its chain is there, and no more as soon as anything about it is another.
 */
import type { OffloadDocument } from '../../api/shapes-offload.ts';
import { ENOENT, type ElementCount, NftElements } from '../../linux/nft-elements.ts';
import { findLink } from '../../linux/links.ts';
import { CONFIG_AUDIT_MODE, CONFIG_RECORDING } from '../../policy-maps/config-map.ts';
import type { ConntrackEntry, ConntrackMap } from '../../policy-maps/conntrack-map.ts';
import * as row from '../../policy-maps/conntrack-row.ts';
import type { Offer } from '../../policy-maps/offer-map.ts';
import { addressWords } from '../../wire/address.ts';
import type { PinnedMaps } from '../publish/pinned-maps.ts';
import { admitPorts, expelPorts, FLOW_MAPS, type FastPort, GATE, GATE_KEYS, makeTable } from './fast-table.ts';
import { elementsOf, type Flow, FlowBook } from './flow-book.ts';
import { isOneFamily, keysOf } from './flow-keys.ts';

const TURN_MS = 50;
const HARVEST_MS = 1000;
/** Out of the kernel again when it has carried nothing for that long; conntrack forgets UDP after 60 s. */
const IDLE_SEC = 20;
const WORK_AGAIN_MS = 1000;
const CLOSING = row.CT_FLAG_RX_CLOSING | row.CT_FLAG_TX_CLOSING;

interface OffloadOptions {
  readonly table: string;
  readonly routerMac: string;
  readonly maps: PinnedMaps;
  readonly tell: (problems: readonly string[]) => void;
  /** Monotonic. */
  readonly nowMs: () => number;
}

/** A port that takes part, and how its interface was when it was let in. */
interface Admitted {
  readonly port: FastPort;
  readonly text: string;
  readonly link: string;
}

export class Offload {
  readonly #counts = { taken: 0, ended: 0, refused: 0, full: 0 };
  readonly #options: OffloadOptions;
  readonly #elements: NftElements;
  readonly #admitted = new Map<number, Admitted>();
  /** Ports that are to take part, as they are to be. */
  #wanted: ReadonlyMap<number, FastPort> = new Map();
  readonly #book: FlowBook;
  #head: number;
  #hasTable = false;
  #isShut = true;
  #isWorking = false;
  #retryAtMs = 0;
  #harvestAtMs = 0;
  #timer: NodeJS.Timeout | undefined;

  /** Removes what another agent left. @throws Error when the kernel has no nf_tables, or does not let go of the table */
  constructor(options: OffloadOptions) {
    this.#options = options;
    this.#elements = new NftElements(options.table);
    const error = this.#elements.deleteTable();
    if (error !== 0 && error !== ENOENT)
      throw new Error(`remove table netdev ${options.table}: errno ${error}: run as root, on a kernel with nf_tables`);
    this.#book = new FlowBook(options.maps.offload);
    this.#head = options.maps.offers.head;
  }

  get document(): OffloadDocument {
    return { active: this.#book.size, capacity: this.#options.maps.offload.capacity, ...this.#counts };
  }

  start(): void {
    this.#timer ??= setInterval(() => this.#turn(), TURN_MS);
  }

  /** Takes the table away: frames come to the dataplane. @returns whether it is gone */
  stop(): boolean {
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.shut();
    const error = this.#elements.deleteTable();
    this.#elements.close();
    return error === 0 || error === ENOENT;
  }

  /** Lets go of it: the kernel forwards on, until the next agent comes. */
  leave(): void {
    clearInterval(this.#timer);
    this.#elements.close();
  }

  /** Takes the ports that may take part; connections of others are out when this returns. */
  setPorts(ports: readonly FastPort[]): void {
    this.#wanted = new Map(ports.map((port) => [port.index, port]));
    const lost = [...this.#admitted.values()].filter(({ port, text }) => textOf(this.#wanted.get(port.index)) !== text);
    this.#lose(lost.map(({ port }) => port.index));
    void this.#work();
  }

  /**
   * Ends everything that the kernel forwards, at once. Call `open` when what is published counts.
   * @throws Error when the kernel cannot be brought to it: then it may forward what it should not
   */
  shut(): void {
    if (!this.#hasTable || this.#isShut) return;
    this.#isShut = true;
    const { error } = this.#elements.remove(GATE_KEYS.map((key) => ({ map: GATE, key })));
    if (error === 0) return;
    // Somebody else has taken it away, or it cannot be changed: without the table nothing is forwarded either.
    const removal = this.#elements.deleteTable();
    this.#hasTable = false;
    this.#admitted.clear();
    if (removal !== 0 && removal !== ENOENT)
      throw new Error(`take connections out of table netdev ${this.#options.table}: errno ${error}, then ${removal}`);
  }

  /** Empties the maps, and lets the next ones in. */
  open(): void {
    if (!this.#isShut) return;
    this.#endAll();
    if (!this.#hasTable) return;
    const error = this.#elements.add(GATE_KEYS.map((key) => ({ map: GATE, key })));
    if (error === 0) this.#isShut = false;
    else this.#loseTable();
  }

  #turn(): void {
    const nowMs = this.#options.nowMs();
    this.#book.rouse(nowMs);
    this.#takeOffers(nowMs);
    this.#endClosed();
    if (nowMs >= this.#harvestAtMs) this.#harvest(nowMs);
    if (nowMs >= this.#retryAtMs) void this.#work();
  }

  // --- ports

  /** Makes table and chains what they should be, one change after the other. */
  async #work(): Promise<void> {
    if (this.#isWorking || this.#timer === undefined) return;
    const { table, routerMac, maps, tell, nowMs } = this.#options;
    this.#isWorking = true;
    this.#retryAtMs = Number.POSITIVE_INFINITY;
    try {
      if (!this.#hasTable) {
        if (this.#wanted.size === 0) return;
        this.#endAll();
        await makeTable(table, maps.offload.capacity);
        this.#hasTable = true;
        this.#isShut = false;
      }
      const news = [...this.#wanted.values()].filter(({ index }) => !this.#admitted.has(index));
      if (news.length === 0) return;
      const links = news.map((port) => linkOf(port));
      await admitPorts(table, news, routerMac);
      for (const [at, port] of news.entries()) {
        // What has changed under way comes in the next round.
        if (textOf(this.#wanted.get(port.index)) !== textOf(port) || linkOf(port) !== links[at]) continue;
        this.#admitted.set(port.index, { port, text: textOf(port), link: links[at] });
      }
      tell([]);
    } catch (error) {
      this.#hasTable &&= this.#elements.counts(GATE).error === 0;
      if (!this.#hasTable) this.#loseTable();
      this.#retryAtMs = nowMs() + WORK_AGAIN_MS;
      const isGone = [...this.#wanted.values()].some((port) => linkOf(port) === '');
      if (!isGone) tell([`connections are not handed to the kernel: ${(error as Error).message}`]);
    } finally {
      this.#isWorking = false;
      if (
        this.#retryAtMs === Number.POSITIVE_INFINITY &&
        [...this.#wanted.keys()].some((one) => !this.#admitted.has(one))
      )
        this.#retryAtMs = nowMs() + TURN_MS;
    }
  }

  /** These ports take part no more. */
  #lose(indexes: readonly number[]): void {
    if (indexes.length === 0) return;
    const gone = new Set(indexes);
    const ports = indexes.flatMap((index) => this.#admitted.get(index)?.port ?? []);
    for (const index of indexes) this.#admitted.delete(index);
    this.#end(this.#book.all().filter((flow) => flow.ports.some((port) => gone.has(port))));
    // A chain that is left over lets nothing pass: no element leads through it.
    if (this.#hasTable) void expelPorts(this.#options.table, ports).catch(() => undefined);
  }

  #loseTable(): void {
    this.#hasTable = false;
    this.#isShut = true;
    this.#admitted.clear();
    this.#forget(this.#book.all(), []);
    this.#retryAtMs = 0;
  }

  // --- connections

  #takeOffers(nowMs: number): void {
    const { offers, config } = this.#options.maps;
    if (offers.head === this.#head) return;
    const made = [...offers.since(this.#head)];
    this.#head = offers.head;
    const isPaused = config.load(CONFIG_RECORDING) !== 0 || config.load(CONFIG_AUDIT_MODE) !== 0;
    if (isPaused || this.#isShut || !this.#hasTable) return;
    const news = made.flatMap((offer) => this.#accept(offer, nowMs) ?? []);
    if (news.length === 0) return;
    const elements = news.flatMap(({ map, forward, reply, ports: [from, to] }) => [
      { map, key: forward, value: this.#indexOf(to) },
      { map, key: reply, value: this.#indexOf(from) },
    ]);
    const error = this.#elements.add(elements);
    if (error === 0) {
      this.#counts.taken += news.length;
      return;
    }
    this.#counts.refused += news.length;
    this.#forget(news, []);
    if (error === ENOENT) this.#loseTable();
    else this.#options.tell([`connections are not handed to the kernel: nf_tables answers errno ${error}`]);
  }

  /** @returns the flow, noted and with its row written; undefined when it is not what was offered, or there is no place */
  #accept(offer: Offer, nowMs: number): Flow | undefined {
    const { maps } = this.#options;
    if (offer.world !== maps.config.worldGeneration || this.#book.has(offer)) return undefined;
    const connection = connectionOf(offer.isTcp ? maps.ctTcp : maps.ctAny, offer);
    if (connection === undefined || connection.words[row.CT_WORLD_GENERATION] !== offer.world) return undefined;
    const { words } = connection;
    const ports = [words[row.CT_INITIATOR_PORT], words[row.CT_RESPONDER_PORT]] as const;
    const [from, to] = ports.map((port) => this.#admitted.get(port)?.port);
    const isFit =
      from !== undefined &&
      to !== undefined &&
      from.mtu === to.mtu &&
      isOneFamily(connection) &&
      hasAddress(from, connection.source) &&
      hasAddress(to, connection.destination) &&
      (words[row.CT_FLAGS] & (CLOSING | row.CT_FLAG_PROXY_REDIRECT | row.CT_FLAG_TRANSLATED)) === 0 &&
      (words[row.CT_EGRESS_VERDICT] | words[row.CT_INGRESS_VERDICT]) === 0;
    if (!isFit) {
      this.#counts.refused++;
      return undefined;
    }
    const keys = keysOf(connection, from.ifindex, to.ifindex);
    if (this.#book.isTaken(keys.map, keys.forward)) return undefined; // the row before it, not out yet
    const flow = this.#book.enter(offer, { ...keys, ports }, nowMs);
    if (flow === undefined) this.#counts.full++;
    return flow;
  }

  #indexOf(port: number): number {
    return this.#admitted.get(port)?.port.ifindex ?? 0;
  }

  /** What closes, or has given its row to another, comes to the dataplane from now on. */
  #endClosed(): void {
    const { ctTcp, ctAny, config } = this.#options.maps;
    if (this.#book.size === 0) return;
    const mustAll = config.load(CONFIG_RECORDING) !== 0;
    const over = this.#book.all().filter(({ state }) => {
      const { words } = state.isTcp ? ctTcp : ctAny;
      const base = state.slot * row.CT_ROW_WORDS;
      return (
        mustAll ||
        words[base + row.CT_SLOT_GENERATION] !== state.slotGeneration ||
        words[base + row.CT_STATE] === 0 ||
        (words[base + row.CT_FLAGS] & CLOSING) !== 0
      );
    });
    this.#end(over);
  }

  #harvest(nowMs: number): void {
    this.#harvestAtMs = nowMs + HARVEST_MS;
    const lost = [...this.#admitted.values()].filter(({ port, link }) => linkOf(port) !== link);
    if (lost.length > 0) {
      this.#lose(lost.map(({ port }) => port.index));
      this.#retryAtMs = 0;
    }
    if (this.#book.size === 0) {
      if (this.#hasTable && this.#elements.counts(GATE).error !== 0) this.#loseTable();
      return;
    }
    const maps = new Set(this.#book.all().map(({ map }) => map));
    for (const map of maps) {
      const { error, counts } = this.#elements.counts(map);
      if (error !== 0) {
        this.#loseTable(); // somebody else has removed it
        return;
      }
      for (const count of counts) this.#book.count(count, nowMs);
    }
    this.#end(this.#book.all().filter(({ usedMs }) => nowMs - usedMs > IDLE_SEC * 1000));
  }

  #end(flows: readonly Flow[]): void {
    if (flows.length === 0) return;
    const elements = elementsOf(flows);
    const { error, counts } = this.#hasTable ? this.#elements.remove(elements) : { error: 0, counts: [] };
    if (error === 0) this.#forget(flows, counts);
    else {
      this.shut(); // one of them is not there: then it is not known what is
      this.open();
    }
  }

  #endAll(): void {
    const all = this.#book.all();
    if (all.length === 0) return;
    const { error, counts } = this.#hasTable ? this.#elements.clear(FLOW_MAPS) : { error: 0, counts: [] };
    if (error === 0) this.#forget(all, counts);
    else this.#loseTable();
  }

  #forget(flows: readonly Flow[], counts: readonly ElementCount[]): void {
    this.#book.leave(flows, counts, this.#options.nowMs());
    this.#counts.ended += flows.length;
  }
}

function textOf(port: FastPort | undefined): string {
  return port === undefined ? '' : JSON.stringify(port);
}

/** The interface that has the pod's cable, as it is now; '' when it is gone or down: with it go the neighbours. */
function linkOf({ ifname, ifindex }: FastPort): string {
  const link = findLink(ifname);
  return link !== undefined && link.index === ifindex && link.isUp ? `${ifname} ${ifindex}` : '';
}

/** The row that was offered, if it is still that one. */
function connectionOf(table: ConntrackMap, { slot, slotGeneration }: Offer): ConntrackEntry | undefined {
  const found = table.entryAt(slot);
  return found?.words[row.CT_SLOT_GENERATION] === slotGeneration ? found : undefined;
}

function hasAddress({ addresses }: FastPort, words: ArrayLike<number>): boolean {
  const wanted = Array.from(words).join();
  return addresses.some((text) => addressWords(text).join() === wanted);
}
