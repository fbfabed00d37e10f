/** Policies in force, as `sluice policy get` shows them. */
import { DaemonApi } from '../../api/daemon-api.ts';
import { Failure } from '../terminal/failure.ts';
import { printListing } from '../terminal/output.ts';
import type { Settings } from '../terminal/settings.ts';

/**
 * @param name only policies of this name; all when undefined
 * @throws Failure when there is none of that name
 */
export async function showPolicies(settings: Settings, name: string | undefined): Promise<void> {
  const all = await new DaemonApi(settings).policies();
  const rows = name === undefined ? all : all.filter((one) => one.name === name);
  if (rows.length === 0 && name !== undefined)
    throw new Failure(`get policy ${name}: not found: see \`sluice policy get\``);
  await printListing(settings, {
    rows,
    nameOf: (one) => `${one.kind}/${one.namespace === '' ? '' : `${one.namespace}/`}${one.name}`,
    columns: [
      { header: 'KIND', cell: (one) => one.kind },
      { header: 'NAMESPACE', cell: (one) => one.namespace },
      { header: 'NAME', cell: (one) => one.name },
      { header: 'FROM', cell: (one) => `${one.file}:${one.line}` },
    ],
  });
}
