/** `sluice get` */
import type { Command } from 'commander';
import type { Host } from '../terminal/host.ts';
import { KIND_WORDS, namedObjects } from '../objects/kinds.ts';
import { example } from '../terminal/help.ts';
import { settingsOf, withGlobals, withOutput } from '../terminal/settings.ts';

interface GetFlags {
  namespace: string;
  allNamespaces?: boolean;
  selector?: string;
  watch?: boolean;
  sortBy?: string;
  showLabels?: boolean;
  ignoreNotFound?: boolean;
}

export function define(command: Command, host: Host): void {
  command
    .argument('<kind>', `what to list, several with commas, or KIND/NAME; kinds: ${KIND_WORDS.join(', ')}`)
    .argument('[names...]', 'only these')
    .option('-n, --namespace <namespace>', 'namespace', 'default')
    .option('-A, --all-namespaces', 'all namespaces')
    .option('-l, --selector <labels>', "only objects with these labels: app=web,tier!=db, 'app in (a,b)', !canary")
    .option('-w, --watch', 'go on and print each object that changes')
    .option('--sort-by <path>', 'JSONPath of what to sort by: .metadata.creationTimestamp')
    .option('--show-labels', 'a column of labels')
    .option('--ignore-not-found', 'a name that is not there is no failure');
  withGlobals(withOutput(command, 'wide', 'name', 'custom-columns=HEADER:PATH,...'));
  example(
    command,
    'sluice get pods -A -o wide',
    'sluice get deploy,svc -n shop',
    'sluice get cnp -n shop allow-web -o yaml',
    "sluice get cep web-0 -n shop -o jsonpath='{.status.identity.id}'",
    'sluice get pods -o custom-columns=NAME:.metadata.name,IP:.status.podIP',
  );
  command.action(async (words: string, names: string[], flags: GetFlags) => {
    const { getObjects, watchObjects } = await import('../objects/get.ts');
    const list = flags.watch === true ? watchObjects : getObjects;
    await list(settingsOf(command, host), namedObjects([words, ...names]), {
      namespace: flags.allNamespaces === true ? undefined : flags.namespace,
      selector: flags.selector,
      sortBy: flags.sortBy,
      showLabels: flags.showLabels === true,
      ignoreNotFound: flags.ignoreNotFound === true,
    });
  });
}
