/** `sluice exec` */
import type { Command } from 'commander';
import type { Host } from '../terminal/host.ts';
import { example } from '../terminal/help.ts';
import { settingsOf, withGlobals } from '../terminal/settings.ts';

export function define(command: Command, host: Host): void {
  command
    .usage('[flags] <pod> [--] <program> [args...]')
    .argument('<pod>', 'namespace/name, or name with -n')
    .argument('<program...>', 'what to run, with its arguments')
    .option('-n, --namespace <namespace>', 'namespace of a pod given by name alone', 'default')
    .passThroughOptions();
  withGlobals(command);
  example(
    command,
    'sluice exec shop/web-0 -- curl -m 2 http://10.244.0.3:8080/',
    'sluice exec -n shop web-0 -- ip addr',
  );
  command.action(async (pod: string, argv: string[], flags: { namespace: string }) => {
    const { runInPod } = await import('../rig/exec.ts');
    host.exitCode = await runInPod(settingsOf(command, host), { pod, namespace: flags.namespace, argv });
  });
}
