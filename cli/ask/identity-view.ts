/** Security identities as `sluice identity` shows them. */
import { DaemonApi } from '../../api/daemon-api.ts';
import type { IdentityDocument } from '../../api/shapes.ts';
import { Failure } from '../terminal/failure.ts';
import { printListing } from '../terminal/output.ts';
import type { Settings } from '../terminal/settings.ts';
import type { Column } from '../terminal/table.ts';

const COLUMNS: readonly Column<IdentityDocument>[] = [
  { header: 'ID', cell: (one) => one.id },
  { header: 'LABELS', cell: (one) => one.labels.join('\n') },
];

export async function listIdentities(settings: Settings): Promise<void> {
  const rows = [...(await new DaemonApi(settings).identities())].sort((a, b) => a.id - b.id);
  await printListing(settings, { columns: COLUMNS, rows, nameOf: (one) => `identity/${one.id}` });
}

/**
 * Prints one identity.
 * @param reference its number, or the name of a reserved one such as `world`
 * @throws Failure when there is no such identity
 */
export async function showIdentity(settings: Settings, reference: string): Promise<void> {
  const identities = [...(await new DaemonApi(settings).identities())].sort((a, b) => a.id - b.id);
  const label = `reserved:${reference.replace(/^reserved:/, '')}`;
  const identity = identities.find(({ id, labels }) => String(id) === reference || labels.includes(label));
  if (identity === undefined) {
    throw new Failure(`find identity ${reference}: there is none: see \`sluice identity list\``);
  }
  await printListing(settings, { columns: COLUMNS, rows: [identity], document: identity });
}
