/** `sluice policy ...` */
import { type Command, Option } from 'commander';
import { repeatable } from '../terminal/argument.ts';
import { EXIT, Failure } from '../terminal/failure.ts';
import type { Host } from '../terminal/host.ts';
import type { MatrixOptions } from '../../explain/matrix/matrix.ts';
import type { FlowFlags, WorldFlags } from '../policy/verdict-command.ts';
import type { TestFlags } from '../policy/test-command.ts';
import type { ValidateOptions } from '../policy/validate.ts';
import type { PolicyWorld } from '../../explain/world.ts';
import { example } from '../terminal/help.ts';
import { settingsOf, withGlobals, withOutput } from '../terminal/settings.ts';
import { defineGenerate, defineReplay } from './policy-flows.ts';

export function define(command: Command, host: Host): void {
  defineGet(command.command('get').summary('Show the policies in force'), host);
  defineValidate(command.command('validate').summary('Check manifests, offline'), host);
  defineVerdict(command.command('verdict').summary('Judge flows'), host);
  defineExplain(command.command('explain').summary('Say why a flow is allowed or denied'), host);
  defineTest(command.command('test').summary('Run policy test files, offline'), host);
  defineSelectors(command.command('selectors').summary('Show what selectors mean'), host);
  defineMapState(command.command('mapstate').summary('Show the map entries of a pod'), host);
  defineMatrix(command.command('matrix').summary('Show who can reach whom'), host);
  defineGenerate(command.command('generate').summary('Make policies out of recorded flows'), host);
  defineReplay(command.command('replay').summary('Judge recorded flows by policies'), host);
  example(command, 'sluice policy validate policies/', 'sluice policy matrix -m shop/', 'sluice policy get');
}

function defineGet(command: Command, host: Host): void {
  command.description('Shows the policies that the daemon enforces.').argument('[name]', 'only policies of this name');
  withGlobals(withOutput(command, 'name'));
  example(command, 'sluice policy get', 'sluice policy get allow-web -o json');
  command.action(async (name: string | undefined) => {
    const { showPolicies } = await import('../ask/policy-view.ts');
    await showPolicies(settingsOf(command, host), name);
  });
}

interface VerdictFlags {
  readonly queries?: string;
  readonly expect?: 'allowed' | 'denied';
}

/** Options of every offline command that choose how policies are read. */
export function withPolicyConfig(command: Command): Command {
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
  command.action(async (paths: string[], flags: ValidateOptions) => {
    const { validate } = await import('../policy/validate.ts');
    if (!(await validate(settingsOf(command, host), paths, flags))) host.exitCode = EXIT.FAILED;
  });
}

/** Options that name the manifests that a command judges by. */
export function withManifests(command: Command): Command {
  const meaning = 'files and folders of pods, namespaces and policies; default: what the running agent has';
  return command
    .option('-m, --manifests <path...>', meaning, repeatable)
    .option('--skip-invalid', 'judge without the documents that are invalid; end with 1');
}

/** Options that describe one flow. */
function withFlow(command: Command): Command {
  return command
    .optionsGroup('Flow:')
    .option(
      '--from <end>',
      'namespace/pod, address, entity (world, host...), labels a=b,c=d, or of another namespace ns/a=b',
    )
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
    .option('--queries <file>', 'answer each line of JSON with a line of JSON; - for standard input')
    .addOption(
      new Option('--expect <verdict>', 'end with 1 when the verdict is another').choices(['allowed', 'denied']),
    );
  withFlow(withPolicyConfig(withManifests(command)));
  withGlobals(withOutput(command));
  example(
    command,
    'sluice policy verdict -m shop/ --from shop/web-0 --to shop/api-0 --port 80 --http-path /admin',
    'sluice policy verdict -m shop/ --from world --to shop/db-0 --port 5432 --expect denied',
    'sluice policy verdict -m shop/ --queries flows.jsonl',
    'sluice policy verdict --from shop/web-0 --to shop/api-0 --port 80',
  );
  command.action(async (flags: WorldFlags & FlowFlags & VerdictFlags) => {
    const settings = settingsOf(command, host);
    const { FlowJudge } = await import('../../explain/verdict.ts');
    const { answerQueries, printVerdict, queryOf } = await import('../policy/verdict-command.ts');
    const { queries, expect } = flags;
    const query = queries === undefined ? queryOf(flags) : undefined;
    const judge = new FlowJudge(await worldOf(command, host, flags));
    if (query === undefined) await answerQueries(settings, judge, queries ?? '-', expect);
    else await printVerdict(settings, judge, query, expect);
  });
}

function defineExplain(command: Command, host: Host): void {
  command
    .description(
      'Shows every map entry that could decide a flow, which did and why, and what would let a denied flow pass.',
    )
    .option('--flow <file>', 'a recorded flow (sluice observe -o json); - for standard input');
  withFlow(withPolicyConfig(withManifests(command)));
  withGlobals(withOutput(command));
  example(
    command,
    'sluice policy explain -m shop/ --from shop/web-0 --to shop/api-0 --port 80',
    'sluice observe --last 1 --verdict DROPPED -o json | sluice policy explain --flow -',
  );
  command.action(async (flags: WorldFlags & FlowFlags & { flow?: string }) => {
    const settings = settingsOf(command, host);
    const { explain } = await import('../policy/explain.ts');
    const { FlowJudge } = await import('../../explain/verdict.ts');
    const { queryOf } = await import('../policy/verdict-command.ts');
    const { queryOfFlow, readFlow } = await import('../policy/flow-query.ts');
    const asked = flags.flow === undefined ? queryOf(flags) : undefined;
    const flow = flags.flow === undefined ? undefined : await readFlow(host, flags.flow);
    const world = await worldOf(command, host, flags);
    const query = flow === undefined ? asked : queryOfFlow(flow, world);
    if (query !== undefined) await explain(settings, new FlowJudge(world), query);
  });
}

function defineTest(command: Command, host: Host): void {
  command
    .description(
      'Runs test files: a world, policies and a table of flows with the verdicts wanted. Prints TAP, and which rules decided ' +
        'no case. Ends with 1 when a case fails.',
    )
    .argument('<path...>', 'test files, or folders of *.test.yaml')
    .option('--junit <file>', 'also write JUnit XML')
    .option('--coverage', 'a rule that decides no case is a failure');
  withPolicyConfig(command);
  withGlobals(withOutput(command, 'tap', 'junit'));
  example(command, 'sluice policy test policies/', 'sluice policy test shop.test.yaml --junit report.xml --coverage');
  command.action(async (paths: string[], flags: TestFlags) => {
    const { runTests } = await import('../policy/test-command.ts');
    if (!(await runTests(settingsOf(command, host), paths, flags))) host.exitCode = EXIT.FAILED;
  });
}

function defineSelectors(command: Command, host: Host): void {
  command.description('Shows each selector of the policies, with the identities and pods that it selects.');
  withPolicyConfig(withManifests(command));
  withGlobals(withOutput(command, 'wide'));
  example(command, 'sluice policy selectors', 'sluice policy selectors -m shop/ -o wide');
  command.action(async (flags: WorldFlags) => {
    const { showSelectors } = await import('../policy/selectors.ts');
    await showSelectors(settingsOf(command, host), await worldOf(command, host, flags));
  });
}

function defineMapState(command: Command, host: Host): void {
  command
    .description('Shows the entries that the policy map of a pod holds, and the rules behind each.')
    .argument('<pod>', 'namespace/name');
  withPolicyConfig(withManifests(command));
  withGlobals(withOutput(command, 'wide'));
  example(command, 'sluice policy mapstate shop/api-0 -m shop/', 'sluice policy mapstate shop/api-0');
  command.action(async (pod: string, flags: WorldFlags) => {
    const { showMapState } = await import('../policy/mapstate.ts');
    await showMapState(settingsOf(command, host), await worldOf(command, host, flags), pod);
  });
}

function defineMatrix(command: Command, host: Host): void {
  command
    .description(
      'Shows who can reach whom: allow, l7 (as far as the request is allowed), deny, or mixed (pods of a group differ).',
    )
    .option(
      '--from <end...>',
      'only these rows: namespace/name of a pod or workload, labels (app=web), entity, address',
      repeatable,
    )
    .option('--to <end...>', 'only these columns, named alike', repeatable)
    .option('--by <group>', 'pod, workload or identity; default: pod, or workload when there are more than 16 pods')
    .option(
      '--port <port...>',
      'ports such as 80 or 53/UDP; default: the container ports of each pod, else those that rules name',
      repeatable,
    )
    .option('-n, --namespace <namespace>', 'only pods of this namespace')
    .option('--entity <name...>', 'entities to add (default world)', repeatable);
  withPolicyConfig(withManifests(command));
  withGlobals(withOutput(command, 'csv', 'html'));
  example(
    command,
    'sluice policy matrix -m shop/',
    'sluice policy matrix -m shop/ --to shop/db --by identity',
    'sluice policy matrix -m shop/ --port 80 --entity world host -o html > reach.html',
  );
  command.action(async (flags: WorldFlags & MatrixOptions) => {
    const { showMatrix } = await import('../policy/matrix.ts');
    await showMatrix(settingsOf(command, host), await worldOf(command, host, flags), flags);
  });
}

/** The world of a command's --manifests; without any, that of the running agent. */
export async function worldOf(command: Command, host: Host, flags: WorldFlags): Promise<PolicyWorld> {
  const settings = settingsOf(command, host);
  if (flags.manifests !== undefined) return (await import('../policy/verdict-command.ts')).loadWorld(settings, flags);
  for (const flag of ['config', 'semantics'] as const) {
    if (flags[flag] === undefined) continue;
    const why = 'a running agent has options of its own';
    throw new Failure(`policy ${command.name()}: found --${flag}, wanted --manifests PATH with it: ${why}`, EXIT.USAGE);
  }
  return (await import('../policy/live-world.ts')).liveWorld(settings, command.name());
}
