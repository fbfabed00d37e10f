/** `sluice daemon` */
import type { Command } from 'commander';
import type { Host } from '../terminal/host.ts';
import { example } from '../terminal/help.ts';

export function define(command: Command, host: Host): void {
  command
    .usage('[flags of sluiced...]')
    .description(
      'Runs the agent (sluiced) in the foreground; with --detach in the background: it returns once the agent serves and its ' +
        'dataplane runs, or with the reason why not and the last lines of its log. Everything after `daemon` is handed to ' +
        'sluiced; see `sluiced --help`.',
    )
    .argument('[flags...]', 'flags of sluiced')
    .helpOption(false)
    .allowUnknownOption()
    .passThroughOptions();
  example(command, 'sluice daemon', 'sluice daemon --detach', 'sluice daemon --config /etc/sluice/sluice.yaml');
  command.action(async (flags: string[]) => {
    const { programPath } = await import('../../linux/programs.ts');
    const { runForeground } = await import('../terminal/foreground.ts');
    host.exitCode = await runForeground([process.execPath, ...process.execArgv, programPath('sluiced'), ...flags]);
  });
}
