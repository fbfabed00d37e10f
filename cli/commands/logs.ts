/** `sluice logs` */
import type { Command } from 'commander';
import { integerBetween } from '../terminal/argument.ts';
import type { Host } from '../terminal/host.ts';
import { example } from '../terminal/help.ts';
import { settingsOf, withGlobals } from '../terminal/settings.ts';

export function define(command: Command, host: Host): void {
  command
    .argument('<pod>', 'namespace/name, name with -n, or deploy/name')
    .option('-n, --namespace <namespace>', 'namespace of a pod given by name alone', 'default')
    .option('-c, --container <name>', 'one container; default: all of the pod')
    .option('-f, --follow', 'go on as more comes')
    .option('--tail <lines>', 'only the last lines', integerBetween(0, 1_000_000));
  withGlobals(command);
  example(command, 'sluice logs shop/web-0', 'sluice logs -n shop web-0 -c server -f --tail 10');
  command.action(
    async (pod: string, flags: { namespace: string; container?: string; follow?: boolean; tail?: number }) => {
      const { podNamed } = await import('../objects/pod-argument.ts');
      const { printLogs } = await import('../rig/container-logs.ts');
      const settings = settingsOf(command, host);
      await printLogs(settings, await podNamed(settings, pod, flags.namespace), flags);
    },
  );
}
