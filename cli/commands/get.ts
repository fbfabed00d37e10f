/** `sluice get` */
import type { Command } from 'commander';
import type { Host } from '../terminal/host.ts';
import { KIND_WORDS, kindsOf } from '../objects/kinds.ts';
import { example } from '../terminal/help.ts';
import { settingsOf, withGlobals, withOutput } from '../terminal/settings.ts';

interface GetFlags {
  namespace: string;
  allNamespaces?: boolean;
  selector?: string;
}

export function define(command: Command, host: Host): void {
  command
    .argument('<kind>', `what to list: ${KIND_WORDS.join(', ')}; several with commas`)
    .argument('[names...]', 'only these')
    .option('-n, --namespace <namespace>', 'namespace', 'default')
    .option('-A, --all-namespaces', 'all namespaces')
    .option('-l, --selector <labels>', 'only objects with these labels: app=web,tier!=db');
  withGlobals(withOutput(command, 'wide', 'name'));
  example(command, 'sluice get pods -A -o wide', 'sluice get cnp -n shop allow-web -o yaml', 'sluice get policies -A');
  command.action(async (words: string, names: string[], flags: GetFlags) => {
    const { getObjects } = await import('../objects/get.ts');
    const namespace = flags.allNamespaces === true ? undefined : flags.namespace;
    await getObjects(settingsOf(command, host), kindsOf(words), { namespace, names, selector: flags.selector });
  });
}
