/** `sluice apply` and `sluice create` */
import type { Command } from 'commander';
import { repeatable } from '../terminal/argument.ts';
import { EXIT, Failure } from '../terminal/failure.ts';
import { example } from '../terminal/help.ts';
import type { Host } from '../terminal/host.ts';
import { type Settings, settingsOf, withGlobals, withOutput } from '../terminal/settings.ts';

interface ApplyFlags {
  readonly filename?: string[];
  readonly recursive?: boolean;
  readonly namespace?: string;
}

export function defineApply(command: Command, host: Host): void {
  withFiles(command);
  example(
    command,
    'sluice apply -f policy.yaml',
    'sluice apply -n shop -f pods/ -f policies/',
    'kubectl get cnp -A -o yaml | sluice apply -f -',
  );
  command.action(async (flags: ApplyFlags) => {
    await sendFiles(settingsOf(command, host), flags, 'apply');
  });
}

export function defineCreate(command: Command, host: Host): void {
  command
    .description(
      'Creates objects from manifests, or a namespace by name. One that exists stays as it is, and is a failure.',
    )
    .argument('[kind]', 'namespace')
    .argument('[names...]', 'names of the namespaces');
  withFiles(command);
  example(command, 'sluice create -f policy.yaml', 'sluice create ns shop', 'sluice create -n shop -f -');
  command.action(async (kind: string | undefined, names: string[], flags: ApplyFlags) => {
    const settings = settingsOf(command, host);
    if (kind === undefined) await sendFiles(settings, flags, 'create');
    else await createNamespaces(settings, kind, names, flags);
  });
}

function withFiles(command: Command): void {
  command
    .option('-f, --filename <path>', 'file, folder or - (repeatable)', repeatable)
    .option('-R, --recursive', 'folders with what lies below them')
    .option('-n, --namespace <namespace>', 'namespace of documents that name none (default "default")');
  withGlobals(withOutput(command, 'name'));
}

async function sendFiles(settings: Settings, flags: ApplyFlags, verb: 'apply' | 'create'): Promise<void> {
  const { filename = [], recursive, namespace } = flags;
  if (filename.length === 0) {
    throw new Failure(`${verb}: found no -f, wanted -f FILE: see \`sluice ${verb} --help\``, EXIT.USAGE);
  }
  const { changeByFiles, reportChange } = await import('../objects/change.ts');
  const { followRigs } = await import('../rig/rig-state.ts');
  const { DaemonApi } = await import('../../api/daemon-api.ts');
  const options = {
    ...(namespace !== undefined && { namespace }),
    ...(verb === 'create' && ({ create: true } as const)),
  };
  const answer = await changeByFiles(settings, new DaemonApi(settings), {
    paths: filename,
    isRecursive: recursive === true,
    verb,
    send: async (api, text, file) => {
      const answer = await api.apply(text, file, options);
      const made = answer.applied.filter(({ action }) => action === 'created');
      followRigs(
        settings.runDir,
        file,
        made.map(({ kind, namespace = '', name }) => ({ kind, namespace, name })),
      );
      return answer;
    },
  });
  await reportChange(settings, answer);
}

async function createNamespaces(settings: Settings, word: string, names: string[], flags: ApplyFlags): Promise<void> {
  const { kindsOf } = await import('../objects/kinds.ts');
  const kinds = kindsOf(word).map(({ kind }) => kind);
  if (kinds.length !== 1 || kinds[0] !== 'Namespace' || names.length === 0 || flags.filename !== undefined) {
    throw new Failure(
      `create ${[word, ...names].join(' ')}: wanted create -f FILE, or create namespace NAME: see \`sluice create --help\``,
      EXIT.USAGE,
    );
  }
  const { reportChange } = await import('../objects/change.ts');
  const { DaemonApi } = await import('../../api/daemon-api.ts');
  const items = names.map((name) => ({ apiVersion: 'v1', kind: 'Namespace', metadata: { name } }));
  const text = JSON.stringify({ apiVersion: 'v1', kind: 'List', items });
  await reportChange(settings, await new DaemonApi(settings).apply(text, 'request', { create: true }));
}
