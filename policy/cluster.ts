/**
 * The incremental compiler: objects go in, one by one; `flush()` says what must be published.
 *
 * It keeps every namespace, pod, node, service, CIDR group and policy it was told of, the identities that follow, and a
 * compiled policy for each combination of rules that selects a local endpoint. A setter only notes what it touches; the
 * work is done in `flush()`, in this order:
 *   1. rules about services are made anew if services changed;
 *   2. prefixes whose labels changed get their identities, and pods inside them are marked;
 *   3. pods that were marked get their identities, addresses and port names;
 *   4. endpoints whose identity or rules changed get the policy of their rules;
 *   5. policies one of whose peers changed bring their entries up to date;
 *   6. what changed is handed out.
 *
 * Pure: no clock, no I/O, no randomness. The same objects in any order give the same entries but for the numbers.
 */
import type { L7RuleSet } from '../policy-maps/l7-rules.ts';
import { IDENTITY_HOST, IDENTITY_INIT } from '../wire/identities.ts';
import { parsePrefix, type Prefix } from '../wire/prefix.ts';
import { AddressBook, type IpcacheChanges } from './identity/address-book.ts';
import { Compiler, type NumberedRule } from './compile/compiler.ts';
import type { Document } from './document/document.ts';
import { egressPolicyFromDocument } from './document/egress-gateway.ts';
import { type EgressChanges, EgressTable } from './egress-table.ts';
import { type EndpointChange, EndpointTable } from './endpoint-table.ts';
import { type IdentityStore, MemoryIdentityStore } from './identity/identity.ts';
import { type IdentityChanges, IdentityTable } from './identity/identity-table.ts';
import { LabelFilter } from './rule/label-filter.ts';
import { formatLabel, LabelSet } from './rule/labels.ts';
import { NameTable } from './fqdn/name-table.ts';
import * as objects from './document/objects.ts';
import { completeOptions, type PolicyConfig, type PolicyOptions } from './rule/options.ts';
import { prefixesOf } from './rule/peer.ts';
import { podFromDocument } from './document/pod.ts';
import { endpointSliceFromDocument, serviceFromDocument } from './document/service.ts';
import { PodTable } from './pod-table.ts';
import { PolicyTable } from './policy-table.ts';
import type { Problem } from './rule/problems.ts';
import type { Origin, Policy } from './rule/rule.ts';
import { type EndpointSliceSpec, serviceKey, type ServiceSpec } from './rule/service-spec.ts';
import type { CidrGroupSpec, NamespaceSpec, NodeSpec, PodSpec } from './rule/spec.ts';
import { secretFromDocument } from './document/secret.ts';
import { SecretTable } from './secret-table.ts';
import { ServiceTable } from './service-table.ts';

export type { EndpointChange } from './endpoint-table.ts';

/** Publish in this order: rule sets put, endpoints, ipcache, rule sets removed. */
export interface Changes {
  readonly identities: IdentityChanges;
  readonly ipcache: IpcacheChanges;
  /** By endpoint number; publish each atomically. */
  readonly endpoints: Map<number, EndpointChange>;
  readonly removedEndpoints: number[];
  readonly ruleSets: { readonly put: Map<number, L7RuleSet>; readonly remove: number[] };
  /** The rules behind each new cookie. */
  readonly cookies: Map<number, readonly Origin[]>;
  readonly removedCookies: number[];
  /** With which addresses pods leave. */
  readonly egress: EgressChanges;
  /** Conflicts between policies that showed when they were merged. */
  readonly problems: Problem[];
}

export class Cluster {
  readonly options: PolicyOptions;
  readonly compiler: Compiler;
  readonly identities: IdentityTable;
  readonly addresses: AddressBook;
  readonly names: NameTable;
  readonly services: ServiceTable;
  readonly secrets = new SecretTable();
  readonly policies: PolicyTable;
  readonly pods: PodTable;
  readonly endpoints: EndpointTable;
  readonly egress: EgressTable;
  readonly #nodes = new Map<string, NodeSpec>();
  readonly #groups = new Map<string, CidrGroupSpec>();
  readonly #initAddresses = new Map<number, readonly Prefix[]>();
  #apiServers: readonly string[] = [];
  /** Services changed since the last flush. */
  readonly #newServices = new Set<string>();

  constructor(config: PolicyConfig = {}, store: IdentityStore = new MemoryIdentityStore()) {
    this.options = completeOptions(config);
    this.compiler = new Compiler(this.options);
    this.identities = new IdentityTable(store, this.compiler.selectors);
    this.addresses = new AddressBook(this.identities, this.options);
    this.names = new NameTable(this.addresses.prefixes);
    this.services = new ServiceTable(this.options);
    this.endpoints = new EndpointTable(this.compiler);
    this.egress = new EgressTable(this.options['node-name']);
    this.pods = new PodTable(this);
    this.policies = new PolicyTable(this.compiler, this.services, this.secrets, {
      use: (rule) => this.#countPeers(rule, 'use'),
      unuse: (rule) => this.#countPeers(rule, 'unuse'),
      touch: (identity) => this.endpoints.touchIdentity(identity),
      touchHost: () => this.endpoints.touchHosts(),
    });
  }

  /**
   * Adds or replaces what a document describes. Workloads (Deployment...) are not expanded here, and skipped.
   * @param endpointId of a Pod; 0 = it runs elsewhere
   */
  apply(document: Document, endpointId = 0): void {
    switch (document.kind) {
      case 'Namespace': {
        this.setNamespace(objects.namespaceFromDocument(document));
        return;
      }
      case 'Pod': {
        this.setPod(podFromDocument(document, endpointId));
        return;
      }
      case 'Node': {
        this.setNode(objects.nodeFromDocument(document));
        return;
      }
      case 'CiliumCIDRGroup': {
        this.setCidrGroup(objects.cidrGroupFromDocument(document));
        return;
      }
      case 'CiliumEgressGatewayPolicy': {
        this.egress.setPolicy(egressPolicyFromDocument(document));
        return;
      }
      case 'Secret': {
        this.secrets.set(secretFromDocument(document));
        return;
      }
      case 'Service': {
        this.setService(serviceFromDocument(document));
        return;
      }
      case 'EndpointSlice':
      case 'Endpoints': {
        this.setEndpointSlice(endpointSliceFromDocument(document));
        return;
      }
      default:
        if (document.policy !== undefined) this.setPolicy(document.policy);
    }
  }

  /** The opposite of `apply`; nothing happens when there is no such object. */
  remove({ kind, namespace, name }: { kind: string; namespace: string; name: string }): void {
    switch (kind) {
      case 'Namespace': {
        this.removeNamespace(name);
        return;
      }
      case 'Pod': {
        this.removePod(namespace, name);
        return;
      }
      case 'Node': {
        this.removeNode(name);
        return;
      }
      case 'CiliumCIDRGroup': {
        this.removeCidrGroup(name);
        return;
      }
      case 'CiliumEgressGatewayPolicy': {
        this.egress.removePolicy(name);
        return;
      }
      case 'Secret': {
        this.secrets.remove(namespace, name);
        return;
      }
      case 'Service': {
        this.removeService(namespace, name);
        return;
      }
      case 'EndpointSlice': {
        this.removeEndpointSlice(namespace, name);
        return;
      }
      case 'Endpoints': {
        this.removeEndpointSlice(namespace, `endpoints/${name}`);
        return;
      }
      default:
        this.removePolicy({ kind, namespace, name });
    }
  }

  setNamespace(namespace: NamespaceSpec): void {
    this.pods.setNamespace(namespace);
  }

  removeNamespace(name: string): void {
    this.pods.removeNamespace(name);
  }

  setPod(spec: PodSpec): void {
    this.pods.set(spec);
  }

  removePod(namespace: string, name: string): void {
    this.pods.remove(namespace, name);
  }

  setNode(node: NodeSpec): void {
    this.removeNode(node.name);
    this.#nodes.set(node.name, node);
    this.egress.setNode(node);
    const isLocal = node.name === this.options['node-name'];
    const filter = new LabelFilter(this.options.labels);
    const labels = Object.entries(node.labels)
      .filter(([key]) => filter.keeps('node', key))
      .map(([key, value]) => formatLabel('node', key, value));
    for (const text of node.ips)
      this.addresses.prefixes.setNode(parsePrefix(text, 'host'), node.name, { isLocal, labels });
  }

  /** Addresses of a node besides those that its own document gives, if there is one. */
  addNodeAddresses(name: string, ips: readonly string[]): void {
    const known = this.#nodes.get(name);
    this.setNode({ name, labels: known?.labels ?? {}, ips: [...(known?.ips ?? []), ...ips] });
  }

  removeNode(name: string): void {
    for (const text of this.#nodes.get(name)?.ips ?? []) {
      this.addresses.prefixes.setNode(parsePrefix(text, 'host'), name, undefined);
    }
    this.#nodes.delete(name);
    this.egress.removeNode(name);
  }

  /** Addresses of the Kubernetes API server: they carry `reserved:kube-apiserver` beside what else they are. */
  setApiServers(ips: readonly string[]): void {
    for (const text of this.#apiServers) this.addresses.prefixes.setApiServer(parsePrefix(text, 'host'), false);
    for (const text of ips) this.addresses.prefixes.setApiServer(parsePrefix(text, 'host'), true);
    this.#apiServers = ips;
  }

  setCidrGroup(group: CidrGroupSpec): void {
    this.removeCidrGroup(group.name);
    this.#groups.set(group.name, group);
    const labels = Object.entries(group.labels).map(([key, value]) => formatLabel('cidrgroup', key, value));
    for (const text of group.cidrs) this.addresses.prefixes.setGroup(group.name, parsePrefix(text, 'host'), labels);
  }

  removeCidrGroup(name: string): void {
    for (const text of this.#groups.get(name)?.cidrs ?? []) {
      this.addresses.prefixes.setGroup(name, parsePrefix(text, 'host'), undefined);
    }
    this.#groups.delete(name);
  }

  setService(service: ServiceSpec): void {
    this.services.set(service);
    this.#servicesChanged(service.namespace, service.name);
  }

  removeService(namespace: string, name: string): void {
    this.services.remove(namespace, name);
    this.#servicesChanged(namespace, name);
  }

  setEndpointSlice(slice: EndpointSliceSpec): void {
    this.removeEndpointSlice(slice.namespace, slice.name);
    this.services.setSlice(slice);
    this.#slicesChanged(slice.namespace, slice.service);
  }

  removeEndpointSlice(namespace: string, name: string): void {
    const service = this.services.removeSlice(namespace, name);
    if (service !== undefined) this.#slicesChanged(namespace, service);
  }

  /** Policies take the pods of a Service with a selector, whatever slices list for it. */
  #slicesChanged(namespace: string, name: string): void {
    if (this.services.isListed(serviceKey({ namespace, name }))) this.#servicesChanged(namespace, name);
  }

  #servicesChanged(namespace: string, name: string): void {
    this.#newServices.add(serviceKey({ namespace, name }));
    // The API server is whoever stands behind the service `kubernetes`.
    if (namespace === 'default' && name === 'kubernetes')
      this.setApiServers(this.services.backends({ namespace, name }));
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

  /** The endpoint of the local host, for host policies; enforced only with `enable-host-firewall`. */
  setHostEndpoint(id: number, nodeLabels: Readonly<Record<string, string>>): void {
    const texts = Object.entries(nodeLabels).map(([key, value]) => formatLabel('k8s', key, value));
    this.endpoints.set({
      id,
      identity: IDENTITY_HOST,
      labels: new LabelSet(['reserved:host', ...texts]),
      subject: { kind: 'host', ports: new Map() },
      audit: this.options['policy-audit-mode'],
    });
  }

  /** An endpoint that has no labels yet: `reserved:init`, enforced both ways whatever selects it. */
  setInitEndpoint(id: number, ips: readonly string[] = []): void {
    this.removeEndpoint(id);
    this.#initAddresses.set(
      id,
      ips.map((text) => parsePrefix(text, 'host')),
    );
    for (const address of this.#initAddresses.get(id) ?? []) this.pods.lend(address);
    const labels = new LabelSet(['reserved:init']);
    const audit = this.options['policy-audit-mode'];
    this.endpoints.set({ id, identity: IDENTITY_INIT, labels, subject: { kind: 'init', ports: new Map() }, audit });
  }

  /** Removes a host or init endpoint; those of pods go with the pod. */
  removeEndpoint(id: number): void {
    this.endpoints.remove(id);
    for (const address of this.#initAddresses.get(id) ?? []) this.pods.takeBack(address);
    this.#initAddresses.delete(id);
  }

  /** Prefixes and names of a rule's peers are interesting as long as the rule is there. */
  #countPeers({ rule }: NumberedRule, verb: 'use' | 'unuse'): void {
    for (const element of [...rule.ingress, ...rule.egress]) {
      for (const peer of element.peers) {
        for (const prefix of prefixesOf(peer).flatMap(withTwin)) {
          this.addresses.prefixes[verb](prefix, peer.reach ?? { nodes: false, pods: false });
        }
        if (peer.fqdn !== undefined) this.names[verb](peer.fqdn);
      }
    }
  }

  /** Does of the next flush what can be done before it: prefixes and pods get their identities. @throws RangeError as flush does */
  prepare(): void {
    this.addresses.refresh();
    this.pods.refresh();
  }

  /**
   * What must be published since the last flush.
   * @param keep is called before any identity that has changed is handed out; when it throws, nothing is
   * @throws RangeError when a range of identities or rule sets is full: remove what is too much and flush again
   */
  flush(keep: () => void = () => undefined): Changes {
    if (this.#newServices.size > 0) this.policies.servicesChanged(this.#newServices);
    this.#newServices.clear();
    const secrets = this.secrets.takeTouched();
    if (secrets.size > 0) this.policies.secretsChanged(secrets);
    this.prepare();
    if (this.identities.hasChanged) keep();
    const { changed, removed, problems } = this.endpoints.refresh(this.policies);
    const cookies = this.compiler.cookies.takeChanges();
    return {
      identities: this.identities.takeChanges(),
      ipcache: this.addresses.takeChanges(),
      endpoints: changed,
      removedEndpoints: removed,
      ruleSets: this.compiler.ruleSets.takeChanges(),
      cookies: cookies.added,
      removedCookies: cookies.removed,
      egress: this.egress.takeChanges(),
      problems,
    };
  }

  /** The rules behind a cookie; empty for 0 and for one long forgotten. */
  origins(cookie: number): readonly Origin[] {
    return this.compiler.cookies.origins(cookie);
  }

  /** The identity of a pod; undefined when it is unknown or not flushed yet. */
  podIdentity(namespace: string, name: string): number | undefined {
    const identity = this.pods.find(namespace, name)?.identity;
    return identity === 0 ? undefined : identity;
  }
}

/**
 * `0.0.0.0/0` and `::/0` come together: once a policy tells the families apart, no address may be plain world (2), of
 * which the family is not known.
 */
function withTwin(prefix: Prefix): Prefix[] {
  return prefix.length === 0 ? [parsePrefix('0.0.0.0/0'), parsePrefix('::/0')] : [prefix];
}
