/**
 * The agent: objects in, pinned maps out.
 *
 *     directory, API -> store -> feed -> compiler -> publisher -> maps -> dataplane
 *                                 |                                ^
 *                                 +-> reconciler -> attacher       |
 *                                     (namespaces, interfaces) --> ports
 *
 * Everything that changes ends in `sync()`, which runs from the objects to the maps in one go, so the maps are always what
 * the objects say or what they said a moment ago. Attaching takes time and goes on beside it; when a pod is ready or gone,
 * the ports are published again.
 *
 * Start is crash-only: whatever an earlier agent left (maps, interfaces, a running dataplane) is taken over where it is
 * still what is wanted, published over, and the rest removed at the end. A clean stop removes everything that was made.
 */
import { existsSync, mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { closeFd, monotonicMs, openTap } from '../dataplane/native/index.ts';
import { Cluster } from '../policy/cluster.ts';
import { MemoryIdentityStore, RESERVED_IDENTITIES, type StoredIdentity } from '../policy/identity.ts';
import type { Problem } from '../policy/problems.ts';
import { CONFIG_DATAPLANE_HEARTBEAT } from '../policy-maps/config-map.ts';
import { AgentDirectory } from './agent-directory.ts';
import { Attacher } from './attacher.ts';
import { macOf } from './attachment.ts';
import type { Config } from './config.ts';
import type { ControlLink } from './control-link.ts';
import { Controllers } from './controllers.ts';
import { Firewall } from './firewall.ts';
import { hostAddresses, hostPort, UPLINK_OWNER, uplinkPort } from './fixed-ports.ts';
import { lowerHostPort } from './host-port.ts';
import { HostRoutes } from './host-routes.ts';
import { Journal } from './journal.ts';
import type { Log } from './log.ts';
import { ManifestDirectory } from './manifest-directory.ts';
import { watchNetns } from './netns.ts';
import { HOST_ENDPOINT, Numbering } from './numbering.ts';
import { Observer } from './observer.ts';
import { openMaps, type PinnedMaps } from './pinned-maps.ts';
import { PodFeed } from './pod-feed.ts';
import { PodReconciler } from './pod-reconciler.ts';
import { podPort, PortPublisher, type WantedPort } from './port-publisher.ts';
import { Prober } from './probe.ts';
import { oneLine, ProblemBoard } from './problem-board.ts';
import { Publisher } from './publisher.ts';
import { changedOptions, writeSettings } from './runtime-settings.ts';
import { StateFile } from './state-file.ts';
import { ObjectStore } from './store.ts';
import { Supervisor } from './supervisor.ts';

const HOST_PORT = 'port:host';
const UPLINK_PORT = 'port:uplink';
const HOUSEKEEPING_MS = 5000;
const PORTS_DELAY_MS = 5; // a port that waits drops nothing that would not have been dropped before

export interface AgentOptions {
  readonly config: Config;
  readonly log: Log;
  /** Program and arguments that start the dataplane. */
  readonly dataplaneCommand: readonly string[];
}

export class Agent {
  config: Config;
  readonly cluster: Cluster;
  readonly store: ObjectStore;
  readonly maps: PinnedMaps;
  readonly directory: AgentDirectory;
  readonly observer: Observer;
  readonly supervisor: Supervisor;
  readonly reconciler: PodReconciler;
  readonly publisher: Publisher;
  readonly prober: Prober;
  readonly controllers = new Controllers();
  readonly startedMs = Date.now();
  /** No earlier agent has left anything behind. */
  readonly isFirst: boolean;
  readonly #log: Log;
  readonly #board: ProblemBoard;
  readonly #stateDir: string;
  readonly #journal: Journal;
  readonly #firewall: Firewall;
  readonly #attacher: Attacher;
  readonly #numbering: Numbering;
  readonly #identities: MemoryIdentityStore;
  readonly #identityFile: StateFile<{ identities: StoredIdentity[] }>;
  readonly #manifests: ManifestDirectory | undefined;
  readonly #feed: PodFeed;
  readonly #routerMac: string;
  readonly #ports: PortPublisher;
  readonly #hostRoutes: HostRoutes;
  readonly #prefixes = new Set<string>();
  /** Between policies, as they showed since a policy changed last. */
  readonly #conflicts = new Map<string, Problem>();
  readonly #endWatches: (() => unknown)[] = [];
  /** The host's port and the uplink's. */
  readonly #fixedPorts: WantedPort[] = [];
  #portsSoon: NodeJS.Timeout | undefined;
  /** TAP descriptors that the dataplane on the other end of the link has, by port. */
  readonly #given = new Map<number, number>();
  #hostAddresses: readonly string[] = [];
  /** Ports are published and pods worked on only while `running`: before, nothing has been adopted yet. */
  #phase: 'starting' | 'running' | 'stopping' = 'starting';

  /** @throws MapError naming a map file that cannot be used */
  constructor({ config, log, dataplaneCommand }: AgentOptions) {
    const runState = join(config.runDir, 'state');
    this.#stateDir = config.stateDir === '' ? runState : config.stateDir;
    for (const directory of [runState, this.#stateDir]) mkdirSync(directory, { recursive: true, mode: 0o700 });
    this.isFirst = !existsSync(join(runState, 'made.json'));
    this.config = config;
    this.#log = log;
    this.#board = new ProblemBoard(log);
    this.#journal = new Journal(join(runState, 'made.json'));
    this.#firewall = new Firewall(config.name);
    this.#routerMac = macOf(config.name, 'router');
    this.maps = openMaps(config.runDir, config.maps);
    this.#identityFile = new StateFile(join(this.#stateDir, 'identities.json'), 1);
    this.#identities = new MemoryIdentityStore(this.#identityFile.load({ identities: [] }).identities);
    const policy = { ...config.policy, 'cluster-name': config.clusterName, 'node-name': config.nodeName };
    this.cluster = new Cluster(policy, this.#identities);
    this.store = new ObjectStore(join(this.#stateDir, 'objects'), policy);
    this.#manifests = config.manifests === '' ? undefined : new ManifestDirectory(config.manifests, policy);
    const { createNamespaces } = config;
    const taps = { openTap, closeFd };
    this.#attacher = new Attacher({ journal: this.#journal, firewall: this.#firewall, taps, createNamespaces });
    this.#numbering = new Numbering(this.#stateDir, config);
    this.reconciler = new PodReconciler({
      config,
      routerMac: this.#routerMac,
      attacher: this.#attacher,
      numbering: this.#numbering,
      onChange: () => this.#publishPortsSoon(),
      onOutcome: (key, problem) => this.#noteAttach(key, problem),
    });
    this.#feed = new PodFeed({ cluster: this.cluster, reconciler: this.reconciler, plan: config });
    this.directory = new AgentDirectory(this.cluster, this.reconciler.pods);
    for (const { id, labels } of RESERVED_IDENTITIES) this.directory.learnIdentity(id, labels);
    this.observer = new Observer({
      events: this.maps.events,
      drops: this.maps.dropEvents,
      directory: this.directory,
      defaultDeny: (endpoint, isEgress) => this.directory.defaultDeny(endpoint, isEgress),
      nodeName: config.nodeName,
      capacity: config.flowRing,
    });
    this.supervisor = new Supervisor({
      runDir: config.runDir,
      command: dataplaneCommand,
      heartbeat: () => this.maps.config.load(CONFIG_DATAPLANE_HEARTBEAT),
      nowMs: monotonicMs,
      onLink: (link, isAdopted) => this.#onLink(link, isAdopted),
      onEvent: (event, details) => this.#log.info({ dataplane: details }, event),
    });
    this.publisher = new Publisher(this.maps, () => this.supervisor.wake());
    this.#ports = new PortPublisher(this.maps, this.#routerMac);
    this.#hostRoutes = new HostRoutes(config);
    this.prober = new Prober({
      targets: () => this.#probeTargets(),
      intervalSec: config.healthProbeInterval,
      onFailure: (reason) => this.#board.set('health', [reason]),
    });
  }

  /** What is wrong now, one sentence each. */
  problems(): string[] {
    const pods = [...this.reconciler.pods.values()].filter(({ problem }) => problem !== '');
    const dataplane = this.supervisor.status();
    const isUp = dataplane.state === 'running' || (dataplane.state === 'starting' && dataplane.lastExit === '');
    return [
      ...(isUp
        ? []
        : [`dataplane is ${dataplane.state}: it ended by ${dataplane.lastExit}: see ${this.supervisor.logPath}`]),
      ...this.#board.all(),
      ...pods.map(({ plan, problem }) => `pod ${plan.key}: ${problem}`),
      ...this.maps.mismatches.map((text) => `map ${text}: restart the dataplane for it`),
    ];
  }

  /** @throws Error when the host port or the uplink cannot be had */
  async start(): Promise<void> {
    writeSettings(this.maps.config, this.config, this.#routerMac);
    this.#board.set('journal', this.#journal.problem === undefined ? [] : [this.#journal.problem]);
    this.#board.setDocuments('state', this.store.load());
    this.#scan();
    await this.supervisor.adopt();
    const parts = { config: this.config, journal: this.#journal, firewall: this.#firewall, routerMac: this.#routerMac };
    if (this.config.hostPort) this.#fixedPorts.push(await hostPort(parts, this.#numbering.portOf(HOST_PORT)));
    this.#knowHost();
    this.sync();
    this.reconciler.adopt(this.#journal.attachments.map(({ owner }) => owner).filter((owner) => owner.includes('/')));
    await this.#attacher.shieldAdopted();
    this.#attacher.dropStrayTaps();
    if (this.config.uplink !== undefined) {
      this.#fixedPorts.push(await uplinkPort(parts, this.#attacher, this.#numbering.portOf(UPLINK_PORT)));
    }
    this.#phase = 'running';
    this.#publishPorts();
    this.publisher.retire(new Set(this.directory.published.keys()), this.#prefixes);
    this.publisher.commit();
    this.#identities.dropUnclaimed();
    await this.supervisor.start();
    this.reconciler.kick();
    this.observer.start();
    this.prober.start();
    this.#watch();
  }

  /**
   * Detaches everything and removes what was made; the maps too unless they are to be kept. Applied objects and identities
   * stay when they have a directory of their own (`stateDir`).
   */
  async stop(): Promise<void> {
    this.#phase = 'stopping';
    for (const end of this.#endWatches) await end();
    this.observer.stop();
    this.prober.stop();
    clearTimeout(this.#portsSoon);
    await this.supervisor.stop();
    await this.reconciler.stop();
    await this.#attacher.detach(UPLINK_OWNER);
    await lowerHostPort(this.config.name, this.#journal);
    if (this.#journal.hasFirewall) await this.#firewall.remove();
    if (this.config.keepMaps) this.maps.close();
    else this.maps.remove();
    this.#journal.remove();
    rmSync(join(this.config.runDir, 'state'), { recursive: true, force: true });
    rmSync(this.supervisor.logPath, { force: true });
  }

  /** Lets go of everything without touching it: the dataplane forwards on, and the next agent takes over. */
  async leave(): Promise<void> {
    this.#phase = 'stopping';
    for (const end of this.#endWatches) await end();
    this.observer.stop();
    this.prober.stop();
    await this.reconciler.settle();
    this.supervisor.release();
    this.maps.close();
  }

  /**
   * From the objects to the maps. When it returns, policy is published and counts.
   * @returns why it could not be done, '' when it was
   */
  sync(): string {
    const error = this.controllers.run('compile', () => {
      const changes = this.store.takeChanges();
      const isPolicy = ({ kind }: { kind: string }) => kind.endsWith('Policy');
      if (changes.put.some(isPolicy) || changes.removed.some(isPolicy)) this.#conflicts.clear();
      this.#feed.apply(changes);
      this.#board.set('pods', this.#feed.problems);
      this.#flush();
    });
    this.#board.set('compile', error === '' ? [] : [error]);
    if (this.#phase === 'running') this.reconciler.kick();
    return error;
  }

  /** Takes over what can change while the agent runs, and says what cannot. Manifests are looked at again too. */
  reload(config: Config): void {
    const { live, restart } = changedOptions(this.config, config);
    if (restart.length > 0)
      this.#log.warn({ options: restart }, 'these options need a restart of the agent (not of traffic)');
    const { logLevel, eventRate, aggregation, healthProbeInterval } = config;
    const policy = { ...this.config.policy, 'allow-icmp-frag-needed': config.policy['allow-icmp-frag-needed'] };
    this.config = { ...this.config, logLevel, eventRate, aggregation, healthProbeInterval, policy };
    this.#log.level = logLevel;
    writeSettings(this.maps.config, this.config, this.#routerMac);
    this.prober.start(healthProbeInterval);
    this.publisher.commit();
    this.#log.info({ options: live }, 'configuration read again');
    this.#scan();
    this.sync();
  }

  #flush(): void {
    const changes = this.cluster.flush();
    for (const { id, labels } of changes.identities.added) this.directory.learnIdentity(id, labels);
    for (const id of changes.identities.removed) this.directory.forgetIdentity(id);
    if (changes.identities.added.length + changes.identities.removed.length > 0) {
      this.#identityFile.save({ identities: this.#identities.export() });
    }
    for (const [id, change] of changes.endpoints) this.directory.published.set(id, change);
    for (const id of changes.removedEndpoints) this.directory.published.delete(id);
    for (const { prefix } of changes.ipcache.upsert) this.#prefixes.add(prefix);
    for (const prefix of changes.ipcache.remove) this.#prefixes.delete(prefix);
    for (const problem of changes.problems) this.#conflicts.set(oneLine(problem), problem);
    this.#board.setDocuments('policy', [...this.#conflicts.values()]);
    this.publisher.publish(changes);
    this.#board.set('publish', this.publisher.sentences());
    this.publisher.commit();
    this.#publishPorts();
  }

  /** Once for all pods that became ready in the same turn. */
  #publishPortsSoon(): void {
    this.#portsSoon ??= setTimeout(() => {
      this.#portsSoon = undefined;
      this.#publishPorts();
    }, PORTS_DELAY_MS);
  }

  /** Ports and addresses of what is attached. */
  #publishPorts(): void {
    if (this.#phase !== 'running') return;
    const error = this.controllers.run('ports', () => {
      const wanted = this.#wantedPorts();
      if (this.#ports.publish(wanted)) this.publisher.commit();
      this.directory.refresh(wanted.map(({ index, port }) => [index, port.ifname] as const));
      this.#giveTaps();
      if (this.config.hostPort) this.#routeHost(wanted);
    });
    this.#board.set('ports', error === '' ? [] : [error]);
  }

  #routeHost(ports: readonly WantedPort[]): void {
    const pods = ports.filter(({ port }) => port.kind === 'veth' || port.kind === 'tap');
    this.#hostRoutes.sync(pods.flatMap(({ addresses }) => addresses)).then(
      () => this.#board.set('routes', []),
      (error: unknown) => this.#board.set('routes', [(error as Error).message]),
    );
  }

  #wantedPorts(): WantedPort[] {
    const ports = this.#fixedPorts.map((one) => (one.isHost ? { ...one, addresses: this.#hostAddresses } : one));
    for (const pod of this.reconciler.pods.values()) {
      const change = this.directory.published.get(pod.numbers.endpointId);
      if (pod.state !== 'ready' || (change === undefined && pod.plan.place !== 'external')) continue;
      ports.push(podPort(pod, change?.identity ?? 0, change?.audit ?? false));
    }
    return ports;
  }

  /** After the rows: the dataplane drops a descriptor whose port it finds no row for. */
  #giveTaps(): void {
    for (const port of this.#given.keys()) if (!this.#attacher.tapFds.has(port)) this.#given.delete(port);
    for (const [port, fd] of this.#attacher.tapFds) {
      if (this.#given.get(port) !== fd && this.supervisor.givePort(port, fd)) this.#given.set(port, fd);
    }
  }

  async #onLink(link: ControlLink, isAdopted: boolean): Promise<void> {
    this.#given.clear();
    if (isAdopted) {
      for (const [port, fd] of await link.returnFds()) {
        this.#attacher.holdTapFd(port, fd);
        this.#given.set(port, fd);
      }
      return;
    }
    this.#giveTaps();
    link.wake();
  }

  /** The host as a node of the cluster: its addresses have identity host. */
  #knowHost(): void {
    this.#hostAddresses = hostAddresses(this.config);
    this.#feed.setHost(this.#hostAddresses);
    if (this.config.policy['enable-host-firewall']) this.cluster.setHostEndpoint(HOST_ENDPOINT, {});
  }

  #probeTargets(): string[] {
    const ready = [...this.reconciler.pods.values()].filter(
      ({ state, plan }) => state === 'ready' && plan.place === 'local',
    );
    return this.config.hostPort ? ready.flatMap(({ numbers }) => numbers.addresses.map(({ text }) => text)) : [];
  }

  #noteAttach(key: string, problem: string): void {
    this.controllers.note('attach', problem);
    if (problem !== '') this.#log.warn({ pod: key }, problem);
  }

  #watch(): void {
    if (this.#manifests !== undefined) this.#endWatches.push(this.#manifests.watch(() => this.#scanAndSync()));
    this.#endWatches.push(watchNetns(() => this.reconciler.kick()));
    const timer = setInterval(() => this.#keepHouse(), HOUSEKEEPING_MS);
    this.#endWatches.push(() => clearInterval(timer));
  }

  /** What nobody tells: addresses of the host that came or went, interfaces that vanished. */
  #keepHouse(): void {
    this.reconciler.kick();
    if (hostAddresses(this.config).join() === this.#hostAddresses.join()) return;
    this.#knowHost();
    this.sync();
  }

  #scanAndSync(): void {
    this.#scan();
    this.sync();
  }

  #scan(): void {
    const manifests = this.#manifests;
    if (manifests === undefined) return;
    const error = this.controllers.run('manifests', () => {
      const contents = manifests.scan();
      if (contents === undefined) return;
      this.#board.setDocuments('manifests', contents.problems);
      this.store.setDirectory(contents.documents);
    });
    this.#board.set('directory', error === '' ? [] : [`manifests: ${error}`]);
  }
}
