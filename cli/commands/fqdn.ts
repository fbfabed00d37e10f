/** `sluice fqdn cache list|clean`, `sluice fqdn names` */
import { type Command, Option } from 'commander';
import type { Host } from '../terminal/host.ts';
import { integerBetween } from '../terminal/argument.ts';
import { example } from '../terminal/help.ts';
import { settingsOf, withGlobals, withOutput } from '../terminal/settings.ts';

const PATTERN = 'only names that match, * for any characters: *.example.com';

export function define(command: Command, host: Host): void {
  command.description('Shows what pods learnt from DNS, for policies with toFQDNs.');
  const cache = command
    .command('cache')
    .summary('Addresses that names were answered with')
    .description('What pods were answered, for how long it counts, and how to forget it.');

  example(cache, 'sluice fqdn cache list', 'sluice fqdn cache clean --force');

  const list = cache
    .command('list')
    .summary('List lookups')
    .description('Lists the names and addresses that pods learnt.');
  list.option('-e, --endpoint <endpoint>', 'only what this endpoint learnt', integerBetween(0, 65535));
  list.option('-p, --matchpattern <pattern>', PATTERN);
  list.addOption(
    new Option(
      '-s, --source <source>',
      'lookup: its TTL runs; connection: it is over, and kept for connections; guarded: an address of the inside, not allowed by toFQDNs',
    ).choices(['lookup', 'connection', 'guarded']),
  );
  withGlobals(withOutput(list));
  example(list, 'sluice fqdn cache list', "sluice fqdn cache list -p '*.example.com' -s connection");
  list.action(async (options: { endpoint?: number; matchpattern?: string; source?: string }) => {
    const { listLookups } = await import('../ask/fqdn-view.ts');
    await listLookups(settingsOf(list, host), options);
  });

  const clean = cache
    .command('clean')
    .summary('Forget lookups')
    .description('Forgets names at once, those that connections need too: their addresses are no longer allowed.');
  clean.option('-p, --matchpattern <pattern>', PATTERN);
  clean.option('-f, --force', 'without a pattern: forget all of them');
  withGlobals(clean);
  example(clean, "sluice fqdn cache clean -p '*.example.com'", 'sluice fqdn cache clean --force');
  clean.action(async (options: { matchpattern?: string; force?: boolean }) => {
    const { cleanLookups } = await import('../ask/fqdn-view.ts');
    await cleanLookups(settingsOf(clean, host), options);
  });

  const names = command
    .command('names')
    .summary('List the names of policies')
    .description('Lists the names and patterns of toFQDNs, with the addresses that they stand for now.');
  withGlobals(withOutput(names));
  example(names, 'sluice fqdn names', 'sluice fqdn names -o json');
  names.action(async () => {
    const { listSelectors } = await import('../ask/fqdn-view.ts');
    await listSelectors(settingsOf(names, host));
  });
  example(command, 'sluice fqdn cache list', 'sluice fqdn names');
}
