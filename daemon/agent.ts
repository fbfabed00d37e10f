/**
 * The agent: objects in, pinned maps out.
 *
 *     directory, API -> store -> pods and policies -> compiler -> maps -> dataplane
 *                                      |
 *                                      +-> attacher: namespaces, interfaces, nft
 *
 * Everything that changes ends in `sync()`, which runs from the objects to the maps in one go, so the maps are always what
 * the objects say or what they said a moment ago. Attaching takes time and goes on beside it; when a pod is ready or gone, the
 * ports are published again.
 *
 * Start is crash-only: whatever an earlier agent left (maps, interfaces, a running dataplane) is taken over where it is still
 * what is wanted, published over, and the rest removed at the end. A clean stop removes everything that was made.
 */
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { closeFd, monotonicMs, openTap } from '../dataplane/native/index.ts';
import { Cluster } from '../policy/cluster.ts';
import type { Document } from '../policy/document.ts';
import { MemoryIdentityStore, RESERVED_IDENTITIES, type StoredIdentity } from '../policy/identity.ts';
import type { Problem } from '../policy/problems.ts';
import * as words from '../policy-maps/config-map.ts';
import { AgentDirectory } from './agent-directory.ts';
import { Attacher } from './attacher.ts';
import { macOf } from './attachment.ts';
import type { Config } from './config.ts';
import type { ControlLink } from './control-link.ts';
import { expandWorkload, isWorkload } from './expand.ts';
import { Firewall } from './firewall.ts';
import { hostAddresses, hostPort, UPLINK_OWNER, uplinkPort } from './fixed-ports.ts';
import { lowerHostPort } from './host-port.ts';
import { Journal } from './journal.ts';
import type { Log } from './log.ts';
import { ManifestDirectory } from './manifest-directory.ts';
import { watchNetns } from './netns.ts';
import { HOST_ENDPOINT, Numbering } from './numbering.ts';
import { Observer } from './observer.ts';
import { PinnedMaps } from './pinned-maps.ts';
import { planPod } from './pod-plan.ts';
import { PodReconciler } from './pod-reconciler.ts';
import { macWords, podPort, PortPublisher, type WantedPort, wordsOf } from './port-publisher.ts';
import { isAlive, type ProcessId } from './process-id.ts';
import { Publisher } from './publisher.ts';
import { StateFile } from './state-file.ts';
import { ObjectStore } from './store.ts';
import { Supervisor } from './supervisor.ts';

const HOST_PORT = 'port:host';
const UPLINK_PORT = 'port:uplink';

export interface AgentOptions {
  readonly config: Config;
  readonly log: Log;
  /** Program and arguments that start the dataplane. */
  readonly dataplaneCommand: readonly string[];
}

export class Agent {
  readonly config: Config;
  readonly cluster: Cluster;
  readonly store: ObjectStore;
  readonly maps: PinnedMaps;
  readonly directory: AgentDirectory;
  readonly observer: Observer;
  readonly supervisor: Supervisor;
  readonly reconciler: PodReconciler;
  readonly publisher: Publisher;
  readonly startedMs = Date.now();
  readonly #log: Log;
  readonly #journal: Journal;
  readonly #firewall: Firewall;
  readonly #attacher: Attacher;
  readonly #numbering: Numbering;
  readonly #identities: MemoryIdentityStore;
  readonly #identityFile: StateFile<{ identities: StoredIdentity[] }>;
  readonly #manifests: ManifestDirectory | undefined;
  readonly #routerMac: string;
  readonly #ports: PortPublisher;
  readonly #known = new Map<string, Document>();
  readonly #prefixes = new Set<string>();
  readonly #problems = new Map<string, readonly string[]>();
  readonly #endWatches: (() => unknown)[] = [];
  /** The host's port and the uplink's. */
  readonly #fixedPorts: WantedPort[] = [];
  #hostAddresses: readonly string[] = [];
  #portsQueue: Promise<void> = Promise.resolve();
  /** Ports are published and pods worked on only while `running`: before, nothing has been adopted yet. */
  #phase: 'starting' | 'running' | 'stopping' = 'starting';

  constructor({ config, log, dataplaneCommand }: AgentOptions) {
    const stateDir = join(config.runDir, 'state');
    mkdirSync(stateDir, { recursive: true, mode: 0o700 });
    this.config = config;
    this.#log = log;
    this.#journal = new Journal(join(stateDir, 'made.json'));
    this.#firewall = new Firewall(config.name);
    this.#routerMac = macOf(config.name, 'router');
    this.maps = openMaps(config, stateDir);
    this.#identityFile = new StateFile(join(stateDir, 'identities.json'), 1);
    this.#identities = new MemoryIdentityStore(this.#identityFile.load({ identities: [] }).identities);
    const policy = { ...config.policy, 'cluster-name': config.clusterName, 'node-name': config.nodeName };
    this.cluster = new Cluster(policy, this.#identities);
    this.store = new ObjectStore(join(stateDir, 'objects'), policy);
    this.#manifests = config.manifests === '' ? undefined : new ManifestDirectory(config.manifests, policy);
    this.#attacher = new Attacher({
      journal: this.#journal,
      firewall: this.#firewall,
      taps: { openTap, closeFd },
      podInterface: 'eth0',
      createNamespaces: config.createNamespaces,
    });
    this.#numbering = new Numbering(stateDir, config);
    this.reconciler = new PodReconciler({
      config,
      routerMac: this.#routerMac,
      attacher: this.#attacher,
      numbering: this.#numbering,
      onChange: () => void this.#publishPorts(),
    });
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
      heartbeat: () => this.maps.config.load(words.CONFIG_DATAPLANE_HEARTBEAT),
      nowMs: monotonicMs,
      onLink: (link, isAdopted) => this.#onLink(link, isAdopted),
      onEvent: (event, details) => this.#log.info(details, event),
    });
    this.publisher = new Publisher(this.maps, () => this.supervisor.wake());
    this.#ports = new PortPublisher(this.maps, this.#routerMac);
  }

  /** What is wrong now, one sentence each. */
  problems(): string[] {
    const pods = [...this.reconciler.pods.values()]
      .filter(({ problem }) => problem !== '')
      .map(({ plan, problem }) => `pod ${plan.key}: ${problem}`);
    const published = [...this.publisher.problems].map(([id, text]) => (id === 0 ? text : `endpoint ${id}: ${text}`));
    return [...[...this.#problems.values()].flat(), ...pods, ...published, ...this.maps.mismatches];
  }

  async start(): Promise<void> {
    this.#configure();
    this.#report('state', this.store.load());
    this.#scan();
    this.#knowHost();
    const parts = { config: this.config, journal: this.#journal, firewall: this.#firewall, routerMac: this.#routerMac };
    if (this.config.hostPort) this.#fixedPorts.push(await hostPort(parts, this.#numbering.portOf(HOST_PORT)));
    this.sync();
    await this.reconciler.adopt(this.#journal.attachments.map(({ owner }) => owner).filter(isPod));
    if (this.config.uplink !== undefined) {
      this.#fixedPorts.push(await uplinkPort(parts, this.#attacher, this.#numbering.portOf(UPLINK_PORT)));
    }
    this.#phase = 'running';
    await this.#publishPorts();
    this.publisher.retire(new Set(this.directory.published.keys()), this.#prefixes);
    this.publisher.commit();
    this.#identities.dropUnclaimed();
    await this.supervisor.start();
    this.reconciler.kick();
    this.observer.start();
    this.#watch();
  }

  /** Detaches everything and removes what was made; the maps too unless they are to be kept. */
  async stop(): Promise<void> {
    this.#phase = 'stopping';
    for (const end of this.#endWatches) await end();
    this.observer.stop();
    await this.#portsQueue;
    await this.reconciler.stop();
    await this.supervisor.stop();
    await this.#attacher.detach(UPLINK_OWNER);
    await lowerHostPort(this.config.name, this.#journal);
    if (this.#journal.hasFirewall) await this.#firewall.remove();
    if (this.config.keepMaps) this.maps.close();
    else this.maps.remove();
    this.#journal.remove();
    rmSync(join(this.config.runDir, 'state'), { recursive: true, force: true });
    rmSync(join(this.config.runDir, 'dataplane.log'), { force: true });
  }

  /** From the objects to the maps. Synchronous: when it returns, policy is published and counts. */
  sync(): void {
    const { put, removed } = this.store.takeChanges();
    for (const { kind, namespace, name } of removed) this.#forget(kind, namespace, name);
    for (const document of put) this.#known.set(`${document.kind}/${document.namespace}/${document.name}`, document);
    for (const document of put) if (!isPodSource(document.kind)) this.cluster.apply(document);
    this.#wantPods();
    this.#flush();
    if (this.#phase === 'running') this.reconciler.kick();
  }

  #forget(kind: string, namespace: string, name: string): void {
    this.#known.delete(`${kind}/${namespace}/${name}`);
    if (!isPodSource(kind)) this.cluster.remove({ kind, namespace, name });
  }

  /** All pods there should be, given to the reconciler and, with their numbers, to the compiler. */
  #wantPods(): void {
    const options = {
      netnsPrefix: this.config.netnsPrefix,
      nodeName: this.config.nodeName,
      attach: this.config.attach,
    };
    const documents = [...this.#known.values()].flatMap((one) =>
      isWorkload(one.kind) ? expandWorkload(one) : one.kind === 'Pod' ? [one] : [],
    );
    const planned = documents.map((document) => ({ document, ...planPod(document, options) }));
    const good = planned.filter(({ problems }) => problems.length === 0);
    const local = good.filter(({ plan }) => plan.place === 'local' || plan.place === 'external');
    const refused = this.reconciler.want(local.map(({ plan }) => plan));
    const problems = planned.flatMap(({ plan, problems: found }) => found.map((text) => `pod ${plan.key}: ${text}`));
    this.#problems.set('pods', [...problems, ...[...refused].map(([key, text]) => `pod ${key}: ${text}`)]);
    this.#compilePods(good.map(({ document }) => document));
  }

  #podsCompiled = new Map<string, string>();

  #compilePods(documents: readonly Document[]): void {
    const compiled = new Map<string, string>();
    for (const document of documents) {
      const key = `${document.namespace}/${document.name}`;
      const pod = this.reconciler.pods.get(key);
      if (pod?.plan.place === 'external') continue;
      const ips = pod?.numbers.addresses.map(({ text }) => text);
      const given = ips === undefined ? document : withAddresses(document, ips);
      const id = pod?.numbers.endpointId ?? 0;
      const signature = JSON.stringify([given.object, document.labels, document.annotations, id]);
      compiled.set(key, signature);
      if (this.#podsCompiled.get(key) !== signature) this.cluster.apply(given, id);
    }
    for (const key of this.#podsCompiled.keys()) {
      const [namespace = '', name = ''] = key.split('/');
      if (!compiled.has(key)) this.cluster.removePod(namespace, name);
    }
    this.#podsCompiled = compiled;
  }

  #flush(): void {
    const changes = this.cluster.flush();
    for (const { id, labels } of changes.identities.added) this.directory.learnIdentity(id, labels);
    for (const id of changes.identities.removed) this.directory.forgetIdentity(id);
    if (changes.identities.added.length + changes.identities.removed.length > 0) this.#saveIdentities();
    for (const [id, change] of changes.endpoints) this.directory.published.set(id, change);
    for (const id of changes.removedEndpoints) this.directory.published.delete(id);
    for (const { prefix } of changes.ipcache.upsert) this.#prefixes.add(prefix);
    for (const prefix of changes.ipcache.remove) this.#prefixes.delete(prefix);
    this.#report('policy', changes.problems);
    this.publisher.publish(changes);
    this.publisher.commit();
    void this.#publishPorts();
  }

  /** Ports and addresses of what is attached. One at a time, in order. */
  #publishPorts(): Promise<void> {
    this.#portsQueue = this.#portsQueue.then(async () => {
      if (this.#phase !== 'running') return;
      try {
        const wanted = await this.#wantedPorts();
        if (this.#ports.publish(wanted)) this.publisher.commit();
        this.directory.refresh(wanted.map(({ index, port }) => [index, port.ifname] as const));
        for (const [port, fd] of this.#attacher.tapFds) this.supervisor.givePort(port, fd);
      } catch (error) {
        this.#log.error({ error: (error as Error).message }, 'ports not published');
      }
    });
    return this.#portsQueue;
  }

  async #wantedPorts(): Promise<WantedPort[]> {
    const ports = this.#fixedPorts.map((one) => (one.isHost ? { ...one, addresses: this.#hostAddresses } : one));
    for (const pod of this.reconciler.pods.values()) {
      const change = this.directory.published.get(pod.numbers.endpointId);
      if (pod.state !== 'ready' || (change === undefined && pod.plan.place !== 'external')) continue;
      ports.push(await podPort(pod, change?.identity ?? 0, change?.audit ?? false));
    }
    return ports;
  }

  async #onLink(link: ControlLink, isAdopted: boolean): Promise<void> {
    if (isAdopted) for (const [port, fd] of await link.returnFds()) this.#attacher.holdTapFd(port, fd);
    for (const [port, fd] of this.#attacher.tapFds) link.givePort(port, fd);
    link.wake();
  }

  /** The words of runtime_config that come from the configuration. */
  #configure(): void {
    const { config } = this.maps;
    const { policy, router } = this.config;
    const modes = ['default', 'always', 'never'];
    config.routerMac = macWords(this.#routerMac);
    if (router.ipv4 !== '') config.setAddress(words.CONFIG_ROUTER_IPV4, wordsOf(router.ipv4));
    if (router.ipv6 !== '') config.setAddress(words.CONFIG_ROUTER_IPV6, wordsOf(router.ipv6));
    config.store(words.CONFIG_ENFORCEMENT, modes.indexOf(policy['enable-policy']));
    config.store(words.CONFIG_AUDIT_MODE, policy['policy-audit-mode'] ? 1 : 0);
    config.store(words.CONFIG_ALLOW_ICMP_FRAG_NEEDED, policy['allow-icmp-frag-needed'] ? 1 : 0);
    config.store(words.CONFIG_EVENT_RATE_LIMIT, this.config.eventRate);
    config.store(words.CONFIG_AGENT_PID, process.pid);
  }

  /** The host as a node of the cluster: its addresses have identity host. */
  #knowHost(): void {
    const { nodeName, policy } = this.config;
    this.#hostAddresses = hostAddresses(this.config);
    this.cluster.setNode({ name: nodeName, labels: {}, ips: this.#hostAddresses });
    if (policy['enable-host-firewall']) this.cluster.setHostEndpoint(HOST_ENDPOINT, {});
  }

  #watch(): void {
    if (this.#manifests !== undefined) {
      this.#endWatches.push(
        this.#manifests.watch(() => {
          this.#scan();
          this.sync();
        }),
      );
    }
    this.#endWatches.push(watchNetns(() => this.reconciler.kick()));
  }

  #scan(): void {
    try {
      const contents = this.#manifests?.scan();
      if (contents === undefined) return;
      this.#report('manifests', contents.problems);
      this.store.setDirectory(contents.documents);
    } catch (error) {
      this.#problems.set('manifests', [`read ${this.config.manifests}: ${(error as Error).message}`]);
    }
  }

  #report(source: string, problems: readonly Problem[]): void {
    const lines = problems
      .filter(({ severity }) => severity === 'error')
      .map(({ file, line, column, message }) => `${file}:${line}:${column}: ${message}`);
    const before = this.#problems.get(source) ?? [];
    this.#problems.set(source, lines);
    for (const line of lines) if (!before.includes(line)) this.#log.warn({ source }, line);
  }

  #saveIdentities(): void {
    this.#identityFile.save({ identities: this.#identities.export() });
  }
}

function isPod(owner: string): boolean {
  return owner !== UPLINK_OWNER;
}

function isPodSource(kind: string): boolean {
  return kind === 'Pod' || isWorkload(kind);
}

/** The document with the addresses that the pod has got. */
function withAddresses(document: Document, ips: readonly string[]): Document {
  const status = { ...document.object['status'], podIP: ips[0], podIPs: ips.map((ip) => ({ ip })) };
  return { ...document, object: { ...document.object, status } };
}

function openMaps(config: Config, stateDir: string): PinnedMaps {
  const noted = new StateFile<ProcessId | null>(join(stateDir, 'dataplane.json'), 1).load(null);
  const isInUse = noted !== null && isAlive(noted);
  return new PinnedMaps({ directory: join(config.runDir, 'maps'), capacities: config.maps, isInUse });
}
