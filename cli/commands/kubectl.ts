/** `sluice kubectl` */
import type { Command } from 'commander';
import type { Host } from '../terminal/host.ts';
import { example } from '../terminal/help.ts';
import { settingsOf, withGlobals } from '../terminal/settings.ts';

export function define(command: Command, host: Host): void {
  command
    .usage('[flags] <kubectl command> [args...]')
    .description(
      "Runs the kubectl of the PATH against this instance's Kubernetes API (`kube-api: true`). What follows is kubectl's own; its flags " +
        'mean what they mean there.',
    )
    .argument('[args...]', 'as kubectl takes them')
    .allowUnknownOption()
    .passThroughOptions();
  withGlobals(command);
  example(command, 'sluice kubectl get pods -A', 'sluice kubectl apply -f policies.yaml');
  command.action(async (args: string[]) => {
    const { runKubectl } = await import('../ask/kubectl.ts');
    host.exitCode = await runKubectl(settingsOf(command, host), args);
  });
}
