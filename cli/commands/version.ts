/** `sluice version` */
import type { Command } from 'commander';
import type { Host } from '../terminal/host.ts';
import { printDocument } from '../terminal/output.ts';
import { example } from '../terminal/help.ts';
import { settingsOf, withOutput } from '../terminal/settings.ts';
import { VERSION } from '../../linux/version.ts';

export function define(command: Command, host: Host): void {
  example(withOutput(command), 'sluice version', 'sluice version -o json');
  command.action(async () => {
    const settings = settingsOf(command, host);
    if (settings.output === 'table') host.stdout.write(`sluice ${VERSION} (node ${process.version})\n`);
    else await printDocument(settings, { version: VERSION, node: process.version });
  });
}
