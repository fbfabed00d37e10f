/** `sluice install` and `sluice uninstall` */
import type { Command } from 'commander';
import { readFileSync } from 'node:fs';
import { example } from '../terminal/help.ts';
import { type Host, readStdin } from '../terminal/host.ts';
import type { Release } from '../install/chart.ts';

interface Flags {
  readonly namespace: string;
  readonly values: readonly string[];
  readonly set: readonly string[];
  readonly setString: readonly string[];
}

export function defineInstall(command: Command, host: Host): void {
  command.description(
    'Prints the manifests that run Sluice on every node of a cluster, as `helm template` makes them of charts/sluice: values have the names that ' +
      "Cilium's chart has; what Sluice does not have is refused with a sentence. Nothing is changed: pipe it to kubectl.",
  );
  withValues(command);
  example(
    command,
    'sluice install | kubectl apply -f -',
    'sluice install --set prometheus.enabled=true,policyEnforcementMode=always | kubectl apply -f -',
    'sluice install -f values.yaml > sluice.yaml',
  );
  command.action(async (flags: Flags) => {
    const { installManifests } = await import('../install/chart.ts');
    host.stdout.write(installManifests(await releaseOf(flags, host)));
  });
}

export function defineUninstall(command: Command, host: Host): void {
  command.description(
    'Prints the manifests that `sluice install` prints with the same values, in the order in which they may be deleted; without the definitions of ' +
      'policies, which would take the policies along.',
  );
  withValues(command);
  example(command, 'sluice uninstall | kubectl delete -f -');
  command.action(async (flags: Flags) => {
    const { uninstallManifests } = await import('../install/chart.ts');
    host.stdout.write(uninstallManifests(await releaseOf(flags, host)));
  });
}

function withValues(command: Command): void {
  const more = (value: string, before: readonly string[]): readonly string[] => [...before, value];
  command
    .option('-n, --namespace <name>', 'namespace of the cluster', 'kube-system')
    .option('-f, --values <file>', 'YAML file of values, - for standard input; may be given several times', more, [])
    .option('--set <values>', 'NAME=VALUE[,NAME=VALUE...], as Helm reads them', more, [])
    .option('--set-string <values>', 'the same, every value being text', more, [])
    .option('--dry-run', 'as without it: nothing but printing is done');
}

async function releaseOf({ namespace, values, set, setString }: Flags, host: Host): Promise<Release> {
  const { parse } = await import('yaml');
  const { setValues } = await import('../install/values.ts');
  const files = await Promise.all(
    values.map(async (file) => (file === '-' ? readStdin(host) : readFileSync(file, 'utf8'))),
  );
  const given = files.map((text) => (parse(text) ?? {}) as Record<string, unknown>);
  return {
    namespace,
    values: [...given, ...set.map((text) => setValues(text)), ...setString.map((text) => setValues(text, true))],
  };
}
