/** `sluice drops` */
import type { Command } from 'commander';
import type { DropsFlags } from '../ask/drops.ts';
import { example } from '../terminal/help.ts';
import type { Host } from '../terminal/host.ts';
import { settingsOf, withGlobals, withOutput } from '../terminal/settings.ts';

export function define(command: Command, host: Host): void {
  command
    .description(
      'Shows what is dropped, by reason, who was refused what, and the policies behind it: on a terminal as it happens, the busiest ' +
        'first; else, and with --once, what the agent holds.',
    )
    .option('--once', 'print what there is and end')
    .option('--allow', 'with --once: what would let each pass, as `sluice flows explain` has it');
  withGlobals(withOutput(command));
  example(command, 'sluice drops', 'sluice drops --once --allow', 'sluice drops --once -o json');
  command.action(async (flags: DropsFlags) => {
    const { showDrops } = await import('../ask/drops.ts');
    const { untilInterrupted } = await import('../terminal/interrupt.ts');
    await untilInterrupted((signal) => showDrops(settingsOf(command, host), flags, signal));
  });
}
