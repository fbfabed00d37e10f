/** `sluice map list` */
import type { Command } from 'commander';
import type { Host } from '../terminal/host.ts';
import { example } from '../terminal/help.ts';
import { settingsOf, withGlobals, withOutput } from '../terminal/settings.ts';

export function define(command: Command, host: Host): void {
  const list = command.command('list').summary('List the pinned maps');
  list.description('Lists the pinned maps with how full they are, from their headers.');
  withGlobals(withOutput(list, 'wide', 'name'));
  example(list, 'sluice map list', 'sluice map list -o wide');
  list.action(async () => {
    const { listMaps } = await import('../maps/map-list.ts');
    await listMaps(settingsOf(list, host));
  });
  example(command, 'sluice map list');
}
