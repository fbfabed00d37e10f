/**
 * Who has which cluster address, load balancer address and node port. What a document gives is claimed, the rest is drawn from
 * the ranges of the configuration; what is held stands in a file beside the other numbers, so that a service keeps it when
 * the agent restarts.
 *
 * A claim of what another service has is refused, and told with both names: the service then goes without. What is claimed
 * comes before what is drawn, so a new service never draws what one of the same documents asks for. Draws from a serviceCIDR
 * begin behind its lowest part, which is left to claims, as in Kubernetes.
 */
import { join } from 'node:path';
import type { Family, ServicePort, ServiceSpec } from '../../policy/rule/service-spec.ts';
import { type Assignment, NO_ASSIGNMENT } from '../../services/frontends.ts';
import { familiesOf } from '../../services/families.ts';
import { protocolName } from '../../wire/protocols.ts';
import { type Holdings, Ipam } from '../attach/ipam.ts';
import { addressFrom, isInside, parseAddress, parseRange, type Range } from '../attach/range.ts';
import type { Config } from '../config/config.ts';
import { StateFile } from '../../linux/state-file.ts';
import { type HeldNodePorts, NodePorts } from './node-ports.ts';

interface Saved {
  readonly clusterIPs: Holdings;
  readonly loadBalancerIPs: Holdings;
  readonly nodePorts: HeldNodePorts;
}

/** What a service cannot have, and where its document asks for it. */
export interface ServiceProblem {
  readonly path: readonly (string | number)[];
  /** `found X, wanted Y`. */
  readonly message: string;
}

const CLUSTER_IP = ['spec', 'clusterIP'];

type Ranges = Pick<Config, 'serviceCIDRs' | 'loadBalancerCIDRs'>;

export class ServiceNumbering {
  /** Families that services can have, the preferred one first. */
  readonly families: readonly Family[];
  readonly #file: StateFile<Saved>;
  readonly #ranges: readonly Range[];
  readonly #clusterIPs: Ipam;
  readonly #balancerIPs: Ipam;
  readonly #nodePorts: NodePorts;
  readonly #assignments = new Map<string, Assignment>();
  readonly #problems = new Map<string, readonly ServiceProblem[]>();
  /** What is held is not what is on disk. */
  #isStale = false;

  constructor(stateDir: string, config: Ranges) {
    this.#file = new StateFile(join(stateDir, 'services.json'), 1);
    const saved = this.#file.load({ clusterIPs: {}, loadBalancerIPs: {}, nodePorts: {} });
    this.#ranges = rangesOf(config.serviceCIDRs);
    this.families = this.#ranges.map(({ family }) => family);
    this.#clusterIPs = new Ipam(this.#ranges, [], () => [], saved.clusterIPs);
    for (const range of this.#ranges) this.#clusterIPs.beginBehind(endOfClaims(range));
    this.#balancerIPs = new Ipam(rangesOf(config.loadBalancerCIDRs), [], () => [], saved.loadBalancerIPs);
    this.#nodePorts = new NodePorts(saved.nodePorts);
  }

  /** Why the numbers found at start were put aside, when they were. */
  get problem(): string | undefined {
    return this.#file.problem;
  }

  /** What services could not be given, by service. */
  get problems(): ReadonlyMap<string, readonly ServiceProblem[]> {
    return this.#problems;
  }

  /** What a service has been given. */
  assignmentOf(key: string): Assignment {
    return this.#assignments.get(key) ?? NO_ASSIGNMENT;
  }

  /**
   * Gives the services that have changed what they ask for, and takes back what those had that are gone. What is held
   * afterwards is on disk.
   * @param changed by key; undefined = gone
   */
  assign(changed: ReadonlyMap<string, ServiceSpec | undefined>): void {
    for (const [key, spec] of changed) if (spec === undefined) this.#release(key);
    const present = [...changed].flatMap(([key, spec]) => (spec === undefined ? [] : [{ key, spec }]));
    for (const one of present) this.#problems.delete(one.key);
    for (const one of present) this.#claim(one.key, one.spec);
    for (const { key, spec } of present) this.#keep(key, this.#complete(key, spec));
    this.#save();
  }

  /** Forgets services that were known before and are not among `keys`. */
  keepOnly(keys: ReadonlySet<string>): void {
    const { clusterIPs, loadBalancerIPs, nodePorts } = this.#held();
    for (const key of [clusterIPs, loadBalancerIPs, nodePorts].flatMap((held) => Object.keys(held))) {
      if (!keys.has(key)) this.#release(key);
    }
    this.#save();
  }

  /** What a service asks for that nobody could have here. */
  faultsOf(spec: ServiceSpec): ServiceProblem[] {
    const { problem } = familiesOf(spec, this.families);
    const outside = this.#wantedAddresses(spec).flatMap((text) => this.#rangeProblem(text));
    return problem === '' ? outside : [{ path: familyPath(spec), message: problem }, ...outside];
  }

  /** As faultsOf(), and what others have as things are now. */
  problemsOf(key: string, spec: ServiceSpec): ServiceProblem[] {
    return [
      ...this.faultsOf(spec),
      ...this.#wantedAddresses(spec).flatMap((text) => this.#ownerProblem(key, text)),
      ...spec.ports.flatMap(({ nodePort }, i) => this.#nodePortProblem(key, nodePort, i)),
    ];
  }

  /** Cluster addresses that the document gives, of families that there are. */
  #wantedAddresses(spec: ServiceSpec): readonly string[] {
    return spec.clusterIPs.filter((text) => this.families.includes(parseAddress(text).family));
  }

  #rangeProblem(text: string): ServiceProblem[] {
    const address = parseAddress(text);
    const range = this.#ranges.find(({ family }) => family === address.family);
    if (range === undefined || isInside(range, address)) return [];
    return [{ path: CLUSTER_IP, message: `found "${text}", wanted an address inside ${range.text} (serviceCIDRs)` }];
  }

  #ownerProblem(key: string, text: string): ServiceProblem[] {
    const owner = this.#clusterIPs.ownerOf(parseAddress(text));
    if (owner === undefined || owner === key) return [];
    return [{ path: CLUSTER_IP, message: `found "${text}", which service ${owner} has, wanted one that is free` }];
  }

  #nodePortProblem(key: string, nodePort: number, index: number): ServiceProblem[] {
    const owner = nodePort === 0 ? undefined : this.#nodePorts.ownerOf(nodePort);
    if (owner === undefined || owner === key) return [];
    const message = `found node port ${nodePort}, which service ${owner} has, wanted one that is free`;
    return [{ path: ['spec', 'ports', index, 'nodePort'], message }];
  }

  #claim(key: string, spec: ServiceSpec): void {
    const found = this.problemsOf(key, spec);
    if (found.length > 0) this.#problems.set(key, found);
    // A cluster address of a family that the service has no more goes back before anybody draws.
    if (spec.isHeadless || spec.type === 'ExternalName') this.#clusterIPs.release(key);
    for (const text of this.#wantedAddresses(spec)) {
      if ([...this.#rangeProblem(text), ...this.#ownerProblem(key, text)].length === 0)
        this.#try(key, () => this.#clusterIPs.claim(key, text));
    }
    if (!spec.loadBalancer.isOurs) this.#balancerIPs.release(key);
    for (const text of spec.loadBalancer.addresses) this.#noteBalancer(key, text);
    const ports = hasNodePorts(spec) ? spec.ports : [];
    this.#nodePorts.keepOnly(key, new Set(ports.map(portName)));
    for (const port of ports) {
      if (port.nodePort === 0 || this.#nodePortProblem(key, port.nodePort, 0).length > 0) continue;
      this.#nodePorts.claim(key, portName(port), port.nodePort);
    }
  }

  /** An address that a document gives is not drawn for another; two services may share one, with different ports. */
  #noteBalancer(key: string, text: string): void {
    const address = parseAddress(text);
    const owner = this.#balancerIPs.ownerOf(address);
    if (owner === undefined) this.#try(key, () => this.#balancerIPs.claim(key, text));
  }

  #complete(key: string, spec: ServiceSpec): Assignment {
    const { families } = familiesOf(spec, this.families);
    return {
      families,
      clusterIPs: this.#clusterAddresses(key, spec, families),
      loadBalancerIPs: this.#balancerAddresses(key, spec, families),
      nodePorts: spec.ports.map((port) => this.#nodePort(key, spec, port)),
    };
  }

  #keep(key: string, assignment: Assignment): void {
    const before = this.#assignments.get(key);
    this.#assignments.set(key, assignment);
    this.#isStale ||= JSON.stringify(before) !== JSON.stringify(assignment);
  }

  #clusterAddresses(key: string, spec: ServiceSpec, families: readonly Family[]): string[] {
    if (spec.isHeadless || spec.type === 'ExternalName') return [];
    const given = spec.clusterIPs.map(parseAddress);
    return families.flatMap((family) => {
      const claimed = given.find((address) => address.family === family);
      // One that it may not have is not made good by another: whoever wrote it counts on this one.
      if (claimed !== undefined) return this.#clusterIPs.ownerOf(claimed) === key ? [claimed.text] : [];
      return this.#draw(key, () => this.#clusterIPs.allocate(key, family)?.text);
    });
  }

  #balancerAddresses(key: string, spec: ServiceSpec, families: readonly Family[]): string[] {
    const { addresses, isOurs } = spec.loadBalancer;
    if (addresses.length > 0) return addresses.map((text) => parseAddress(text).text);
    if (!isOurs) return [];
    return families.flatMap((family) => this.#draw(key, () => this.#balancerIPs.allocate(key, family)?.text));
  }

  #nodePort(key: string, spec: ServiceSpec, port: ServicePort): number {
    if (!hasNodePorts(spec)) return 0;
    if (port.nodePort !== 0) return this.#nodePorts.ownerOf(port.nodePort) === key ? port.nodePort : 0;
    const [drawn = 0] = this.#draw(key, () => this.#nodePorts.draw(key, portName(port)));
    return drawn;
  }

  #draw<T>(key: string, draw: () => T | undefined): T[] {
    const drawn = this.#try(key, draw);
    return drawn === undefined ? [] : [drawn];
  }

  #try<T>(key: string, take: () => T): T | undefined {
    try {
      return take();
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      this.#problems.set(key, [...(this.#problems.get(key) ?? []), { path: ['spec'], message: error.message }]);
      return undefined;
    }
  }

  #release(key: string): void {
    this.#clusterIPs.release(key);
    this.#balancerIPs.release(key);
    this.#nodePorts.keepOnly(key, new Set());
    this.#assignments.delete(key);
    this.#problems.delete(key);
    this.#isStale = true;
  }

  #held(): Saved {
    return {
      clusterIPs: this.#clusterIPs.holdings(),
      loadBalancerIPs: this.#balancerIPs.holdings(),
      nodePorts: this.#nodePorts.saved(),
    };
  }

  #save(): void {
    if (!this.#isStale) return;
    this.#file.save(this.#held());
    this.#isStale = false;
  }
}

function rangesOf({ ipv4, ipv6 }: { readonly ipv4: string; readonly ipv6: string }): Range[] {
  return [ipv4, ipv6].filter((text) => text !== '').map(parseRange);
}

/** The last address that is left to claims: a sixteenth of the range, at least 16 and at most 256. */
function endOfClaims({ family, first, last }: Range): ReturnType<typeof addressFrom> {
  const sixteenth = (last - first + 1n) / 16n;
  const band = sixteenth < 16n ? 16n : sixteenth > 256n ? 256n : sixteenth;
  return addressFrom(family, first + band < last ? first + band : first);
}

function hasNodePorts({ type, loadBalancer }: ServiceSpec): boolean {
  return type === 'NodePort' || loadBalancer.hasNodePorts;
}

function portName({ port, protocol }: ServicePort): string {
  return `${port}/${protocolName(protocol)}`;
}

function familyPath({ families }: ServiceSpec): (string | number)[] {
  return ['spec', families.length > 0 ? 'ipFamilies' : 'ipFamilyPolicy'];
}
