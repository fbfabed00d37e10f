/** How full each pinned map is, as `sluice map list` shows it. */
import { statSync } from 'node:fs';
import { ConfigMap } from '../../policy-maps/config-map.ts';
import { ConntrackMap } from '../../policy-maps/conntrack-map.ts';
import { EndpointMap } from '../../policy-maps/endpoint-map.ts';
import { EventRing } from '../../policy-maps/event-ring.ts';
import { FragmentMap } from '../../policy-maps/fragment-map.ts';
import { L7RuleMap } from '../../policy-maps/l7-rule-map.ts';
import { Ipcache } from '../../policy-maps/ipcache.ts';
import type { MapFile } from '../../policy-maps/table/map-file.ts';
import { MetricsMap } from '../../policy-maps/metrics-map.ts';
import { PolicyMap } from '../../policy-maps/policy-map.ts';
import { PolicyStatsMap } from '../../policy-maps/policy-stats-map.ts';
import { PortMap } from '../../policy-maps/port-map.ts';
import { printListing } from '../terminal/output.ts';
import { type MapDoor, mapFolder, mapNames, openPinned, policyMapIds, policyMapName } from './pinned-maps.ts';
import type { Settings } from '../terminal/settings.ts';

const BLOCK_BYTES = 512; // of st_blocks, whatever the file system's own (stat(2))

const DOORS: Readonly<Record<string, MapDoor<{ readonly file: MapFile }>>> = {
  ct_any: ConntrackMap,
  ct_tcp: ConntrackMap,
  endpoints: EndpointMap,
  events: EventRing,
  events_drop: EventRing,
  frag: FragmentMap,
  ipcache: Ipcache,
  l7_rules: L7RuleMap,
  metrics: MetricsMap,
  policystats: PolicyStatsMap,
  ports: PortMap,
  runtime_config: ConfigMap,
};

/** Arrays and rings: all their rows are there from the start. */
const UNCOUNTED = new Set(['events', 'events_drop', 'metrics', 'ports', 'runtime_config']);

export async function listMaps(settings: Settings): Promise<void> {
  const policies = new Set(policyMapIds(settings).map(policyMapName));
  const rows = mapNames(settings).map((name) => {
    const { blocks } = statSync(`${mapFolder(settings)}/${name}`);
    const memoryKb = (blocks * BLOCK_BYTES) / 1024;
    const door = policies.has(name) ? PolicyMap : DOORS[name];
    if (door === undefined) return { name, memoryKb, problem: undefined, counters: undefined };
    try {
      return { name, memoryKb, problem: undefined, counters: openPinned(settings, name, door).file.counters };
    } catch (error) {
      return { name, memoryKb, problem: (error as Error).message, counters: undefined };
    }
  });
  const { paint } = settings;
  await printListing(settings, {
    rows,
    nameOf: ({ name }) => `map/${name}`,
    columns: [
      { header: 'NAME', cell: (one) => one.name },
      { header: 'NUM ENTRIES', cell: (one) => (UNCOUNTED.has(one.name) ? '' : one.counters?.count) },
      { header: 'CAPACITY', cell: (one) => one.counters?.capacity },
      {
        header: 'NUM ERRORS',
        cell: (one) => errorsOf(one.counters),
        paint: (text) => (/^0?$/.test(text) ? undefined : paint.red),
      },
      { header: 'MEMORY KB', cell: (one) => one.memoryKb },
      { header: 'UPDATES', cell: (one) => one.counters?.updates, isWide: true },
      { header: 'REMOVALS', cell: (one) => one.counters?.removals, isWide: true },
      { header: 'FULL', cell: (one) => one.counters?.full, isWide: true },
      { header: 'EVICTIONS', cell: (one) => one.counters?.evictions, isWide: true },
      { header: 'PROBLEM', cell: (one) => one.problem, paint: () => paint.red },
    ],
  });
}

function errorsOf(counters: { full: number; probeFailures: number } | undefined): number | undefined {
  return counters === undefined ? undefined : counters.full + counters.probeFailures;
}
