/** `sluice rig up|down|list` */
import type { Command } from 'commander';
import { durationMs, repeatable } from '../terminal/argument.ts';
import { counted } from '../terminal/counted.ts';
import { EXIT, Failure } from '../terminal/failure.ts';
import type { Host } from '../terminal/host.ts';
import { example } from '../terminal/help.ts';
import { type Settings, settingsOf, withGlobals, withOutput } from '../terminal/settings.ts';

export function define(command: Command, host: Host): void {
  defineUp(command.command('up').summary('Raise a rig'), host);
  defineDown(command.command('down').summary('End a rig'), host);
  defineList(command.command('list').summary('List the rigs that are up'), host);
  example(command, 'sluice rig up -f shop/', 'sluice rig down -f shop/');
}

interface UpFlags {
  readonly filename: string[];
  readonly rig?: string;
  readonly wait?: number;
  readonly namespace?: string;
  readonly recursive?: boolean;
}

function defineUp(command: Command, host: Host): void {
  command
    .description(
      'Makes a network namespace for each Pod (workloads expanded), applies the manifests, waits until the endpoints are ' +
        'ready, and runs the command of each container in its namespace. What is there already is not taken: it is a failure.',
    )
    .requiredOption('-f, --filename <path>', 'manifests: file, folder or - (repeatable)', repeatable)
    .option('-R, --recursive', 'folders with what lies below them')
    .option('-n, --namespace <namespace>', 'namespace of documents that name none (default "default")')
    .option('--rig <name>', 'name of the rig; default: that of its folder or file')
    .option('--wait <duration>', 'how long endpoints and listeners may take (default 20s and 1s a pod)', durationMs);
  withGlobals(command);
  example(
    command,
    'sluice rig up -f examples/tour/manifests.yaml',
    'sluice rig up -n sleep -f shop/',
    'sluice rig up -f pods.yaml -f policies.yaml --rig shop',
  );
  command.action(async (flags: UpFlags) => {
    const settings = settingsOf(command, host);
    const { rigUp } = await import('../rig/rig.ts');
    const { filename: files, rig, wait: waitMs, namespace, recursive: isRecursive } = flags;
    const state = await rigUp(settings, { files, rig, waitMs, namespace, isRecursive });
    const { pods, processes } = state;
    host.stdout.write(
      `rig ${state.name} is up: ${counted(pods.length, 'pod')}, ${counted(processes.length, 'program')}\n`,
    );
  });
}

function defineDown(command: Command, host: Host): void {
  command
    .description(
      'Ends the programs of a rig, deletes its objects, with what was applied from its folder, and removes the namespaces it made.',
    )
    .argument('[rig]', 'name of the rig')
    .option('-f, --filename <path>', 'the manifests it was raised from', repeatable)
    .option('--all', 'every rig of the instance');
  withGlobals(command);
  example(command, 'sluice rig down -f shop/', 'sluice rig down shop', 'sluice rig down --all');
  command.action(async (rig: string | undefined, flags: { filename?: string[]; all?: boolean }) => {
    const settings = settingsOf(command, host);
    const { rigDown } = await import('../rig/rig.ts');
    for (const state of await chosenRigs(settings, rig, flags)) {
      await rigDown(settings, state);
      host.stdout.write(`rig ${state.name} is down\n`);
    }
  });
}

async function chosenRigs(settings: Settings, rig: string | undefined, flags: { filename?: string[]; all?: boolean }) {
  const { listRigs, readRig, rigNameOf } = await import('../rig/rig-state.ts');
  if (flags.all === true) return listRigs(settings.runDir);
  const name = rig ?? (flags.filename === undefined ? undefined : rigNameOf(flags.filename[0]));
  if (name === undefined) throw new Failure('rig down: wanted a rig name, -f FILE or --all', EXIT.USAGE);
  return [readRig(settings.runDir, name)];
}

function defineList(command: Command, host: Host): void {
  command.description('Lists the rigs of the instance, their pods and whether their programs run.');
  withGlobals(withOutput(command, 'name'));
  example(command, 'sluice rig list', 'sluice rig list -o json');
  command.action(async () => {
    const settings = settingsOf(command, host);
    const { listRigs } = await import('../rig/rig-state.ts');
    const { rigSummary } = await import('../rig/rig-summary.ts');
    const { printListing } = await import('../terminal/output.ts');
    const rigs = listRigs(settings.runDir);
    await printListing(settings, {
      rows: rigs,
      columns: [
        { header: 'RIG', cell: (one) => one.name },
        { header: 'PODS', cell: (one) => one.pods.length },
        {
          header: 'PROGRAMS',
          cell: (one) => `${one.processes.length - rigSummary(one).ended.length}/${one.processes.length}`,
        },
        { header: 'ENDED', cell: (one) => rigSummary(one).ended.join('\n') },
        { header: 'FILES', cell: (one) => one.files.join(' ') },
      ],
      nameOf: (one) => `rig/${one.name}`,
    });
  });
}
