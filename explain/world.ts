/**
 * The world that offline commands judge in: manifests compiled by the very compiler of the daemon, every pod taken as local to
 * its own node, so that both ends of a flow have their policies.
 *
 * A policy map is made when an endpoint is first asked about; endpoints that the same rules select share one. Maps live
 * in memory: their files are removed as soon as they are made.
 *
 * What a query may name besides pods (labels of a pod that does not exist) is added to the world when it is first named and
 * stays. It has policies like any pod of those labels, and no address.
 */
import { randomUUID } from 'node:crypto';
import { rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Cluster, type EndpointChange } from '../policy/cluster.ts';
import { ANNOTATIONS } from '../policy/document/annotations.ts';
import { MemoryIdentityStore, type StoredIdentity } from '../policy/identity/identity.ts';
import { isAddress } from '../policy/document/address.ts';
import type { Document } from '../policy/document/document.ts';
import { SERVICE_ACCOUNT } from '../policy/rule/labels.ts';
import type { PolicyConfig } from '../policy/rule/options.ts';
import { nodeFromDocument } from '../policy/document/objects.ts';
import { podFromDocument, portsOfLabel } from '../policy/document/pod.ts';
import { parseLabel } from '../policy/rule/labels.ts';
import type { NodeSpec, PodSpec } from '../policy/rule/spec.ts';
import type { Problem } from '../policy/rule/problems.ts';
import { type Origin, policyName } from '../policy/rule/rule.ts';
import type { L7RuleSet } from '../policy-maps/l7-rules.ts';
import { memoryMapper } from '../policy-maps/table/memory-mapper.ts';
import type { PolicyEntry } from '../policy-maps/policy-entry.ts';
import { PolicyMap } from '../policy-maps/policy-map.ts';
import { expandWorkload, isWorkload } from '../policy/document/workload.ts';
import { IDENTITY_LAST_RESERVED } from '../wire/identities.ts';
import { parsePrefix } from '../wire/prefix.ts';

/** What a world has besides documents. */
export interface Surroundings {
  /** Addresses by DNS name, for toFQDNs. */
  readonly names?: ReadonlyMap<string, readonly string[]>;
  /** Nodes without a document. */
  readonly nodes?: readonly NodeSpec[];
  /** Numbers that identities and cookies have elsewhere, and shall have here. */
  readonly identities?: readonly StoredIdentity[];
  readonly cookies?: readonly { readonly id: number; readonly origins: readonly Origin[] }[];
}

/** A pod of the world, with its compiled policy. */
export interface WorldPod {
  readonly spec: PodSpec;
  /** What its policy is now; undefined for a pod in its node's network namespace. */
  readonly endpoint: EndpointChange | undefined;
}

/** Labels of pods that only queries name carry this as their pod's name. */
const QUERY_POD = 'query';

export class PolicyWorld {
  readonly cluster: Cluster;
  /** As they were given, workloads not expanded. */
  readonly given: readonly Document[];
  readonly documents: readonly Document[];
  readonly surroundings: Surroundings;
  /** Rule sets by the id that entries name. */
  readonly ruleSets = new Map<number, L7RuleSet>();
  /** Conflicts between policies that showed when they were merged. */
  readonly conflicts: readonly Problem[];
  readonly #pods = new Map<string, PodSpec>();
  readonly #outsiders = new Map<string, readonly string[]>();
  readonly #podByAddress = new Map<string, string>();
  readonly #nodeByAddress = new Map<string, string>();
  readonly #endpoints = new Map<number, EndpointChange>();
  readonly #maps = new WeakMap<readonly PolicyEntry[], PolicyMap>();
  readonly #policyNames = new Map<number, readonly string[]>();
  #lastEndpoint = 0;

  constructor(documents: readonly Document[], config: PolicyConfig, surroundings: Surroundings = {}) {
    const { names = new Map<string, readonly string[]>(), nodes = [], identities = [], cookies = [] } = surroundings;
    this.given = documents;
    this.surroundings = surroundings;
    this.documents = documents.flatMap((one) => (isWorkload(one.kind) ? [one, ...expandWorkload(one)] : [one]));
    this.cluster = new Cluster(
      config,
      new MemoryIdentityStore(identities.filter(({ id }) => id > IDENTITY_LAST_RESERVED)),
    );
    this.cluster.compiler.cookies.restore(cookies);
    for (const node of nodes) {
      this.cluster.setNode(node);
      this.#noteNode(node);
    }
    for (const document of this.documents) {
      if (document.kind === 'Pod') this.#addPod(podFromDocument(document, ++this.#lastEndpoint), isExternal(document));
      else this.cluster.apply(document);
      if (document.kind === 'Node') this.#noteNode(nodeFromDocument(document));
    }
    this.#addNodesOfPods();
    if (this.cluster.options['enable-host-firewall']) this.#addHost();
    for (const [name, addresses] of names) this.cluster.setName(name, addresses);
    this.conflicts = [...this.#flush(), ...this.cluster.policies.missingSecrets];
  }

  /** The pod `namespace/name`. */
  pod(reference: string): WorldPod | undefined {
    const spec = this.#pods.get(reference);
    return spec === undefined ? undefined : { spec, endpoint: this.#endpoints.get(spec.endpointId) };
  }

  /** Addresses of a pod that plays the outside (`sluice.io/external`): it is what its address is. */
  outsider(reference: string): readonly string[] | undefined {
    return this.#outsiders.get(reference);
  }

  /** Every pod of the manifests that is inside, in order. */
  *pods(): Iterable<readonly [string, WorldPod]> {
    for (const [reference, spec] of this.#pods) {
      if (!reference.startsWith(`${QUERY_POD} `))
        yield [reference, { spec, endpoint: this.#endpoints.get(spec.endpointId) }];
    }
  }

  /** `namespace/name` of the pod that has an address. @param address canonical, see parsePrefix() */
  podAt(address: string): string | undefined {
    return this.#podByAddress.get(address);
  }

  /** Name of the node that has an address. */
  nodeAt(address: string): string | undefined {
    return this.#nodeByAddress.get(address);
  }

  /** The policy of the host, with `enable-host-firewall`. */
  get hostEndpoint(): EndpointChange | undefined {
    return this.#endpoints.get(HOST_ENDPOINT);
  }

  /**
   * A pod with these labels, which need not exist.
   * @param labels `k8s:key=value` or `key=value`
   */
  podWithLabels(labels: readonly string[], namespace: string): WorldPod {
    const reference = queryPod(labels, namespace);
    const known = this.pod(reference);
    if (known !== undefined) return known;
    const spec = this.#addLabelled(reference, labels, namespace);
    this.#flush();
    return { spec, endpoint: this.#endpoints.get(spec.endpointId) };
  }

  /** Adds pods with these labels at once, for who will ask about many of them. */
  expect(ends: readonly { readonly labels: readonly string[]; readonly namespace?: string }[]): void {
    for (const { labels, namespace = 'default' } of ends) {
      const reference = queryPod(labels, namespace);
      if (!this.#pods.has(reference)) this.#addLabelled(reference, labels, namespace);
    }
    this.#flush();
  }

  #addLabelled(reference: string, labels: readonly string[], namespace: string): PodSpec {
    const pairs = labels.map((label) => {
      const { key, value } = parseLabel(label, 'any');
      return [key, value] as const;
    });
    const given = Object.fromEntries(pairs);
    const namedPorts = labels.flatMap((label) => portsOfLabel(parseLabel(label, 'any')));
    const serviceAccount = given[SERVICE_ACCOUNT] ?? 'default';
    const name = `${QUERY_POD}-${++this.#lastEndpoint}`;
    const endpointId = this.#lastEndpoint;
    const spec = { namespace, name, labels: given, serviceAccount, namedPorts, endpointId, ips: [] };
    this.#pods.set(reference, spec);
    this.cluster.setPod(spec);
    return spec;
  }

  /** The map that the dataplane would look an endpoint's packets up in. */
  policyMap({ entries }: EndpointChange): PolicyMap {
    const known = this.#maps.get(entries);
    if (known !== undefined) return known;
    const path = join(tmpdir(), `sluice-policy-${randomUUID()}`);
    try {
      const map = PolicyMap.create(path, { capacity: Math.max(1, entries.length) }, memoryMapper());
      map.publish(entries);
      this.#maps.set(entries, map);
      return map;
    } finally {
      rmSync(path, { force: true });
    }
  }

  /** `Kind/namespace/name` of the policies behind a cookie; none for what the compiler adds by itself. */
  policyNames(cookie: number): readonly string[] {
    let names = this.#policyNames.get(cookie);
    if (names === undefined) {
      names = [...new Set(this.origins(cookie).map(policyName))].sort();
      this.#policyNames.set(cookie, names);
    }
    return names;
  }

  /** What the compiler added by itself behind a cookie, such as `allow-any-egress`. */
  additions(cookie: number): readonly string[] {
    return this.cluster
      .origins(cookie)
      .filter(({ kind }) => kind === 'reserved')
      .map(({ name }) => name);
  }

  /** The rules behind a cookie. */
  origins(cookie: number): readonly Origin[] {
    return this.cluster.origins(cookie).filter(({ kind }) => kind !== 'reserved');
  }

  #addPod(spec: PodSpec, isExternal: boolean): void {
    const reference = `${spec.namespace}/${spec.name}`;
    if (isExternal) {
      this.#outsiders.set(reference, spec.ips);
      return;
    }
    if (spec.hasFinished === true) return;
    this.#pods.set(reference, spec);
    if (spec.hostNetwork !== true)
      for (const ip of spec.ips) this.#podByAddress.set(parsePrefix(ip, 'host').text, reference);
    this.cluster.setPod(spec);
  }

  #noteNode({ name, ips }: NodeSpec): void {
    for (const ip of ips) this.#nodeByAddress.set(parsePrefix(ip, 'host').text, name);
  }

  /** A node that no document describes is known by the addresses that its pods give as their host's. */
  #addNodesOfPods(): void {
    const nodes = new Map<string, Set<string>>();
    for (const { kind, object } of this.documents) {
      if (kind !== 'Pod') continue;
      for (const address of hostAddresses(object)) {
        if (this.#nodeByAddress.has(address)) continue;
        const name = (object as PodObject).spec?.nodeName ?? address;
        nodes.set(name, (nodes.get(name) ?? new Set()).add(address));
      }
    }
    for (const [name, addresses] of nodes) {
      for (const address of addresses) this.#nodeByAddress.set(address, name);
      this.cluster.addNodeAddresses(name, [...addresses]);
    }
  }

  #addHost(): void {
    const name = this.cluster.options['node-name'];
    const nodes = this.documents.filter(({ kind }) => kind === 'Node');
    const node = nodes.find((one) => one.name === name) ?? nodes[0];
    this.cluster.setHostEndpoint(HOST_ENDPOINT, node?.labels ?? {});
  }

  #flush(): readonly Problem[] {
    const { endpoints, ruleSets, problems } = this.cluster.flush();
    for (const [id, endpoint] of endpoints) this.#endpoints.set(id, endpoint);
    for (const [id, ruleSet] of ruleSets.put) this.ruleSets.set(id, ruleSet);
    for (const id of ruleSets.remove) this.ruleSets.delete(id);
    this.#policyNames.clear();
    return problems;
  }
}

interface PodObject {
  readonly spec?: { readonly nodeName?: string; readonly hostNetwork?: boolean };
  readonly status?: {
    readonly hostIP?: string;
    readonly hostIPs?: readonly { readonly ip?: string }[];
    readonly podIP?: string;
    readonly podIPs?: readonly { readonly ip?: string }[];
  };
}

/** Addresses of the node under a pod, canonical: those of its host, and its own if it lives in its host's network. */
function hostAddresses(object: unknown): string[] {
  const { spec, status = {} } = object as PodObject;
  const own = spec?.hostNetwork === true ? [status.podIP, ...(status.podIPs ?? []).map(({ ip }) => ip)] : [];
  const texts = [status.hostIP, ...(status.hostIPs ?? []).map(({ ip }) => ip), ...own];
  return texts.flatMap((text) => (text !== undefined && isAddress(text) ? [parsePrefix(text, 'host').text] : []));
}

/** As the daemon has it: no endpoint, no identity but that of its address. */
function isExternal({ annotations }: Document): boolean {
  return annotations[ANNOTATIONS.external] === 'true';
}

function queryPod(labels: readonly string[], namespace: string): string {
  return `${QUERY_POD} ${namespace}/${[...labels].sort().join(',')}`;
}

/** Not the number of any pod. */
const HOST_ENDPOINT = -1;
