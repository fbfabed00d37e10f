/** `sluice daemon` */
import type { Command } from 'commander';
import type { Host } from '../terminal/host.ts';
import { example } from '../terminal/help.ts';

export function define(command: Command, host: Host): void {
  command
    .usage('[flags of sluiced...]')
    .description(
      'Runs the agent (sluiced) in the foreground. Everything after `daemon` is handed to it; see `sluiced --help`.',
    )
    .argument('[flags...]', 'flags of sluiced')
    .helpOption(false)
    .allowUnknownOption()
    .passThroughOptions();
  example(command, 'sluice daemon', 'sluice daemon --config /etc/sluice/sluice.yaml');
  command.action(async (flags: string[]) => {
    const { programPath } = await import('../../linux/programs.ts');
    const { runForeground } = await import('../terminal/foreground.ts');
    host.exitCode = await runForeground([process.execPath, ...process.execArgv, programPath('sluiced'), ...flags]);
  });
}
