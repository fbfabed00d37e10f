/**
 * Everything on this machine that frames pass through: pods attached and detached, the host's port, the uplink, and the
 * rows of the maps that say which of them leads to whom.
 *
 *     plans -> reconciler -> attacher (namespaces, interfaces, journal)
 *                  |
 *                  +-- ready --+
 *     host port, uplink -------+-> rows in the maps -> packet sockets -> descriptors to the dataplane -> routes of the host
 *
 * Lifecycle: `raiseHost`, then `adopt` once all pods are known, then `open`: before it nothing is published, for a row
 * that an earlier agent left must stay until its port has been taken over or given up. `lower` removes everything that was
 * made; `leave` lets go of it.
 */
import type { NetworkInterface } from '../../hubble/flow.ts';
import { closeFdBeside, disableOffloads, isTapThere, openTap } from '../../dataplane/native/index.ts';
import type { EndpointChange } from '../../policy/cluster.ts';
import type { EgressNetwork } from '../../policy/egress-table.ts';
import { Attacher, type HeldTap } from './attacher.ts';
import { type Config, routerAddresses } from '../config/config.ts';
import type { ControlLink } from '../supervise/control-link.ts';
import type { PacketSocket } from '../supervise/control.ts';
import { closeReturned, type KeptDescriptors } from '../supervise/kept-descriptors.ts';
import type { Controllers } from '../health/controllers.ts';
import { Firewall } from './firewall.ts';
import { FirewallGuard } from './firewall-guard.ts';
import { type FixedPortParts, hostPort, linkFacts, UPLINK_OWNER, uplinkPort } from './fixed-ports.ts';
import { lowerHostPort } from './host-port.ts';
import type { ServicePlace } from './return-table.ts';
import { WayOut } from './way-out.ts';
import { HostRoutes } from './host-routes.ts';
import { hostPrefix, parseAddress, parseRange } from './range.ts';
import { hostAddresses } from '../../linux/addresses.ts';
import { type Journal, openJournal } from '../../linux/journal.ts';
import type { Log } from '../health/log.ts';
import { Numbering } from './numbering.ts';
import { nameServerNetns } from '../names/own-documents.ts';
import { OpenPorts } from '../../policy-maps/open-ports.ts';
import { readFaults } from '../source/fault-text.ts';
import type { Faults } from '../../policy-maps/condition-map.ts';
import type { PinnedMaps } from '../publish/pinned-maps.ts';
import { type FastPort, fastPorts } from '../offload/fast-table.ts';
import { PodReconciler } from './pod-reconciler.ts';
import { PacketSockets } from './packet-sockets.ts';
import {
  addressesOfPods,
  interfaceOf,
  podPort,
  PortPublisher,
  socketInterfaces,
  type WantedPort,
} from './port-publisher.ts';
import type { ProblemBoard } from '../health/problem-board.ts';

const HOST_PORT = 'port:host';
const UPLINK_PORT = 'port:uplink';
const PUBLISH_DELAY_MS = 5; // a port that waits drops nothing that would not have been dropped before

interface PortsOptions {
  readonly config: Config;
  readonly routerMac: string;
  /** Where state lies that may outlive this boot. */
  readonly stateDir: string;
  readonly maps: PinnedMaps;
  readonly log: Log;
  readonly board: ProblemBoard;
  readonly controllers: Controllers;
  /** Who keeps descriptors beyond agent and dataplane. */
  readonly kept: KeptDescriptors;
  /** Hands a TAP to the dataplane. @returns false when there is none to hand it to now */
  readonly givePort: (port: number, fd: number) => boolean;
  /** The same with packet sockets. */
  readonly giveSockets: (sockets: readonly (readonly [number, PacketSocket])[]) => boolean;
  /** Pods became ready, or ceased to be; what was published for it counts with the next `commit`. */
  readonly onPods: () => void;
  /** Makes what was published count. */
  readonly commit: () => void;
  /** Of network namespaces that are made when there are none, whatever the configuration says. */
  readonly mayCreate: (netns: string) => boolean;
  /** Takes the ports whose settled connections the kernel may forward. */
  readonly setFastPorts: (ports: readonly FastPort[]) => void;
}

/** Who is behind a port: known from here on, and told of the ports as they change. */
export interface PortNames {
  /** What was last published, by endpoint id. */
  readonly published: ReadonlyMap<number, EndpointChange>;
  /** @param ports index and interface of each port */
  refresh(ports: Iterable<readonly [number, NetworkInterface]>): void;
}

export class Ports {
  readonly reconciler: PodReconciler;
  readonly #options: PortsOptions;
  readonly #journal: Journal;
  readonly #attacher: Attacher;
  readonly #numbering: Numbering;
  readonly #parts: FixedPortParts;
  readonly #publisher: PortPublisher;
  readonly #openPorts: OpenPorts;
  readonly #routes: HostRoutes;
  readonly #wayOut: WayOut;
  /** The host's port and the uplink's. */
  readonly #fixed: WantedPort[] = [];
  readonly #sockets: PacketSockets;
  /** What the dataplane on the other end of the link has, by port. */
  readonly #given = new Map<number, HeldTap | PacketSocket>();
  #hostAddresses: readonly string[] = [];
  /** Addresses of services that were last routed. */
  #routed: readonly string[] | undefined;
  /** As the kernel writes them. */
  readonly #serviceRanges: readonly string[];
  #interfaces: ReadonlyMap<number, string> = new Map();
  #soon: NodeJS.Timeout | undefined;
  #names: PortNames | undefined;
  /** Faults of ports that have none of their own. */
  #faults: Faults | null;

  constructor(options: PortsOptions) {
    const { config, routerMac } = options;
    this.#options = options;
    const ranges = [config.serviceCIDRs.ipv4, config.serviceCIDRs.ipv6];
    this.#serviceRanges = ranges.filter((range) => range !== '').map((range) => parseRange(range).text);
    this.#faults = readFaults(config.faults).faults ?? null;
    this.#journal = openJournal(config.runDir, config.name);
    const firewall = new Firewall(config.name);
    this.#parts = { config, journal: this.#journal, firewall, routerMac };
    const mayCreate = (netns: string) =>
      config.createNamespaces || netns === nameServerNetns(config.name) || options.mayCreate(netns);
    const natives = { openTap, closeFd: closeFdBeside, isTapThere, disableOffloads };
    this.#attacher = new Attacher({ journal: this.#journal, firewall, natives, mayCreate });
    this.#numbering = new Numbering(options.stateDir, config);
    this.reconciler = new PodReconciler({
      config,
      routerMac,
      attacher: this.#attacher,
      numbering: this.#numbering,
      onChange: () => this.#publishSoon(),
      onOutcome: (key, problem) => this.#noteAttach(key, problem),
    });
    this.#publisher = new PortPublisher(options.maps, routerMac);
    this.#openPorts = new OpenPorts(options.maps.config);
    this.#sockets = new PacketSockets({
      onOpened: () => this.#publishSoon(),
      onProblems: (problems) => options.board.set('packet sockets', problems),
      isOpen: (port) => this.isOpen(port),
    });
    this.#routes = new HostRoutes(config, routerMac);
    const { maps, board } = options;
    const tell = (problems: readonly string[]) => board.set('uplink', problems);
    this.#wayOut = new WayOut({ config, routerMac, maps, tell, onAnswered: () => this.#publishSoon() });
    const found = [this.#journal.problem, this.#numbering.problem];
    options.board.set(
      'state files of ports',
      found.filter((one) => one !== undefined),
    );
  }

  /** All addresses of the host, and prefixes that are all its own, as they were when last asked for. */
  get hostAddresses(): readonly string[] {
    return this.#hostAddresses;
  }

  /** Faults of all ports from the next publication on. @param text as in the configuration, which has been checked */
  setFaults(text: string): void {
    this.#faults = readFaults(text).faults ?? null;
  }

  /**
   * Asks for the host's addresses.
   * @returns whether they are others than before
   * @throws CommandError when they cannot be had
   */
  async lookForHostAddresses(): Promise<boolean> {
    const hasOthers = await this.#wayOut.look();
    const now = await hostAddresses(routerAddresses(this.#options.config));
    const hasChanged = hasOthers || now.join() !== this.#hostAddresses.join();
    this.#hostAddresses = now;
    return hasChanged;
  }

  /** What those outside address: services (nothing happens while they are not known), and pods by addresses of policies. */
  setOuter(places: readonly ServicePlace[] | undefined, egress: readonly string[]): void {
    if (places === undefined) return;
    this.#wayOut.setOuter(places, egress);
    this.#routeServices();
  }

  /** Addresses that policies may choose; undefined where pods do not leave. */
  get network(): EgressNetwork | undefined {
    return this.#wayOut.network;
  }

  /** Those of policies that answers come here for; undefined until that is known. */
  get answered(): ReadonlySet<string> | undefined {
    return this.#wayOut.answered;
  }

  /** Follows the uplink's MTU and addresses. */
  lookForUplink(): void {
    const at = this.#fixed.findIndex(({ port }) => port.kind === 'uplink');
    if (at < 0) return;
    const { port, ...rest } = this.#fixed[at];
    const facts = linkFacts(port.ifname);
    if (facts === undefined) return;
    const now = { ...port, ...facts };
    const isSame = now.mtu === port.mtu && [now.address, now.address6].join() === [port.address, port.address6].join();
    if (isSame) return;
    this.#fixed[at] = { ...rest, port: now };
    this.publish();
  }

  /** @throws Error when the host port cannot be had */
  async raiseHost(): Promise<void> {
    if (!this.#options.config.hostPort) return;
    this.#fixed.push(await hostPort(this.#parts, this.#numbering.portOf(HOST_PORT)));
    if (this.#options.config.uplinkMode !== 'host') await this.#wayOut.remove(); // of an earlier agent
  }

  /**
   * Takes over what an earlier agent made, and takes up the uplink.
   * @throws Error when the uplink cannot be had
   */
  async adopt(): Promise<void> {
    const owners = this.#journal.attachments.map(({ owner }) => owner);
    this.reconciler.adopt(owners.filter((owner) => owner.includes('/')));
    await this.#attacher.shieldAdopted();
    this.#attacher.dropStrayTaps();
    if (this.#options.config.uplink === undefined) return;
    this.#fixed.push(await uplinkPort(this.#parts, this.#attacher, this.#numbering.portOf(UPLINK_PORT)));
  }

  /** From now on ports are published. */
  open(names: PortNames): void {
    this.#names = names;
    this.publish();
  }

  /** Rows and addresses of what is attached; nothing before `open` and after `close`. */
  publish(): void {
    const names = this.#names;
    if (names === undefined) return;
    const { controllers, board, config, commit } = this.#options;
    const error = controllers.run('ports', () => {
      const wanted = this.#wanted(names);
      this.#options.setFastPorts(fastPorts(wanted));
      if (this.#publisher.publish(wanted)) commit();
      this.#interfaces = new Map(wanted.map(({ index, port }) => [index, port.ifname]));
      names.refresh(wanted.map(({ index, port }) => [index, interfaceOf(port)]));
      this.#sockets.want(socketInterfaces(wanted));
      this.#give();
      if (config.hostPort) this.#routeHost(wanted);
    });
    board.set('ports', error === '' ? [] : [error]);
  }

  /** Whether the dataplane forwards what comes in at this port, as it was last published. */
  isOpen(index: number): boolean {
    return this.#hasBeenSeen(index) && this.#openPorts.isOpen(index);
  }

  /** Ports that the dataplane has tried to open and could not, by their interface. */
  unopened(): string[] {
    const tried = [...this.#interfaces].filter(
      ([index]) => this.#hasBeenSeen(index) && !this.#sockets.isMissing(index) && !this.#openPorts.isOpen(index),
    );
    return tried.map(([index, ifname]) => (ifname === '' ? `the TAP of port ${index}` : ifname));
  }

  #hasBeenSeen(index: number): boolean {
    const since = this.#publisher.since(index);
    return since !== undefined && this.#openPorts.hasSeen(since);
  }

  /** A new dataplane has no descriptor yet; one that was running gives back those that it has. */
  async onLink(link: ControlLink, isAdopted: boolean): Promise<void> {
    this.#given.clear();
    if (isAdopted) {
      const { taps, sockets } = await link.returnFds();
      for (const [port, fd] of taps) this.#given.set(port, this.#attacher.holdTap(port, fd));
      this.#sockets.keep(sockets);
      for (const [port, socket] of sockets) this.#given.set(port, socket);
      return;
    }
    this.#give();
    link.wake();
  }

  /** Takes what systemd has kept, unless a running dataplane has given back its own. Call before `adopt`. */
  takeKept(isAdopted: boolean): void {
    const found = this.#options.kept.take();
    if (isAdopted) {
      closeReturned(found);
      return;
    }
    for (const [port, fd] of found.taps) this.#attacher.holdTap(port, fd);
    this.#sockets.keep(found.sockets);
  }

  /** Looks after the firewall. @returns a function that ends it */
  guard(): () => Promise<void> {
    const { board } = this.#options;
    const { firewall } = this.#parts;
    const restore = async () => [...(await firewall.restore()), ...(await this.#wayOut.restore())];
    return new FirewallGuard({ restore }, (problems) => board.set('firewall', problems)).start();
  }

  /** Publishes no more. */
  close(): void {
    this.#names = undefined;
    clearTimeout(this.#soon);
    this.#sockets.leave();
    this.#wayOut.close();
  }

  /** Removes everything that was made. */
  async lower(): Promise<void> {
    this.#sockets.close();
    await this.reconciler.stop();
    await this.#attacher.detach(UPLINK_OWNER);
    await lowerHostPort(this.#options.config.name, this.#journal);
    if (this.#journal.hasFirewall) await this.#parts.firewall.remove();
    if (this.#options.config.uplinkMode === 'host') await this.#wayOut.remove();
    this.#journal.remove();
  }

  /** Waits for what is under way, and begins nothing more. */
  async leave(): Promise<void> {
    await this.reconciler.settle();
  }

  /** Once for all pods that became ready in the same turn. */
  #publishSoon(): void {
    this.#soon ??= setTimeout(() => {
      this.#soon = undefined;
      this.#options.onPods();
      this.publish();
    }, PUBLISH_DELAY_MS);
  }

  #wanted({ published }: PortNames): WantedPort[] {
    const conditions = { faults: this.#faults, isTraced: false };
    const ports = this.#fixed.map((one) => ({
      ...one,
      conditions,
      addresses: one.isHost ? this.#hostAddresses.filter((text) => !text.includes('/')) : one.addresses,
    }));
    for (const pod of this.reconciler.pods.values()) {
      const change = published.get(pod.numbers.endpointId);
      if (pod.state !== 'ready' || (change === undefined && pod.plan.place !== 'external')) continue;
      const { faults = this.#faults, isTraced } = pod.plan;
      ports.push(podPort(pod, change?.identity ?? 0, change?.audit ?? false, { faults, isTraced }));
    }
    return ports;
  }

  /** Only where there is a row: the dataplane drops a descriptor whose port it finds none for. */
  #give(): void {
    const { givePort, giveSockets } = this.#options;
    const isNews = ([port, one]: readonly [number, HeldTap | PacketSocket]) =>
      this.#interfaces.has(port) && this.#given.get(port) !== one;
    const held = new Set<HeldTap | PacketSocket>([...this.#attacher.taps.values(), ...this.#sockets.held.values()]);
    for (const [port, one] of this.#given) if (!held.has(one) || !this.#interfaces.has(port)) this.#given.delete(port);
    for (const [port, tap] of [...this.#attacher.taps].filter(isNews)) {
      if (givePort(port, tap.fd)) this.#given.set(port, tap);
    }
    const sockets = [...this.#sockets.held].filter(isNews);
    if (giveSockets(sockets)) for (const [port, socket] of sockets) this.#given.set(port, socket);
    this.#options.kept.hold(this.#attacher.taps, this.#sockets.held);
  }

  /** Cluster addresses, and those that this machine answers for. */
  #routeServices(): void {
    if (!this.#options.config.hostPort) return;
    const { announced } = this.#wayOut;
    if (announced === this.#routed) return;
    this.#routed = announced;
    const prefixes = announced.map((text) => hostPrefix(parseAddress(text)));
    this.#noteRoutes(this.#routes.setServices([...this.#serviceRanges, ...prefixes]));
  }

  #routeHost(ports: readonly WantedPort[]): void {
    this.#noteRoutes(this.#routes.sync(addressesOfPods(ports)));
  }

  #noteRoutes(work: Promise<void>): void {
    work.then(
      () => this.#options.board.set('routes', []),
      (error: unknown) => this.#options.board.set('routes', [(error as Error).message]),
    );
  }

  #noteAttach(key: string, problem: string): void {
    this.#options.controllers.note('attach', problem);
    if (problem !== '') this.#options.log.warn({ pod: key }, problem);
  }
}
