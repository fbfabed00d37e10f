/** `sluice status` */
import { type Command, Option } from 'commander';
import { EXIT } from '../terminal/failure.ts';
import type { Host } from '../terminal/host.ts';
import { example } from '../terminal/help.ts';
import { settingsOf, withGlobals, withOutput } from '../terminal/settings.ts';

export function define(command: Command, host: Host): void {
  command
    .description('Shows the health of the agent, dataplane and ports. Ends with 1 when something is wrong.')
    .addOption(new Option('--format <look>', 'the lines of an agent of Cilium').choices(['cilium']))
    .option('--brief', 'one line: OK, or what is wrong')
    .option('--wait', 'wait for the agent and its dataplane, as long as --timeout')
    .option('--verbose', 'also how full the maps are, and where and how pods are attached');
  withGlobals(withOutput(command));
  example(
    command,
    'sluice status',
    'sluice status --wait --timeout 30s',
    'sluice status --brief || systemctl restart sluiced',
    "sluice status --format cilium | grep 'Cluster health'",
  );
  command.action(async (flags: { brief?: boolean; format?: 'cilium'; verbose?: boolean; wait?: boolean }) => {
    const settings = settingsOf(command, host);
    const { printStatus } = await import('../ask/status.ts');
    if (!(await printStatus(settings, flags))) host.exitCode = EXIT.FAILED;
  });
}
