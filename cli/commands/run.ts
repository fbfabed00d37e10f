/** `sluice run NAME -- PROGRAM` */
import { type Command, Option } from 'commander';
import { repeatable } from '../terminal/argument.ts';
import { example } from '../terminal/help.ts';
import type { Host } from '../terminal/host.ts';
import type { RunFlags } from '../rig/run.ts';
import { settingsOf, withGlobals, withOutput } from '../terminal/settings.ts';

export function define(command: Command, host: Host): void {
  command
    .usage('<name> [flags] -- <program> [args...]')
    .description(
      'Makes a pod with a network namespace of its own and runs a program of this machine in it, or what stands in for its image: ' +
        'a rig of one pod, which `sluice rig down NAMESPACE-NAME` ends.',
    )
    .argument('<name>', 'name of the pod')
    .argument('[program...]', 'what to run, with its arguments')
    .option('-n, --namespace <namespace>', 'namespace of the pod', 'default')
    .option('-l, --labels <labels>', 'labels of the pod: app=web,tier=front (default: run=NAME)')
    .option('--env <name=value>', 'environment of the program (repeatable)', repeatable)
    .option('--port <port>', 'TCP port that it promises to serve')
    .option('--image <image>', 'image of the container; without a program what stands in for it runs (docs/pods.md)')
    .addOption(
      new Option('--dry-run [how]', 'only print the Pod document (-o yaml or json) that it would apply')
        .choices(['none', 'client'])
        .preset('client'),
    )
    .addOption(new Option('--command').hideHelp())
    .addOption(new Option('--restart <policy>').hideHelp());
  withGlobals(withOutput(command));
  example(
    command,
    'sluice run curl -n universe --labels app=curl -- sleep infinity',
    'sluice run web --image=nginx --port=80 --dry-run=client -o yaml > web.yaml',
    'sluice run curl --image=curlimages/curl --restart=Never --labels=app=curl -n universe --command -- sleep infinity',
  );
  command.action(async (name: string, argv: string[], flags: RunFlags) => {
    const settings = settingsOf(command, host);
    if (flags.dryRun === 'client') {
      const { printPod } = await import('../rig/run.ts');
      await printPod(settings, name, argv, flags);
      return;
    }
    const { runPod } = await import('../rig/run.ts');
    await runPod(settings, name, argv, flags);
  });
}
