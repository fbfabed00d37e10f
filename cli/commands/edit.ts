/** `sluice label`, `annotate`, `scale`, `edit`, `describe` and `wait`: kubectl's commands on objects that are there. */
import type { Command } from 'commander';
import type { DescribeFlags } from '../objects/describe.ts';
import type { EditFlags, Marks } from '../objects/edit.ts';
import type { WaitFlags } from '../objects/wait.ts';
import { KIND_WORDS } from '../objects/kinds.ts';
import { integerBetween } from '../terminal/argument.ts';
import { example } from '../terminal/help.ts';
import type { Host } from '../terminal/host.ts';
import { settingsOf, withGlobals } from '../terminal/settings.ts';

const KIND = `KIND or KIND/NAME; kinds: ${KIND_WORDS.join(', ')}`;
const DEFAULT_WAIT_MS = 30_000;
const MOST_PODS = 10_000;

/** The arguments and flags that choose objects. */
function withObjects(command: Command, rest: string): Command {
  return command
    .argument('<kind>', KIND)
    .argument('[names...]', rest)
    .option('-n, --namespace <namespace>', 'namespace', 'default')
    .option('-l, --selector <labels>', 'the objects with these labels');
}

function defineMarks(command: Command, host: Host, marks: Marks): void {
  withObjects(command, `names, then KEY=VALUE to set one of its ${marks}, KEY- to remove one`)
    .description(
      `Sets and removes ${marks} of objects. An object of the watched directory is overridden by what is set here, until its ` +
        'file changes.',
    )
    .option('--all', 'all objects of the kind in the namespace')
    .option('--overwrite', 'replace a value that is there');
  withGlobals(command);
  command.action(async (kind: string, words: string[], flags: EditFlags) => {
    const { mark } = await import('../objects/edit.ts');
    await mark(settingsOf(command, host), marks, [kind, ...words], flags);
  });
}

export function defineLabel(command: Command, host: Host): void {
  defineMarks(command, host, 'labels');
  example(
    command,
    'sluice label pod web -n shop tier=front',
    'sluice label ns shop env=prod --overwrite',
    'sluice label pod/web tier-',
  );
}

export function defineAnnotate(command: Command, host: Host): void {
  defineMarks(command, host, 'annotations');
  example(command, 'sluice annotate ns shop policy.cilium.io/audit-mode=enabled');
}

export function defineScale(command: Command, host: Host): void {
  withObjects(command, 'names of the workloads, or more KIND/NAME')
    .description(
      'Sets how many pods a workload stands for. A new pod waits for its network namespace: a rig makes none for it.',
    )
    .option('--all', 'all objects of the kind in the namespace')
    .requiredOption('--replicas <number>', 'how many pods', integerBetween(0, MOST_PODS));
  withGlobals(command);
  example(command, 'sluice scale deployment web --replicas 3', 'sluice scale deploy/web -n shop --replicas=0');
  command.action(async (kind: string, names: string[], flags: EditFlags & { replicas: number }) => {
    const { scale } = await import('../objects/edit.ts');
    await scale(settingsOf(command, host), [kind, ...names], flags.replicas, flags);
  });
}

export function defineEdit(command: Command, host: Host): void {
  withObjects(command, 'names, or more KIND/NAME').description(
    'Opens each object in $KUBE_EDITOR, $EDITOR or vi, and applies what was saved. What is refused is opened again, with the ' +
      'errors above it; saved without a change, it is given up.',
  );
  withGlobals(command);
  example(command, 'sluice edit netpol db -n shop', 'EDITOR=nano sluice edit deploy/web');
  command.action(async (kind: string, names: string[], flags: EditFlags) => {
    const { editObjects } = await import('../objects/editor.ts');
    await editObjects(settingsOf(command, host), [kind, ...names], flags);
  });
}

export function defineDescribe(command: Command, host: Host): void {
  withObjects(command, 'only these').option('-A, --all-namespaces', 'all namespaces');
  withGlobals(command);
  example(command, 'sluice describe pod web-0 -n shop', 'sluice describe netpol');
  command.action(async (kind: string, names: string[], flags: DescribeFlags) => {
    const { describe } = await import('../objects/describe.ts');
    await describe(settingsOf(command, host), [kind, ...names], flags);
  });
}

export function defineWait(command: Command, host: Host): void {
  withObjects(command, 'names, or more KIND/NAME')
    .description(
      'Waits until each object is as --for says, for as long as --timeout says (default 30s). Pods have the condition Ready, ' +
        'workloads Available, nodes Ready.',
    )
    .option('--all', 'all objects of the kind in the namespace')
    .requiredOption('--for <what>', 'condition=NAME, condition=NAME=VALUE, jsonpath={PATH}=VALUE, create or delete');
  withGlobals(command);
  example(
    command,
    'sluice wait --for=condition=Ready pod/web-0 -n shop --timeout=60s',
    'sluice wait --for=delete pod -l app=web',
    "sluice wait --for=jsonpath='{.status.phase}'=Running pod/web-0",
  );
  command.action(async (kind: string, names: string[], flags: WaitFlags & { timeout?: number }) => {
    const { waitFor } = await import('../objects/wait.ts');
    const { timeout = DEFAULT_WAIT_MS } = flags;
    const settings = settingsOf(command, host);
    await waitFor({ ...settings, timeoutMs: Math.max(timeout, 1000) }, [kind, ...names], flags, timeout);
  });
}
