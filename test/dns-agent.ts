/** The maps by which the dataplane tells of DNS answers, and an agent that publishes what they taught when a test says so. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CONFIG_FQDN_ACTIVE, ConfigMap } from '../policy-maps/config-map.ts';
import { type DnsEvent, DnsEventRing } from '../policy-maps/dns-events.ts';
import { FqdnMap } from '../policy-maps/fqdn-map.ts';
import { memoryMapper } from '../policy-maps/table/memory-mapper.ts';
import { Teaching } from '../l7proxy/dns/teaching.ts';

/** @param isActive some policy has toFQDNs */
export function dnsAgent(isActive = true) {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-teaching-'));
  const mapper = memoryMapper();
  const path = (file: string) => join(folder, file);
  const fqdn = FqdnMap.create(path('fqdn'), {}, mapper);
  const ring = DnsEventRing.create(path('events_dns'), {}, mapper);
  const config = ConfigMap.create(path('runtime_config'), {}, mapper);
  config.store(CONFIG_FQDN_ACTIVE, isActive ? 1 : 0);
  rmSync(folder, { recursive: true });
  const maps = { fqdn, events: ring.writer(config), config };
  const teaching = new Teaching(maps);
  const reader = ring.reader(config);
  return {
    maps,
    teaching,
    fqdn,
    config,
    reader,
    /** What the dataplane has told since. */
    told: () => [...reader.read()],
    /** Writes the pairs of answers, and lets these go on. @param endSec monotonic second, of all of them */
    publish: (events: readonly DnsEvent[], endSec = 1_000_000) => {
      for (const { name, addresses, sequence } of events) {
        for (const address of addresses) fqdn.set(fqdn.hashOf(name, name.length), address, endSec);
        reader.publish(sequence);
      }
    },
    /** A dataplane that is started anew. */
    restart: () => new Teaching({ fqdn, events: ring.writer(config), config }),
  };
}
