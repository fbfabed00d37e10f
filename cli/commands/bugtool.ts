/** `sluice bugtool` */
import type { Command } from 'commander';
import { counted } from '../terminal/counted.ts';
import { example } from '../terminal/help.ts';
import type { Host } from '../terminal/host.ts';
import { settingsOf, withGlobals } from '../terminal/settings.ts';

export function define(command: Command, host: Host): void {
  command
    .description(
      'Gathers what helps to find a fault into one archive, for its owner alone: status, endpoints, identities, services, objects, ' +
        'configuration, maps, counters, the last flows, ends of logs, versions and our interfaces. Values of secrets, headers, ' +
        'environments and command lines are left out. It works without the agent, and says what it could not get.',
    )
    .option('-o, --output-file <file>', 'a new file; default: sluice-bugtool-INSTANCE-TIME.tar.gz here');
  withGlobals(command);
  example(command, 'sluice bugtool', 'sluice bugtool -o /tmp/report.tar.gz');
  command.action(async (flags: { outputFile?: string }) => {
    const { writeArchive } = await import('../bugtool/bugtool.ts');
    const { path, parts, bytes, missing } = await writeArchive(settingsOf(command, host), flags.outputFile);
    for (const line of missing) host.stderr.write(`could not get ${line}\n`);
    host.stdout.write(`${path}: ${counted(parts, 'file')}, ${Math.ceil(bytes / 1024)} KiB\n`);
  });
}
