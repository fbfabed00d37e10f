/** `sluice endpoint list|get` */
import type { Command } from 'commander';
import type { Host } from '../terminal/host.ts';
import { example } from '../terminal/help.ts';
import { settingsOf, withGlobals, withOutput } from '../terminal/settings.ts';

export function define(command: Command, host: Host): void {
  const list = command
    .command('list')
    .summary('List the endpoints')
    .description('Lists the endpoints of this machine.');
  withGlobals(withOutput(list, 'wide', 'name'));
  example(list, 'sluice endpoint list', "sluice endpoint list -o jsonpath='{.[*].id}'");
  list.action(async () => {
    const { listEndpoints } = await import('../ask/endpoint-view.ts');
    await listEndpoints(settingsOf(list, host));
  });

  const one = command.command('get').summary('Show one endpoint').description('Shows all about one endpoint, as JSON.');
  one.argument('<endpoint>', 'id of the endpoint, or namespace/name of its pod');
  withGlobals(withOutput(one));
  example(one, 'sluice endpoint get 7', "sluice endpoint get shop/web-0 -o jsonpath='{.identity}'");
  one.action(async (reference: string) => {
    const { showEndpoint } = await import('../ask/endpoint-view.ts');
    await showEndpoint(settingsOf(one, host), reference);
  });
  example(command, 'sluice endpoint list', 'sluice endpoint get 7');
}
