/** `sluice policy selectors`: which pods and prefixes each selector of the policies means. */
import { printListing } from '../terminal/output.ts';
import type { Settings } from '../terminal/settings.ts';
import { selectorRows } from '../../explain/selectors.ts';
import type { PolicyWorld } from '../../explain/world.ts';

export async function showSelectors(settings: Settings, world: PolicyWorld): Promise<void> {
  await printListing(settings, {
    rows: selectorRows(world),
    columns: [
      { header: 'SELECTOR', cell: (one) => one.selector },
      { header: 'ROLE', cell: (one) => one.role },
      { header: 'USERS', cell: (one) => one.policies.length },
      { header: 'IDENTITIES', cell: (one) => one.identities.join(',') },
      { header: 'PODS', cell: (one) => one.pods.join('\n') },
      { header: 'POLICIES', cell: (one) => one.policies.join('\n'), isWide: true },
    ],
  });
}
