/**
 * Random worlds for the oracle: namespaces, pods, nodes, services, CIDR groups, names and policies, the changes that happen
 * to them, and packets. All draws come from one seed, and the alphabets are so small that rules meet each other and most
 * packets meet a rule.
 */
import { Dice } from './oracle/dice.ts';
import { ObjectMaker, OUTSIDE } from './oracle/objects.ts';
import { addressesOf, type Document, nodeAddresses, type Options, type World } from './oracle/parties.ts';
import { GROUPS, NAMESPACES, PolicyMaker, SERVICES } from './oracle/policies.ts';
import { AUTHENTICATED_PORTS, type Grammar } from './oracle/port-rules.ts';
import { NEWCOMER, TrafficMaker } from './oracle/traffic.ts';
import type { Packet } from './oracle.ts';

/** One step in the life of a world. `documents` are those that are new or different now. */
export interface Change {
  readonly text: string;
  readonly set: readonly Document[];
  readonly removed: readonly Document[];
  /** Addresses of names from now on; none = forgotten. */
  readonly names?: Readonly<Record<string, readonly string[]>>;
  readonly apiServers?: readonly string[];
  /** A pod without labels comes, or goes. */
  readonly newcomer?: boolean;
}

const NODES = [
  { name: 'here', ips: ['192.168.0.1'] },
  { name: 'there', ips: ['192.168.0.2', 'fd00:99::2'] },
  { name: 'beyond', ips: ['192.168.0.3'] },
];
const NAMES: Record<string, string[]> = {
  'a.example.com': ['20.1.2.3', '2001:db8:1::1'],
  'b.example.com': ['20.1.2.4', '20.2.0.1'],
  'deep.a.example.com': ['30.1.1.1', '2001:db8:2::1'],
  'example.com': ['20.1.3.1'],
  'a.other.com': ['8.8.8.8'],
  'pods.example.com': ['10.0.1.1', '20.1.2.3'],
};

export class WorldMaker {
  readonly dice: Dice;
  readonly options: Options;
  readonly #policies: PolicyMaker;
  readonly #objects: ObjectMaker;
  readonly #traffic: TrafficMaker;
  /** By kind, namespace and name. */
  readonly #documents = new Map<string, Document>();
  #names: Record<string, string[]> = {};
  #apiServers: string[] = [];
  #hasNewcomer = false;
  /** Of pods that are gone: the next may get them. */
  readonly #freeAddresses: string[][] = [];
  #made = 0;

  constructor(seed: number) {
    this.dice = new Dice(seed);
    this.options = this.#drawOptions();
    this.#policies = new PolicyMaker(this.dice, this.#drawGrammar());
    this.#objects = new ObjectMaker(this.dice);
    this.#traffic = new TrafficMaker(this.dice);
    const { dice } = this;
    for (const name of NAMESPACES) this.#put(this.#objects.namespace(name));
    for (const node of NODES) this.#put(this.#objects.node(node));
    for (let i = dice.between(5, 10); i > 0; i--) this.#put(this.#newPod());
    for (const name of SERVICES)
      if (dice.chance(70)) for (const document of this.#objects.service(name)) this.#put(document);
    for (const name of GROUPS) if (dice.chance(70)) this.#put(this.#objects.group(name));
    for (const [name, ips] of Object.entries(NAMES)) if (dice.chance(70)) this.#names[name] = ips;
    if (dice.chance(60)) this.#apiServers = this.#drawApiServers();
    this.#hasNewcomer = dice.chance(30);
    for (let i = dice.between(3, 20); i > 0; i--) this.#put(this.#policies.policy(`p${this.#made++}`));
  }

  world(): World {
    const apiServers = [...this.#apiServers];
    const newcomer = this.#hasNewcomer ? NEWCOMER : undefined;
    return {
      newcomer,
      options: this.options,
      documents: [...this.#documents.values()],
      names: { ...this.#names },
      apiServers,
    };
  }

  #drawOptions(): Options {
    const { dice } = this;
    return {
      'enable-policy': dice.weighted([85, 'default'], [12, 'always'], [3, 'never']),
      'policy-audit-mode': dice.chance(3),
      'policy-cidr-match-mode': dice.weighted<('nodes' | 'pods')[]>(
        [70, []],
        [12, ['nodes']],
        [10, ['pods']],
        [8, ['nodes', 'pods']],
      ),
      'policy-default-local-cluster': dice.chance(80),
      'allow-localhost': dice.weighted([70, 'auto'], [10, 'always'], [20, 'policy']),
      'enable-node-selector-labels': dice.chance(50),
      'enable-extended-ip-protocols': dice.chance(30),
      'enable-non-default-deny-policies': dice.chance(90),
      'enable-host-firewall': dice.chance(50),
      'dual-stack': dice.chance(25),
      semantics: dice.weighted([80, 'cilium'], [20, 'kubernetes']),
      'cluster-name': 'default',
      'node-name': 'here',
    };
  }

  #drawGrammar(): Grammar {
    const { dice, options } = this;
    const seesPods = options.semantics === 'kubernetes' || options['policy-cidr-match-mode'].includes('pods');
    const modes = dice.chance(35) ? AUTHENTICATED_PORTS : [];
    return {
      options,
      hasEgressNames: !seesPods,
      hasAggregates: modes.length === 0,
      authentication: new Map(
        modes.map((port) => [port, dice.pick(['disabled', 'required', 'test-always-fail'] as const)]),
      ),
    };
  }

  // --- objects

  #put(document: Document): Document {
    this.#documents.set(keyOf(document), document);
    return document;
  }

  #drop(document: Document): Document {
    this.#documents.delete(keyOf(document));
    return document;
  }

  #all(...kinds: string[]): Document[] {
    return [...this.#documents.values()].filter(({ kind }) => kinds.includes(kind));
  }

  #newPod(): Document {
    const { dice } = this;
    const name = `pod${++this.#made}`;
    const namespace = dice.pick(NAMESPACES);
    return this.#objects.pod({
      name,
      namespace,
      ips: this.#newAddresses(namespace),
      nodeName: dice.chance(80) ? 'here' : 'there',
    });
  }

  /** Of its own, of one that is gone, or none yet. */
  #newAddresses(namespace: string): string[] {
    const { dice } = this;
    if (dice.chance(4)) return [];
    if (this.#freeAddresses.length > 0 && dice.chance(50)) return this.#freeAddresses.pop()!;
    const place = NAMESPACES.indexOf(namespace) + 1;
    const number = ++this.#made;
    return [`10.0.${place}.${number}`, ...(dice.chance(40) ? [`fd00:${place}::${number.toString(16)}`] : [])];
  }

  #drawApiServers(): string[] {
    return this.dice.some([...NODES.flatMap(({ ips }) => ips), '20.1.2.4', '30.1.1.1'], this.dice.between(0, 2));
  }

  // --- changes

  change(): Change {
    const { dice } = this;
    return dice.weighted<() => Change>(
      [20, () => this.#changePod()],
      [10, () => this.#changeNamespace()],
      [20, () => this.#changePolicy()],
      [10, () => this.#set('add policy', [this.#policies.policy(`p${this.#made++}`)])],
      [10, () => this.#remove(dice.pick(this.#all(...POLICY_KINDS)))],
      [8, () => this.#set('add pod', [this.#newPod()])],
      [5, () => this.#remove(dice.pick(this.#all('Pod')))],
      [5, () => this.#changeGroup()],
      [5, () => this.#set('set service', this.#objects.service(dice.pick(SERVICES)))],
      [2, () => this.#remove(dice.pick(this.#all('Service', 'EndpointSlice')))],
      [2, () => this.#remove(dice.pick(this.#all('Namespace')))],
      [3, () => this.#set('set node', [this.#objects.node(dice.pick(NODES))])],
      [2, () => this.#remove(dice.pick(this.#all('Node').filter(({ metadata }) => metadata.name !== 'here')))],
      [3, () => this.#changeApiServers()],
      [8, () => this.#changeName()],
      [2, () => this.#changeNewcomer()],
    )();
  }

  #set(text: string, set: Document[]): Change {
    for (const document of set) this.#put(document);
    return { text: `${text}: ${set.map(keyOf).join(', ')}`, set, removed: [] };
  }

  #remove(document: Document | undefined): Change {
    if (document === undefined) return { text: 'nothing', set: [], removed: [] };
    if (document.kind === 'Pod' && addressesOf(document).length > 0) this.#freeAddresses.push(addressesOf(document));
    return { text: `remove ${keyOf(document)}`, set: [], removed: [this.#drop(document)] };
  }

  #changePod(): Change {
    const old = this.dice.pick(this.#all('Pod'));
    if (old === undefined) return this.#set('add pod', [this.#newPod()]);
    const { name, namespace } = old.metadata;
    const had = addressesOf(old);
    const isMoved = this.dice.chance(15);
    const ips = had.length === 0 || isMoved ? this.#newAddresses(namespace) : had;
    if (isMoved && had.length > 0) this.#freeAddresses.push(had);
    const nodeName = isMoved ? this.dice.pick(['here', 'there']) : old.spec.nodeName;
    return this.#set('change pod', [this.#objects.pod({ name, namespace, ips, nodeName })]);
  }

  #changeNamespace(): Change {
    return this.#set('set namespace', [this.#objects.namespace(this.dice.pick(NAMESPACES))]);
  }

  #changePolicy(): Change {
    const old = this.dice.pick(this.#all(...POLICY_KINDS));
    if (old === undefined) return this.#set('add policy', [this.#policies.policy(`p${this.#made++}`)]);
    for (;;) {
      const policy = this.#policies.policy(old.metadata.name);
      if (policy.kind !== old.kind) continue;
      if (old.metadata.namespace !== undefined) policy.metadata.namespace = old.metadata.namespace;
      return this.#set('replace policy', [policy]);
    }
  }

  #changeGroup(): Change {
    const { dice } = this;
    const groups = this.#all('CiliumCIDRGroup');
    return groups.length > 0 && dice.chance(30)
      ? this.#remove(dice.pick(groups))
      : this.#set('set group', [this.#objects.group(dice.pick(GROUPS))]);
  }

  #changeName(): Change {
    const { dice } = this;
    const name = dice.pick(Object.keys(NAMES));
    const ips = name in this.#names ? (dice.chance(50) ? [] : dice.some(OUTSIDE, 2)) : NAMES[name];
    if (ips.length === 0) delete this.#names[name];
    else this.#names[name] = ips;
    return { text: `name ${name} = ${ips.join()}`, set: [], removed: [], names: { [name]: ips } };
  }

  #changeApiServers(): Change {
    this.#apiServers = this.#drawApiServers();
    return { text: `API servers ${this.#apiServers.join()}`, set: [], removed: [], apiServers: this.#apiServers };
  }

  #changeNewcomer(): Change {
    this.#hasNewcomer = !this.#hasNewcomer;
    return { text: 'newcomer', set: [], removed: [], newcomer: this.#hasNewcomer };
  }

  /** The world as it is, one thing after another in random order. */
  construction(): Change[] {
    const { dice } = this;
    return dice.shuffle([
      ...[...this.#documents.values()].map((one) => ({ text: `set ${keyOf(one)}`, set: [one], removed: [] })),
      ...Object.entries(this.#names).map(([name, ips]) => ({
        text: `name ${name}`,
        set: [],
        removed: [],
        names: { [name]: ips },
      })),
      { text: 'API servers', set: [], removed: [], apiServers: this.#apiServers },
      { text: 'newcomer', set: [], removed: [], newcomer: this.#hasNewcomer },
    ]);
  }

  /** Removes everything, in random order; a few at a time. */
  *demolition(): Generator<Change> {
    const { dice } = this;
    this.#apiServers = [];
    this.#hasNewcomer = false;
    yield { text: 'no API servers, no newcomer', set: [], removed: [], apiServers: [], newcomer: false };
    const rest = dice.shuffle([...this.#documents.values(), ...Object.keys(this.#names)]);
    while (rest.length > 0) {
      const some = rest.splice(0, dice.between(1, 6));
      const removed = some.filter((one): one is Document => typeof one !== 'string');
      const names = Object.fromEntries(some.filter((one) => typeof one === 'string').map((name) => [name, []]));
      for (const document of removed) this.#drop(document);
      for (const name of Object.keys(names)) delete this.#names[name];
      yield { text: `demolish ${removed.map(keyOf).join(', ')}`, set: [], removed, names };
    }
  }

  packet(): Packet {
    return this.#traffic.packet({
      pods: this.#all('Pod').flatMap(addressesOf),
      nodes: this.#all('Node').flatMap(nodeAddresses),
      hostShare: this.options['enable-host-firewall'] ? 12 : 1,
      newcomerShare: this.#hasNewcomer ? 5 : 0,
    });
  }
}

const POLICY_KINDS = ['CiliumNetworkPolicy', 'CiliumClusterwideNetworkPolicy', 'NetworkPolicy'];

export const keyOf = ({ kind, metadata }: Document): string => `${kind}/${metadata.namespace ?? ''}/${metadata.name}`;
