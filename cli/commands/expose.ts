/** `sluice expose` */
import { type Command, Option } from 'commander';
import type { ExposeFlags } from '../objects/make-service.ts';
import { integerBetween } from '../terminal/argument.ts';
import { example } from '../terminal/help.ts';
import type { Host } from '../terminal/host.ts';
import { settingsOf, withDryRun, withGlobals, withOutput } from '../terminal/settings.ts';

/** `--name` is the Service's here, as in kubectl; the instance's stands before `expose`. */
function serviceName(): Option {
  const option = new Option('--name <name>', 'name of the Service (that of the instance goes before expose)');
  option.attributeName = () => 'serviceName';
  return option;
}

export function define(command: Command, host: Host): void {
  command
    .description('Makes a Service of the pods that a workload, pod or Service stands for, with its name unless told.')
    .argument('<kind>', 'pod, deployment, replicaset, statefulset or service; KIND or KIND/NAME')
    .argument('[names...]', 'its name')
    .option('-n, --namespace <namespace>', 'namespace', 'default')
    .option('--port <number>', 'port of the Service (default: each containerPort)', integerBetween(1, 65535))
    .option('--target-port <port>', 'number or name of the port of the pods (default: the same)')
    .addOption(new Option('--protocol <protocol>', 'protocol').choices(['TCP', 'UDP', 'SCTP']).default('TCP'))
    .addOption(serviceName())
    .addOption(
      new Option('--type <type>', 'type').choices(['ClusterIP', 'NodePort', 'LoadBalancer']).default('ClusterIP'),
    )
    .option('--cluster-ip <address>', 'address of the Service; None for a headless one')
    .option('--external-ip <addresses>', 'addresses besides, separated by commas')
    .option('-l, --selector <labels>', 'labels of the pods: app=web,tier=front');
  withDryRun(command);
  withGlobals(withOutput(command, 'name'));
  example(
    command,
    'sluice expose deploy/web --port 80 --target-port 8080',
    'sluice expose pod web-0 --port=80 --type=NodePort --name web',
    'sluice expose deployment web --port 80 --dry-run=client -o yaml',
  );
  command.action(async (kind: string, names: string[], flags: ExposeFlags) => {
    const { expose } = await import('../objects/make-service.ts');
    await expose(settingsOf(command, host), [kind, ...names], flags);
  });
}
