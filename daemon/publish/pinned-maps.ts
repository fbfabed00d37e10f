/**
 * The pinned maps as the agent holds them: which it writes, which it only reads, and how they come to be.
 *
 * The agent makes all files of the catalogue (policy-maps/pinned.ts), so that their sizes follow one configuration. It keeps
 * the pen of what it writes, and lays down the pen of what the dataplane writes, which it opens for reading.
 *
 * A file that is there is used as it is: that is how a restart of either process keeps connections and policy. While no
 * dataplane has the maps open, one whose capacity differs from the configuration is made anew; beside a running
 * dataplane it is left, and reported. A file that is not what its name says is refused, never replaced.
 */
import { existsSync, mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { mapFile } from '../../dataplane/native/index.ts';
import {
  closePinnedMaps,
  eachMap,
  type Maps,
  PINNED,
  PINNED_POLICY,
  type PinnedFile,
  type PinnedName,
  pinnedPolicies,
  policyFile,
} from '../../policy-maps/pinned.ts';
import type { PolicyMap } from '../../policy-maps/policy-map.ts';
import type { Mapper } from '../../policy-maps/table/map-file.ts';
import type { PinnedMap } from '../../policy-maps/table/pinned-map.ts';
import { dataplaneNote } from '../../linux/dataplane-process.ts';
import { isAlive } from '../../linux/process-id.ts';

export interface PinnedMapsOptions {
  /** `<runDir>/maps`. */
  readonly directory: string;
  /** Table capacities by Cilium's option names, see config/schema.ts. */
  readonly capacities: Readonly<Record<string, number>>;
  /** A dataplane runs on these maps: leave all files as they are. */
  readonly isInUse: boolean;
  readonly mapper?: Mapper;
}

/** All maps of one instance, open. */
export class PinnedMaps implements Maps {
  readonly directory: string;
  readonly config: Maps['config'];
  readonly ipcache: Maps['ipcache'];
  readonly endpoints: Maps['endpoints'];
  readonly ports: Maps['ports'];
  readonly conditions: Maps['conditions'];
  readonly l7Rules: Maps['l7Rules'];
  readonly ctTcp: Maps['ctTcp'];
  readonly ctAny: Maps['ctAny'];
  readonly fragments: Maps['fragments'];
  readonly metrics: Maps['metrics'];
  readonly counters: Maps['counters'];
  readonly policyStats: Maps['policyStats'];
  readonly l7State: Maps['l7State'];
  readonly events: Maps['events'];
  readonly addressFilter: Maps['addressFilter'];
  readonly services: Maps['services'];
  readonly slots: Maps['slots'];
  readonly backends: Maps['backends'];
  readonly reverseNat: Maps['reverseNat'];
  readonly sourceRanges: Maps['sourceRanges'];
  readonly affinity: Maps['affinity'];
  readonly nat: Maps['nat'];
  readonly egress: Maps['egress'];
  readonly l2: Maps['l2'];
  readonly dropEvents: Maps['dropEvents'];
  readonly dropCounts: Maps['dropCounts'];
  readonly l7Events: Maps['l7Events'];
  readonly fqdn: Maps['fqdn'];
  readonly dnsEvents: Maps['dnsEvents'];
  readonly offload: Maps['offload'];
  readonly offers: Maps['offers'];
  /** Files whose capacity is not the configured one, and stays so until the dataplane is restarted. */
  readonly mismatches: string[] = [];
  readonly #maps: Maps;
  readonly #options: PinnedMapsOptions;
  readonly #mapper: Mapper;
  readonly #policies = new Map<string, PolicyMap>();

  /** @throws MapError naming the file that cannot be used */
  constructor(options: PinnedMapsOptions) {
    this.#options = options;
    this.#mapper = options.mapper ?? mapFile;
    this.directory = options.directory;
    mkdirSync(options.directory, { recursive: true, mode: 0o700 });
    const maps = eachMap((pinned) => this.#open(pinned));
    this.#maps = maps;
    ({ config: this.config, ipcache: this.ipcache, endpoints: this.endpoints, ports: this.ports } = maps);
    ({ l7Rules: this.l7Rules, l7State: this.l7State, ctTcp: this.ctTcp, ctAny: this.ctAny } = maps);
    ({ fragments: this.fragments, policyStats: this.policyStats, events: this.events } = maps);
    ({ addressFilter: this.addressFilter, services: this.services, slots: this.slots } = maps);
    ({ backends: this.backends, reverseNat: this.reverseNat, sourceRanges: this.sourceRanges } = maps);
    ({ affinity: this.affinity, nat: this.nat, egress: this.egress, l2: this.l2 } = maps);
    ({ fqdn: this.fqdn, dnsEvents: this.dnsEvents, offload: this.offload, offers: this.offers } = maps);
    ({
      metrics: this.metrics,
      counters: this.counters,
      dropEvents: this.dropEvents,
      dropCounts: this.dropCounts,
      l7Events: this.l7Events,
      conditions: this.conditions,
    } = maps);
  }

  /** Ids of the endpoints whose policy is pinned. */
  pinnedPolicies(): number[] {
    return pinnedPolicies(this.directory);
  }

  /**
   * The policy of an endpoint, made empty (which denies everything) when there is none.
   * @param isTrial the policy that it is being tried on
   */
  policy(endpoint: number, isTrial = false): PolicyMap {
    const file = policyFile(endpoint, isTrial);
    const open = this.#policies.get(file);
    if (open !== undefined) return open;
    const policy = this.#written({ ...PINNED_POLICY, file });
    this.#policies.set(file, policy);
    return policy;
  }

  /** Whether this agent has written a policy that an endpoint is tried on. */
  hasTrial(endpoint: number): boolean {
    return this.#policies.has(policyFile(endpoint, true));
  }

  /** Removes the policy of an endpoint that is gone, or is no longer tried. */
  removePolicy(endpoint: number, isTrial = false): void {
    const file = policyFile(endpoint, isTrial);
    this.#policies.get(file)?.close();
    this.#policies.delete(file);
    rmSync(join(this.directory, file), { force: true });
  }

  /** Every open table by file name, for status: those that count their entries, and the ports. */
  *all(): Generator<[file: string, map: PinnedMap]> {
    for (const name of Object.keys(PINNED) as PinnedName[]) {
      if (PINNED[name].isCounted || name === 'ports') yield [PINNED[name].file, this.#maps[name]];
    }
    yield* this.#policies;
  }

  /** Lays all pens down. */
  close(): void {
    closePinnedMaps(this.#maps);
    for (const policy of this.#policies.values()) policy.close();
  }

  /** Lays all pens down and removes the files. */
  remove(): void {
    this.close();
    rmSync(this.directory, { recursive: true, force: true });
  }

  #open<T extends PinnedMap>(pinned: PinnedFile<T>): T {
    return pinned.writer === 'dataplane' ? this.#read(pinned) : this.#written(pinned);
  }

  #written<T extends PinnedMap>(pinned: PinnedFile<T>): T {
    const path = join(this.directory, pinned.file);
    if (!existsSync(path)) return this.#create(pinned);
    const map = pinned.map.open(path, this.#mapper, { writable: true });
    if (this.#isAsConfigured(pinned, map) || this.#options.isInUse) return map;
    map.close();
    return this.#create(pinned);
  }

  /** Made by us all the same; also beside a dataplane that was started before there was such a map. */
  #read<T extends PinnedMap>(pinned: PinnedFile<T>): T {
    const path = join(this.directory, pinned.file);
    if (!this.#options.isInUse || !existsSync(path)) this.#written(pinned).close();
    const map = pinned.map.open(path, this.#mapper);
    this.#isAsConfigured(pinned, map);
    return map;
  }

  #create<T extends PinnedMap>(pinned: PinnedFile<T>): T {
    const capacity = this.#capacityOf(pinned) ?? pinned.map.layout.capacity;
    return pinned.map.create(join(this.directory, pinned.file), { capacity }, this.#mapper);
  }

  #capacityOf({ capacityOption, capacity }: PinnedFile<unknown>): number | undefined {
    return capacityOption === undefined ? capacity : (this.#options.capacities[capacityOption] ?? capacity);
  }

  /** Whether a map is as large as it is to be; of one that is in use, notes that it is not. */
  #isAsConfigured(pinned: PinnedFile<unknown>, { file }: PinnedMap): boolean {
    const capacity = this.#capacityOf(pinned) ?? file.capacity;
    if (file.capacity !== capacity && this.#options.isInUse)
      this.mismatches.push(`${pinned.file}: found capacity ${file.capacity}, configured ${capacity}`);
    return file.capacity === capacity;
  }
}

/** Opens the maps of a run directory, minding whether a dataplane that an earlier agent noted still uses them. */
export function openMaps(runDir: string, capacities: Readonly<Record<string, number>>): PinnedMaps {
  const noted = dataplaneNote(runDir).load(null);
  return new PinnedMaps({ directory: join(runDir, 'maps'), capacities, isInUse: noted !== null && isAlive(noted) });
}
