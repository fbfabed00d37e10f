/** `sluice bpf ...`: the pinned maps, read without asking the daemons. */
import { Argument, type Command } from 'commander';
import type { BalancerFlags } from '../maps/bpf-service.ts';
import { EXIT, Failure } from '../terminal/failure.ts';
import type { Host } from '../terminal/host.ts';
import { example } from '../terminal/help.ts';
import { type Settings, settingsOf, withGlobals, withOutput } from '../terminal/settings.ts';

export function define(command: Command, host: Host): void {
  command.description('Reads the pinned maps of the dataplane itself, so that it works when both daemons are dead.');
  definePolicy(group(command, 'policy', 'Policy maps of endpoints'), host);
  defineConntrack(group(command, 'ct', 'Connections'), host);
  defineIpcache(group(command, 'ipcache', 'Which identity an address has'), host);
  defineList(group(command, 'endpoint', 'Addresses of local endpoints'), host, 'endpoints', 'listEndpointMap');
  defineList(
    group(command, 'metrics', 'Packets by what became of them, and what else is counted'),
    host,
    'the counters',
    'listMetrics',
  );
  defineList(group(command, 'frag', 'Datagrams whose fragments are under way'), host, 'the datagrams', 'listFragments');
  defineBalancer(group(command, 'lb', 'Services: frontends, backends, reverse NAT'), host);
  defineNat(group(command, 'nat', 'Translated connections'), host);
  defineList(
    group(command, 'egress', 'Egress gateway policies'),
    host,
    'what egress gateway policies say of each pod',
    'listEgress',
  );
  example(command, 'sluice bpf policy get 7', 'sluice bpf ct list', 'sluice bpf ipcache get 10.244.0.5');
}

/** The id that a text means, found without the daemons. */
async function pinnedEndpoint(settings: Settings, text: string): Promise<number> {
  return (await import('../maps/pinned-endpoint.ts')).pinnedEndpoint(settings, text);
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
  print: 'listEndpointMap' | 'listMetrics' | 'listFragments' | 'listIpcache' | 'listEgress',
): void {
  const list = parent.command('list').summary(`List ${what}`).description(`Lists ${what}.`);
  withGlobals(withOutput(list));
  example(list, `sluice bpf ${parent.name()} list`, `sluice bpf ${parent.name()} list -o json`);
  list.action(async () => {
    const tables = await import('../maps/bpf-tables.ts');
    await tables[print](settingsOf(list, host));
  });
}

function definePolicy(parent: Command, host: Host): void {
  const one = parent.command('get').summary('Show the policy map of an endpoint');
  one
    .description(
      "Shows the entries of an endpoint's policy map, with the packets and bytes that each has judged, and the rules behind it when the agent runs.",
    )
    .argument('[endpoint]', 'id of the endpoint, or namespace/name of its pod')
    .option('--all', 'every endpoint')
    .option('-n, --numeric', 'identities as numbers');
  withGlobals(withOutput(one));
  example(one, 'sluice bpf policy get 7', 'sluice bpf policy get shop/web-0', 'sluice bpf policy get --all -n');
  one.action(async (text: string | undefined, flags: { all?: boolean; numeric?: boolean }) => {
    if ((text === undefined) !== (flags.all === true)) {
      throw new Failure('bpf policy get: wanted an endpoint (id or namespace/name), or --all', EXIT.USAGE);
    }
    const settings = settingsOf(one, host);
    const endpoint = text === undefined ? undefined : await pinnedEndpoint(settings, text);
    const { showPolicyMaps } = await import('../maps/bpf-policy.ts');
    const { loadIdentityNames } = await import('../maps/identity-names.ts');
    const { loadCookieOrigins } = await import('../maps/cookie-origins.ts');
    const identities = flags.numeric === true ? undefined : await loadIdentityNames(settings);
    await showPolicyMaps(settings, endpoint, { identities, origins: await loadCookieOrigins(settings) });
  });
}

function defineConntrack(parent: Command, host: Host): void {
  const list = parent.command('list').summary('List connections');
  list
    .description('Lists the connections that are tracked, one a line.')
    .addArgument(
      new Argument('[scope]', 'global (the default): all; tcp; any: all but TCP; endpoint: those of one').choices([
        'global',
        'tcp',
        'any',
        'endpoint',
      ]),
    )
    .argument('[endpoint]', 'with endpoint: its id, or namespace/name of its pod')
    .option('-d, --time-diff', 'add the seconds that each entry has to live')
    .option('--expired', 'also entries whose time is over');
  withGlobals(withOutput(list));
  example(list, 'sluice bpf ct list', 'sluice bpf ct list any -d', 'sluice bpf ct list endpoint shop/web-0');
  list.action(
    async (scope: string | undefined, text: string | undefined, flags: { timeDiff?: boolean; expired?: boolean }) => {
      if ((scope === 'endpoint') !== (text !== undefined)) {
        throw new Failure('bpf ct list: wanted `endpoint` with an id, or another scope without', EXIT.USAGE);
      }
      const settings = settingsOf(list, host);
      const { listConntrack } = await import('../maps/bpf-conntrack.ts');
      await listConntrack(settings, {
        table: scope === 'tcp' || scope === 'any' ? scope : 'global',
        endpoint: text === undefined ? undefined : await pinnedEndpoint(settings, text),
        showRemaining: flags.timeDiff === true,
        showExpired: flags.expired === true,
      });
    },
  );
}

function defineBalancer(parent: Command, host: Host): void {
  const list = parent.command('list').summary('List services as the dataplane has them');
  list
    .description('Lists frontends (slot 0) and the backends of each.')
    .option('--frontends', 'only frontends')
    .option('--backends', 'all backends by their ids')
    .option('--revnat', 'what clients of each frontend believe to talk to')
    .option('--source-ranges', 'which clients each frontend is for');
  withGlobals(withOutput(list));
  example(list, 'sluice bpf lb list', 'sluice bpf lb list --backends', 'sluice bpf lb list -o json');
  list.action(async (flags: BalancerFlags) => {
    const { listBalancer } = await import('../maps/bpf-service.ts');
    const { frontends, backends, revnat, sourceRanges } = flags;
    await listBalancer(settingsOf(list, host), { frontends, backends, revnat, sourceRanges });
  });
}

function defineNat(parent: Command, host: Host): void {
  const list = parent.command('list').summary('List translated connections');
  list.description('Lists the tuples that are translated as they come in, one a line, and where they go.');
  withGlobals(withOutput(list));
  example(list, 'sluice bpf nat list', 'sluice bpf nat list -o json');
  list.action(async () => {
    const { listNat } = await import('../maps/bpf-service.ts');
    await listNat(settingsOf(list, host));
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
    const { showIpcache } = await import('../maps/bpf-tables.ts');
    await showIpcache(settingsOf(one, host), address);
  });
}
