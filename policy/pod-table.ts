/**
 * Pods and the namespaces they are in; which identity, addresses, port names and endpoint each has.
 * A change only marks pods; `refresh()` gives them their identities.
 */
import type { AddressBook } from './identity/address-book.ts';
import type { Compiler } from './compile/compiler.ts';
import type { EgressTable } from './egress-table.ts';
import type { EndpointTable } from './endpoint-table.ts';
import type { IdentityTable } from './identity/identity-table.ts';
import { LabelFilter } from './rule/label-filter.ts';
import { LabelSet } from './rule/labels.ts';
import { podLabels } from './document/pod.ts';
import { type NamespaceSpec, podKey, type PodSpec } from './rule/spec.ts';
import { MultiMap } from './rule/multi-map.ts';
import { PrefixSet } from './rule/prefix-set.ts';
import { IDENTITY_INIT } from '../wire/identities.ts';
import { parsePrefix, type Prefix } from '../wire/prefix.ts';

interface Pod {
  spec: PodSpec;
  addresses: readonly Prefix[];
  /** 0 = not given yet. */
  identity: number;
}

/** The tables that a pod leaves its marks in. */
export interface PodTables {
  readonly compiler: Compiler;
  readonly identities: IdentityTable;
  readonly addresses: AddressBook;
  readonly endpoints: EndpointTable;
  readonly egress: EgressTable;
}

export class PodTable {
  readonly #pods = new Map<string, Pod>();
  readonly #byNamespace = new MultiMap<string, string>();
  /** Pods that claim an address, the only one or all of them in their order: see #ownerOf. */
  readonly #claims = new Map<string, string | readonly string[]>();
  /** Addresses of endpoints of this node that nobody knows yet. */
  readonly #lent = new Set<string>();
  readonly #namespaces = new Map<string, NamespaceSpec>();
  readonly #dirty = new Set<string>();
  /** What pods of a shape have beside what the prefixes around them bring, and under which namespace. */
  readonly #ofShapes = new WeakMap<object, { namespace: NamespaceSpec | undefined; labels: LabelSet }>();
  /** Which labels make an identity. */
  readonly filter: LabelFilter;
  readonly #tables: PodTables;

  constructor(tables: PodTables) {
    this.#tables = tables;
    this.filter = LabelFilter.of(tables.compiler.options);
  }

  get size(): number {
    return this.#pods.size;
  }

  setNamespace(namespace: NamespaceSpec): void {
    this.#namespaces.set(namespace.name, namespace);
    this.#touchNamespace(namespace.name);
  }

  removeNamespace(name: string): void {
    this.#namespaces.delete(name);
    this.#touchNamespace(name);
  }

  #touchNamespace(name: string): void {
    for (const key of this.#byNamespace.get(name)) this.#dirty.add(key);
  }

  set(spec: PodSpec): void {
    const key = podKey(spec);
    // A pod in its node's network is the node: its addresses are the node's. One that has finished has none any more.
    if (spec.hostNetwork === true || spec.hasFinished === true) {
      this.remove(spec.namespace, spec.name);
      return;
    }
    const addresses = spec.ips.map((text) => parsePrefix(text, 'host'));
    const pod = this.#pods.get(key);
    this.#moveAddresses(key, pod?.addresses ?? [], addresses);
    if (pod === undefined) {
      this.#pods.set(key, { spec, addresses, identity: 0 });
      this.#byNamespace.add(spec.namespace, key);
    } else {
      this.#countPorts(pod, 'remove');
      if (pod.spec.endpointId !== spec.endpointId) {
        this.#tables.endpoints.remove(pod.spec.endpointId);
        for (const address of addresses) this.#touchClaims(address);
      }
      pod.spec = spec;
      pod.addresses = addresses;
      this.#countPorts(pod, 'add');
    }
    this.#dirty.add(key);
  }

  remove(namespace: string, name: string): void {
    const key = `${namespace}/${name}`;
    const pod = this.#pods.get(key);
    if (pod === undefined) return;
    this.#moveAddresses(key, pod.addresses, []);
    this.#countPorts(pod, 'remove');
    this.#tables.endpoints.remove(pod.spec.endpointId);
    this.#tables.egress.removePod(key);
    this.#pods.delete(key);
    this.#byNamespace.remove(namespace, key);
    this.#dirty.delete(key);
    if (pod.identity !== 0) this.#tables.identities.release(pod.identity);
  }

  #moveAddresses(key: string, before: readonly Prefix[], after: readonly Prefix[]): void {
    const kept = new Set(after.map(({ text }) => text));
    for (const address of before) {
      if (kept.has(address.text)) continue;
      const left = this.#claimants(address.text).filter((other) => other !== key);
      if (!this.#lent.has(address.text)) this.#tables.addresses.setPod(address, undefined);
      if (left.length === 0) this.#claims.delete(address.text);
      else this.#claims.set(address.text, left.length === 1 ? left[0] : left);
      this.#touchClaims(address);
    }
    for (const address of after) {
      const claims = this.#claimants(address.text);
      if (claims.includes(key)) continue;
      this.#touchClaims(address);
      this.#claims.set(address.text, claims.length === 0 ? key : [...claims, key]);
    }
  }

  #claimants(text: string): readonly string[] {
    const claims = this.#claims.get(text) ?? [];
    return typeof claims === 'string' ? [claims] : claims;
  }

  #touchClaims({ text }: Prefix): void {
    for (const key of this.#claimants(text)) this.#dirty.add(key);
  }

  /**
   * Who has an address that several pods claim: a pod of this node, which got it here, whatever is said of others; of others the one that claimed it
   * last, as an address that is given again has for a while two that say so.
   */
  #ownerOf(text: string): string | undefined {
    if (this.#lent.has(text)) return undefined;
    const claims = this.#claimants(text);
    if (claims.length < 2) return claims[0];
    return claims.findLast((key) => (this.#pods.get(key)?.spec.endpointId ?? 0) !== 0) ?? claims.at(-1);
  }

  /** Gives an address to an endpoint of this node that nobody knows yet. */
  lend(address: Prefix): void {
    this.#lent.add(address.text);
    this.#tables.addresses.setPod(address, IDENTITY_INIT);
  }

  /** An address that a pod without labels had goes to the pod that claims it, if any. */
  takeBack(address: Prefix): void {
    this.#lent.delete(address.text);
    this.#tables.addresses.setPod(address, undefined);
    this.#touchClaims(address);
  }

  #countPorts({ identity, spec }: Pod, verb: 'add' | 'remove'): void {
    if (identity === 0) return;
    const { compiler } = this.#tables;
    compiler.renamed(identity, compiler.portNames[verb](identity, spec.namedPorts ?? []));
  }

  /** Gives every marked pod its identity, and those in prefixes that CIDR rules about pods began or ceased to name. */
  refresh(): void {
    const changed = new PrefixSet(this.#tables.addresses.prefixes.takePodPrefixes());
    if (changed.prefixes.length > 0) {
      for (const [key, { addresses }] of this.#pods) {
        if (addresses.some((address) => changed.covers(address))) this.#dirty.add(key);
      }
    }
    for (const key of this.#dirty) this.#identify(key, this.#pods.get(key) as Pod);
    this.#dirty.clear();
  }

  #identify(key: string, pod: Pod): void {
    const { identities, addresses, egress } = this.#tables;
    const labels = this.#labelsOf(pod);
    const before = pod.identity;
    const identity = identities.acquire(labels, 'cluster');
    if (before !== identity) {
      this.#countPorts(pod, 'remove');
      pod.identity = identity;
      this.#countPorts(pod, 'add');
    }
    const own = pod.addresses.filter(({ text }) => this.#ownerOf(text) === key);
    for (const address of own) addresses.setPod(address, identity);
    if (before !== 0) identities.release(before);
    const { endpointId, uid } = pod.spec;
    if (endpointId === 0) egress.removePod(key);
    else egress.setPod({ key, uid: uid || key, labels, addresses: own });
    if (endpointId !== 0) this.#setEndpoint(pod, labels);
  }

  #labelsOf({ spec, addresses }: Pod): LabelSet {
    const { options } = this.#tables.compiler;
    const namespace = this.#namespaces.get(spec.namespace);
    const ofPrefixes = addresses.flatMap((address) => this.#tables.addresses.prefixes.podLabels(address));
    const { shape } = spec;
    const known = shape === undefined || ofPrefixes.length > 0 ? undefined : this.#ofShapes.get(shape);
    if (known !== undefined && known.namespace === namespace) return known.labels;
    const texts = podLabels(spec, namespace?.labels, { filter: this.filter, clusterName: options['cluster-name'] });
    const labels = new LabelSet([...texts, ...ofPrefixes]);
    if (shape !== undefined && ofPrefixes.length === 0) this.#ofShapes.set(shape, { namespace, labels });
    return labels;
  }

  #setEndpoint({ spec, identity }: Pod, labels: LabelSet): void {
    this.#tables.endpoints.set({
      id: spec.endpointId,
      identity,
      labels,
      subject: { kind: 'pod', ports: portsByName(spec) },
      audit: this.isAudited(spec),
    });
  }

  /** Do its would-be drops pass, by its own word, its namespace's or everyone's? */
  isAudited(spec: PodSpec): boolean {
    const { options } = this.#tables.compiler;
    return options['policy-audit-mode'] || spec.audit === true || this.#namespaces.get(spec.namespace)?.audit === true;
  }

  /** A pod as it stands after the last flush; undefined when there is none. */
  find(namespace: string, name: string): { spec: PodSpec; identity: number; labels: LabelSet } | undefined {
    const pod = this.#pods.get(`${namespace}/${name}`);
    return pod === undefined ? undefined : this.#describe(pod);
  }

  *[Symbol.iterator](): Iterator<{ spec: PodSpec; identity: number }> {
    for (const { spec, identity } of this.#pods.values()) yield { spec, identity };
  }

  #describe({ spec, identity }: Pod): { spec: PodSpec; identity: number; labels: LabelSet } {
    return { spec, identity, labels: this.#tables.identities.labels(identity) ?? new LabelSet([]) };
  }
}

/** The subject's own port names. */
function portsByName(spec: PodSpec): Map<string, number> {
  return new Map((spec.namedPorts ?? []).map(({ name, protocol, port }) => [`${protocol}/${name}`, port]));
}
