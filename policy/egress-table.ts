/**
 * Egress gateway policies, and what they say of each pod here: rows by the pod's address and a prefix of destinations, as the
 * dataplane looks them up (policy-maps/service/egress-map.ts).
 *
 *     policies --+
 *     pods ------+--> rows of each pod --> changes since the last flush
 *     nodes -----+        ^
 *     network ------------+  which addresses this node's interfaces have
 *
 * As Cilium has it (pkg/egressgateway):
 *  1. A gateway is the first node by name that its nodeSelector selects. One that is another node, or none, is no way out
 *     here: its pods' frames are dropped (194).
 *  2. Its address is the one that it names, if an interface has it; of the other family, and of a gateway that names an interface,
 *     the first of that interface; else the first of the default route's. Without one: 204.
 *  3. Of several gateways a pod has one, by a hash of its uid; those of other nodes count. (Cilium puts them in the order of their
 *     nodes' addresses first, so that all nodes agree; here the order is that of the list.)
 *  4. Policies meet in one table: the longest prefix counts, whichever policy it is of, and an exception is a prefix too. Of two
 *     with the same prefix Cilium leaves it to chance; here the first by name counts, and it is told.
 *
 * A change of a pod costs that pod, any other change all pods. Pure: no clock, no I/O.
 */
import { parsePrefix, type Prefix } from '../wire/prefix.ts';
import { formatLabel, LabelSet } from './rule/labels.ts';
import type { EgressGatewaySpec, EgressPolicySpec } from './rule/egress-spec.ts';
import { selects } from './rule/selector.ts';
import type { NodeSpec } from './rule/spec.ts';

/** What is said of a pod's way to a prefix. */
export interface EgressRow {
  readonly source: Prefix;
  readonly destination: Prefix;
  /** `none`: no gateway is this node; `excluded`: the policy is not about it. */
  readonly kind: 'address' | 'none' | 'excluded';
  /** '' for none. */
  readonly address: string;
}

export interface EgressChanges {
  readonly put: readonly EgressRow[];
  readonly remove: readonly EgressRow[];
}

/** A pod of this node. */
export interface EgressPod {
  readonly key: string;
  /** What tells it from others for good. */
  readonly uid: string;
  readonly labels: LabelSet;
  readonly addresses: readonly Prefix[];
}

/** Addresses that this node may speak with. */
export interface EgressNetwork {
  readonly links: readonly { readonly name: string; readonly addresses: readonly Prefix[] }[];
  /** Interface of the default route, by family. */
  readonly defaults: ReadonlyMap<4 | 6, string>;
}

interface Gateway {
  readonly isHere: boolean;
  readonly spec: EgressGatewaySpec;
}

interface Owned {
  readonly row: EgressRow;
  readonly pod: string;
}

const FAMILIES = [4, 6] as const;
/** The label by which manifests name a node; the API server gives it to each. */
/** The label of a node that has its name. */
export const NODE_LABEL = 'kubernetes.io/hostname';

export class EgressTable {
  readonly #nodeName: string;
  readonly #policies = new Map<string, EgressPolicySpec>();
  readonly #pods = new Map<string, EgressPod>();
  readonly #nodes = new Map<string, LabelSet>();
  #network: EgressNetwork | undefined;
  /** By source and destination; and the names of each pod's. */
  readonly #rows = new Map<string, Owned>();
  readonly #names = new Map<string, readonly string[]>();
  readonly #dirty = new Set<string>();
  readonly #put = new Map<string, EgressRow>();
  readonly #gone = new Map<string, EgressRow>();
  /** Of each pod: what is wrong with its rows. */
  readonly #clashes = new Map<string, readonly string[]>();

  constructor(nodeName: string) {
    this.#nodeName = nodeName;
    this.setNode({ name: nodeName, labels: {}, ips: [] });
  }

  get size(): number {
    return this.#policies.size;
  }

  setPolicy(policy: EgressPolicySpec): void {
    this.#policies.set(policy.name, policy);
    this.#touchAll();
  }

  removePolicy(name: string): void {
    if (this.#policies.delete(name)) this.#touchAll();
  }

  setPod(pod: EgressPod): void {
    this.#pods.set(pod.key, pod);
    this.#dirty.add(pod.key);
  }

  removePod(key: string): void {
    if (this.#pods.delete(key)) this.#dirty.add(key);
  }

  setNode({ name, labels }: NodeSpec): void {
    const all = { [NODE_LABEL]: name, ...labels };
    this.#nodes.set(name, new LabelSet(Object.entries(all).map(([key, value]) => formatLabel('k8s', key, value))));
    this.#touchAll();
  }

  /** This node stays, without labels of its own. */
  removeNode(name: string): void {
    if (name === this.#nodeName) this.setNode({ name, labels: {}, ips: [] });
    else if (this.#nodes.delete(name)) this.#touchAll();
  }

  setNetwork(network: EgressNetwork): void {
    this.#network = network;
    this.#touchAll();
  }

  /** What is to be published since the last time. */
  takeChanges(): EgressChanges {
    const policies = [...this.#policies.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
    for (const key of this.#dirty) this.#renew(key, policies);
    this.#dirty.clear();
    const changes = { put: [...this.#put.values()], remove: [...this.#gone.values()] };
    this.#put.clear();
    this.#gone.clear();
    return changes;
  }

  /** What is wrong with policies, one sentence each, as of the last `takeChanges`. */
  problems(): string[] {
    const policies = [...this.#policies.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
    const lacking = this.#network === undefined ? [] : policies.flatMap((policy) => this.#lacking(policy));
    return [...lacking, ...new Set([...this.#clashes.values()].flat())];
  }

  #touchAll(): void {
    for (const key of this.#pods.keys()) this.#dirty.add(key);
  }

  #renew(key: string, policies: readonly EgressPolicySpec[]): void {
    const pod = this.#pods.get(key);
    const now = pod === undefined ? new Map<string, EgressRow>() : this.#rowsOf(pod, policies);
    for (const name of this.#names.get(key) ?? []) if (!now.has(name)) this.#drop(name, key);
    for (const [name, row] of now) {
      const before = this.#rows.get(name)?.row;
      this.#rows.set(name, { row, pod: key });
      if (before?.kind === row.kind && before.address === row.address) continue;
      this.#gone.delete(name);
      this.#put.set(name, row);
    }
    if (now.size > 0) this.#names.set(key, [...now.keys()]);
    else this.#names.delete(key);
    if (pod === undefined) this.#clashes.delete(key);
  }

  /** Takes out a row that is still this pod's: its address may have gone to another. */
  #drop(name: string, pod: string): void {
    const owned = this.#rows.get(name);
    if (owned?.pod !== pod) return;
    this.#rows.delete(name);
    this.#put.delete(name);
    this.#gone.set(name, owned.row);
  }

  #rowsOf(pod: EgressPod, policies: readonly EgressPolicySpec[]): Map<string, EgressRow> {
    const rows = new Map<string, EgressRow>();
    const owners = new Map<string, string>();
    const clashes: string[] = [];
    for (const policy of policies.filter((one) => this.#isMeant(one, pod))) {
      for (const [name, row] of this.#said(policy, pod)) {
        const before = rows.get(name);
        if (before === undefined) {
          rows.set(name, row);
          owners.set(name, policy.name);
        } else if (before.kind !== row.kind || before.address !== row.address) {
          const what = `${row.destination.text} of the same pods as egress policy ${owners.get(name)}`;
          clashes.push(`${placeOf(policy)}: found ${what}, which counts: it comes first by name`);
        }
      }
    }
    if (clashes.length > 0) this.#clashes.set(pod.key, clashes);
    else this.#clashes.delete(pod.key);
    return rows;
  }

  #isMeant({ selectors }: EgressPolicySpec, { labels }: EgressPod): boolean {
    const node = this.#nodes.get(this.#nodeName);
    return selectors.some(({ pods, nodes }) => selects(pods, labels) && node !== undefined && selects(nodes, node));
  }

  /** What one policy says of a pod: an exception comes before a destination of the same prefix. */
  #said(policy: EgressPolicySpec, pod: EgressPod): Map<string, EgressRow> {
    const gateway = this.#gatewayOf(policy, pod.uid);
    const rows = new Map<string, EgressRow>();
    for (const source of pod.addresses) {
      const add = (destination: Prefix, said: Pick<EgressRow, 'kind' | 'address'>) => {
        if (destination.family !== source.family) return;
        rows.set(`${source.text} ${destination.text}`, { source, destination, ...said });
      };
      const { isHere, spec } = gateway;
      const address = isHere ? this.#addressOf(spec, source.family) : '';
      for (const one of policy.destinations) add(one, { kind: isHere ? 'address' : 'none', address });
      for (const one of policy.excluded) add(one, { kind: 'excluded', address: '' });
    }
    return rows;
  }

  #gatewayOf({ gateways }: EgressPolicySpec, uid: string): Gateway {
    const spec = gateways[gateways.length === 1 ? 0 : fnv32(uid) % gateways.length];
    return { spec, isHere: this.#nodeOf(spec) === this.#nodeName };
  }

  /** The node that a gateway is; '' when none is selected. */
  #nodeOf({ nodes }: EgressGatewaySpec): string {
    const selected = [...this.#nodes].filter(([, labels]) => selects(nodes, labels)).map(([name]) => name);
    return selected.sort()[0] ?? '';
  }

  /** '' when there is none. */
  #addressOf(spec: EgressGatewaySpec, family: 4 | 6): string {
    const { links, defaults } = this.#network ?? { links: [], defaults: new Map<4 | 6, string>() };
    const given = spec.egressIP === '' ? undefined : parsePrefix(spec.egressIP, 'host');
    const holder = links.find(({ addresses }) => addresses.some(({ text }) => text === given?.text));
    if (given?.family === family) return holder === undefined ? '' : hostText(given);
    const name = given === undefined ? spec.interface || defaults.get(family) : holder?.name;
    const first = links.find((link) => link.name === name)?.addresses.find((one) => one.family === family);
    return first === undefined ? '' : hostText(first);
  }

  /** Gateways that are no way out. */
  #lacking(policy: EgressPolicySpec): string[] {
    return policy.gateways.flatMap((spec, i) => {
      const what = policy.gateways.length === 1 ? 'egressGateway' : `egressGateways[${i}]`;
      const node = this.#nodeOf(spec);
      if (node !== this.#nodeName) {
        const found = node === '' ? 'no node with these labels' : `the node ${node}`;
        return [
          `${placeOf(policy)}: ${what}: found ${found}, wanted ${this.#nodeName}: what it is about is dropped (194)`,
        ];
      }
      return FAMILIES.filter((family) => policy.destinations.some((one) => one.family === family))
        .filter((family) => this.#addressOf(spec, family) === '')
        .map((family) => {
          const wanted = spec.egressIP || spec.interface || 'the interface of the default route';
          return `${placeOf(policy)}: ${what}: found no IPv${family} address by ${wanted}: what it is about is dropped (204)`;
        });
    });
  }
}

function placeOf({ name, file, line }: EgressPolicySpec): string {
  return `egress policy ${name} (${file}:${line})`;
}

/** The address of a prefix that is one. */
function hostText({ text }: Prefix): string {
  return text.slice(0, text.indexOf('/'));
}

/** FNV-1a, 32 bits, as Cilium spreads pods over gateways. */
function fnv32(text: string): number {
  let hash = 0x811c9dc5;
  for (const byte of Buffer.from(text)) hash = Math.imul(hash ^ byte, 0x01000193);
  return hash >>> 0;
}
