/**
 * The forwarding thread: one loop that sleeps in poll() on the ports and the control socket, and between sleeps runs
 * bursts of frames to their end. It allocates nothing per frame, never enters the event loop, and knows the agent only
 * through the pinned maps and the control socket.
 *
 *     wait -> turn of each ready port -> control messages -> held answers -> every TICK_MS: heartbeat, maps, expiry, L7 timers
 */
import { join } from 'node:path';
import { isMainThread, type MessagePort, workerData } from 'node:worker_threads';
import { Arena, Batch } from '../../dataplane/port/arena.ts';
import { Dataplane } from '../../dataplane/assemble.ts';
import { mapFile, MAX_BATCH_FRAMES, monotonicMs, Poller } from '../../dataplane/native/index.ts';
import { CONFIG_DATAPLANE_HEARTBEAT, CONFIG_DATAPLANE_PID } from '../../policy-maps/config-map.ts';
import { closePinnedMaps, type Maps, openPinnedMaps } from '../../policy-maps/pinned.ts';
import { EGRESS, INGRESS } from '../../wire/direction.ts';
import { DROP_FAULT, DROP_PORT_FULL } from '../../wire/reasons.ts';
import { ROLE_POD } from '../../wire/port-kinds.ts';
import { Conditions } from './conditions.ts';
import { ForwardingControl } from './control.ts';
import { Counting } from './counting.ts';
import { say } from './log.ts';
import { ForwardingPorts } from './ports.ts';
import { PcapRelay } from './pcap.ts';
import { L7Streams } from './l7.ts';
import { Recordings } from './recordings.ts';

/** What the main thread gives the forwarding thread. */
export interface ForwardingData {
  readonly runDir: string;
  /** Descriptor of the listening control socket, -1 for none. */
  readonly listenFd: number;
  /** The main thread's side opens pcap ports and relays their frames over this. */
  readonly pcap: MessagePort;
  /** Shared word: not 0 when the process is to stop. */
  readonly stop: Int32Array;
  /** Shared word: 0 while the process stands by, for another that forwards. */
  readonly go: Int32Array;
}

const TICK_MS = 50;
const ROUSE_MS = 500; // all ports are open by then, TAP descriptors too
/** While frames come densely, look on for that long before sleeping: 20 to 25 % more HTTP requests (scripts/bench http). */
const SPIN_US = 50;
const EXPIRE_ROWS = 4096; // conntrack rows looked at each tick: a full table in 6.4 s

class Forwarding {
  readonly #data: ForwardingData;
  readonly #maps: Maps;
  readonly #poller = new Poller();
  readonly #ready = new Int32Array(MAX_BATCH_FRAMES);
  readonly #arena = new Arena();
  readonly #batch = new Batch(this.#arena);
  readonly #dataplane: Dataplane<L7Streams>;
  readonly #conditions: Conditions;
  readonly #l7: L7Streams;
  readonly #counting: Counting;
  readonly #relay: PcapRelay;
  readonly #ports: ForwardingPorts;
  readonly #control: ForwardingControl;
  readonly #recordings: Recordings;
  readonly #sendDrops = new Map<number, number>();
  readonly #loop = { idleMs: 0 };
  #nextTickMs = 0;
  #harvestedSec = 0;
  /** From when on, and how far, connections of a former process have been asked after. */
  #rouseAtMs = monotonicMs() + ROUSE_MS;
  #roused: Iterator<number> | undefined;

  constructor(data: ForwardingData) {
    this.#data = data;
    const directory = join(data.runDir, 'maps');
    this.#maps = openPinnedMaps(directory, mapFile, 'dataplane');
    this.#dataplane = new Dataplane(this.#maps, this.#arena, (means) => new L7Streams(means, this.#maps));
    this.#l7 = this.#dataplane.redirect;
    this.#conditions = new Conditions(this.#maps.conditions, this.#dataplane.ports, this.#arena);
    this.#counting = new Counting(this.#maps.counters, {
      dataplane: this.#dataplane,
      engine: this.#l7.engine,
      loop: this.#loop,
    });
    this.#relay = new PcapRelay(data.pcap, this.#arena, this.#poller.wakeFd, (index) => this.#ports.opened(index));
    this.#ports = new ForwardingPorts({
      directory,
      portMap: this.#maps.ports,
      config: this.#maps.config,
      table: this.#dataplane.ports,
      uplinks: this.#dataplane.uplinks,
      arena: this.#arena,
      poller: this.#poller,
      conditions: this.#conditions,
      openPcap: (options) => this.#relay.open(options),
      onProblem: say,
    });
    this.#control = new ForwardingControl(data.listenFd, this.#poller, this.#ports);
    this.#recordings = new Recordings(directory, this.#maps.config, this.#dataplane.recorder.frames, say);
    this.#maps.config.store(CONFIG_DATAPLANE_PID, process.pid);
  }

  /** Runs until told to stop. */
  run(): void {
    while (!this.#control.shouldStop && Atomics.load(this.#data.stop, 0) === 0) {
      const { hasFaults } = this.#conditions;
      const faultMs = hasFaults ? this.#conditions.nextDueMs : Number.POSITIVE_INFINITY;
      const nextMs = Math.min(this.#nextTickMs, this.#l7.releaseAtMs, faultMs);
      const idleFromMs = monotonicMs();
      const wait = Math.max(0, nextMs - idleFromMs);
      const count = this.#poller.wait(Math.ceil(wait), this.#ready, SPIN_US);
      this.#loop.idleMs += monotonicMs() - idleFromMs;
      for (let i = 0; i < count; i++) this.#serve(this.#ready[i]);
      if (hasFaults) for (const index of this.#conditions.due(monotonicMs())) this.#turn(index);
      if (this.#control.shouldRefresh) this.#refresh(monotonicMs());
      if (this.#l7.releaseAtMs !== Number.POSITIVE_INFINITY) this.#release(monotonicMs());
      const nowMs = monotonicMs();
      if (nowMs >= this.#nextTickMs) this.#tick(nowMs);
    }
    this.#stop();
  }

  #serve(key: number): void {
    if (key >= 0) this.#turn(key);
    else if (key < -1) this.#control.serve(key);
    else this.#serveRelay();
  }

  #serveRelay(): void {
    for (const index of this.#relay.takeReady()) {
      while (this.#turn(index) > 0); // there is no descriptor that would say again that there is more
    }
  }

  /** @returns frames received */
  #turn(index: number): number {
    const received = this.#dataplane.turn(index, this.#batch, Date.now(), monotonicMs());
    if (received < 0) this.#ports.failed(index, received);
    return received;
  }

  #refresh(nowMs: number): void {
    this.#control.shouldRefresh = false;
    this.#dataplane.refreshSettings();
    this.#ports.refresh(nowMs);
    this.#conditions.refresh(nowMs);
    this.#recordings.refresh(nowMs);
  }

  #tick(nowMs: number): void {
    const nowSec = Math.floor(nowMs / 1000);
    this.#nextTickMs = nowMs + TICK_MS;
    this.#refresh(nowMs);
    this.#maps.config.store(CONFIG_DATAPLANE_HEARTBEAT, nowMs); // the first means that the ports have been seen to
    this.#maps.ctTcp.expire(nowSec, EXPIRE_ROWS, this.#l7.onExpire);
    this.#maps.ctAny.expire(nowSec, EXPIRE_ROWS);
    this.#maps.nat.expire(EXPIRE_ROWS);
    if (nowSec !== this.#harvestedSec) this.#dataplane.settled.harvest((this.#harvestedSec = nowSec));
    this.#maps.l7State.expire(this.#maps.ctTcp, EXPIRE_ROWS);
    this.#dataplane.recorder.tick(Date.now(), nowMs);
    this.#counting.tick();
    this.#dataplane.uplinks.tick(nowSec);
    this.#dataplane.announcer.tick(nowSec);
    this.#l7.beginBatch(nowMs);
    if (nowMs >= this.#rouseAtMs) this.#rouse();
    this.#dataplane.ports.flush();
    this.#batch.reset();
    this.#countSendDrops();
    this.#countFaults();
  }

  /** What the agent has been asked about goes on: looked for whenever the loop comes round, which CONTROL.PUBLISHED makes it. */
  #release(nowMs: number): void {
    while (this.#l7.releaseSome(nowMs) > 0) {
      this.#dataplane.ports.flush();
      this.#batch.reset();
    }
  }

  #rouse(): void {
    this.#roused ??= this.#maps.ctTcp.slots();
    if (!this.#l7.rouseSome(this.#roused)) this.#rouseAtMs = Number.POSITIVE_INFINITY;
  }

  /** Frames that a port's other side did not take are drops like any other: they get a reason and a metric. */
  #countSendDrops(): void {
    for (const port of this.#dataplane.ports.port) {
      if (port === null || port.counters.sendDrops === (this.#sendDrops.get(port.index) ?? 0)) continue;
      const lost = port.counters.sendDrops - (this.#sendDrops.get(port.index) ?? 0);
      this.#sendDrops.set(port.index, port.counters.sendDrops);
      if (lost > 0) this.#maps.metrics.add(DROP_PORT_FULL, INGRESS, lost, 0);
    }
  }

  #countFaults(): void {
    for (const [index, frames] of this.#conditions.takeDropped()) {
      const isPod = this.#dataplane.ports.role[index] === ROLE_POD;
      this.#maps.metrics.add(DROP_FAULT, isPod ? EGRESS : INGRESS, frames, 0);
    }
  }

  #stop(): void {
    this.#counting.tick();
    this.#control.close();
    this.#ports.closeAll();
    this.#maps.config.store(CONFIG_DATAPLANE_PID, 0);
    closePinnedMaps(this.#maps);
    this.#poller.close();
  }
}

if (!isMainThread) {
  const data = workerData as ForwardingData;
  Atomics.wait(data.go, 0, 0);
  new Forwarding(data).run();
}
