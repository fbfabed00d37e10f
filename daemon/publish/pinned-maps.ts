/**
 * The pinned maps as the agent holds them: which it writes, which it only reads, and how they come to be.
 *
 * The agent makes all files, so that their sizes follow one configuration. It keeps the pen of what it decides (policy, ipcache,
 * endpoints, ports, L7 rule sets) and lays down the pen of what the dataplane records (conntrack, fragments, counters,
 * events), which it opens for reading. `runtime_config` is written by both, each its own words.
 *
 * A file that is there is used as it is: that is how a restart of either process keeps connections and policy. While no
 * dataplane has the maps open, one whose capacity differs from the configuration is made anew; beside a running
 * dataplane it is left, and reported. A file that is not what its name says is refused, never replaced.
 */
import { existsSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { mapFile } from '../../dataplane/native/index.ts';
import { ConfigMap } from '../../policy-maps/config-map.ts';
import { ConntrackMap } from '../../policy-maps/conntrack-map.ts';
import { EndpointMap } from '../../policy-maps/endpoint-map.ts';
import { EventRing } from '../../policy-maps/event-ring.ts';
import { FragmentMap } from '../../policy-maps/fragment-map.ts';
import { Ipcache } from '../../policy-maps/ipcache.ts';
import { L7RuleMap } from '../../policy-maps/l7-rule-map.ts';
import type { MapFile, Mapper } from '../../policy-maps/table/map-file.ts';
import { MetricsMap } from '../../policy-maps/metrics-map.ts';
import { PolicyMap } from '../../policy-maps/policy-map.ts';
import { PolicyStatsMap } from '../../policy-maps/policy-stats-map.ts';
import { PortMap } from '../../policy-maps/port-map.ts';
import { isAlive, type ProcessId } from '../../linux/process-id.ts';
import { StateFile } from '../../linux/state-file.ts';

/** What every map class offers. */
interface MapClass<T> {
  create(path: string, options: { capacity?: number }, mapper: Mapper): T;
  open(path: string, mapper: Mapper, options?: { writable?: boolean }): T;
}

interface Pinned {
  readonly file: MapFile;
  close(): void;
}

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
export class PinnedMaps {
  readonly directory: string;
  readonly config: ConfigMap;
  readonly ipcache: Ipcache;
  readonly endpoints: EndpointMap;
  readonly ports: PortMap;
  readonly l7Rules: L7RuleMap;
  readonly conntrackTcp: ConntrackMap;
  readonly conntrackAny: ConntrackMap;
  readonly fragments: FragmentMap;
  readonly metrics: MetricsMap;
  readonly policyStats: PolicyStatsMap;
  readonly events: EventRing;
  readonly dropEvents: EventRing;
  /** Files whose capacity is not the configured one, and stays so until the dataplane is restarted. */
  readonly mismatches: string[] = [];
  readonly #options: PinnedMapsOptions;
  readonly #mapper: Mapper;
  readonly #policies = new Map<number | string, PolicyMap>();

  /** @throws MapError naming the file that cannot be used */
  constructor(options: PinnedMapsOptions) {
    this.#options = options;
    this.#mapper = options.mapper ?? mapFile;
    this.directory = options.directory;
    mkdirSync(options.directory, { recursive: true, mode: 0o700 });
    const { capacities } = options;
    this.config = this.#written('runtime_config', ConfigMap);
    this.ipcache = this.#written('ipcache', Ipcache, capacities['bpf-ipcache-map-max']);
    this.endpoints = this.#written('endpoints', EndpointMap, capacities['bpf-endpoints-map-max']);
    this.ports = this.#written('ports', PortMap);
    this.l7Rules = this.#written('l7_rules', L7RuleMap, capacities['bpf-l7-rules-map-max']);
    this.conntrackTcp = this.#read('ct_tcp', ConntrackMap, capacities['bpf-ct-global-tcp-max']);
    this.conntrackAny = this.#read('ct_any', ConntrackMap, capacities['bpf-ct-global-any-max']);
    this.fragments = this.#read('frag', FragmentMap, capacities['bpf-fragments-map-max']);
    this.metrics = this.#read('metrics', MetricsMap);
    this.policyStats = this.#read('policystats', PolicyStatsMap, capacities['bpf-policy-stats-map-max']);
    this.events = this.#read('events', EventRing, capacities['bpf-events-map-max']);
    this.dropEvents = this.#read('events_drop', EventRing, capacities['bpf-events-map-max']);
  }

  /** Ids of the endpoints whose policy is pinned. */
  pinnedPolicies(): number[] {
    const names = readdirSync(this.directory).map((name) => /^policy_(\d+)$/.exec(name)?.[1]);
    return names.filter((id) => id !== undefined).map(Number);
  }

  /**
   * The policy of an endpoint, made empty (which denies everything) when there is none.
   * @param endpoint its id, or `ID_trial` for the policy that it is being tried on
   */
  policy(endpoint: number | string): PolicyMap {
    const open = this.#policies.get(endpoint);
    if (open !== undefined) return open;
    const policy = this.#written(`policy_${endpoint}`, PolicyMap, this.#options.capacities['bpf-policy-map-max']);
    this.#policies.set(endpoint, policy);
    return policy;
  }

  /** Removes the policy of an endpoint that is gone. */
  removePolicy(endpoint: number | string): void {
    this.#policies.get(endpoint)?.close();
    this.#policies.delete(endpoint);
    rmSync(join(this.directory, `policy_${endpoint}`), { force: true });
  }

  /** Every open map by file name, for status. */
  *all(): Generator<[name: string, map: Pinned]> {
    yield ['ipcache', this.ipcache];
    yield ['endpoints', this.endpoints];
    yield ['ports', this.ports];
    yield ['l7_rules', this.l7Rules];
    yield ['ct_tcp', this.conntrackTcp];
    yield ['ct_any', this.conntrackAny];
    yield ['frag', this.fragments];
    yield ['policystats', this.policyStats];
    for (const [endpoint, map] of this.#policies) yield [`policy_${endpoint}`, map];
  }

  /** Lays all pens down. */
  close(): void {
    for (const [, map] of this.all()) map.close();
  }

  /** Lays all pens down and removes the files. */
  remove(): void {
    this.close();
    rmSync(this.directory, { recursive: true, force: true });
  }

  #written<T extends Pinned>(name: string, kind: MapClass<T>, capacity?: number): T {
    const path = join(this.directory, name);
    if (!existsSync(path)) return this.#create(path, kind, capacity);
    const map = kind.open(path, this.#mapper, { writable: true });
    if (capacity === undefined || map.file.capacity === capacity) return map;
    if (this.#options.isInUse) {
      this.mismatches.push(`${name}: found capacity ${map.file.capacity}, configured ${capacity}`);
      return map;
    }
    map.close();
    return this.#create(path, kind, capacity);
  }

  #read<T extends Pinned>(name: string, kind: MapClass<T>, capacity?: number): T {
    const path = join(this.directory, name);
    if (!this.#options.isInUse) this.#written(name, kind, capacity).close();
    const map = kind.open(path, this.#mapper);
    if (capacity !== undefined && map.file.capacity !== capacity) {
      this.mismatches.push(`${name}: found capacity ${map.file.capacity}, configured ${capacity}`);
    }
    return map;
  }

  #create<T extends Pinned>(path: string, kind: MapClass<T>, capacity?: number): T {
    return kind.create(path, capacity === undefined ? {} : { capacity }, this.#mapper);
  }
}

/** Opens the maps of a run directory, minding whether a dataplane that an earlier agent noted still uses them. */
export function openMaps(runDir: string, capacities: Readonly<Record<string, number>>): PinnedMaps {
  const noted = new StateFile<ProcessId | null>(join(runDir, 'state/dataplane.json'), 1).load(null);
  return new PinnedMaps({ directory: join(runDir, 'maps'), capacities, isInUse: noted !== null && isAlive(noted) });
}
