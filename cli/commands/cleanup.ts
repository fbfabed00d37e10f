/** `sluice cleanup` */
import type { Command } from 'commander';
import type { Host } from '../terminal/host.ts';
import { example } from '../terminal/help.ts';
import { settingsOf, withGlobals } from '../terminal/settings.ts';

export function define(command: Command, host: Host): void {
  command.description(
    'Removes what an instance left behind that was killed: its rigs, dataplane, interfaces, namespaces, nft table, maps and ' +
      'state. Only what its journal names is touched. An agent that is started again takes all that over instead.',
  );
  withGlobals(command);
  example(command, 'sluice cleanup', 'sluice cleanup --name test');
  command.action(async () => {
    const { cleanUp } = await import('../rig/cleanup.ts');
    const removed = await cleanUp(settingsOf(command, host));
    host.stdout.write(
      removed.length === 0 ? 'nothing to clean up\n' : removed.map((what) => `removed ${what}\n`).join(''),
    );
  });
}
