/** `sluice policy mapstate`: the entries that a pod's policy map would hold, with the rules behind each. */
import { type PolicyEntry, PRECEDENCE_DENY } from '../../policy-maps/policy-entry.ts';
import { type Origin, originText } from '../../policy/rule/rule.ts';
import { Failure } from '../terminal/failure.ts';
import { printListing } from '../terminal/output.ts';
import { portText, type PrintedEntry, printedEntry } from '../../policy-maps/printed-entry.ts';
import type { Settings } from '../terminal/settings.ts';
import type { Column } from '../terminal/table.ts';
import type { PolicyWorld } from '../../explain/world.ts';
import { reservedName } from '../../wire/identities.ts';

/** @throws Failure when the pod is not in the world */
export async function showMapState(settings: Settings, world: PolicyWorld, reference: string): Promise<void> {
  const pod = world.pod(reference);
  if (pod?.endpoint === undefined) {
    const why =
      pod === undefined ? 'no such pod is known' : 'it lives in the network of its node, without a policy of its own';
    throw new Failure(`show map state of ${reference}: ${why}`);
  }
  await printListing(settings, { rows: rowsOf(world, pod.endpoint.entries), columns: columnsOf(settings) });
}

interface Row extends PrintedEntry {
  readonly priority: number;
  readonly listenerPriority: number;
  readonly labels: readonly string[];
  readonly origins: readonly Origin[];
  /** What the compiler made it for by itself. */
  readonly additions: readonly string[];
}

function rowsOf(world: PolicyWorld, entries: readonly PolicyEntry[]): Row[] {
  const labels = new Map([...world.cluster.identities.entries()].map(({ id, labels }) => [id, labels]));
  return [...entries].sort(compareEntries).map((entry) => ({
    ...printedEntry(entry),
    priority: 0xffffff - (entry.precedence >>> 8),
    listenerPriority: listenerPriority(entry),
    labels: labelsOf(entry.identity, labels),
    origins: world.origins(entry.cookie),
    additions: world.additions(entry.cookie),
  }));
}

function columnsOf({ paint }: Settings): Column<Row>[] {
  return [
    { header: 'DIRECTION', cell: (one) => (one.egress ? 'Egress' : 'Ingress') },
    { header: 'IDENTITY', cell: (one) => one.identity },
    { header: 'LABELS', cell: (one) => one.labels.join('\n'), isWide: true },
    { header: 'PROTO+PORT', cell: (one) => portText(one.protocol, one.port, one.portPrefix) },
    { header: 'PRIORITY', cell: (one) => one.priority },
    { header: 'LISTENERPRIO', cell: (one) => one.listenerPriority },
    {
      header: 'VERDICT',
      cell: (one) => (one.deny ? 'Deny' : one.proxyPort > 0 ? 'Redirect' : 'Allow'),
      paint: (text) => (text === 'Deny' ? paint.red : paint.green),
    },
    { header: 'PROXYPORT', cell: (one) => one.proxyPort },
    { header: 'COOKIE', cell: (one) => one.cookie },
    { header: 'ORIGINS', cell: (one) => [...one.origins.map(originText), ...one.additions].join('\n') },
  ];
}

function compareEntries(a: PolicyEntry, b: PolicyEntry): number {
  return (
    Number(a.egress) - Number(b.egress) || b.precedence - a.precedence || a.identity - b.identity || a.port - b.port
  );
}

/** 1 to 126 for redirects that have one, else 0. */
function listenerPriority({ precedence, ruleSet }: PolicyEntry): number {
  const low = precedence & 0xff;
  return ruleSet > 0 && low > 2 ? PRECEDENCE_DENY - low : 0;
}

function labelsOf(identity: number, labels: ReadonlyMap<number, readonly string[]>): readonly string[] {
  if (identity === 0) return ['ANY'];
  const name = reservedName(identity);
  return labels.get(identity) ?? [name === undefined ? String(identity) : `reserved:${name}`];
}
