/** Names and addresses that pods learnt from DNS, as `sluice fqdn` shows them. */
import { DaemonApi } from '../../api/daemon-api.ts';
import type { FqdnCacheDocument, FqdnSelectorDocument } from '../../api/shapes.ts';
import { counted } from '../terminal/counted.ts';
import { Failure } from '../terminal/failure.ts';
import { printListing } from '../terminal/output.ts';
import type { Settings } from '../terminal/settings.ts';
import type { Column } from '../terminal/table.ts';

/** In the order of cilium-dbg. */
const LOOKUPS: readonly Column<FqdnCacheDocument>[] = [
  { header: 'Endpoint', cell: (one) => one['endpoint-id'] },
  { header: 'Source', cell: (one) => one.source },
  { header: 'FQDN', cell: (one) => one.fqdn },
  { header: 'TTL', cell: (one) => one.ttl },
  { header: 'ExpirationTime', cell: (one) => one['expiration-time'] },
  { header: 'IPs', cell: (one) => one.ips.join(',') },
];

const SELECTORS: readonly Column<FqdnSelectorDocument>[] = [
  { header: 'SELECTOR', cell: (one) => one.selector },
  { header: 'NAMES', cell: (one) => one.names.join('\n') },
  { header: 'IPs', cell: (one) => one.ips.join('\n') },
];

export interface LookupFilter {
  readonly endpoint?: number;
  readonly matchpattern?: string;
  readonly source?: string;
}

export async function listLookups(settings: Settings, { endpoint, matchpattern, source }: LookupFilter): Promise<void> {
  const found = await new DaemonApi(settings).fqdnCache({ endpoint, pattern: matchpattern, source });
  const rows = [...found].sort((a, b) => a['endpoint-id'] - b['endpoint-id'] || a.fqdn.localeCompare(b.fqdn));
  await printListing(settings, { columns: LOOKUPS, rows });
}

/** @throws Failure when all would go and nobody said so */
export async function cleanLookups(
  settings: Settings,
  { matchpattern, force }: { matchpattern?: string; force?: boolean },
): Promise<void> {
  if (matchpattern === undefined && force !== true)
    throw new Failure('clean names: found no --matchpattern, wanted one, or --force to forget all of them');
  const { removed } = await new DaemonApi(settings).cleanFqdnCache(matchpattern);
  settings.host.stdout.write(`${counted(removed, 'lookup')} forgotten\n`);
}

export async function listSelectors(settings: Settings): Promise<void> {
  const rows = await new DaemonApi(settings).fqdnNames();
  await printListing(settings, { columns: SELECTORS, rows });
}
