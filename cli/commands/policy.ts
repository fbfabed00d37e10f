/** `sluice policy ...` */
import { type Command, Option } from 'commander';
import { repeatable } from '../argument.ts';
import { EXIT, Failure } from '../failure.ts';
import type { Host } from '../host.ts';
import type { FlowFlags, WorldFlags } from '../policy/verdict-command.ts';
import { example } from '../program.ts';
import { settingsOf, withGlobals, withOutput } from '../settings.ts';

export function define(command: Command, host: Host): void {
  defineGet(command.command('get').summary('Show the policies in force'), host);
  defineValidate(command.command('validate').summary('Check manifests, offline'), host);
  defineVerdict(command.command('verdict').summary('Judge flows, offline'), host);
  example(command, 'sluice policy validate policies/', 'sluice policy get');
}

function defineGet(command: Command, host: Host): void {
  command.description('Shows the policies that the daemon enforces.').argument('[name]', 'only policies of this name');
  withGlobals(withOutput(command, 'name'));
  example(command, 'sluice policy get', 'sluice policy get allow-web -o json');
  command.action(async (name: string | undefined) => {
    const { showPolicies } = await import('../policy-view.ts');
    await showPolicies(settingsOf(command, host), name);
  });
}

/** Options of every offline command that choose how policies are read. */
function withPolicyConfig(command: Command): Command {
  return command
    .option('--config <file>', 'policy options: sluice.yaml, a cilium-config ConfigMap, or a map of options')
    .addOption(new Option('--semantics <which>', 'what ipBlock means').choices(['cilium', 'kubernetes']));
}

function defineValidate(command: Command, host: Host): void {
  command
    .description('Checks manifests with every problem of every document at once. Ends with 1 when one is invalid.')
    .argument('<path...>', 'files, folders, or -')
    .option('--strict', 'warnings count as errors')
    .option('--alone', 'look at each document by itself, not at how they act together');
  withPolicyConfig(command);
  withGlobals(withOutput(command, 'github', 'sarif'));
  example(command, 'sluice policy validate policies/ pods.yaml', 'sluice policy validate -o github policies/');
  command.action(async (paths: string[], flags: Record<string, never>) => {
    const { validate } = await import('../policy/validate.ts');
    if (!(await validate(settingsOf(command, host), paths, flags))) host.exitCode = EXIT.FAILED;
  });
}

/** Options that name the manifests of an offline command. */
function withManifests(command: Command): Command {
  return command.option('-m, --manifests <path...>', 'files and folders of pods, namespaces and policies', repeatable);
}

/** Options that describe one flow. */
function withFlow(command: Command): Command {
  return command
    .optionsGroup('Flow:')
    .option('--from <end>', 'namespace/pod, address, entity (world, host...), or labels a=b,c=d')
    .option('--to <end>', 'the same')
    .option('--port <port>', 'destination port, by number or name')
    .option('--protocol <name>', 'TCP (default), UDP, SCTP, ICMP, ICMPv6')
    .option('--icmp-type <type>', 'number or name; default EchoRequest')
    .option('--http-method <method>', 'HTTP method')
    .option('--http-path <path>', 'HTTP path with its query string')
    .option('--http-host <host>', 'HTTP host')
    .option('--header <name=value>', 'HTTP header (repeatable)', repeatable)
    .option('--dns-query <name>', 'DNS name asked for')
    .option('--sni <name>', 'server name of the TLS hello')
    .option('--kafka-api-key <key>', 'Kafka request')
    .option('--kafka-topic <topic>', 'Kafka topic')
    .option('--kafka-client-id <id>', 'Kafka client');
}

function defineVerdict(command: Command, host: Host): void {
  command
    .description('Says what policies do with a flow: in both directions, at both ends, down to the request.')
    .option('--queries <file>', 'answer each line of JSON with a line of JSON; - for standard input');
  withFlow(withPolicyConfig(withManifests(command)));
  withGlobals(withOutput(command));
  example(
    command,
    'sluice policy verdict -m shop/ --from shop/web-0 --to shop/api-0 --port 80 --http-path /admin',
    'sluice policy verdict -m shop/ --queries flows.jsonl',
  );
  command.action(async (flags: WorldFlags & FlowFlags & { queries?: string }) => {
    if (flags.manifests === undefined) throw new Failure('policy verdict: wanted --manifests PATH', EXIT.USAGE);
    const settings = settingsOf(command, host);
    const { FlowJudge } = await import('../policy/verdict.ts');
    const { answerQueries, loadWorld, printVerdict, queryOf } = await import('../policy/verdict-command.ts');
    const query = flags.queries === undefined ? queryOf(flags) : undefined;
    const judge = new FlowJudge(await loadWorld(settings, flags));
    if (query === undefined) await answerQueries(settings, judge, flags.queries ?? '-');
    else await printVerdict(settings, judge, query);
  });
}
