/** `sluice run NAME -- PROGRAM` */
import { type Command, Option } from 'commander';
import { repeatable } from '../terminal/argument.ts';
import { EXIT, Failure } from '../terminal/failure.ts';
import { example } from '../terminal/help.ts';
import type { Host } from '../terminal/host.ts';
import type { RunFlags } from '../rig/run.ts';
import { settingsOf, withGlobals } from '../terminal/settings.ts';

export function define(command: Command, host: Host): void {
  command
    .usage('<name> [flags] -- <program> [args...]')
    .description(
      'Makes a pod with a network namespace of its own and runs a program of this machine in it: a rig of one pod, which ' +
        '`sluice rig down NAMESPACE-NAME` ends.',
    )
    .argument('<name>', 'name of the pod')
    .argument('[program...]', 'what to run, with its arguments')
    .option('-n, --namespace <namespace>', 'namespace of the pod', 'default')
    .option('-l, --labels <labels>', 'labels of the pod: app=web,tier=front (default: run=NAME)')
    .option('--env <name=value>', 'environment of the program (repeatable)', repeatable)
    .option('--port <port>', 'TCP port that it promises to serve')
    .option('--image <image>', 'kept in the Pod document; programs are those of this machine')
    .addOption(new Option('--command').hideHelp())
    .addOption(new Option('--restart <policy>').hideHelp());
  withGlobals(command);
  example(
    command,
    'sluice run curl -n universe --labels app=curl -- sleep infinity',
    'sluice run curl --image=curlimages/curl --restart=Never --labels=app=curl -n universe --command -- sleep infinity',
  );
  command.action(async (name: string, argv: string[], flags: RunFlags) => {
    if (argv.length === 0) {
      throw new Failure(
        'run: found no program, wanted one after --: there are no images here, only programs of this machine',
        EXIT.USAGE,
      );
    }
    const { runPod } = await import('../rig/run.ts');
    await runPod(settingsOf(command, host), name, argv, flags);
  });
}
