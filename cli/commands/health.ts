/** `sluice health` */
import type { Command } from 'commander';
import { EXIT } from '../terminal/failure.ts';
import { example } from '../terminal/help.ts';
import type { Host } from '../terminal/host.ts';
import { settingsOf, withGlobals, withOutput } from '../terminal/settings.ts';

export function define(command: Command, host: Host): void {
  command.description(
    'Shows whether agent, dataplane, name server and observatory run, whether each pod answers pings of the agent, and what is wrong. ' +
      'Ends with 1 when something is, with 3 when no agent answers.',
  );
  withGlobals(withOutput(command));
  example(command, 'sluice health', 'sluice health -o json');
  command.action(async () => {
    const { printHealth } = await import('../ask/health.ts');
    if (!(await printHealth(settingsOf(command, host)))) host.exitCode = EXIT.FAILED;
  });
}
