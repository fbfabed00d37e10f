/**
 * What is known about each prefix, and which labels follow: the source of ipcache entries other than the pods'.
 *
 * A prefix is interesting when a policy names it, a CIDR group holds it, a name resolved to it, or a node or the API
 * server has it. Its labels are the union of what is said about it, of the groups of the prefixes around it, and of one
 * `cidr:` label: the nearest prefix, itself or around it, that a policy names. So two addresses between which no policy
 * can tell share an identity. A change re-labels what lies inside the prefix, nothing else.
 */
import { CIDR_GROUP_NAME } from '../rule/labels.ts';
import { cidrLabel, type PrefixReach } from '../rule/peer.ts';
import { PrefixTree } from '../rule/prefix-tree.ts';
import type { Prefix } from '../../wire/prefix.ts';

export interface NodeFact {
  readonly isLocal: boolean;
  /** `node:` labels, when nodes may be selected by label. */
  readonly labels: readonly string[];
}

/** Of all records that have none; never written to. */
const NO_GROUPS: PrefixRecord['groups'] = new Map();
const NO_NODES: PrefixRecord['nodes'] = new Map();

interface PrefixRecord {
  readonly prefix: Prefix;
  /** Rules of policies that name it; those whose peers may be nodes or pods, apart. */
  uses: number;
  nodeUses: number;
  podUses: number;
  /** Most are of one sort, and names bring many: what a record has none of takes no memory. */
  groups: Map<string, readonly string[]>;
  /** FQDN selectors that it belongs to. */
  readonly names: string[];
  /** Nodes that claim the address, by name. */
  nodes: Map<string, NodeFact>;
  isApiServer: boolean;
}

export class PrefixTable {
  readonly #records = new Map<string, PrefixRecord>();
  readonly #tree = new PrefixTree<PrefixRecord>();
  readonly #dirty = new Set<string>();
  #podPrefixes: Prefix[] = [];
  readonly #groupReach: PrefixReach;

  /** @param groupReach what besides the outside world carries the labels of the groups around it */
  constructor(groupReach: PrefixReach) {
    this.#groupReach = groupReach;
  }

  get size(): number {
    return this.#records.size;
  }

  use(prefix: Prefix, reach: PrefixReach): void {
    this.#count(prefix, reach, 1);
  }

  unuse(prefix: Prefix, reach: PrefixReach): void {
    this.#count(prefix, reach, -1);
  }

  #count(prefix: Prefix, reach: PrefixReach, by: 1 | -1): void {
    const record = this.#at(prefix);
    const before = labelUses(record);
    const podsBefore = record.podUses > 0;
    record.uses += by;
    if (reach.nodes) record.nodeUses += by;
    if (reach.pods) record.podUses += by;
    if (labelUses(record) !== before) this.#touchInside(record);
    if (record.podUses > 0 !== podsBefore) this.#podPrefixes.push(prefix);
    this.#dropIfIdle(record);
  }

  /** @param labels of the group, as `cidrgroup:` labels; undefined = the prefix left the group */
  setGroup(name: string, prefix: Prefix, labels: readonly string[] | undefined): void {
    const record = this.#at(prefix);
    const texts = labels === undefined ? undefined : [`cidrgroup:${CIDR_GROUP_NAME}${name}`, ...labels];
    record.groups = withEntry(record.groups, NO_GROUPS, name, texts);
    this.#touchInside(record);
    if (this.#groupReach.pods) this.#podPrefixes.push(prefix);
    this.#dropIfIdle(record);
  }

  /** @param pattern the FQDN selector that the address belongs to now (or no longer) */
  setName(prefix: Prefix, pattern: string, belongs: boolean): void {
    const record = this.#at(prefix);
    const at = record.names.indexOf(pattern);
    if (belongs && at < 0) record.names.push(pattern);
    else if (!belongs && at >= 0) record.names.splice(at, 1);
    this.#dirty.add(prefix.text);
    this.#dropIfIdle(record);
  }

  /** @param fact undefined = the node has the address no more */
  setNode(prefix: Prefix, name: string, fact: NodeFact | undefined): void {
    const record = this.#at(prefix);
    record.nodes = withEntry(record.nodes, NO_NODES, name, fact);
    this.#dirty.add(prefix.text);
    this.#dropIfIdle(record);
  }

  setApiServer(prefix: Prefix, isApiServer: boolean): void {
    const record = this.#at(prefix);
    record.isApiServer = isApiServer;
    this.#dirty.add(prefix.text);
    this.#dropIfIdle(record);
  }

  /** Names a prefix again in the next `takeDirty`. */
  touch(text: string): void {
    this.#dirty.add(text);
  }

  /** Prefixes whose labels may have changed since the last call. */
  takeDirty(): string[] {
    const dirty = [...this.#dirty];
    this.#dirty.clear();
    return dirty;
  }

  /** Prefixes of which the pods inside may have other labels than at the last call. */
  takePodPrefixes(): Prefix[] {
    const changed = this.#podPrefixes;
    this.#podPrefixes = [];
    return changed;
  }

  /** What is said of the prefix; undefined when nothing is (then it has no identity of its own). */
  describe(text: string): PrefixDescription | undefined {
    const record = this.#records.get(text);
    if (record === undefined || isBare(record)) return undefined;
    const lineage = this.#lineage(record.prefix);
    const groups = groupsOf(lineage);
    return {
      prefix: record.prefix,
      labels: [...cidrLabelOf(lineage, 'uses'), ...groups, ...record.names.map((pattern) => `fqdn:${pattern}`)],
      nodeLabels: [...cidrLabelOf(lineage, 'nodeUses'), ...(this.#groupReach.nodes ? groups : [])],
      node: nodeOf(record),
      isApiServer: record.isApiServer,
    };
  }

  /** What a pod at this address carries for the rules about prefixes that may be about pods. */
  podLabels(address: Prefix): string[] {
    const lineage = this.#lineage(address);
    return [...cidrLabelOf(lineage, 'podUses'), ...(this.#groupReach.pods ? groupsOf(lineage) : [])];
  }

  /** What is known of the prefix and of those around it, inside out. */
  #lineage(prefix: Prefix): PrefixRecord[] {
    return this.#tree.around(prefix).reverse();
  }

  #at(prefix: Prefix): PrefixRecord {
    const known = this.#records.get(prefix.text);
    if (known !== undefined) return known;
    const record: PrefixRecord = {
      prefix,
      uses: 0,
      nodeUses: 0,
      podUses: 0,
      groups: NO_GROUPS,
      names: [],
      nodes: NO_NODES,
      isApiServer: false,
    };
    this.#records.set(prefix.text, record);
    this.#tree.set(prefix, record);
    this.#dirty.add(prefix.text);
    return record;
  }

  #touchInside({ prefix }: PrefixRecord): void {
    for (const { prefix: inner } of this.#tree.inside(prefix)) this.#dirty.add(inner.text);
  }

  #dropIfIdle(record: PrefixRecord): void {
    if (!isBare(record)) return;
    this.#records.delete(record.prefix.text);
    this.#tree.delete(record.prefix);
    this.#dirty.add(record.prefix.text);
  }
}

export interface PrefixDescription {
  readonly prefix: Prefix;
  /** `cidr:`, `cidrgroup:` and `fqdn:` labels, if it is of the outside world. */
  readonly labels: readonly string[];
  /** Those that it carries if it is a node. */
  readonly nodeLabels: readonly string[];
  readonly node: NodeFact | undefined;
  readonly isApiServer: boolean;
}

/** Nothing is said of it by itself. */
function isBare({ uses, groups, names, nodes, isApiServer }: PrefixRecord): boolean {
  return uses === 0 && groups.size === 0 && names.length === 0 && nodes.size === 0 && !isApiServer;
}

/** Of nodes that claim the same address this one, else the first by name: whatever order they came in. */
function nodeOf({ nodes }: PrefixRecord): NodeFact | undefined {
  const byName = [...nodes].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, fact]) => fact);
  return byName.find(({ isLocal }) => isLocal) ?? byName[0];
}

/** Which of the counts are above zero: when that changes, labels inside may. */
function labelUses({ uses, nodeUses, podUses }: PrefixRecord): number {
  return (uses > 0 ? 1 : 0) | (nodeUses > 0 ? 2 : 0) | (podUses > 0 ? 4 : 0);
}

/** The label of the nearest prefix, itself or around it, that is named so; none when there is none. */
function cidrLabelOf(lineage: readonly PrefixRecord[], kind: 'uses' | 'nodeUses' | 'podUses'): string[] {
  const nearest = lineage.find((around) => around[kind] > 0);
  return nearest === undefined ? [] : [cidrLabel(nearest.prefix)];
}

function groupsOf(lineage: readonly PrefixRecord[]): string[] {
  return lineage.flatMap(({ groups }) => [...groups.values()].flat());
}

/**
 * Sets an entry of a map that a record has of its own, or takes it out.
 * @param none what records share that have no entry @param value undefined = without the entry
 * @returns the map of the record from now on
 */
function withEntry<V>(map: Map<string, V>, none: Map<string, V>, key: string, value: V | undefined): Map<string, V> {
  if (value !== undefined) return (map === none ? new Map<string, V>() : map).set(key, value);
  if (map !== none) map.delete(key);
  return map.size === 0 ? none : map;
}
