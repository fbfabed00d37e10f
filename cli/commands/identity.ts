/** `sluice identity list|get` */
import type { Command } from 'commander';
import type { Host } from '../terminal/host.ts';
import { example } from '../terminal/help.ts';
import { settingsOf, withGlobals, withOutput } from '../terminal/settings.ts';

export function define(command: Command, host: Host): void {
  const list = command
    .command('list')
    .summary('List the identities')
    .description('Lists the security identities in use.');
  withGlobals(withOutput(list, 'name'));
  example(list, 'sluice identity list', 'sluice identity list -o json');
  list.action(async () => {
    const { listIdentities } = await import('../ask/identity-view.ts');
    await listIdentities(settingsOf(list, host));
  });

  const one = command.command('get').summary('Show one identity').description('Shows the labels of one identity.');
  one.argument('<identity>', 'number of the identity, or name of a reserved one');
  withGlobals(withOutput(one));
  example(one, 'sluice identity get 4711', 'sluice identity get world');
  one.action(async (id: string) => {
    const { showIdentity } = await import('../ask/identity-view.ts');
    await showIdentity(settingsOf(one, host), id);
  });
  example(command, 'sluice identity list', 'sluice identity get 4711');
}
