/**
 * What the compiler decided, into the pinned maps, in an order in which no reader meets a reference to something that is
 * not there yet:
 *
 *     identities on disk -> rule sets put -> policies -> ipcache -> ways out -> (endpoints, ports) -> rule sets removed -> world
 *
 * An address that gets another identity is in nobody's gap: entries of an identity that goes stay until the ipcache has the new
 * one. The world generation is raised last and once: from then on the dataplane decides anew. What does not fit (a full map)
 * is a problem of the endpoint it belongs to, which is closed: its policy becomes empty. Rule sets and prefixes that did
 * not fit are tried again with every publication; streams whose rules are missing are refused. Addresses whose prefix is
 * missing have the identity of the next wider one, so endpoints that they would pass by that are closed (missing-prefixes.ts).
 */
import type { Changes, EndpointChange } from '../../policy/cluster.ts';
import type { L7RuleSet } from '../../policy-maps/l7-rules.ts';
import type { MapFullError } from '../../policy-maps/table/map-error.ts';
import { parsePrefix, prefixOf } from '../../wire/prefix.ts';
import { CONFIG_WORLD_IDENTITY } from '../../policy-maps/config-map.ts';
import type { PolicyEntry } from '../../policy-maps/policy-entry.ts';
import { IDENTITY_WORLD } from '../../wire/identities.ts';
import { EgressPublisher } from './egress-publisher.ts';
import { missingPrefixes, passedBy } from './missing-prefixes.ts';
import type { PinnedMaps } from './pinned-maps.ts';
import { RuleSetIds } from './rule-set-ids.ts';

/** Keys of problems that are no single endpoint's. */
const PROBLEM_RULES = -1;
const PROBLEM_IPCACHE = -2;
const NOBODY: ReadonlySet<number> = new Set();

/** Problems by endpoint id; below 0 for those of no single endpoint. */
export type PublishProblems = Map<number, string>;

/** What holds decisions of before a publication, and lets go of them before it counts. */
export interface DecisionCache {
  /** Nothing of it is in force any more. @throws Error when it may be */
  shut(): void;
  /** It may be filled again, by what is decided from now on. */
  open(): void;
}

const NO_CACHE: DecisionCache = { shut: () => undefined, open: () => undefined };

export class Publisher {
  readonly egress: EgressPublisher;
  readonly #maps: PinnedMaps;
  readonly #wake: () => void;
  readonly #cache: DecisionCache;
  readonly #ruleSets: RuleSetIds;
  /** What found its map full: tried again with every publication. */
  readonly #unplacedRuleSets = new Map<number, L7RuleSet>();
  readonly #unplacedPrefixes = new Map<string, number>();
  /** Endpoints that have been published. */
  readonly #endpoints = new Set<number>();
  /** Those that are closed because their policy did not fit. */
  readonly #unfit = new Set<number>();
  /** Entries of those that are closed because a prefix is missing. */
  readonly #withheld = new Map<number, readonly PolicyEntry[]>();
  /** Publications so far: the policy revision that people see. */
  revision = 1;
  /** What could not be published, until it can. */
  readonly problems: PublishProblems = new Map();

  /** @param wake tells the dataplane to look */
  constructor(maps: PinnedMaps, wake: () => void, cache: DecisionCache = NO_CACHE) {
    this.#cache = cache;
    this.egress = new EgressPublisher(maps);
    this.#maps = maps;
    this.#wake = wake;
    this.#ruleSets = new RuleSetIds([...maps.l7Rules.entries()].map(({ id }) => id));
  }

  /** What could not be published, one sentence each. */
  sentences(): string[] {
    const all = [...this.problems].map(([id, text]) => {
      if (id < 0) return text;
      return this.isClosed(id) ? `endpoint ${id} is closed: ${text}` : `endpoint ${id} has no policy on trial: ${text}`;
    });
    return this.egress.problem === '' ? all : [...all, this.egress.problem];
  }

  /** Whether nothing passes an endpoint, because what its policy says could not be published. */
  isClosed(endpoint: number): boolean {
    return this.#unfit.has(endpoint) || this.#withheld.has(endpoint);
  }

  /** Publishes all but endpoints' addresses and ports; call `commit` when those are in place too. */
  publish(changes: Changes): void {
    this.#publishRuleSets(changes.ruleSets);
    const leaving = changes.ipcache.upsert.length === 0 ? NOBODY : new Set(changes.identities.removed);
    const extended = [...changes.endpoints].filter(([id, change]) => this.#publishEndpoint(id, change, leaving));
    this.#publishIpcache(changes.ipcache);
    for (const [id, change] of extended) this.#publishEndpoint(id, change, NOBODY);
    this.#guardPrefixes();
    this.egress.publish(changes.egress);
    for (const id of changes.removedEndpoints) this.removeEndpoint(id);
    for (const id of changes.ruleSets.remove) {
      const pinned = this.#ruleSets.unpin(id);
      if (pinned !== undefined) this.#maps.l7Rules.remove(pinned);
    }
  }

  /**
   * Takes away what an earlier agent published and this one has not: call it once, when everything has been published.
   * @param endpoints ids that have a policy now @param prefixes that are in the ipcache now
   */
  retire(endpoints: ReadonlySet<number>, prefixes: ReadonlySet<string>): void {
    this.egress.retire();
    for (const id of this.#ruleSets.retire()) this.#maps.l7Rules.remove(id);
    for (const id of this.#maps.pinnedPolicies()) if (!endpoints.has(id)) this.removeEndpoint(id);
    const stale = [...this.#maps.ipcache.entries()].filter((entry) => !prefixes.has(prefixKey(entry)));
    for (const { address, prefixLength } of stale) this.#maps.ipcache.remove(address, prefixLength);
  }

  /** Takes away what an endpoint's ports were judged by. */
  removeEndpoint(id: number): void {
    this.#maps.removePolicy(id);
    this.#maps.removePolicy(id, true);
    this.problems.delete(id);
    this.#endpoints.delete(id);
    this.#unfit.delete(id);
    this.#withheld.delete(id);
  }

  /** Makes everything published so far count. */
  commit(): void {
    try {
      this.#cache.shut();
    } finally {
      this.revision++;
      this.#maps.config.bumpWorldGeneration();
      this.#wake();
    }
    this.#cache.open();
  }

  #publishRuleSets({ put, remove }: Changes['ruleSets']): void {
    for (const [id, ruleSet] of put) this.#unplacedRuleSets.set(id, ruleSet);
    for (const id of remove) this.#unplacedRuleSets.delete(id);
    for (const [id, ruleSet] of this.#unplacedRuleSets) {
      const place = () => this.#maps.l7Rules.put(this.#ruleSets.pin(id), ruleSet);
      // Entries that name it find no rules, and the dataplane refuses what they are for.
      if (this.#try(PROBLEM_RULES, place)) this.#unplacedRuleSets.delete(id);
    }
    if (this.#unplacedRuleSets.size === 0) this.problems.delete(PROBLEM_RULES);
  }

  #publishIpcache({ upsert, remove }: Changes['ipcache']): void {
    for (const prefix of remove) {
      const { words, bits } = parsePrefix(prefix, 'host');
      this.#maps.ipcache.remove(words, bits);
      this.#unplacedPrefixes.delete(prefix);
    }
    for (const { prefix, identity } of upsert) this.#unplacedPrefixes.set(prefix, identity);
    for (const [prefix, identity] of this.#unplacedPrefixes) {
      const { words, bits } = parsePrefix(prefix, 'host');
      const place = () => this.#maps.ipcache.upsert(words, bits, { identity });
      if (this.#try(PROBLEM_IPCACHE, place)) this.#unplacedPrefixes.delete(prefix);
    }
    if (this.#unplacedPrefixes.size === 0) this.problems.delete(PROBLEM_IPCACHE);
  }

  /** Closes the endpoints that a missing prefix would let strangers into (or out of), and opens them when none does. */
  #guardPrefixes(): void {
    const { ipcache, config } = this.#maps;
    const world = config.words[CONFIG_WORLD_IDENTITY] || IDENTITY_WORLD;
    const missing = missingPrefixes(ipcache, this.#unplacedPrefixes, world);
    if (missing.length === 0 && this.#withheld.size === 0) return;
    for (const id of this.#endpoints) {
      const policy = this.#maps.policy(id);
      const withheld = this.#withheld.get(id);
      const entries = withheld ?? policy.entries();
      const cause = passedBy(entries, missing);
      if (cause !== undefined) {
        this.problems.set(id, `its policy tells ${cause.prefix} from what is around it, and the ipcache is full`);
        if (withheld === undefined) policy.publish([]);
        this.#withheld.set(id, entries);
      } else if (withheld !== undefined) {
        this.problems.delete(id);
        policy.publish(withheld);
        this.#withheld.delete(id);
      }
    }
  }

  /**
   * @param leaving identities that go with these changes: their addresses have them until the ipcache is written, so that what
   * is said of them must hold until then
   * @returns whether anything was, so that the policy must be published again without it
   */
  #publishEndpoint(id: number, change: EndpointChange, leaving: ReadonlySet<number>): boolean {
    this.problems.delete(id);
    this.#endpoints.add(id);
    this.#withheld.delete(id);
    const policy = this.#maps.policy(id);
    const entries = this.#ruleSets.translate(change.entries);
    const before = leaving.size === 0 ? [] : policy.entries();
    const kept = before.filter(({ identity }) => leaving.has(identity));
    const isExtended = kept.length > 0 && this.#try(id, () => policy.publish([...entries, ...kept]));
    if (isExtended) return true;
    this.problems.delete(id);
    if (this.#try(id, () => policy.publish(entries))) this.#unfit.delete(id);
    else this.#close(id);
    this.#publishTrial(id, change.shadow);
    return false;
  }

  /** The dataplane opens the file of a trial when it looks at its ports: it is told that one has begun, or ended. */
  #publishTrial(id: number, shadow: readonly PolicyEntry[] | undefined): void {
    const wasTried = this.#maps.hasTrial(id);
    if (shadow === undefined) this.#maps.removePolicy(id, true);
    else this.#try(id, () => this.#maps.policy(id, true).publish(this.#ruleSets.translate(shadow)));
    if (wasTried !== (shadow !== undefined)) this.#maps.ports.touch();
  }

  #close(id: number): void {
    this.#unfit.add(id);
    this.#maps.policy(id).publish([]);
  }

  #try(endpoint: number, write: () => void): boolean {
    try {
      write();
      return true;
    } catch (error) {
      const isExpected = (error as MapFullError).code === 'ERR_MAP_FULL' || error instanceof RangeError;
      if (!isExpected) throw error;
      this.problems.set(endpoint, (error as Error).message);
      return false;
    }
  }
}

/** A prefix of the ipcache as the text it was published under. */
function prefixKey({ address, prefixLength }: { address: ArrayLike<number>; prefixLength: number }): string {
  return prefixOf(address, prefixLength).text;
}
