/** `sluice bpf ...`: the pinned maps, read without asking the daemons. */
import { Argument, type Command } from 'commander';
import { EXIT, Failure } from '../failure.ts';
import type { Host } from '../host.ts';
import { example } from '../program.ts';
import { settingsOf, withGlobals, withOutput } from '../settings.ts';

export function define(command: Command, host: Host): void {
  command.description('Reads the pinned maps of the dataplane itself, so that it works when both daemons are dead.');
  definePolicy(group(command, 'policy', 'Policy maps of endpoints'), host);
  defineConntrack(group(command, 'ct', 'Connections'), host);
  defineIpcache(group(command, 'ipcache', 'Which identity an address has'), host);
  defineList(group(command, 'endpoint', 'Addresses of local endpoints'), host, 'endpoints', 'listEndpointMap');
  defineList(group(command, 'metrics', 'Forwarded and dropped packets by reason'), host, 'the counters', 'listMetrics');
  defineList(group(command, 'frag', 'Datagrams whose fragments are under way'), host, 'the datagrams', 'listFragments');
  example(command, 'sluice bpf policy get 7', 'sluice bpf ct list', 'sluice bpf ipcache get 10.244.0.5');
}

function group(command: Command, name: string, summary: string): Command {
  const made = command.command(name).summary(summary).description(`${summary}.`);
  return example(made, `sluice bpf ${name} ${name === 'policy' ? 'get 7' : 'list'}`);
}

/** A subcommand `list` that prints one map. */
function defineList(
  parent: Command,
  host: Host,
  what: string,
  print: 'listEndpointMap' | 'listMetrics' | 'listFragments' | 'listIpcache',
): void {
  const list = parent.command('list').summary(`List ${what}`).description(`Lists ${what}.`);
  withGlobals(withOutput(list));
  example(list, `sluice bpf ${parent.name()} list`, `sluice bpf ${parent.name()} list -o json`);
  list.action(async () => {
    const tables = await import('../bpf-tables.ts');
    await tables[print](settingsOf(list, host));
  });
}

function definePolicy(parent: Command, host: Host): void {
  const one = parent.command('get').summary('Show the policy map of an endpoint');
  one
    .description("Shows the entries of an endpoint's policy map, with the packets and bytes that each has judged.")
    .argument('[endpoint]', 'id of the endpoint')
    .option('--all', 'every endpoint')
    .option('-n, --numeric', 'identities as numbers');
  withGlobals(withOutput(one));
  example(one, 'sluice bpf policy get 7', 'sluice bpf policy get --all -n');
  one.action(async (text: string | undefined, flags: { all?: boolean; numeric?: boolean }) => {
    if ((text === undefined) !== (flags.all === true)) {
      throw new Failure('bpf policy get: wanted the id of an endpoint, or --all', EXIT.USAGE);
    }
    if (text !== undefined && !/^\d+$/.test(text)) {
      throw new Failure(`found endpoint '${text}', wanted a number: see \`sluice endpoint list\``, EXIT.USAGE);
    }
    const settings = settingsOf(one, host);
    const { showPolicyMaps } = await import('../bpf-policy.ts');
    const { loadIdentityNames } = await import('../identity-names.ts');
    const names = flags.numeric === true ? undefined : await loadIdentityNames(settings);
    await showPolicyMaps(settings, text === undefined ? undefined : Number(text), names);
  });
}

function defineConntrack(parent: Command, host: Host): void {
  const list = parent.command('list').summary('List connections');
  list
    .description('Lists the connections that are tracked, one a line.')
    .addArgument(
      new Argument('[table]', 'global is TCP, any all other protocols; default: both').choices(['global', 'any']),
    )
    .option('-d, --time-diff', 'add the seconds that each entry has to live')
    .option('--expired', 'also entries whose time is over');
  withGlobals(withOutput(list));
  example(list, 'sluice bpf ct list', 'sluice bpf ct list any -d');
  list.action(async (table: 'global' | 'any' | undefined, flags: { timeDiff?: boolean; expired?: boolean }) => {
    const { listConntrack } = await import('../bpf-conntrack.ts');
    const options = { table, showRemaining: flags.timeDiff === true, showExpired: flags.expired === true };
    await listConntrack(settingsOf(list, host), options);
  });
}

function defineIpcache(parent: Command, host: Host): void {
  defineList(parent, host, 'the prefixes', 'listIpcache');
  const one = parent.command('get').summary('Show which entry holds an address');
  one
    .description('Shows the entry with the longest prefix that holds an address.')
    .argument('<address>', 'IPv4 or IPv6');
  withGlobals(withOutput(one));
  example(one, 'sluice bpf ipcache get 10.244.0.5');
  one.action(async (address: string) => {
    const { showIpcache } = await import('../bpf-tables.ts');
    await showIpcache(settingsOf(one, host), address);
  });
}
