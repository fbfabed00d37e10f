/**
 * The incremental compiler: objects go in, one by one; `flush()` says what must be published.
 *
 * It keeps every namespace, pod, node, service, CIDR group and policy it was told of, the identities that follow, and a
 * compiled policy for each combination of rules that selects a local endpoint. A setter only notes what it touches; the
 * work is done in `flush()`, in this order:
 *   1. prefixes whose labels changed get their identities (and pods inside them theirs);
 *   2. pods that changed get their identities, addresses and port names;
 *   3. endpoints whose identity or rules changed get the policy of their rules;
 *   4. policies one of whose peers changed bring their entries up to date;
 *   5. what changed is handed out.
 * Nothing is undone when a step throws (a full identity scope, a full rule-set table): call `flush()` again after removing
 * what was too much.
 *
 * Pure: no clock, no I/O, no randomness. The same objects in any order give the same entries but for the numbers.
 */
import type { L7RuleSet } from '../policy-maps/l7-rules.ts';
import type { PolicyEntry } from '../policy-maps/policy-entry.ts';
import { AddressBook, type IpcacheChanges } from './address-book.ts';
import { parsePrefix } from './cidr.ts';
import { Compiler, type NumberedRule } from './compiler.ts';
import type { Document } from './document.ts';
import type { DirectionState, EndpointPolicy, Subject } from './endpoint-policy.ts';
import { type IdentityStore, INIT, MemoryIdentityStore } from './identity.ts';
import { type IdentityChanges, IdentityTable } from './identity-table.ts';
import { LabelFilter } from './label-filter.ts';
import { formatLabel, LabelSet } from './labels.ts';
import { NameTable } from './name-table.ts';
import { completeOptions, type PolicyConfig, type PolicyOptions } from './options.ts';
import * as objects from './objects.ts';
import { prefixesOf } from './peer.ts';
import { podFromDocument, type PodSpec, podLabels } from './pod.ts';
import { PolicyTable } from './policy-table.ts';
import type { Problem } from './problems.ts';
import type { Origin, Policy } from './rule.ts';
import { type EndpointSliceSpec, type ServiceSpec, ServiceTable } from './service-table.ts';

export interface NamespaceSpec {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  /** Would-be drops of its pods pass with verdict AUDIT. */
  readonly audit?: boolean;
}

export interface NodeSpec {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly ips: readonly string[];
}

export interface CidrGroupSpec {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly cidrs: readonly string[];
}

export interface EndpointChange {
  readonly identity: number;
  readonly labels: readonly string[];
  /** What to publish in its policy map. */
  readonly entries: readonly PolicyEntry[];
  /** Entries of the same rules with the audited policies among them; drops that only these make are AUDIT. */
  readonly shadow: readonly PolicyEntry[] | undefined;
  /** Every drop of this endpoint passes with verdict AUDIT. */
  readonly audit: boolean;
  readonly ingress: DirectionState;
  readonly egress: DirectionState;
}

export interface Changes {
  readonly identities: IdentityChanges;
  readonly ipcache: IpcacheChanges;
  /** By endpoint number; publish each atomically. */
  readonly endpoints: Map<number, EndpointChange>;
  readonly removedEndpoints: number[];
  /** Write `put` before the endpoints, `remove` after. */
  readonly ruleSets: { readonly put: Map<number, L7RuleSet>; readonly remove: number[] };
  readonly cookies: Map<number, readonly Origin[]>;
  readonly removedCookies: number[];
  /** Conflicts between policies that showed when they were merged. */
  readonly problems: Problem[];
}

interface Pod {
  spec: PodSpec;
  /** 0 = not yet known. */
  identity: number;
}

interface Endpoint {
  readonly id: number;
  identity: number;
  readonly labels: LabelSet;
  readonly subject: Subject;
  readonly audit: boolean;
  policy: EndpointPolicy | undefined;
  shadow: EndpointPolicy | undefined;
}

export class Cluster {
  readonly options: PolicyOptions;
  readonly compiler: Compiler;
  readonly identities: IdentityTable;
  readonly addresses: AddressBook;
  readonly names: NameTable;
  readonly services: ServiceTable;
  readonly policies: PolicyTable;
  private readonly filter: LabelFilter;
  private readonly namespaces = new Map<string, NamespaceSpec>();
  private readonly pods = new Map<string, Pod>();
  private readonly podsByNamespace = new Map<string, Set<string>>();
  private readonly podByAddress = new Map<string, string>();
  private readonly nodes = new Map<string, NodeSpec>();
  private readonly groups = new Map<string, CidrGroupSpec>();
  private apiServers: readonly string[] = [];
  private readonly endpoints = new Map<number, Endpoint>();
  private readonly endpointsByIdentity = new Map<number, Set<Endpoint>>();
  private readonly dirtyPods = new Set<string>();
  private readonly dirtyEndpoints = new Set<Endpoint>();
  private removedEndpoints: number[] = [];

  constructor(config: PolicyConfig = {}, store: IdentityStore = new MemoryIdentityStore()) {
    this.options = completeOptions(config);
    this.filter = new LabelFilter(this.options.labels);
    this.compiler = new Compiler(this.options);
    this.identities = new IdentityTable(store, this.compiler.selectors);
    this.addresses = new AddressBook(this.identities, this.options);
    this.names = new NameTable(this.addresses.prefixes);
    this.services = new ServiceTable(this.options);
    this.policies = new PolicyTable(this.compiler, this.services, {
      use: (rule) => this.countPeers(rule, 'use'),
      unuse: (rule) => this.countPeers(rule, 'unuse'),
      touch: (identity) => this.touchIdentity(identity),
      touchHost: () => this.touchHosts(),
    });
  }

  setNamespace(namespace: NamespaceSpec): void {
    this.namespaces.set(namespace.name, namespace);
    this.touchNamespace(namespace.name);
  }

  removeNamespace(name: string): void {
    this.namespaces.delete(name);
    this.touchNamespace(name);
  }

  private touchNamespace(name: string): void {
    for (const key of this.podsByNamespace.get(name) ?? []) this.dirtyPods.add(key);
  }

  setPod(spec: PodSpec): void {
    const key = `${spec.namespace}/${spec.name}`;
    if (spec.hostNetwork === true) {
      this.removePod(spec.namespace, spec.name);
      return;
    }
    const pod = this.pods.get(key);
    if (pod === undefined) {
      this.pods.set(key, { spec, identity: 0 });
      const siblings = this.podsByNamespace.get(spec.namespace) ?? new Set();
      this.podsByNamespace.set(spec.namespace, siblings.add(key));
      this.setAddresses(key, [], spec.ips);
    } else {
      this.setAddresses(key, pod.spec.ips, spec.ips);
      this.forgetPorts(pod);
      if (pod.spec.endpointId !== spec.endpointId) this.dropEndpoint(pod.spec.endpointId);
      pod.spec = spec;
      this.nameports(pod);
    }
    this.dirtyPods.add(key);
  }

  removePod(namespace: string, name: string): void {
    const key = `${namespace}/${name}`;
    const pod = this.pods.get(key);
    if (pod === undefined) return;
    this.setAddresses(key, pod.spec.ips, []);
    this.forgetPorts(pod);
    this.dropEndpoint(pod.spec.endpointId);
    this.pods.delete(key);
    this.podsByNamespace.get(namespace)?.delete(key);
    this.dirtyPods.delete(key);
    if (pod.identity !== 0) this.identities.release(pod.identity);
  }

  private setAddresses(key: string, before: readonly string[], after: readonly string[]): void {
    for (const text of before) {
      const address = parsePrefix(text, 'host');
      if (this.podByAddress.get(address.text) !== key) continue;
      this.podByAddress.delete(address.text);
      this.addresses.setPod(address, undefined);
      this.addresses.prefixes.countPod(address, -1);
    }
    for (const text of after) {
      const address = parsePrefix(text, 'host');
      if (!this.podByAddress.has(address.text)) this.addresses.prefixes.countPod(address, 1);
      this.podByAddress.set(address.text, key);
    }
  }

  private forgetPorts(pod: Pod): void {
    if (pod.identity === 0) return;
    const { portNames } = this.compiler;
    this.compiler.renamed(pod.identity, portNames.remove(pod.identity, pod.spec.namedPorts ?? []));
  }

  private nameports(pod: Pod): void {
    if (pod.identity === 0) return;
    const { portNames } = this.compiler;
    this.compiler.renamed(pod.identity, portNames.add(pod.identity, pod.spec.namedPorts ?? []));
  }

  private dropEndpoint(id: number): void {
    const endpoint = this.endpoints.get(id);
    if (endpoint === undefined) return;
    this.unfile(endpoint);
    if (endpoint.policy !== undefined) this.compiler.release(endpoint.policy);
    if (endpoint.shadow !== undefined) this.compiler.release(endpoint.shadow);
    this.removedEndpoints.push(id);
  }

  private unfile(endpoint: Endpoint): void {
    this.endpoints.delete(endpoint.id);
    this.dirtyEndpoints.delete(endpoint);
    const alike = this.endpointsByIdentity.get(endpoint.identity);
    if (alike?.delete(endpoint) && alike.size === 0) this.endpointsByIdentity.delete(endpoint.identity);
  }

  setNode(node: NodeSpec): void {
    this.removeNode(node.name);
    this.nodes.set(node.name, node);
    const isLocal = node.name === this.options['node-name'];
    const labels = Object.entries(node.labels)
      .filter(([key]) => this.filter.keeps('node', key))
      .map(([key, value]) => formatLabel('node', key, value));
    for (const text of node.ips) this.addresses.prefixes.setNode(parsePrefix(text, 'host'), { isLocal, labels });
  }

  removeNode(name: string): void {
    const node = this.nodes.get(name);
    this.nodes.delete(name);
    for (const text of node?.ips ?? []) this.addresses.prefixes.setNode(parsePrefix(text, 'host'), undefined);
  }

  /** Addresses of the Kubernetes API server: they carry `reserved:kube-apiserver` beside what else they are. */
  setApiServers(ips: readonly string[]): void {
    for (const text of this.apiServers) this.addresses.prefixes.setApiServer(parsePrefix(text, 'host'), false);
    for (const text of ips) this.addresses.prefixes.setApiServer(parsePrefix(text, 'host'), true);
    this.apiServers = ips;
  }

  setCidrGroup(group: CidrGroupSpec): void {
    this.removeCidrGroup(group.name);
    this.groups.set(group.name, group);
    const labels = Object.entries(group.labels).map(([key, value]) => formatLabel('cidrgroup', key, value));
    for (const text of group.cidrs) this.addresses.prefixes.setGroup(group.name, parsePrefix(text, 'host'), labels);
  }

  removeCidrGroup(name: string): void {
    const group = this.groups.get(name);
    this.groups.delete(name);
    for (const text of group?.cidrs ?? []) this.addresses.prefixes.setGroup(name, parsePrefix(text, 'host'), undefined);
  }

  setService(service: ServiceSpec): void {
    this.services.set(service);
    this.policies.servicesChanged();
  }

  removeService(namespace: string, name: string): void {
    this.services.remove(namespace, name);
    this.policies.servicesChanged();
  }

  setEndpointSlice(slice: EndpointSliceSpec): void {
    this.services.setSlice(slice);
    this.policies.servicesChanged();
  }

  removeEndpointSlice(namespace: string, name: string): void {
    this.services.removeSlice(namespace, name);
    this.policies.servicesChanged();
  }

  /**
   * Adds or replaces what a document describes. Workloads (Deployment...) are not expanded here, and skipped.
   * @param endpointId of a Pod; 0 = it runs elsewhere
   */
  apply(document: Document, endpointId = 0): void {
    switch (document.kind) {
      case 'Namespace':
        return this.setNamespace(objects.namespaceFromDocument(document));
      case 'Pod':
        return this.setPod(podFromDocument(document, endpointId));
      case 'Node':
        return this.setNode(objects.nodeFromDocument(document));
      case 'CiliumCIDRGroup':
        return this.setCidrGroup(objects.cidrGroupFromDocument(document));
      case 'Service':
        return this.setService(objects.serviceFromDocument(document));
      case 'EndpointSlice':
      case 'Endpoints':
        return this.setEndpointSlice(objects.endpointSliceFromDocument(document));
      default:
        if (document.policy !== undefined) this.setPolicy(document.policy);
    }
  }

  /** The opposite of `apply`; nothing happens when there is no such object. */
  remove({ kind, namespace, name }: { kind: string; namespace: string; name: string }): void {
    switch (kind) {
      case 'Namespace':
        return this.removeNamespace(name);
      case 'Pod':
        return this.removePod(namespace, name);
      case 'Node':
        return this.removeNode(name);
      case 'CiliumCIDRGroup':
        return this.removeCidrGroup(name);
      case 'Service':
        return this.removeService(namespace, name);
      case 'EndpointSlice':
        return this.removeEndpointSlice(namespace, name);
      case 'Endpoints':
        return this.removeEndpointSlice(namespace, `endpoints/${name}`);
      default:
        this.removePolicy({ kind, namespace, name });
    }
  }

  /** Adds a policy, or replaces the one of the same kind, namespace and name. @throws TypeError for another document */
  setPolicy(document: Document | Policy): void {
    const policy = 'object' in document ? document.policy : document;
    if (policy === undefined)
      throw new TypeError(`set policy: found ${document.kind}/${document.name}, wanted a policy`);
    this.policies.set(policy);
  }

  /** @returns whether there was such a policy */
  removePolicy(ref: { kind: string; namespace: string; name: string }): boolean {
    return this.policies.remove(ref);
  }

  /** The addresses a DNS name has now; none = forget the name. */
  setName(name: string, ips: readonly string[]): void {
    this.names.set(name, ips);
  }

  /** The endpoint of the local host (host policies); enforced only with `enable-host-firewall`. */
  setHostEndpoint(endpointId: number, labels: Readonly<Record<string, string>>): void {
    this.dropEndpoint(endpointId);
    const texts = Object.entries(labels).map(([key, value]) => formatLabel('k8s', key, value));
    const subject: Subject = { kind: 'host', ports: new Map() };
    const endpoint: Endpoint = {
      id: endpointId,
      identity: 1,
      labels: new LabelSet(['reserved:host', ...texts]),
      subject,
      audit: this.options['policy-audit-mode'],
      policy: undefined,
      shadow: undefined,
    };
    this.file(endpoint);
  }

  private file(endpoint: Endpoint): void {
    this.endpoints.set(endpoint.id, endpoint);
    const alike = this.endpointsByIdentity.get(endpoint.identity) ?? new Set();
    this.endpointsByIdentity.set(endpoint.identity, alike.add(endpoint));
    this.dirtyEndpoints.add(endpoint);
    this.removedEndpoints = this.removedEndpoints.filter((id) => id !== endpoint.id);
  }

  private touchIdentity(identity: number): void {
    for (const endpoint of this.endpointsByIdentity.get(identity) ?? []) {
      if (endpoint.subject.kind !== 'host') this.dirtyEndpoints.add(endpoint);
    }
  }

  private touchHosts(): void {
    for (const endpoint of this.endpoints.values())
      if (endpoint.subject.kind === 'host') this.dirtyEndpoints.add(endpoint);
  }

  /** Prefixes and names of a rule's peers are interesting as long as the rule is there. */
  private countPeers({ rule }: NumberedRule, verb: 'use' | 'unuse'): void {
    for (const element of [...rule.ingress, ...rule.egress]) {
      for (const peer of element.peers) {
        for (const prefix of prefixesOf(peer)) {
          this.addresses.prefixes[verb](prefix, peer.reach ?? { nodes: false, pods: false });
        }
        if (peer.fqdn !== undefined) this.names[verb](peer.fqdn);
      }
    }
  }

  /** What must be published since the last flush. */
  flush(): Changes {
    for (const address of this.addresses.refresh()) {
      const key = this.podByAddress.get(address);
      if (key !== undefined) this.dirtyPods.add(key);
    }
    for (const key of this.dirtyPods) this.identify(this.pods.get(key) as Pod);
    this.dirtyPods.clear();
    const moved = new Set(this.dirtyEndpoints);
    for (const endpoint of moved) this.choosePolicy(endpoint);
    this.dirtyEndpoints.clear();
    const refreshed = this.compiler.refresh();
    return this.changes(moved, refreshed);
  }

  private identify(pod: Pod): void {
    const { spec } = pod;
    const namespace = this.namespaces.get(spec.namespace);
    const addresses = spec.ips.map((text) => parsePrefix(text, 'host'));
    const texts = podLabels(spec, namespace?.labels, {
      filter: this.filter,
      clusterName: this.options['cluster-name'],
    });
    for (const address of addresses) {
      const label = this.addresses.prefixes.podCidrLabel(address);
      if (label !== undefined) texts.push(label);
    }
    const labels = new LabelSet(texts);
    const before = pod.identity;
    pod.identity = this.identities.acquire(labels, 'cluster');
    if (before !== pod.identity) {
      if (before !== 0) {
        const { portNames } = this.compiler;
        this.compiler.renamed(before, portNames.remove(before, spec.namedPorts ?? []));
      }
      this.nameports(pod);
    }
    for (const address of addresses) {
      if (this.podByAddress.get(address.text) === `${spec.namespace}/${spec.name}`)
        this.addresses.setPod(address, pod.identity);
    }
    if (before !== 0) this.identities.release(before);
    if (spec.endpointId !== 0) this.setEndpoint(pod, labels, namespace);
  }

  private setEndpoint({ spec, identity }: Pod, labels: LabelSet, namespace: NamespaceSpec | undefined): void {
    const before = this.endpoints.get(spec.endpointId);
    if (before !== undefined) this.unfile(before);
    const ports = new Map((spec.namedPorts ?? []).map(({ name, protocol, port }) => [`${protocol}/${name}`, port]));
    this.file({
      id: spec.endpointId,
      identity,
      labels,
      subject: { kind: identity === INIT ? 'init' : 'pod', ports },
      audit: this.options['policy-audit-mode'] || spec.audit === true || namespace?.audit === true,
      policy: before?.policy,
      shadow: before?.shadow,
    });
  }

  private choosePolicy(endpoint: Endpoint): void {
    const all = this.policies.rulesFor(endpoint.identity, endpoint.labels, endpoint.subject.kind);
    const enforced = all.filter(({ number }) => !this.policies.isAudited(number));
    const before = [endpoint.policy, endpoint.shadow];
    endpoint.policy = this.compiler.acquire(enforced, endpoint.subject);
    endpoint.shadow = enforced.length === all.length ? undefined : this.compiler.acquire(all, endpoint.subject);
    // Taken before the old ones are given back, so that what both have keeps its numbers.
    for (const policy of before) if (policy !== undefined) this.compiler.release(policy);
  }

  private changes(moved: ReadonlySet<Endpoint>, refreshed: ReadonlySet<EndpointPolicy>): Changes {
    const endpoints = new Map<number, EndpointChange>();
    const problems: Problem[] = [];
    for (const endpoint of this.endpoints.values()) {
      const { policy, shadow } = endpoint as { policy: EndpointPolicy; shadow: EndpointPolicy | undefined };
      const isTouched = moved.has(endpoint) || refreshed.has(policy) || (shadow !== undefined && refreshed.has(shadow));
      if (!isTouched) continue;
      endpoints.set(endpoint.id, {
        identity: endpoint.identity,
        labels: endpoint.labels.texts,
        entries: policy.entries,
        shadow: shadow?.entries,
        audit: endpoint.audit,
        ingress: policy.directions.ingress,
        egress: policy.directions.egress,
      });
      problems.push(...conflictsOf(policy));
    }
    const cookies = this.compiler.cookies.takeChanges();
    const removedEndpoints = this.removedEndpoints;
    this.removedEndpoints = [];
    return {
      identities: this.identities.takeChanges(),
      ipcache: this.addresses.takeChanges(),
      endpoints,
      removedEndpoints,
      ruleSets: this.compiler.ruleSets.takeChanges(),
      cookies: cookies.added,
      removedCookies: cookies.removed,
      problems: distinct(problems),
    };
  }

  /** The rules behind a cookie. */
  origins(cookie: number): readonly Origin[] {
    return this.compiler.cookies.origins(cookie);
  }

  /** The identity of a pod; undefined when it is unknown or not flushed yet. */
  podIdentity(namespace: string, name: string): number | undefined {
    const identity = this.pods.get(`${namespace}/${name}`)?.identity;
    return identity === 0 ? undefined : identity;
  }
}

function conflictsOf(policy: EndpointPolicy): Problem[] {
  return policy.conflicts.map(({ origin, message }) => ({
    file: origin.file,
    line: origin.line,
    column: 1,
    path: origin.path,
    severity: 'error',
    message,
    code: 'conflict',
    document: `${origin.kind}/${origin.namespace === '' ? '' : `${origin.namespace}/`}${origin.name}`,
    hint: 'this rule has no effect on that port and peer; the other one stands',
  }));
}

function distinct(problems: readonly Problem[]): Problem[] {
  return [
    ...new Map(problems.map((problem) => [`${problem.document} ${problem.path} ${problem.message}`, problem])).values(),
  ];
}
