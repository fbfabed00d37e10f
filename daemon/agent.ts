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
import { monotonicMs } from '../dataplane/native/index.ts';
import { CONFIG_DATAPLANE_HEARTBEAT } from '../policy-maps/config-map.ts';
import { DirectoryFeed } from './observe/directory-feed.ts';
import { macOf } from '../linux/attachment.ts';
import { Compilation } from './compilation.ts';
import type { Config } from './config/config.ts';
import type { CniAttachments } from './cni/attachments.ts';
import { Controllers } from './health/controllers.ts';
import type { Log } from './health/log.ts';
import { takeSecretFiles } from './source/secret-files.ts';
import { watchDirectory } from './source/watching.ts';
import { openSources, type Sources } from './source/sources.ts';
import { journalPath } from '../linux/journal.ts';
import { interfaceAddresses } from '../linux/addresses.ts';
import { watchNetns } from '../linux/netns.ts';
import { HOST_ENDPOINT } from './attach/numbering.ts';
import { Observatory } from './observe/observatory.ts';
import { type KubeApiSide, NO_KUBE_API } from './kube-api/side.ts';
import { Page } from './page/page.ts';
import { openMaps, type PinnedMaps } from './publish/pinned-maps.ts';
import { PodFeed } from './attach/pod-feed.ts';
import { PodLinks } from './attach/pod-links.ts';
import type { PodReconciler } from './attach/pod-reconciler.ts';
import { Ports } from './attach/ports.ts';
import { Prober } from './health/probe.ts';
import { PodStates } from './health/pod-states.ts';
import { ProblemBoard } from './health/problem-board.ts';
import type { PublicationTimings } from './metrics/publication-timings.ts';
import { Names } from './names/names.ts';
import { Housekeeping } from './housekeeping.ts';
import { Kubernetes } from './kubernetes/kubernetes.ts';
import type { Learning } from './fqdn/learning.ts';
import { openLearning } from './fqdn/open-learning.ts';
import { openOffload, type OffloadSide } from './offload/side.ts';
import { prepare } from './preparation.ts';
import { Publication } from './publication.ts';
import { Publisher } from './publish/publisher.ts';
import { changedOptions, writeSettings } from './runtime-settings.ts';
import { Services } from './services/services.ts';
import type { ObjectStore } from './source/store.ts';
import type { KeptDescriptors } from './supervise/kept-descriptors.ts';
import { Supervisor, type SupervisorOptions } from './supervise/supervisor.ts';

export interface AgentOptions {
  readonly config: Config;
  readonly log: Log;
  readonly attachments: CniAttachments;
  /** Programs and arguments that start the dataplane, one that stands by, and the name server. */
  readonly programs: Pick<SupervisorOptions, 'command' | 'standbyCommand'> & { readonly nameServer: readonly string[] };
  readonly kept: KeptDescriptors;
}

export class Agent {
  config: Config;
  readonly store: ObjectStore;
  readonly sources: Sources;
  readonly maps: PinnedMaps;
  readonly compilation: Compilation;
  readonly directory: DirectoryFeed;
  readonly observatory: Observatory;
  readonly page: Page;
  kubeApi: KubeApiSide = NO_KUBE_API;
  readonly kubernetes: Kubernetes;
  readonly supervisor: Supervisor;
  readonly offload: OffloadSide;
  readonly publisher: Publisher;
  readonly services: Services;
  readonly names: Names;
  readonly states: PodStates;
  readonly prober: Prober;
  readonly learning: Learning;
  readonly controllers = new Controllers();
  readonly startedMs = Date.now();
  /** No earlier agent has left anything behind. */
  readonly isFirst: boolean;
  readonly #log: Log;
  readonly #board: ProblemBoard;
  readonly #ports: Ports;
  readonly feed: PodFeed;
  readonly #links: PodLinks;
  readonly #publication: Publication;
  readonly #runState: string;
  readonly #routerMac: string;
  readonly #endWatches: (() => unknown)[] = [];
  /** Pods are worked on only while running: before, nothing has been adopted yet. */
  #isRunning = false;
  /** Options that were read last, differ from what is in force, and count after a restart only. */
  restartPending: readonly string[] = [];

  /** @throws MapError naming a map file that cannot be used */
  constructor({ config, log, attachments, programs, kept }: AgentOptions) {
    this.#runState = join(config.runDir, 'state');
    const stateDir = config.stateDir === '' ? this.#runState : config.stateDir;
    for (const directory of [this.#runState, stateDir]) mkdirSync(directory, { recursive: true, mode: 0o700 });
    this.isFirst = !existsSync(journalPath(config.runDir));
    this.config = config;
    this.#log = log;
    this.#board = new ProblemBoard(log);
    this.#routerMac = macOf(config.name, 'router');
    const policy = { ...config.policy, 'cluster-name': config.clusterName, 'node-name': config.nodeName };
    this.compilation = new Compilation(stateDir, policy);
    this.#board.set('identities', this.compilation.problem === undefined ? [] : [this.compilation.problem]);
    this.maps = openMaps(config.runDir, config.maps);
    const { cluster } = this.compilation;
    this.services = new Services({ config, stateDir, table: cluster.services, maps: this.maps });
    this.sources = openSources({ config, policy, stateDir }, this.services);
    this.store = this.sources.store;
    this.supervisor = this.#newSupervisor(programs);
    this.offload = openOffload(config, this.#routerMac, { maps: this.maps, board: this.#board });
    this.publisher = new Publisher(this.maps, () => this.supervisor.wake(), this.offload);
    this.#ports = this.#newPorts(stateDir, kept);
    this.names = this.#newNames(programs.nameServer);
    this.store.setOwn(this.names.ownDocuments());
    this.observatory = new Observatory({ config, log, snapshot: () => this.directory.snapshot() });
    this.page = new Page(config, log);
    this.kubernetes = new Kubernetes({ agent: this, prepare: (isReady) => prepare(this, isReady), policy, log });
    this.learning = this.#newLearning(stateDir);
    this.directory = this.#newDirectory();
    const listeners = [this.services.book, this.names, this.directory];
    this.feed = new PodFeed({ cluster, listeners, reconciler: this.reconciler, plan: config, attachments });
    this.#links = new PodLinks(this.reconciler, log);
    this.#publication = this.#newPublication();
    this.prober = new Prober({
      targets: () => (config.hostPort ? this.reconciler.readyAddresses() : []),
      intervalSec: config.healthProbeInterval,
      onFailure: (reason) => this.#board.set('health', [reason]),
      onSend: (sequence, address) => this.observatory.noteProbe(sequence, address),
    });
    const { publisher, supervisor, prober, maps } = this;
    this.states = new PodStates({ links: this.#links, ports: this.#ports, publisher, supervisor, prober, maps });
  }

  get timings(): PublicationTimings {
    return this.#publication.timings;
  }

  get reconciler(): PodReconciler {
    return this.#ports.reconciler;
  }

  /** What is wrong now, one sentence each. */
  problems(): string[] {
    const dataplane = this.supervisor.status();
    const problem = this.supervisor.problem();
    const { logPath } = this.supervisor;
    const unopened = dataplane.state === 'running' ? this.#ports.unopened() : [];
    return [
      ...(problem === '' ? [] : [problem]),
      ...unopened.map((what) => `the dataplane cannot open ${what}: see ${logPath}`),
      ...this.#board.all(),
      ...this.observatory.problems(),
      ...this.page.problems(),
      ...this.kubeApi.problems(),
      ...this.kubernetes.problems(),
      ...this.states.sentences(this.reconciler.pods.values()),
      ...this.maps.mismatches.map((text) => `map ${text}: restart the dataplane for it`),
    ];
  }

  /** @throws Error when the host port or the uplink cannot be had */
  async start(): Promise<void> {
    writeSettings(this.maps.config, this.config, this.#routerMac);
    this.#board.setDocuments('state', this.store.load());
    this.#scan();
    this.#ports.takeKept(await this.supervisor.adopt());
    await this.names.start();
    await this.#ports.raiseHost();
    await this.#ports.lookForHostAddresses();
    this.#knowHost();
    this.learning.restore();
    await this.kubernetes.start(() => this.#open());
    await this.page.start();
  }

  /** What follows when all sources are known. */
  async #open(): Promise<void> {
    this.sync();
    await this.#ports.adopt();
    this.#isRunning = true;
    const isObserved = this.observatory.start();
    this.#ports.open(this.directory);
    this.feed.tellServices();
    this.services.open();
    this.#publication.services();
    this.publisher.retire(new Set(this.directory.published.keys()), this.compilation.prefixes);
    this.publisher.commit();
    this.compilation.dropUnclaimed();
    await this.supervisor.start();
    this.reconciler.kick();
    this.learning.start();
    this.prober.start();
    this.offload.start();
    this.#watch();
    await isObserved;
  }

  /**
   * Detaches everything and removes what was made; the maps too unless they are to be kept. Applied objects and identities
   * stay when they have a directory of their own (`stateDir`).
   */
  async stop(): Promise<void> {
    await this.#quieten(true);
    this.offload.stop();
    await this.supervisor.stop();
    await this.names.stop();
    await this.#ports.lower();
    if (this.config.keepMaps) this.maps.close();
    else this.maps.remove();
    rmSync(this.#runState, { recursive: true, force: true });
    rmSync(this.supervisor.logPath, { force: true });
  }

  /** Lets go of everything without touching it: the dataplane forwards on, and the next agent takes over. */
  async leave(): Promise<void> {
    await this.#quieten(false);
    this.offload.leave();
    await this.#ports.leave();
    await this.names.leave();
    this.supervisor.release();
    this.maps.close();
  }

  /**
   * From the objects to the maps. When it returns, policy is published and counts.
   * @returns why it could not be done, '' when it was
   */
  sync(): string {
    if (!this.kubernetes.isKnown) return 'nothing is published before Kubernetes has been listed once';
    const error = this.controllers.run('compile', () => {
      const changes = this.store.takeChanges();
      this.kubeApi.mirror(changes);
      this.compilation.reconsider(changes);
      this.feed.apply(changes);
      this.directory.learnDocuments(changes, this.publisher.revision + 1, this.feed.node.labels);
      this.#board.set('pods', this.feed.problems);
      this.#board.set('kubernetes-objects', this.store.kubernetesProblems());
      this.#publication.all();
    });
    this.#board.setError('compile', error);
    if (this.#isRunning) this.reconciler.kick();
    this.kubeApi.tellState();
    return error;
  }

  /** Takes over what can change while the agent runs, and says what cannot. Manifests are looked at again too. */
  reload(config: Config): void {
    const { live, restart } = changedOptions(this.config, config);
    this.restartPending = restart;
    if (restart.length > 0)
      this.#log.warn({ options: restart }, 'these options need a restart of the agent (not of traffic)');
    const { logLevel, eventRate, faults, aggregation, healthProbeInterval, standIns } = config;
    const policy = { ...this.config.policy, 'allow-icmp-frag-needed': config.policy['allow-icmp-frag-needed'] };
    this.config = { ...this.config, logLevel, eventRate, faults, aggregation, healthProbeInterval, standIns, policy };
    this.#ports.setFaults(faults);
    this.#log.level = logLevel;
    writeSettings(this.maps.config, this.config, this.#routerMac);
    this.prober.start(healthProbeInterval);
    this.publisher.commit();
    this.#log.info({ options: live }, 'configuration read again');
    this.#scan();
    this.sync();
  }

  #newSupervisor(programs: AgentOptions['programs']): Supervisor {
    return new Supervisor({
      runDir: this.config.runDir,
      ...programs,
      heartbeat: () => this.maps.config.load(CONFIG_DATAPLANE_HEARTBEAT),
      nowMs: monotonicMs,
      onLink: (link, isAdopted) => this.#ports.onLink(link, isAdopted),
      onEvent: (event, details) => this.#log.info({ dataplane: details }, event),
    });
  }

  #newPorts(stateDir: string, kept: KeptDescriptors): Ports {
    const { config, maps, controllers } = this;
    const own = { routerMac: this.#routerMac, log: this.#log, board: this.#board };
    return new Ports({
      ...{ ...own, config, maps, controllers, stateDir, kept },
      givePort: (port, fd) => this.supervisor.givePort(port, fd),
      giveSockets: (sockets) => this.supervisor.giveSockets(sockets),
      onPods: () => this.#onPods(),
      commit: () => this.publisher.commit(),
      mayCreate: (netns) => this.kubeApi.owns(netns),
      setFastPorts: (fast) => this.offload.setPorts(fast),
    });
  }

  #newLearning(stateDir: string): Learning {
    const publish = () => this.#publication.names();
    const path = join(stateDir, 'names.jsonl');
    return openLearning({ agent: this, log: this.#log, board: this.#board, path, publish });
  }

  #newPublication(): Publication {
    const { compilation, directory, publisher, services, learning } = this;
    const onServices = (): void => {
      if (this.#isRunning) this.names.sync();
    };
    const parts = { compilation, directory, publisher, services, learning, onServices };
    return new Publication({ ...parts, ports: this.#ports, board: this.#board });
  }

  #newNames(command: readonly string[]): Names {
    const { config, services } = this;
    const { pods } = this.reconciler;
    const hasOwn = (): boolean => this.store.hasOwn;
    return new Names({ config, services, pods, hasOwn, board: this.#board, log: this.#log, command });
  }

  #newDirectory(): DirectoryFeed {
    const { services, learning, observatory } = this;
    const { pods } = this.reconciler;
    const cookies = () => this.compilation.cluster.compiler.cookies.known();
    return new DirectoryFeed({ pods, cookies, services, names: learning }, (delta) => observatory.learn(delta));
  }

  /** Ends everything that begins work by itself. */
  async #quieten(isClean: boolean): Promise<void> {
    await this.kubeApi.stop(isClean);
    this.#isRunning = false;
    for (const end of this.#endWatches) await end();
    await this.kubernetes.stop();
    await this.page.stop();
    await this.observatory.stop();
    this.learning.stop();
    this.prober.stop();
    this.#ports.close();
  }

  #onPods(): void {
    this.feed.tellServices();
    if (this.#publication.services()) this.publisher.commit();
    this.kubeApi.tellState();
  }

  /** The host as a node of the cluster: its addresses have identity host. */
  #knowHost(): void {
    this.feed.setHost(this.#ports.hostAddresses);
    if (this.#ports.network !== undefined) this.compilation.cluster.egress.setNetwork(this.#ports.network);
    this.services.setNodeAddresses(interfaceAddresses());
    if (this.config.policy['enable-host-firewall']) this.compilation.cluster.setHostEndpoint(HOST_ENDPOINT, {});
  }

  #watch(): void {
    this.#endWatches.push(this.sources.manifests?.watch(() => this.#scanAndSync()) ?? (() => undefined));
    const { secretsDir } = this.config;
    if (secretsDir !== '') this.#endWatches.push(watchDirectory(secretsDir, () => this.#scanAndSync()));
    this.#endWatches.push(watchNetns(() => this.reconciler.kick()));
    this.#endWatches.push(this.#ports.guard());
    const { config, maps } = this;
    const onHostAddresses = (): void => {
      if (!this.#isRunning) return;
      this.#knowHost();
      this.sync();
    };
    const parts = { config, maps, ports: this.#ports, links: this.#links, onHostAddresses };
    this.#endWatches.push(new Housekeeping({ ...parts, board: this.#board, controllers: this.controllers }).start());
  }

  #scanAndSync(): void {
    this.#scan();
    this.sync();
  }

  #scan(): void {
    const { controllers, compilation } = this;
    takeSecretFiles(this.config.secretsDir, { controllers, board: this.#board, secrets: compilation.cluster.secrets });
    const { manifests } = this.sources;
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
