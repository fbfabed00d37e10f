/** Policy maps as `sluice bpf policy get` prints them, with the counters of `policystats` folded in. */
import { EXIT, Failure } from '../terminal/failure.ts';
import { type Origin, originText } from '../../policy/rule/rule.ts';
import type { CookieOrigins } from './cookie-origins.ts';
import type { IdentityNames } from './identity-names.ts';
import { printDocument } from '../terminal/output.ts';
import { PROTOCOL_BITS } from '../../policy-maps/policy-half.ts';
import { portText, type PrintedEntry, printedEntry } from '../../policy-maps/printed-entry.ts';
import { authName } from './packet-names.ts';
import { openPinned, openPolicy, policyMapIds } from './pinned-maps.ts';
import type { Settings } from '../terminal/settings.ts';
import { type Column, renderTable } from '../terminal/table.ts';

interface PolicyRow extends PrintedEntry {
  /** Of the key: 0 any, 8 protocol, 9 to 24 protocol and port prefix. */
  readonly prefixLength: number;
  readonly packets: number;
  readonly bytes: number;
  readonly labels: readonly string[];
  /** The rules behind the cookie; absent when no agent told. */
  readonly origins?: readonly Origin[];
}

/** What a running agent knows of the numbers in the maps. */
export interface PolicyNames {
  /** Labels of identities; undefined to print numbers. */
  readonly identities: IdentityNames | undefined;
  /** Undefined when no agent answers. */
  readonly origins: CookieOrigins | undefined;
}

/**
 * Prints the policy of one endpoint, or of all.
 * @param endpoint its id; undefined for all
 * @throws Failure when the endpoint has no policy map
 */
export async function showPolicyMaps(
  settings: Settings,
  endpoint: number | undefined,
  names: PolicyNames,
): Promise<void> {
  const ids = policyMapIds(settings);
  if (endpoint !== undefined && !ids.includes(endpoint)) {
    const found = ids.length === 0 ? 'none' : ids.join(', ');
    throw new Failure(
      `open policy map of endpoint ${endpoint}: there is none; endpoints with one: ${found}`,
      EXIT.FAILED,
    );
  }
  const wanted = endpoint === undefined ? ids : [endpoint];
  const counters = readCounters(settings);
  const maps = wanted.map((id) => ({ endpoint: id, entries: policyRows(settings, id, counters, names) }));
  if (settings.output !== 'table') return printDocument(settings, endpoint === undefined ? maps : maps[0].entries);
  const columns = policyColumns(settings, names);
  for (const { endpoint: id, entries } of maps) {
    if (endpoint === undefined) settings.host.stdout.write(`Endpoint ID: ${id}\n`);
    settings.host.stdout.write(renderTable(columns, entries, { headers: settings.headers }));
    if (endpoint === undefined) settings.host.stdout.write('\n');
  }
}

type Counters = ReadonlyMap<string, { readonly packets: number; readonly bytes: number }>;

function policyRows(settings: Settings, id: number, counters: Counters, names: PolicyNames): PolicyRow[] {
  const rows = openPolicy(settings, id)
    .entries()
    .map((entry) => {
      const prefixLength = entry.protocol === 0 ? 0 : PROTOCOL_BITS + entry.portPrefix;
      const { packets, bytes } = counters.get(counterKey({ ...entry, endpoint: id, prefixLength })) ?? {
        packets: 0,
        bytes: 0,
      };
      const labels = names.identities?.labels(entry.identity) ?? [];
      const origins = names.origins && { origins: names.origins.get(entry.cookie) ?? [] };
      return { ...printedEntry(entry), prefixLength, packets, bytes, labels, ...origins };
    });
  return rows.sort(
    (a, b) =>
      Number(b.deny) - Number(a.deny) ||
      Number(a.egress) - Number(b.egress) ||
      a.identity - b.identity ||
      a.port - b.port,
  );
}

function readCounters(settings: Settings): Counters {
  try {
    const entries = [...openPinned(settings, 'policyStats').entries()];
    return new Map(entries.map((entry) => [counterKey(entry), entry]));
  } catch (error) {
    // The counters are an addition: without them the policy is still worth showing.
    settings.host.stderr.write(`warning: ${(error as Error).message}\n`);
    return new Map();
  }
}

interface CounterKey {
  readonly endpoint: number;
  readonly egress: boolean;
  readonly prefixLength: number;
  readonly identity: number;
  readonly protocol: number;
  readonly port: number;
}

function counterKey(key: CounterKey): string {
  return [key.endpoint, key.egress, key.prefixLength, key.identity, key.protocol, key.port].join(' ');
}

const ORIGINS: Column<PolicyRow> = {
  header: 'ORIGINS',
  cell: ({ origins = [] }) => origins.map(originText).join('\n'),
};

function policyColumns(settings: Settings, names: PolicyNames): readonly Column<PolicyRow>[] {
  const { paint } = settings;
  return [
    {
      header: 'POLICY',
      cell: (one) => (one.deny ? 'Deny' : 'Allow'),
      paint: (text) => (text === 'Deny' ? paint.red : paint.green),
    },
    { header: 'DIRECTION', cell: (one) => (one.egress ? 'Egress' : 'Ingress') },
    names.identities !== undefined
      ? { header: 'LABELS (source:key[=value])', cell: (one) => one.labels.join('\n') }
      : { header: 'IDENTITY', cell: (one) => one.identity },
    { header: 'PORT/PROTO', cell: (one) => portText(one.protocol, one.port, one.portPrefix) },
    { header: 'PROXY PORT', cell: (one) => (one.proxyPort === 0 ? 'NONE' : one.proxyPort) },
    { header: 'AUTH TYPE', cell: (one) => authName(one.authType) },
    { header: 'BYTES', cell: (one) => one.bytes },
    { header: 'PACKETS', cell: (one) => one.packets },
    { header: 'PREFIX', cell: (one) => one.prefixLength },
    { header: 'COOKIE', cell: (one) => one.cookie },
    ...(names.origins === undefined ? [] : [ORIGINS]),
  ];
}
