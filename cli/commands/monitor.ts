/** `sluice monitor` */
import { type Command, Option } from 'commander';
import { commaList, integerBetween } from '../terminal/argument.ts';
import { EXIT, Failure } from '../terminal/failure.ts';
import type { Host } from '../terminal/host.ts';
import type { MonitorFlags } from '../maps/monitor.ts';
import { example } from '../terminal/help.ts';
import { settingsOf, withGlobals } from '../terminal/settings.ts';

const endpoint = (text: string, earlier: readonly number[] = []): number[] => [
  ...earlier,
  ...text.split(',').map(integerBetween(0, 65535)),
];

export function define(command: Command, host: Host): void {
  const types = new Option('-t, --type <types>', 'types, with commas; repeatable').argParser(commaList);
  types.argChoices = ['drop', 'trace', 'policy-verdict', 'l7'];
  command
    .description(
      'Shows what the dataplane records as it happens, from the pinned event rings: the agent is not asked, and need not run.',
    )
    .addOption(types)
    .option('--from <endpoint>', 'only from these endpoints (ids)', endpoint)
    .option('--to <endpoint>', 'only to these endpoints', endpoint)
    .option('--related-to <endpoint>', 'only from or to these endpoints', endpoint)
    .option('-v, --verbose', 'several lines an event, with the packet taken apart')
    .option('--hex', 'with -v: the captured bytes in hexadecimal')
    .option('-j, --json', 'one line of JSON an event')
    .option('-n, --numeric', 'reserved identities as numbers')
    .option('--oldest', 'begin with what the rings still hold')
    .option('--once', 'with --oldest: end when that is shown');
  withGlobals(command);
  example(command, 'sluice monitor -t drop', 'sluice monitor --related-to 7 -v', 'sluice monitor --oldest --once -j');
  command.action(async (flags: MonitorFlags) => {
    const { monitor } = await import('../maps/monitor.ts');
    const { untilInterrupted } = await import('../terminal/interrupt.ts');
    if (flags.once === true && flags.oldest !== true)
      throw new Failure('monitor: --once shows what the rings hold: give --oldest too', EXIT.USAGE);
    await untilInterrupted((signal) => monitor(settingsOf(command, host), flags, signal));
  });
}
