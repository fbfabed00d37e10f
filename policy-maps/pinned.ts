/**
 * THE catalogue of pinned map files: what is in the folder of an instance's maps, who writes it, and by which name every
 * program has it. Agent, dataplane and CLI read this; none of them spells a file name.
 */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { ConditionMap } from './condition-map.ts';
import { ConfigMap } from './config-map.ts';
import { ConntrackMap, CT_ANY_CAPACITY } from './conntrack-map.ts';
import { CountersMap } from './counters-map.ts';
import { DnsEventRing } from './dns-events.ts';
import { EndpointMap } from './endpoint-map.ts';
import { DropCountMap } from './drop-count-map.ts';
import { DROP_EVENT_CAPACITY, EventRing, L7EventRing } from './event-ring.ts';
import { FqdnMap } from './fqdn-map.ts';
import { FragmentMap } from './fragment-map.ts';
import { Ipcache } from './ipcache.ts';
import { L7RuleMap } from './l7-rule-map.ts';
import { L7StateMap } from './l7-state-map.ts';
import { MetricsMap } from './metrics-map.ts';
import { OfferMap } from './offer-map.ts';
import { OffloadMap } from './offload-map.ts';
import { PolicyMap } from './policy-map.ts';
import { PolicyStatsMap } from './policy-stats-map.ts';
import { PortMap } from './port-map.ts';
import { RECORDING_FILE, RecordingMap } from './recording-map.ts';
import { AddressFilter } from './service/address-filter.ts';
import { AffinityMap } from './service/affinity-map.ts';
import { BackendMap } from './service/backend-map.ts';
import { EgressMap } from './service/egress-map.ts';
import { L2Map } from './service/l2-map.ts';
import { NatMap } from './service/nat-map.ts';
import { ReverseNatMap } from './service/reverse-nat-map.ts';
import { ServiceMap } from './service/service-map.ts';
import { SlotMap } from './service/slot-map.ts';
import { SourceRangeMap } from './service/source-range-map.ts';
import type { CreateOptions, Mapper } from './table/map-file.ts';
import type { MapClass, PinnedMap } from './table/pinned-map.ts';

interface MapDoor<M> {
  create(path: string, options: CreateOptions, mapper: Mapper): M;
  open(path: string, mapper: Mapper, options?: { writable?: boolean }): M;
}

/** One pinned file. */
export interface PinnedFile<M> {
  readonly file: string;
  readonly map: MapClass<M> & MapDoor<M>;
  /** Who holds the pen; both: each its own words. */
  readonly writer: 'agent' | 'dataplane' | 'both';
  /** Option of `maps` in sluice.yaml that says how many entries it has; without one the class says. */
  readonly capacityOption?: string;
  /** Entries when that option is not given, and it is not what the class says. */
  readonly capacity?: number;
  /** Entries are counted; the others have all their rows from the start. */
  readonly isCounted: boolean;
  readonly meaning: string;
}

/** By the name that a map has in every program. */
export const PINNED = {
  config: {
    file: 'runtime_config',
    map: ConfigMap,
    writer: 'both',
    isCounted: false,
    meaning: 'Settings one way, signs of life the other.',
  },
  ipcache: {
    file: 'ipcache',
    map: Ipcache,
    writer: 'agent',
    capacityOption: 'bpf-ipcache-map-max',
    isCounted: true,
    meaning: 'Which identity an address has.',
  },
  endpoints: {
    file: 'endpoints',
    map: EndpointMap,
    writer: 'agent',
    capacityOption: 'bpf-endpoints-map-max',
    isCounted: true,
    meaning: 'Which port leads to a local address.',
  },
  ports: {
    file: 'ports',
    map: PortMap,
    writer: 'agent',
    isCounted: false,
    meaning: 'What the dataplane is to open.',
  },
  conditions: {
    file: 'port_conditions',
    map: ConditionMap,
    writer: 'agent',
    isCounted: false,
    meaning: 'Faults that ports make on purpose, and whether their frames are told.',
  },
  l7Rules: {
    file: 'l7_rules',
    map: L7RuleMap,
    writer: 'agent',
    capacityOption: 'bpf-l7-rules-map-max',
    isCounted: true,
    meaning: 'The rule sets that policy entries name.',
  },
  fqdn: {
    file: 'fqdn',
    map: FqdnMap,
    writer: 'agent',
    capacityOption: 'bpf-fqdn-map-max',
    isCounted: true,
    meaning: 'Which addresses of which names policies speak of already.',
  },
  addressFilter: {
    file: 'lb_addresses',
    map: AddressFilter,
    writer: 'agent',
    isCounted: true,
    meaning: 'Destinations that may have to be translated.',
  },
  services: {
    file: 'lb_services',
    map: ServiceMap,
    writer: 'agent',
    capacityOption: 'bpf-lb-service-map-max',
    isCounted: true,
    meaning: 'What is behind an address and port of a service.',
  },
  slots: {
    file: 'lb_slots',
    map: SlotMap,
    writer: 'agent',
    capacityOption: 'bpf-lb-maglev-map-max',
    isCounted: true,
    meaning: 'The backends of each service, as they are chosen from.',
  },
  backends: {
    file: 'lb_backends',
    map: BackendMap,
    writer: 'agent',
    capacityOption: 'bpf-lb-service-backend-map-max',
    isCounted: true,
    meaning: 'Address, port and state of each backend.',
  },
  reverseNat: {
    file: 'lb_reverse_nat',
    map: ReverseNatMap,
    writer: 'agent',
    capacityOption: 'bpf-lb-rev-nat-map-max',
    isCounted: true,
    meaning: 'Whom the clients of a service believe to talk to.',
  },
  sourceRanges: {
    file: 'lb_source_range',
    map: SourceRangeMap,
    writer: 'agent',
    capacityOption: 'bpf-lb-source-range-map-max',
    isCounted: true,
    meaning: 'Which clients a service is for.',
  },
  affinity: {
    file: 'lb_affinity',
    map: AffinityMap,
    writer: 'dataplane',
    capacityOption: 'bpf-lb-affinity-map-max',
    isCounted: true,
    meaning: 'Which backend a client had last.',
  },
  egress: {
    file: 'egress_gw_policy',
    map: EgressMap,
    writer: 'agent',
    capacityOption: 'egress-gateway-policy-map-max',
    isCounted: true,
    meaning: 'With which address a pod leaves to whom.',
  },
  l2: {
    file: 'l2_responder',
    map: L2Map,
    writer: 'agent',
    isCounted: true,
    meaning: 'Addresses that this machine answers for on its links.',
  },
  nat: {
    file: 'nat',
    map: NatMap,
    writer: 'dataplane',
    capacityOption: 'bpf-nat-global-max',
    isCounted: true,
    meaning: 'Where frames to a translated address really go.',
  },
  ctTcp: {
    file: 'ct_tcp',
    map: ConntrackMap,
    writer: 'dataplane',
    capacityOption: 'bpf-ct-global-tcp-max',
    isCounted: true,
    meaning: 'TCP connections.',
  },
  ctAny: {
    file: 'ct_any',
    map: ConntrackMap,
    writer: 'dataplane',
    capacityOption: 'bpf-ct-global-any-max',
    capacity: CT_ANY_CAPACITY,
    isCounted: true,
    meaning: 'Connections of all other protocols.',
  },
  fragments: {
    file: 'frag',
    map: FragmentMap,
    writer: 'dataplane',
    capacityOption: 'bpf-fragments-map-max',
    isCounted: true,
    meaning: 'Which ports the fragments of a datagram have.',
  },
  metrics: {
    file: 'metrics',
    map: MetricsMap,
    writer: 'dataplane',
    isCounted: false,
    meaning: 'Frames and bytes by what became of them.',
  },
  counters: {
    file: 'counters',
    map: CountersMap,
    writer: 'dataplane',
    isCounted: false,
    meaning: 'What else the dataplane counts, and the frames of each port.',
  },
  policyStats: {
    file: 'policystats',
    map: PolicyStatsMap,
    writer: 'dataplane',
    capacityOption: 'bpf-policy-stats-map-max',
    isCounted: true,
    meaning: 'Packets and bytes by policy entry.',
  },
  l7State: {
    file: 'l7_state',
    map: L7StateMap,
    writer: 'dataplane',
    capacityOption: 'bpf-l7-state-map-max',
    isCounted: true,
    meaning: 'What L7 parsers must know after a restart.',
  },
  events: {
    file: 'events',
    map: EventRing,
    writer: 'dataplane',
    capacityOption: 'bpf-events-map-max',
    isCounted: false,
    meaning: 'The last events but drops and access-log records.',
  },
  dropEvents: {
    file: 'events_drop',
    map: EventRing,
    writer: 'dataplane',
    capacityOption: 'bpf-drop-events-map-max',
    capacity: DROP_EVENT_CAPACITY,
    isCounted: false,
    meaning: 'The last drops.',
  },
  dropCounts: {
    file: 'drop_counts',
    map: DropCountMap,
    writer: 'dataplane',
    capacityOption: 'bpf-drop-counts-map-max',
    isCounted: false,
    meaning: 'Drops that were too many to be told one by one, by reason, ends and policy.',
  },
  l7Events: {
    file: 'events_l7',
    map: L7EventRing,
    writer: 'dataplane',
    capacityOption: 'bpf-l7-events-map-max',
    isCounted: false,
    meaning: 'The last requests and responses under L7 rules.',
  },
  dnsEvents: {
    file: 'events_dns',
    map: DnsEventRing,
    writer: 'dataplane',
    isCounted: false,
    meaning: 'What DNS answers taught, until the agent has acknowledged it.',
  },
  offload: {
    file: 'offload_flows',
    map: OffloadMap,
    writer: 'agent',
    capacityOption: 'bpf-offload-map-max',
    isCounted: true,
    meaning: 'Connections that the kernel forwards by itself.',
  },
  offers: {
    file: 'offload_offers',
    map: OfferMap,
    writer: 'dataplane',
    isCounted: false,
    meaning: 'Connections that are settled, for the agent to hand to the kernel.',
  },
} as const satisfies Record<string, PinnedFile<PinnedMap>>;

export type PinnedName = keyof typeof PINNED;

/** All maps of an instance but the policies, open. */
export type Maps = { readonly [Name in PinnedName]: InstanceType<(typeof PINNED)[Name]['map']> };

/** The policy of one endpoint: one file for each. */
export const PINNED_POLICY: PinnedFile<PolicyMap> = {
  file: 'policy_<endpoint>',
  map: PolicyMap,
  writer: 'agent',
  capacityOption: 'bpf-policy-map-max',
  isCounted: true,
  meaning: 'What an endpoint may talk to.',
};

/** The recording of frames under way: there only while somebody records. */
export const PINNED_RECORDING: PinnedFile<RecordingMap> = {
  file: RECORDING_FILE,
  map: RecordingMap,
  writer: 'both',
  isCounted: false,
  meaning: 'Whole frames that somebody records now.',
};

/** File of an endpoint's policy, or of the policy that it is being tried on. */
export function policyFile(endpoint: number, isTrial = false): string {
  return `policy_${endpoint}${isTrial ? '_trial' : ''}`;
}

/** The endpoint whose policy a file holds; undefined for trials and other files. */
export function endpointOfPolicy(file: string): number | undefined {
  const id = /^policy_(\d+)$/.exec(file)?.[1];
  return id === undefined ? undefined : Number(id);
}

/** Ids of the endpoints that have a policy file, ascending. */
export function pinnedPolicies(directory: string): number[] {
  const ids = readdirSync(directory).map(endpointOfPolicy);
  return ids.filter((id) => id !== undefined).sort((a, b) => a - b);
}

/** What a file of the folder is; undefined when it is none of ours. */
export function pinnedFileOf(file: string): PinnedFile<PinnedMap> | undefined {
  if (/^policy_\d+(_trial)?$/.test(file)) return PINNED_POLICY;
  if (file === PINNED_RECORDING.file) return PINNED_RECORDING;
  return Object.values<PinnedFile<PinnedMap>>(PINNED).find((pinned) => pinned.file === file);
}

/** Makes or opens every map. @param open how one of them comes to be */
export function eachMap(open: (pinned: PinnedFile<PinnedMap>) => PinnedMap): Maps {
  const names = Object.keys(PINNED) as PinnedName[];
  return Object.fromEntries(names.map((name) => [name, open(PINNED[name])])) as unknown as Maps;
}

/**
 * Opens every map as one of its users.
 * @throws {MapError} naming the file that cannot be used
 */
export function openPinnedMaps(directory: string, mapper: Mapper, as: 'agent' | 'dataplane'): Maps {
  return eachMap(({ file, map, writer }) =>
    map.open(join(directory, file), mapper, { writable: writer === as || writer === 'both' }),
  );
}

/** Lays down the pens of all maps. */
export function closePinnedMaps(maps: Maps): void {
  for (const map of Object.values(maps)) map.close();
}

/** The event rings, by the number that the uuid of a flow has of its ring. */
export const EVENT_RINGS = ['events', 'dropEvents', 'l7Events'] as const satisfies readonly PinnedName[];
