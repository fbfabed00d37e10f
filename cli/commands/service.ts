/** `sluice service list|get` */
import type { Command } from 'commander';
import type { Host } from '../terminal/host.ts';
import { example } from '../terminal/help.ts';
import { settingsOf, withGlobals, withOutput } from '../terminal/settings.ts';

export function define(command: Command, host: Host): void {
  command.description('Shows what services lead to, out of the pinned maps: it works when both daemons are dead.');
  const list = command
    .command('list')
    .summary('List frontends and backends')
    .description('Lists what clients address, and the backends behind it.');
  withGlobals(withOutput(list));
  example(list, 'sluice service list', "sluice service list -o jsonpath='{.[*].frontend}'");
  list.action(async () => {
    const { listServices } = await import('../maps/bpf-service.ts');
    await listServices(settingsOf(list, host));
  });

  const one = command.command('get').summary('Show one frontend').description('Shows a frontend and its backends.');
  one.argument('<frontend>', 'ID of the frontend, as `sluice service list` has it');
  withGlobals(withOutput(one));
  example(one, 'sluice service get 3');
  one.action(async (id: string) => {
    const { showService } = await import('../maps/bpf-service.ts');
    await showService(settingsOf(one, host), id);
  });
  example(command, 'sluice service list', 'sluice service get 3');
}
