/** `sluice flows ...` */
import type { Command } from 'commander';
import type { FlowExplainFlags } from '../policy/flow-explain.ts';
import type { WorldFlags } from '../policy/verdict-command.ts';
import { example } from '../terminal/help.ts';
import type { Host } from '../terminal/host.ts';
import { settingsOf, withGlobals, withOutput } from '../terminal/settings.ts';
import { withManifests, withPolicyConfig, worldOf } from './policy.ts';

export function define(command: Command, host: Host): void {
  command.description('Works on recorded flows; `sluice observe` lists them.');
  defineExplain(command.command('explain').summary('Say why a recorded flow is allowed or denied'), host);
  example(command, 'sluice flows explain a29db1b7-4359-4848-9e7a-1b96510e3123');
}

function defineExplain(command: Command, host: Host): void {
  command
    .description(
      'Shows why a recorded flow would be allowed or denied by the policies that are in force now: every map entry that could ' +
        'decide, which does and why, with file and line of its rule; what has changed since the flow was recorded; and of a denial the ' +
        'smallest change that lets the flow pass, as a patch.',
    )
    .argument('[uuid]', 'of the flow, as `sluice observe -o json` shows it')
    .option('--flow <flow>', 'the flow itself as JSON, or a file that begins with it; - for standard input')
    .option('--input-file <file>', 'look the UUID up in a file of flows, not in the agent')
    .option('--patch', 'print the policies that the change concerns as they would be, and nothing else');
  withPolicyConfig(withManifests(command));
  withGlobals(withOutput(command));
  example(
    command,
    'sluice flows explain a29db1b7-4359-4848-9e7a-1b96510e3123',
    'sluice observe --last 1 --verdict DROPPED -o json | sluice flows explain --flow -',
    'sluice flows explain a29db1b7-4359-4848-9e7a-1b96510e3123 --patch | sluice apply -f -',
  );
  command.action(async (uuid: string | undefined, flags: FlowExplainFlags & WorldFlags) => {
    const settings = settingsOf(command, host);
    const { chosenFlow, explainFlow } = await import('../policy/flow-explain.ts');
    const flow = await chosenFlow(settings, uuid, flags);
    await explainFlow(settings, flow, await worldOf(command, host, flags), flags);
  });
}
