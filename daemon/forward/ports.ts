/**
 * The dataplane process's copy of the pinned `ports` map: opens what appears, closes what goes, tries again what failed.
 *
 * A row that is unchanged keeps its open port, so that a change of one pod does not touch the others. Descriptors (TAPs,
 * packet sockets) come over the control socket and may arrive before or after their row (handed-over.ts); a port whose descriptor has not come
 * waits for it. What cannot be opened, or dies (its interface went down or away), is tried again every RETRY_MS; until
 * then frames to it are dropped and counted.
 */
import { statSync } from 'node:fs';
import { join } from 'node:path';
import type { Arena } from '../../dataplane/port/arena.ts';
import { closeFdBeside, interfaceInfo, mapFile, type Poller, unmapFile } from '../../dataplane/native/index.ts';
import { PORT_OPENINGS, type PortMeans } from '../../dataplane/port/kinds.ts';
import type { Port, PortOptions } from '../../dataplane/port/port.ts';
import type { PortTable } from '../../dataplane/port/table.ts';
import type { Uplinks } from '../../dataplane/uplink.ts';
import { CONFIG_OUTSIDE_BY_HOST, type ConfigMap } from '../../policy-maps/config-map.ts';
import { policyFile } from '../../policy-maps/pinned.ts';
import { PolicyMap } from '../../policy-maps/policy-map.ts';
import {
  PORT_FLAG_AUDIT,
  PORT_FLAG_EXTERNAL,
  PORT_FLAG_UPPER,
  type PortEntry,
  type PortMap,
} from '../../policy-maps/port-map.ts';
import type { Conditions } from './conditions.ts';
import { HandedOver } from './handed-over.ts';
import type { PacketSocket } from '../supervise/control.ts';
import { OpenPorts } from '../../policy-maps/open-ports.ts';
import { PORT_KINDS, type PortKind, ROLE_HOST, ROLE_NONE, ROLE_UPLINK } from '../../wire/port-kinds.ts';

const RETRY_MS = 500;

export interface ForwardingPortsParts {
  readonly directory: string;
  readonly portMap: PortMap;
  readonly config: ConfigMap;
  readonly table: PortTable;
  readonly uplinks: Uplinks;
  readonly arena: Arena;
  readonly poller: Poller;
  readonly conditions: Conditions;
  /** Makes the main thread open a pcap port and relay its frames. */
  readonly openPcap: (options: PortOptions) => Port;
  readonly onProblem: (text: string) => void;
}

interface OpenPort {
  readonly row: string;
  readonly kind: PortKind;
  readonly isExternal: boolean;
  /** Of its policy: another one means that the agent has made it anew. */
  readonly inode: number;
  /** Of the policy that it is tried on; 0 = none. */
  trialInode: number;
}

export class ForwardingPorts {
  readonly #parts: ForwardingPortsParts;
  readonly #open = new Map<number, OpenPort>();
  readonly #told: OpenPorts;
  readonly #handedOver = new HandedOver();
  readonly #problems = new Map<number, string>();
  #generation = -1;
  #isOutsideByHost = false;
  #retryAtMs = 0;
  #hasFailures = false;

  constructor(parts: ForwardingPortsParts) {
    this.#parts = parts;
    this.#told = new OpenPorts(parts.config);
    this.#told.reset();
  }

  /** Looks at the map if it has changed or something is to be tried again. */
  refresh(nowMs: number): void {
    const generation = this.#parts.portMap.generation;
    const isOutsideByHost = this.#parts.config.load(CONFIG_OUTSIDE_BY_HOST) !== 0;
    const isSame = generation === this.#generation && isOutsideByHost === this.#isOutsideByHost;
    if (isSame && !(this.#hasFailures && nowMs >= this.#retryAtMs)) return;
    this.#generation = generation;
    this.#isOutsideByHost = isOutsideByHost;
    this.#retryAtMs = nowMs + RETRY_MS;
    this.#hasFailures = false;
    const seen = new Set<number>();
    for (const entry of this.#parts.portMap.entries()) {
      seen.add(entry.index);
      this.#reconcile(entry);
    }
    for (const index of this.#parts.portMap.underWay()) {
      // What it will say is not known: a port that is open stays as it is, and so does what was handed over for it.
      seen.add(index);
      this.#hasFailures = true;
    }
    for (const index of [...this.#open.keys()]) if (!seen.has(index)) this.close(index);
    if (generation > 0) this.#handedOver.keepOnly(seen);
    this.#findRoutes();
    this.#told.noteSeen(generation);
  }

  /** Takes over the descriptor of a TAP port. */
  giveTap(index: number, fd: number): void {
    this.close(index);
    this.#handedOver.takeTap(index, fd);
    this.#generation = -1;
  }

  /** Takes over the packet socket of a port; the one that it has already changes nothing. */
  giveSocket(index: number, socket: PacketSocket): void {
    if (this.#handedOver.isSame(index, socket)) {
      closeFdBeside(socket.fd);
      return;
    }
    this.close(index);
    this.#generation = -1;
    try {
      this.#handedOver.takeSocket(index, socket);
    } catch (error) {
      this.#problem(index, `port ${index}: ${(error as Error).message}`);
    }
  }

  /** A pcap port is opened by another process, which says when. */
  opened(index: number): void {
    if (this.#open.has(index)) this.#told.set(index, true);
  }

  /** The descriptors held, for an agent that has lost its own. */
  get taps(): ReadonlyMap<number, number> {
    return this.#handedOver.taps;
  }

  get sockets(): ReadonlyMap<number, PacketSocket> {
    return this.#handedOver.sockets;
  }

  /** A port whose interface reported an error: closed, and tried again. */
  failed(index: number, errno: number): void {
    this.#problem(
      index,
      `port ${index} (${this.#parts.table.port[index]?.name ?? '?'}): errno ${-errno}, trying again`,
    );
    this.close(index);
    this.#hasFailures = true;
  }

  close(index: number): void {
    const { table, poller } = this.#parts;
    const port = table.port[index];
    if (port !== null && port.fd >= 0) poller.remove(port.fd);
    const kind = this.#open.get(index)?.kind;
    if (port !== null && kind !== undefined && !PORT_OPENINGS[kind].isHandedOver) port.close();
    this.#parts.conditions.forget(index);
    this.#parts.uplinks.forget(index);
    table.port[index] = null;
    table.role[index] = ROLE_NONE;
    for (const policies of [table.policy, table.trial]) {
      policies[index]?.close(unmapFile);
      policies[index] = null;
    }
    this.#open.delete(index);
    this.#told.set(index, false);
  }

  closeAll(): void {
    for (const index of [...this.#open.keys()]) this.close(index);
  }

  #reconcile(entry: PortEntry): void {
    const row = rowText(entry);
    const [inode, trialInode] = [this.#inode(entry.endpointId, false), this.#inode(entry.endpointId, true)];
    const open = this.#open.get(entry.index);
    if (open !== undefined && open.row === row && open.inode === inode) {
      if (open.trialInode !== trialInode) this.#changeTrial(entry, open, trialInode);
      this.#followLink(entry);
      return;
    }
    if (open !== undefined) this.close(entry.index);
    try {
      const port = this.#openPort(entry);
      if (port === null) return;
      this.#install(entry, port);
      const isExternal = (entry.flags & PORT_FLAG_EXTERNAL) !== 0;
      this.#open.set(entry.index, { row, kind: entry.kind, inode, trialInode, isExternal });
      this.#told.set(entry.index, PORT_OPENINGS[entry.kind].isOpenAtOnce);
      this.#problems.delete(entry.index);
    } catch (error) {
      this.#problem(entry.index, `port ${entry.index} (${entry.ifname}): ${(error as Error).message}`);
      this.#hasFailures = true;
    }
  }

  #openPort(entry: PortEntry): Port | null {
    const { index, ifname, ifindex, mtu, mac, kind, flags } = entry;
    const means: PortMeans = {
      arena: this.#parts.arena,
      fdOf: () => this.#handedOver.fdOf(entry),
      openElsewhere: this.#parts.openPcap,
    };
    const sendIndex = (flags & PORT_FLAG_UPPER) === 0 ? 0 : ifindex;
    return PORT_OPENINGS[kind].open({ index, name: ifname, mtu, mac: macBytes(mac.high, mac.low), sendIndex }, means);
  }

  #install(entry: PortEntry, port: Port): void {
    const { table, poller, config } = this.#parts;
    const { index } = entry;
    const { role } = PORT_KINDS[entry.kind];
    const isStranger = role === ROLE_UPLINK;
    const own = isStranger ? ownMac(entry.ifname) : config.routerMac;
    const next = isStranger ? entry.gatewayMac : entry.mac;
    table.endpoint[index] = entry.endpointId;
    table.identity[index] = entry.secId;
    table.isAudited[index] = entry.flags & PORT_FLAG_AUDIT;
    table.mayOffload[index] = (entry.flags & (PORT_FLAG_UPPER | PORT_FLAG_AUDIT)) === PORT_FLAG_UPPER ? 1 : 0;
    table.macHigh[index] = next.high;
    table.macLow[index] = next.low;
    table.ownHigh[index] = own.high;
    table.ownLow[index] = own.low;
    table.ifindex[index] = entry.ifindex;
    table.gateway4[index] = entry.gateway[3];
    table.gateway6.set(entry.gateway6, index * 4);
    this.#followLink(entry);
    table.policy[index] = this.#openPolicy(entry.endpointId, false);
    table.trial[index] = this.#openPolicy(entry.endpointId, true);
    table.port[index] = this.#parts.conditions.wrap(index, port);
    table.role[index] = role;
    if (port.fd >= 0) poller.add(port.fd, index);
  }

  /** A trial begins or ends while the port is open. */
  #changeTrial({ index, endpointId }: PortEntry, open: OpenPort, trialInode: number): void {
    const { trial } = this.#parts.table;
    trial[index]?.close(unmapFile);
    trial[index] = null;
    try {
      trial[index] = this.#openPolicy(endpointId, true);
      open.trialInode = trialInode;
    } catch (error) {
      this.#problem(index, `port ${index}: policy on trial: ${(error as Error).message}`);
      this.#hasFailures = true;
    }
  }

  /** What may change while a port is open. */
  #followLink({ index, mtu, address, address6 }: PortEntry): void {
    const { table, uplinks } = this.#parts;
    table.mtu[index] = mtu;
    uplinks.own4.set(index, address[3]);
    uplinks.own6.set(index, Int32Array.from(address6));
  }

  /** null while the agent has not made it: then the endpoint is closed. A file that cannot be read keeps it closed too. */
  #openPolicy(endpoint: number, isTrial: boolean): PolicyMap | null {
    if (endpoint === 0 || this.#inode(endpoint, isTrial) === 0) return null;
    return PolicyMap.open(this.#policyPath(endpoint, isTrial), mapFile);
  }

  #policyPath(endpoint: number, isTrial: boolean): string {
    return join(this.#parts.directory, policyFile(endpoint, isTrial));
  }

  #inode(endpoint: number, isTrial: boolean): number {
    return statSync(this.#policyPath(endpoint, isTrial), { throwIfNoEntry: false })?.ino ?? 0;
  }

  /** Where destinations go that are nobody's here: out by the uplink; else nowhere, or to the host if that is wanted. */
  #findRoutes(): void {
    const { table } = this.#parts;
    let uplink = -1;
    table.hostPort = -1;
    for (const [index, { isExternal }] of this.#open) {
      if (table.role[index] === ROLE_HOST) table.hostPort = index;
      if (table.role[index] === ROLE_UPLINK && !isExternal && (uplink < 0 || index < uplink)) uplink = index;
    }
    const instead = this.#isOutsideByHost ? table.hostPort : -1;
    table.defaultPort = uplink >= 0 ? uplink : instead;
  }

  /** Each problem is told once until it changes. */
  #problem(index: number, text: string): void {
    if (this.#problems.get(index) === text) return;
    this.#problems.set(index, text);
    this.#parts.onProblem(text);
  }
}

/** A row without what an open uplink follows. */
function rowText(entry: PortEntry): string {
  const isFollowed = PORT_KINDS[entry.kind].role === ROLE_UPLINK;
  return JSON.stringify(isFollowed ? { ...entry, mtu: 0, address: [], address6: [] } : entry);
}

function macBytes(high: number, low: number): Uint8Array {
  return Uint8Array.of(high >>> 8, high, low >>> 24, low >>> 16, low >>> 8, low);
}

function ownMac(ifname: string): { high: number; low: number } {
  const { mac } = interfaceInfo(ifname);
  return { high: (mac[0] << 8) | mac[1], low: (mac[2] << 24) | (mac[3] << 16) | (mac[4] << 8) | mac[5] };
}
