/**
 * The ipcache as the agent wants it: every pod address and every interesting prefix with its identity.
 * A pod's address has the pod's identity whatever prefixes lie around it; but for the addresses of this host, which no pod has, whatever is said
 * of pods elsewhere.
 */
import type { IdentityTable } from './identity-table.ts';
import { CLUSTER, formatLabel, LabelSet } from '../rule/labels.ts';
import type { PolicyOptions } from '../rule/options.ts';
import { cidrLabel } from '../rule/peer.ts';
import { type PrefixDescription, PrefixTable } from './prefix-table.ts';
import { PrefixTree } from '../rule/prefix-tree.ts';
import {
  IDENTITY_HOST,
  IDENTITY_KUBE_APISERVER,
  IDENTITY_REMOTE_NODE,
  IDENTITY_WORLD,
  IDENTITY_WORLD_IPV4,
  IDENTITY_WORLD_IPV6,
} from '../../wire/identities.ts';
import { parsePrefix, type Prefix } from '../../wire/prefix.ts';

const ADDRESS_BITS = 128;

interface KnownPrefix {
  readonly identity: number;
  readonly prefix: Prefix;
  /** Whether the identity was acquired for the prefix (reserved ones and pods' are not). */
  readonly isOwned: boolean;
}

export interface IpcacheChanges {
  readonly upsert: { prefix: string; identity: number }[];
  readonly remove: string[];
}

export class AddressBook {
  readonly prefixes: PrefixTable;
  readonly #known = new Map<string, KnownPrefix>();
  /** Of what is known what is no single address: those are found by their text. */
  readonly #tree = new PrefixTree<KnownPrefix>();
  readonly #pods = new Map<string, KnownPrefix>();
  /** Labels that each address of the local host brings. */
  readonly #hostLabels = new Map<string, readonly string[]>();
  #upserts = new Map<string, number>();
  #removals = new Set<string>();

  readonly #identities: IdentityTable;
  readonly #options: PolicyOptions;

  constructor(identities: IdentityTable, options: PolicyOptions) {
    this.#identities = identities;
    this.#options = options;
    const modes = options['policy-cidr-match-mode'];
    this.prefixes = new PrefixTable({ nodes: modes.includes('nodes'), pods: modes.includes('pods') });
    for (const [text, identity] of [
      ['0.0.0.0/0', IDENTITY_WORLD_IPV4],
      ['::/0', IDENTITY_WORLD_IPV6],
    ] as const) {
      const prefix = parsePrefix(text);
      if (options['dual-stack']) this.prefixes.use(prefix, { nodes: false, pods: false });
      // Without dual stack the outside is `world`, though a policy may tell the families apart.
      else identities.relabel(identity, new LabelSet([this.#worldLabel(prefix), cidrLabel(prefix)]));
    }
  }

  /** @param identity undefined = no pod has the address any more */
  setPod(address: Prefix, identity: number | undefined): void {
    if (identity === undefined) this.#pods.delete(address.text);
    else this.#pods.set(address.text, { identity, prefix: address, isOwned: false });
    this.#resolve(address.text);
  }

  /**
   * Gives every prefix that changed its identity.
   * @throws RangeError when there are none left: those that got none are tried again the next time
   */
  refresh(): void {
    let failure: unknown;
    for (const text of this.prefixes.takeDirty()) {
      try {
        this.#resolve(text);
      } catch (error) {
        failure = error;
        this.prefixes.touch(text);
      }
    }
    if (failure !== undefined) throw failure as RangeError;
  }

  #resolve(text: string): void {
    const before = this.#known.get(text);
    const after = this.#identify(text);
    if (before?.identity === IDENTITY_HOST && after?.identity !== IDENTITY_HOST) this.#labelHost(text, undefined);
    if (after === undefined) this.#forget(text, before);
    else if (before?.identity !== after.identity) this.#learn(text, after);
    // Acquired again for the same number: the older hold is given back in any case.
    if (before?.isOwned) this.#identities.release(before.identity);
    if (after === undefined) return;
    this.#known.set(text, after);
    if (!isHost(after.prefix)) this.#tree.set(after.prefix, after);
  }

  #learn(text: string, { identity }: KnownPrefix): void {
    this.#upserts.set(text, identity);
    this.#removals.delete(text);
  }

  #forget(text: string, before: KnownPrefix | undefined): void {
    if (before === undefined) return;
    this.#known.delete(text);
    if (!isHost(before.prefix)) this.#tree.delete(before.prefix);
    this.#upserts.delete(text);
    this.#removals.add(text);
  }

  #identify(text: string): KnownPrefix | undefined {
    const pod = this.#pods.get(text);
    const description = this.prefixes.describe(text);
    if (pod !== undefined && description?.node?.isLocal !== true) return pod;
    if (description === undefined) return undefined;
    const { prefix } = description;
    if (description.node !== undefined) return this.#identifyNode(description, description.node);
    const { labels, isApiServer } = description;
    const isWorldItself = prefix.length === 0 && labels.length === 1 && labels[0] === cidrLabel(prefix);
    if (isWorldItself && !isApiServer) {
      return { identity: prefix.family === 4 ? IDENTITY_WORLD_IPV4 : IDENTITY_WORLD_IPV6, prefix, isOwned: false };
    }
    const all = [...labels, this.#worldLabel(prefix)];
    if (isApiServer) all.push('reserved:kube-apiserver');
    return { identity: this.#identities.acquire(new LabelSet(all), 'local'), prefix, isOwned: true };
  }

  #worldLabel({ family }: Prefix): string {
    return this.#options['dual-stack'] ? `reserved:world-ipv${family}` : 'reserved:world';
  }

  #identifyNode(description: PrefixDescription, node: { isLocal: boolean; labels: readonly string[] }): KnownPrefix {
    const { prefix, nodeLabels, isApiServer } = description;
    const all = [node.isLocal ? 'reserved:host' : 'reserved:remote-node', ...nodeLabels];
    if (isApiServer) all.push('reserved:kube-apiserver');
    if (this.#options['enable-node-selector-labels']) {
      all.push(...node.labels, formatLabel('k8s', CLUSTER, this.#options['cluster-name']));
    }
    if (node.isLocal) {
      this.#labelHost(prefix.text, all);
      return { identity: IDENTITY_HOST, prefix, isOwned: false };
    }
    const isPlain = all.length === 1;
    const isPlainApiServer = all.length === 2 && isApiServer;
    if (isPlain || isPlainApiServer)
      return { identity: isPlain ? IDENTITY_REMOTE_NODE : IDENTITY_KUBE_APISERVER, prefix, isOwned: false };
    return { identity: this.#identities.acquire(new LabelSet(all), 'remote-node'), prefix, isOwned: true };
  }

  /** The host is one identity, with the labels of all its addresses. */
  #labelHost(text: string, labels: readonly string[] | undefined): void {
    if (labels === undefined) this.#hostLabels.delete(text);
    else this.#hostLabels.set(text, labels);
    this.#identities.relabel(IDENTITY_HOST, new LabelSet(['reserved:host', ...[...this.#hostLabels.values()].flat()]));
  }

  /** The identity of an address, by longest prefix; world when nothing is known. */
  lookup(address: string): number {
    const prefix = parsePrefix(address, 'host');
    const known = this.#known.get(prefix.text) ?? this.#tree.around(prefix).at(-1);
    return known?.identity ?? IDENTITY_WORLD;
  }

  *entries(): Iterable<{ prefix: string; identity: number }> {
    for (const [prefix, { identity }] of this.#known) yield { prefix, identity };
  }

  takeChanges(): IpcacheChanges {
    const changes = {
      upsert: [...this.#upserts].map(([prefix, identity]) => ({ prefix, identity })),
      remove: [...this.#removals],
    };
    this.#upserts = new Map();
    this.#removals = new Set();
    return changes;
  }
}

function isHost({ bits }: Prefix): boolean {
  return bits === ADDRESS_BITS;
}
