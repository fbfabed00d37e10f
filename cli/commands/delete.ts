/** `sluice delete` */
import { type Command, Option } from 'commander';
import type { DeleteFlags } from '../objects/delete.ts';
import { KIND_WORDS } from '../objects/kinds.ts';
import { repeatable } from '../terminal/argument.ts';
import { example } from '../terminal/help.ts';
import type { Host } from '../terminal/host.ts';
import { settingsOf, withDryRun, withGlobals, withOutput } from '../terminal/settings.ts';

export function define(command: Command, host: Host): void {
  command
    .description(
      'Deletes objects by manifest or by name. What is there goes; what is not is named, and the command ends with 1. ' +
        'With a Namespace goes everything that was applied in it, with a workload its pods.',
    )
    .argument('[kind]', `KIND or KIND/NAME; kinds: ${KIND_WORDS.join(', ')}`)
    .argument('[names...]', 'names of the objects, or more KIND/NAME')
    .option('-f, --filename <path>', 'delete what these manifests name (repeatable)', repeatable)
    .option('-R, --recursive', 'folders of -f with what lies below them')
    .option('-n, --namespace <namespace>', 'namespace of what names none (default "default")')
    .option('-A, --all-namespaces', 'with --all or -l: in every namespace')
    .option('-l, --selector <labels>', "only objects with these labels: app=web, 'app in (a,b)', !canary")
    .option('--all', 'all objects of the kind in the namespace')
    .option('--ignore-not-found', 'what is not there is no failure');
  withDryRun(command);
  // Nothing here takes time to end, so these change nothing.
  for (const flags of ['--force', '--now', '--wait [bool]', '--grace-period <seconds>']) {
    command.addOption(new Option(flags).hideHelp());
  }
  withGlobals(withOutput(command, 'name'));
  example(
    command,
    'sluice delete -f policy.yaml',
    'sluice delete cnp -n shop allow-web',
    'sluice delete deployment/web svc/web --ignore-not-found',
    'sluice delete netpol --all --dry-run=server',
    'sluice delete ns shop',
  );
  command.action(async (kind: string | undefined, names: string[], flags: DeleteFlags) => {
    const { deleteObjects } = await import('../objects/delete.ts');
    await deleteObjects(settingsOf(command, host), kind === undefined ? [] : [kind, ...names], flags);
  });
}
