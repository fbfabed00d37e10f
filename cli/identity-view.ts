/** Security identities as `sluice identity` shows them. */
import { DaemonApi, type IdentityView } from './daemon-api.ts';
import { printListing } from './output.ts';
import type { Settings } from './settings.ts';
import type { Column } from './table.ts';

const COLUMNS: readonly Column<IdentityView>[] = [
  { header: 'ID', cell: (one) => one.id },
  { header: 'LABELS', cell: (one) => one.labels.join('\n') },
];

export async function listIdentities(settings: Settings): Promise<void> {
  const rows = [...(await new DaemonApi(settings).identities())].sort((a, b) => a.id - b.id);
  await printListing(settings, { columns: COLUMNS, rows, nameOf: (one) => `identity/${one.id}` });
}

export async function showIdentity(settings: Settings, id: string): Promise<void> {
  const identity = await new DaemonApi(settings).identity(id);
  await printListing(settings, { columns: COLUMNS, rows: [identity], document: identity });
}
