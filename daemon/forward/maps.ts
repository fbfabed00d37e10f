/** The pinned maps as the dataplane holds them: it writes conntrack, fragments, counters and events, and reads the rest. */
import { join } from 'node:path';
import type { EngineMaps } from '../../dataplane/assemble.ts';
import { mapFile } from '../../dataplane/native/index.ts';
import { ConfigMap } from '../../policy-maps/config-map.ts';
import { ConntrackMap } from '../../policy-maps/conntrack-map.ts';
import { EndpointMap } from '../../policy-maps/endpoint-map.ts';
import { EventRing } from '../../policy-maps/event-ring.ts';
import { FragmentMap } from '../../policy-maps/fragment-map.ts';
import { Ipcache } from '../../policy-maps/ipcache.ts';
import { L7RuleMap } from '../../policy-maps/l7-rule-map.ts';
import { MetricsMap } from '../../policy-maps/metrics-map.ts';
import { PolicyStatsMap } from '../../policy-maps/policy-stats-map.ts';
import { PortMap } from '../../policy-maps/port-map.ts';

export interface ForwardingMaps extends EngineMaps {
  readonly ports: PortMap;
  readonly l7Rules: L7RuleMap;
}

const WRITER = { writable: true };

/** @throws MapError naming the file that cannot be used */
export function openForwardingMaps(directory: string): ForwardingMaps {
  const at = (name: string): string => join(directory, name);
  return {
    config: ConfigMap.open(at('runtime_config'), mapFile, WRITER),
    endpoints: EndpointMap.open(at('endpoints'), mapFile),
    ipcache: Ipcache.open(at('ipcache'), mapFile),
    ports: PortMap.open(at('ports'), mapFile),
    l7Rules: L7RuleMap.open(at('l7_rules'), mapFile),
    ctTcp: ConntrackMap.open(at('ct_tcp'), mapFile, WRITER),
    ctAny: ConntrackMap.open(at('ct_any'), mapFile, WRITER),
    fragments: FragmentMap.open(at('frag'), mapFile, WRITER),
    metrics: MetricsMap.open(at('metrics'), mapFile, WRITER),
    stats: PolicyStatsMap.open(at('policystats'), mapFile, WRITER),
    events: EventRing.open(at('events'), mapFile, WRITER),
    drops: EventRing.open(at('events_drop'), mapFile, WRITER),
  };
}

/** Lays down the pens of the maps that the dataplane writes. */
export function closeForwardingMaps(maps: ForwardingMaps): void {
  for (const map of [maps.ctTcp, maps.ctAny, maps.fragments, maps.metrics, maps.stats, maps.events, maps.drops]) {
    map.close();
  }
}
