/** `sluice apply` and `sluice create` */
import type { Command } from 'commander';
import type { CreateServiceFlags } from '../objects/make-service.ts';
import { integerBetween, repeatable } from '../terminal/argument.ts';
import { EXIT, Failure } from '../terminal/failure.ts';
import { example } from '../terminal/help.ts';
import type { Host } from '../terminal/host.ts';
import { type DryRun, type Settings, settingsOf, withDryRun, withGlobals, withOutput } from '../terminal/settings.ts';

interface ApplyFlags {
  readonly filename?: string[];
  readonly recursive?: boolean;
  readonly namespace?: string;
  readonly dryRun?: DryRun;
}

type ServiceFlags = Omit<CreateServiceFlags, 'namespace' | 'dryRun'>;

export function defineApply(command: Command, host: Host): void {
  withFiles(command);
  example(
    command,
    'sluice apply -f policy.yaml',
    'sluice apply -n shop -f pods/ -f policies/',
    'sluice apply -f policies/ --dry-run=server',
    'kubectl get cnp -A -o yaml | sluice apply -f -',
  );
  command.action(async (flags: ApplyFlags) => {
    await sendFiles(settingsOf(command, host), flags, 'apply');
  });
}

export function defineCreate(command: Command, host: Host): void {
  command
    .description(
      'Creates objects from manifests, a namespace by name, or a service by type and name. One that exists stays as it is, and is ' +
        'a failure.',
    )
    .argument('[kind]', 'namespace, or service')
    .argument(
      '[names...]',
      'names of the namespaces; clusterip, nodeport, loadbalancer or externalname, and the name of the service',
    )
    .option('--tcp <port>', 'of a service: PORT or PORT:TARGETPORT (repeatable)', repeatable)
    .option('--node-port <number>', 'of a nodeport service', integerBetween(30_000, 32_767))
    .option('--clusterip <address>', 'of a service: its address, or None')
    .option('--external-name <name>', 'of an externalname service');
  withFiles(command);
  example(
    command,
    'sluice create -f policy.yaml',
    'sluice create ns shop',
    'sluice create ns shop --dry-run=client -o yaml',
    'sluice create service clusterip web --tcp 80:8080',
    'sluice create -n shop -f -',
  );
  command.action(async (kind: string | undefined, names: string[], flags: ApplyFlags & ServiceFlags) => {
    const settings = settingsOf(command, host);
    if (kind === undefined) await sendFiles(settings, flags, 'create');
    else if (kind === 'service' || kind === 'svc') {
      const { createService } = await import('../objects/make-service.ts');
      await createService(settings, names, { ...flags, namespace: flags.namespace ?? 'default' });
    } else await createNamespaces(settings, kind, names, flags);
  });
}

export function defineDiff(command: Command, host: Host): void {
  command
    .description(
      'Shows what apply would change, as `diff -u` of each object as it is in force and as it would be. Ends with 0 when nothing ' +
        'differs, 1 when something does, and more when it failed. $KUBECTL_EXTERNAL_DIFF names another program than diff.',
    )
    .requiredOption('-f, --filename <path>', 'file, folder or - (repeatable)', repeatable)
    .option('-R, --recursive', 'folders with what lies below them')
    .option('-n, --namespace <namespace>', 'namespace of documents that name none (default "default")');
  withGlobals(command);
  example(command, 'sluice diff -f policy.yaml', 'sluice diff -n shop -R -f policies/');
  command.action(async (flags: ApplyFlags) => {
    const { showDiff } = await import('../objects/diff.ts');
    host.exitCode = await showDiff(settingsOf(command, host), { ...flags, filename: flags.filename ?? [] });
  });
}

function withFiles(command: Command): void {
  command
    .option('-f, --filename <path>', 'file, folder or - (repeatable)', repeatable)
    .option('-R, --recursive', 'folders with what lies below them')
    .option('-n, --namespace <namespace>', 'namespace of documents that name none (default "default")');
  withDryRun(command);
  withGlobals(withOutput(command, 'name'));
}

async function sendFiles(settings: Settings, flags: ApplyFlags, verb: 'apply' | 'create'): Promise<void> {
  const { filename = [], recursive, namespace, dryRun = 'none' } = flags;
  if (filename.length === 0) {
    throw new Failure(`${verb}: found no -f, wanted -f FILE: see \`sluice ${verb} --help\``, EXIT.USAGE);
  }
  const { changeByFiles, checkHere, reportChange } = await import('../objects/change.ts');
  const { followRigs } = await import('../rig/rig-state.ts');
  const { DaemonApi } = await import('../../api/daemon-api.ts');
  const options = {
    ...(namespace !== undefined && { namespace }),
    ...(verb === 'create' && ({ create: true } as const)),
    ...(dryRun === 'server' && ({ dryRun: true } as const)),
  };
  const answer = await changeByFiles(settings, new DaemonApi(settings), {
    paths: filename,
    isRecursive: recursive === true,
    verb,
    send: async (api, text, file) => {
      if (dryRun === 'client') return checkHere(text, file, namespace);
      const answer = await api.apply(text, file, options);
      if (dryRun === 'server') return answer;
      const made = answer.applied.filter(({ action }) => action === 'created');
      followRigs(
        settings.runDir,
        file,
        made.map(({ kind, namespace = '', name }) => ({ kind, namespace, name })),
      );
      return answer;
    },
  });
  await reportChange(settings, answer, dryRun);
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
  const { checkHere, reportChange } = await import('../objects/change.ts');
  const { DaemonApi } = await import('../../api/daemon-api.ts');
  const { dryRun = 'none' } = flags;
  const items = names.map((name) => ({ apiVersion: 'v1', kind: 'Namespace', metadata: { name } }));
  const text = JSON.stringify({ apiVersion: 'v1', kind: 'List', items });
  const options = { create: true, ...(dryRun === 'server' && ({ dryRun: true } as const)) } as const;
  const answer =
    dryRun === 'client'
      ? await checkHere(text, 'request', undefined)
      : await new DaemonApi(settings).apply(text, 'request', options);
  await reportChange(settings, answer, dryRun);
}
