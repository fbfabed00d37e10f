/**
 * A dataplane without a kernel, for tests and the pipeline bench: memory ports, real pinned maps in a temporary folder,
 * a clock the test owns. Pods are added with addresses, identity and policy; frames go in at one pod and are read at
 * another.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import type { Test } from 'tap';
import { parse } from '../dataplane/parse.ts';
import { Frame } from '../wire/frame.ts';
import { Arena, Batch } from '../dataplane/port/arena.ts';
import { Dataplane, type EngineMaps, type RedirectMeans } from '../dataplane/assemble.ts';
import { mapFile } from '../dataplane/native/index.ts';
import { MemoryPort } from './port/memory.ts';
import { NO_REDIRECT, type Redirect } from '../dataplane/redirect.ts';
import { EventReader } from '../policy-maps/event-ring.ts';
import { eachMap, openPinnedMaps, PINNED, type PinnedFile } from '../policy-maps/pinned.ts';
import { type PolicyEntry, PRECEDENCE_ALLOW, PRECEDENCE_DENY, precedence } from '../policy-maps/policy-entry.ts';
import { PolicyMap } from '../policy-maps/policy-map.ts';
import { W_OWNER } from '../policy-maps/table/map-header.ts';
import type { PinnedMap } from '../policy-maps/table/pinned-map.ts';
import { parseIp } from '../wire/address.ts';
import { decodeEvent, EVENT_DROP, type EventRecord, typeOf } from '../wire/event.ts';
import { ROLE_HOST, ROLE_POD, ROLE_UPLINK } from '../wire/port-kinds.ts';

export const ROUTER_MAC = [0x02, 0, 0, 0, 0, 1];
const PORT_ROLES = { pod: ROLE_POD, host: ROLE_HOST, uplink: ROLE_UPLINK };

export interface WorldPod {
  readonly index: number;
  readonly endpoint: number;
  readonly identity: number;
  readonly addresses: readonly string[];
  readonly mac: readonly number[];
  readonly port: MemoryPort;
  readonly policy: PolicyMap | null;
}

export interface PodOptions {
  readonly addresses: readonly string[];
  readonly identity: number;
  readonly role?: keyof typeof PORT_ROLES;
  /** Entries of its policy; absent: everything is allowed; null: none is published. */
  readonly policy?: readonly PolicyEntry[] | null;
  readonly mtu?: number;
}

/** An entry that allows everything in one direction, and variations of it. */
export function entry(fields: Partial<PolicyEntry>): PolicyEntry {
  const deny = fields.deny ?? false;
  return {
    identity: 0,
    egress: false,
    protocol: 0,
    port: 0,
    portPrefix: fields.port === undefined ? 0 : 16,
    ruleSet: 0,
    authType: 0,
    hasExplicitAuthType: false,
    precedence: precedence(0, deny ? PRECEDENCE_DENY : PRECEDENCE_ALLOW),
    cookie: 0,
    deny,
    ...fields,
  };
}

/** A wildcard peer is stored under every aggregate, as the compiler does. */
export function forAnyPeer(fields: Partial<PolicyEntry>): PolicyEntry[] {
  return [0, 11, 12, 13, 14].map((identity) => entry({ ...fields, identity }));
}

export const ALLOW_ALL: readonly PolicyEntry[] = [...forAnyPeer({}), ...forAnyPeer({ egress: true })];

export class World {
  readonly folder = mkdtempSync('/dev/shm/sluice-test-');
  readonly arena = new Arena();
  readonly batch = new Batch(this.arena);
  readonly maps: EngineMaps;
  dataplane: Dataplane;
  readonly pods: WorldPod[] = [];
  /** Monotonic milliseconds; only the test moves it. */
  nowMs = 1_000_000;
  readonly #options: PodOptions[] = [];
  readonly #drops: EventReader;
  readonly #events: EventReader;

  constructor(
    options: { makeRedirect?: (means: RedirectMeans) => Redirect; ctCapacity?: number; natCapacity?: number } = {},
  ) {
    const { ctCapacity: ct = 4096 } = options;
    const sizes: Partial<Record<string, number>> = { endpoints: 1024, ipcache: 65536, ct_tcp: ct, ct_any: ct };
    if (options.natCapacity !== undefined) sizes['nat'] = options.natCapacity;
    Object.assign(sizes, { policystats: 4096, events: 1024, events_drop: 1024 });
    this.maps = eachMap(({ file, map }) =>
      map.create(`${this.folder}/${file}`, { capacity: sizes[file] ?? map.layout.capacity }, mapFile),
    );
    this.maps.config.bumpWorldGeneration();
    this.#drops = new EventReader(this.maps.dropEvents, 'now');
    this.#events = new EventReader(this.maps.events, 'now');
    this.dataplane = new Dataplane(this.maps, this.arena, options.makeRedirect ?? (() => NO_REDIRECT));
    this.setRouter('10.0.0.1', 'fd00::1');
  }

  setRouter(v4: string, v6: string): void {
    this.maps.config.setAddress(6, words(v4));
    this.maps.config.setAddress(10, words(v6));
    this.dataplane.refreshSettings();
  }

  add(options: PodOptions): WorldPod {
    const index = this.pods.length;
    const endpoint = options.role === 'uplink' ? 0 : index + 1;
    const mac = [0x02, 0, 0, 0, 1, index];
    const port = new MemoryPort(this.arena, { index, name: `pod${index}`, mtu: options.mtu ?? 1500 });
    const policy = this.#policy(endpoint, options);
    const pod = { index, endpoint, identity: options.identity, addresses: options.addresses, mac, port, policy };
    this.#plug(pod, options);
    this.pods.push(pod);
    this.#options.push(options);
    for (const address of options.addresses) this.#publishAddress(pod, address, options);
    this.maps.config.bumpWorldGeneration();
    return pod;
  }

  /** The dataplane dies where it stands, and another takes its maps over; the agent's are as they were. */
  restart(): void {
    const dead = 4_194_303; // a process that is not there
    for (const { file, writer } of Object.values<PinnedFile<PinnedMap>>(PINNED)) {
      const map = Object.values<PinnedMap>(this.maps as unknown as Record<string, PinnedMap>).find(
        ({ file: { path } }) => path === `${this.folder}/${file}`,
      );
      if (writer === 'dataplane' && map !== undefined) map.file.header[W_OWNER] = dead;
    }
    const maps = openPinnedMaps(this.folder, mapFile, 'dataplane');
    this.dataplane = new Dataplane(maps, this.arena, () => NO_REDIRECT);
    this.dataplane.refreshSettings();
    for (const pod of this.pods) this.#plug(pod, this.#options[pod.index]);
  }

  #plug({ index, port, policy, endpoint }: WorldPod, options: PodOptions): void {
    const { ports } = this.dataplane;
    const role = PORT_ROLES[options.role ?? 'pod'];
    ports.port[index] = port;
    ports.policy[index] = policy;
    ports.role[index] = role;
    ports.endpoint[index] = endpoint;
    ports.identity[index] = options.identity;
    ports.macHigh[index] = 0x0200;
    ports.macLow[index] = 0x00000100 | index;
    ports.ownHigh[index] = 0x0200;
    ports.ownLow[index] = 1;
    ports.mtu[index] = options.mtu ?? 1500;
    if (options.role === 'uplink') ports.defaultPort = index;
    if (options.role === 'host') ports.hostPort = index;
  }

  /** Publishes a policy, as the agent would. */
  setPolicy(pod: WorldPod, entries: readonly PolicyEntry[]): void {
    pod.policy?.publish(entries);
    this.maps.config.bumpWorldGeneration();
  }

  /** Puts a frame in at a pod and runs it; what comes out lies in the `sent` of the ports. */
  send(pod: WorldPod, frame: Uint8Array, header?: Uint8Array): void {
    pod.port.deliver(frame, header);
    this.turn(pod);
  }

  turn(pod: WorldPod): void {
    this.dataplane.turn(pod.index, this.batch, 1_700_000_000_000 + this.nowMs, this.nowMs);
  }

  /** Frames (without virtio-net header) that came out at a pod since the last call. */
  received(pod: WorldPod): Uint8Array[] {
    return pod.port.sent.splice(0).map((whole) => whole.subarray(10));
  }

  /** Reasons of the drops told since the last call. */
  drops(): number[] {
    return this.dropRecords().map(({ subtype }) => subtype);
  }

  /** The drops told since the last call. */
  dropRecords(): EventRecord[] {
    const records: EventRecord[] = [];
    this.#drops.read((bytes, at) => {
      if (typeOf(bytes, at) === EVENT_DROP) records.push(decodeEvent(bytes, at));
    });
    return records;
  }

  events(): EventRecord[] {
    const records: EventRecord[] = [];
    this.#events.read((bytes, at) => records.push(decodeEvent(bytes, at)));
    return records;
  }

  close(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }

  #policy(endpoint: number, options: PodOptions): PolicyMap | null {
    if (options.role === 'uplink' || options.role === 'host' || options.policy === null) return null;
    const policy = PolicyMap.create(`${this.folder}/policy_${endpoint}`, {}, mapFile);
    policy.publish(options.policy ?? ALLOW_ALL);
    return policy;
  }

  #publishAddress(pod: WorldPod, address: string, options: PodOptions): void {
    const prefix = words(address);
    if (options.identity !== 0) this.maps.ipcache.upsert(prefix, 128, { identity: options.identity });
    if (options.role === 'uplink') return;
    this.maps.endpoints.upsert(prefix, {
      ifindex: pod.index,
      lxcId: pod.endpoint,
      flags: options.role === 'host' ? 1 : 0,
      mac: { high: 0x0200, low: 0x100 | pod.index },
      nodeMac: { high: 0x0200, low: 1 },
      secId: options.identity,
      portIndex: pod.index,
    });
  }
}

export function words(address: string): [number, number, number, number] {
  const into: [number, number, number, number] = [0, 0, 0, 0];
  if (parseIp(address, into) === 0) throw new TypeError(`parse address: found "${address}"`);
  return into;
}

export const CLIENT = '10.0.0.2';
export const SERVER = '10.0.0.3';
export const CLIENT6 = 'fd00::2';
export const SERVER6 = 'fd00::3';
export const ETH = 14;

/** A world of two pods that may do everything unless told otherwise. */
export interface Duo {
  world: World;
  client: WorldPod;
  server: WorldPod;
}

export function duo(t: Test, server: Partial<PodOptions> = {}, client: Partial<PodOptions> = {}): Duo {
  const world = new World();
  t.teardown(() => world.close());
  return {
    world,
    client: world.add({ addresses: [CLIENT, CLIENT6], identity: 1001, ...client }),
    server: world.add({ addresses: [SERVER, SERVER6], identity: 1002, ...server }),
  };
}

/** A cursor over bytes that have been parsed, whatever came of it. */
export function parsed(bytes: Uint8Array): Frame {
  const whole = new Uint8Array(64 + bytes.length);
  whole.set(bytes, 64);
  const f = new Frame(whole);
  f.offset = 64;
  f.length = bytes.length;
  parse(f);
  return f;
}
