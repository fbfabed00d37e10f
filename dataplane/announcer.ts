/**
 * Tells the links of addresses that this machine has begun to answer for, so that neighbours who know them by another MAC
 * send the next frame here: gratuitous ARP (RFC 5227, 3), unsolicited advertisements to all nodes (RFC 4861, 7.2.6). Each address
 * ROUNDS times, a second apart, since nobody acknowledges them. A dataplane that starts tells of all.
 *
 * What is for a link of the host's goes out by the host's port, with the MAC of that link as its source: there the host's
 * interfaces take it (daemon/attach/return-table.ts).
 */
import type { L2Entry, L2Map } from '../policy-maps/service/l2-map.ts';
import { Frame } from '../wire/frame.ts';
import { emitAnnouncement } from './neighbor.ts';
import type { Arena } from './port/arena.ts';
import type { PortTable } from './port/table.ts';

const ROUNDS = 3;
/** Addresses told in one second: the rest in those after it. */
const BURST = 256;

export class Announcer {
  readonly #map: L2Map;
  readonly #ports: PortTable;
  readonly #arena: Arena;
  readonly #frame: Frame;
  /** By row: how often it is to be told yet. */
  #left = new Map<string, { readonly entry: L2Entry; rounds: number }>();
  #generation = -1;
  #toldSec = -1;

  constructor(map: L2Map, ports: PortTable, arena: Arena) {
    this.#map = map;
    this.#ports = ports;
    this.#arena = arena;
    this.#frame = new Frame(arena.bytes);
  }

  /** Call it some times a second, and flush the ports afterwards. @param nowSec monotonic */
  tick(nowSec: number): void {
    const { generation } = this.#map;
    if (generation !== this.#generation) this.#read();
    else if (nowSec === this.#toldSec) return;
    this.#generation = generation;
    this.#toldSec = nowSec;
    let budget = BURST;
    for (const one of this.#left.values()) {
      if (one.rounds === 0) continue;
      if (budget-- === 0 || !this.#tell(one.entry)) return;
      one.rounds--;
    }
  }

  #read(): void {
    const before = this.#left;
    this.#left = new Map();
    for (const entry of this.#map.entries()) {
      const name = [...entry.address, entry.mac.high, entry.mac.low].join();
      this.#left.set(name, before.get(name) ?? { entry, rounds: ROUNDS });
    }
  }

  /** @returns false when it cannot be sent now */
  #tell({ address, mac }: L2Entry): boolean {
    const ports = this.#ports;
    const { defaultPort, hostPort } = ports;
    const isUplinks =
      defaultPort >= 0 && ports.ownLow[defaultPort] === mac.low && ports.ownHigh[defaultPort] === mac.high;
    const port = isUplinks ? defaultPort : hostPort;
    if (!ports.isUp(port)) return false;
    const offset = this.#arena.scratch();
    if (offset < 0) return false;
    this.#frame.offset = offset;
    emitAnnouncement(this.#frame, address, mac);
    ports.queue(port, offset, this.#frame.length);
    return true;
  }
}
