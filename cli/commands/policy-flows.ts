/** `sluice policy replay` and `generate`: policies and recorded flows. */
import { type Command, Option } from 'commander';
import type { GenerateFlags } from '../policy/generate.ts';
import type { ReplayFlags } from '../policy/replay.ts';
import { repeatable } from '../terminal/argument.ts';
import { example } from '../terminal/help.ts';
import type { Host } from '../terminal/host.ts';
import { settingsOf, withGlobals, withOutput } from '../terminal/settings.ts';

/** Options that choose the flows of the running agent. */
function withMoments(command: Command): Command {
  return command
    .option('--since <when>', 'of the agent: flows from then on: 5m, 2026-01-31, RFC 3339')
    .option('--until <when>', 'of the agent: flows up to then');
}

function withOptions(command: Command): Command {
  return command
    .option('--config <file>', 'policy options: sluice.yaml, a cilium-config ConfigMap, or a map of options')
    .addOption(new Option('--semantics <which>', 'what ipBlock means').choices(['cilium', 'kubernetes']));
}

export function defineReplay(command: Command, host: Host): void {
  command
    .description(
      'Judges recorded flows by policies: what would pass that did not, what would be denied that passed, and which policies ' +
        'decide. Compares with what was recorded, with other policies, or with those in force. Ends with 1 when a flow would be ' +
        'denied that passed.',
    )
    .option(
      '--flows <file>',
      'recorded flows (sluice observe -o json); - for standard input; default: those of the agent',
    )
    .requiredOption('--policies <path...>', 'files and folders of the policies to try', repeatable)
    .option(
      '--against <path...>',
      'compare with these policies; `live`: with those of the agent, beside which the new ones are applied',
      repeatable,
    )
    .option('-m, --manifests <path...>', 'namespaces, nodes and what else both sides know', repeatable)
    .addOption(
      new Option('--fail-on <change>', 'when to end with 1: denied (default), any, never').choices([
        'denied',
        'any',
        'never',
      ]),
    );
  withMoments(command);
  withOptions(command);
  withGlobals(withOutput(command));
  example(
    command,
    'sluice policy replay --flows flows.json --policies new/',
    'sluice policy replay --flows flows.json --policies new/ --against old/ --fail-on any',
    'sluice policy replay --policies new/ --against live',
  );
  command.action(async (flags: ReplayFlags) => {
    const { showReplay } = await import('../policy/replay.ts');
    await showReplay(settingsOf(command, host), flags);
  });
}

export function defineGenerate(command: Command, host: Host): void {
  const oneOf = (flags: string, meaning: string, ...choices: string[]): Option =>
    new Option(flags, meaning).choices(choices);
  command
    .description(
      'Writes policies that allow what recorded flows show and nothing else, one for each group of pods of this machine; what they allow ' +
        'besides stands in their comments. They are tried before they are printed: standard error says how many of the recorded ' +
        'flows they would deny (none), and the command ends with 1 when they would deny any.',
    )
    .option(
      '--from-flows [file]',
      'recorded flows (sluice observe -o json); - for standard input; default: those of the agent',
    )
    .addOption(
      oneOf('--kind <kind>', 'CiliumNetworkPolicy (default) or NetworkPolicy', 'CiliumNetworkPolicy', 'NetworkPolicy'),
    )
    .option('-n, --namespace <namespace...>', 'policies for the pods of these namespaces alone', repeatable)
    .addOption(oneOf('--direction <direction>', 'ingress or egress alone; default: both', 'ingress', 'egress'))
    .option('--include-denied', 'allow what policies dropped, too');
  withMoments(command)
    .option('-m, --manifests <path...>', 'namespaces, nodes and what else is known', repeatable)
    .optionsGroup('What is allowed besides what was recorded:')
    .option('--by-workload', 'pods by the labels that the pods of a workload share, not by all that they have')
    .addOption(
      oneOf(
        '--ports <how>',
        'exact (default); ranges: many high ports of one peer as a range; any: every port of a protocol that was seen',
        'exact',
        'ranges',
        'any',
      ),
    )
    .addOption(
      oneOf(
        '--l7 <how>',
        'exact (default): the requests that were seen; general: identifiers in paths, gRPC services, domains, Kafka roles; off: every request',
        'exact',
        'general',
        'off',
      ),
    )
    .addOption(
      oneOf(
        '--outside <how>',
        'names (default): by DNS names where flows know them, else by address; addresses: one by one; world: all of it',
        'names',
        'addresses',
        'world',
      ),
    )
    .optionsGroup('Options:');
  withOptions(command);
  withGlobals(withOutput(command));
  example(
    command,
    'sluice policy generate --from-flows flows.json > policies.yaml',
    'sluice observe --all --namespace shop -o json | sluice policy generate --from-flows - --by-workload --l7 general',
    'sluice policy generate --kind NetworkPolicy -n shop',
  );
  command.action(async (flags: GenerateFlags) => {
    const { generatePolicies } = await import('../policy/generate.ts');
    await generatePolicies(settingsOf(command, host), flags);
  });
}
