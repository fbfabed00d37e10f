/** `sluice cookie` */
import type { Command } from 'commander';
import { integerBetween } from '../terminal/argument.ts';
import type { Host } from '../terminal/host.ts';
import { example } from '../terminal/help.ts';
import { settingsOf, withGlobals, withOutput } from '../terminal/settings.ts';

const COOKIE_MAX = 0xffffffff;

export function define(command: Command, host: Host): void {
  command
    .description(
      'Shows the rules behind a cookie, which map entries and events carry: policy, file and line, and the rule as it is written.',
    )
    .argument('<cookie>', 'its number, as in `sluice bpf policy get`', integerBetween(1, COOKIE_MAX));
  withGlobals(withOutput(command, 'name'));
  example(command, 'sluice cookie 12', 'sluice cookie 12 -o json');
  command.action(async (cookie: number) => {
    const { showCookie } = await import('../ask/cookie-view.ts');
    await showCookie(settingsOf(command, host), cookie);
  });
}
