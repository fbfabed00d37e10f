/** `sluice exec` */
import { type Command, Option } from 'commander';
import type { Host } from '../terminal/host.ts';
import { EXIT, Failure } from '../terminal/failure.ts';
import { example } from '../terminal/help.ts';
import { settingsOf, withGlobals } from '../terminal/settings.ts';

export function define(command: Command, host: Host): void {
  command
    .usage('[flags] <pod> [flags] [--] <program> [args...]')
    .description(
      "Runs a program in a pod's network namespace. It has the terminal, environment, folder and user of the caller, so -i and -t " +
        'are taken and change nothing.',
    )
    .argument('<pod>', 'namespace/name; with -n name, pod/name, deploy/name or svc/name')
    .argument('<program...>', 'what to run, with its arguments')
    .option('-n, --namespace <namespace>', 'namespace of a pod given by name alone', 'default')
    .option('-i, --stdin', 'standard input is passed on in any case')
    .option('-t, --tty', 'a terminal is passed on in any case')
    .addOption(new Option('-c, --container <name>', 'taken and left: the containers of a pod share its namespace'))
    .passThroughOptions();
  withGlobals(command);
  example(
    command,
    'sluice exec shop/web-0 -- curl -m 2 http://10.244.0.3:8080/',
    'sluice exec -it deploy/web -n shop -- sh',
  );
  command.action(async (pod: string, words: string[]) => {
    const { runInPod } = await import('../rig/exec.ts');
    const argv = programWords(command, words);
    const { namespace } = command.opts<{ namespace: string }>();
    host.exitCode = await runInPod(settingsOf(command, host), { pod, namespace, argv });
  });
}

/**
 * Takes flags between the pod and the program, as kubectl does: no program is called `-n`.
 * @returns the program and its arguments
 */
function programWords(command: Command, words: readonly string[]): readonly string[] {
  if (words.length === 0 || words[0] === '--' || !words[0].startsWith('-')) return words;
  const dashes = words.indexOf('--');
  const end = dashes < 0 ? words.length : dashes;
  const { operands, unknown } = command.parseOptions(words.slice(0, end));
  const left = [...operands, ...unknown];
  if (dashes >= 0 && left.length > 0) {
    throw new Failure(`exec: found '${left[0]}' before --, wanted a flag: see \`sluice exec --help\``, EXIT.USAGE);
  }
  if (left.length > 0 && left[0].startsWith('-')) {
    throw new Failure(`exec: found unknown flag '${left[0]}': see \`sluice exec --help\``, EXIT.USAGE);
  }
  return dashes < 0 ? left : words.slice(dashes);
}
