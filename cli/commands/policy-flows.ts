/** `sluice policy replay` and `generate`: policies and recorded flows. */
import { type Command, Option } from 'commander';
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
  withMoments(command)
    .option('--config <file>', 'policy options: sluice.yaml, a cilium-config ConfigMap, or a map of options')
    .addOption(new Option('--semantics <which>', 'what ipBlock means').choices(['cilium', 'kubernetes']));
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
