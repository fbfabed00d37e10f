/** `sluice cni install`, `uninstall` and `status` */
import { type Command, InvalidArgumentError, Option } from 'commander';
import type { InstallOptions } from '../cni/installation.ts';
import { EXIT } from '../terminal/failure.ts';
import { example } from '../terminal/help.ts';
import type { Host } from '../terminal/host.ts';
import { settingsOf, withGlobals, withOutput } from '../terminal/settings.ts';

type Flags = Omit<InstallOptions, 'runDir'>;

export function define(command: Command, host: Host): void {
  command.description(
    'Puts the CNI plugin where containerd, CRI-O and podman look for it, so that their containers become endpoints, and takes it away ' +
      'again. See docs/kubernetes.md.',
  );
  example(command, 'sluice cni install', 'sluice cni status');
  defineInstall(command.command('install').summary('Install the plugin and its network'), host);
  defineUninstall(command.command('uninstall').summary('Take both away again'), host);
  defineStatus(command.command('status').summary('Show what is installed and attached'), host);
}

function withFolders(command: Command): Command {
  return command
    .option('--conf-dir <dir>', 'folder that runtimes read networks from', '/etc/cni/net.d')
    .option('--bin-dir <dir>', 'folder that runtimes start plugins from', '/opt/cni/bin');
}

function withNetavark(command: Command): Command {
  return command.option(
    '--netavark-dir <dir>',
    "folder of netavark's plugins, for podman without CNI: the driver is sluice",
  );
}

function defineInstall(command: Command, host: Host): void {
  command.description(
    'Copies sluice-cni into the folder of plugins and writes 05-sluice.conflist (mode 0600), which a runtime takes before those of others. ' +
      'The plugin portmap is put behind it where it is there.',
  );
  withNetavark(withFolders(command))
    .option('--network <name>', 'name of the network', 'sluice')
    .addOption(
      new Option('--cni-version <version>', 'of the list')
        .choices(['0.3.1', '0.4.0', '1.0.0', '1.1.0'])
        .default('1.0.0'),
    )
    .option('--ipam <subnet>', 'have host-local give addresses of a subnet, in place of those of the agent')
    .option('--mtu <bytes>', 'of the interface; that of the agent unless told', mtu)
    .option('--namespace <name>', 'of pods whose runtime tells none')
    .option('--podman', 'ask podman for the labels of its containers', false)
    .option('--chain <file>', 'be in the list of another network, behind what makes its interfaces')
    .option('--portmap', 'have portmap behind, whether it is there or not')
    .option('--no-portmap', 'do not have it behind')
    .option('--exclusive', 'put all other networks of the folder aside, until uninstall', false);
  withGlobals(command);
  example(
    command,
    'sluice cni install',
    'sluice cni install --bin-dir /usr/lib/cni --podman --cni-version 0.4.0',
    'sluice cni install --chain /etc/cni/net.d/10-ptp.conflist --exclusive',
    'sluice cni install --ipam 10.5.0.0/24',
  );
  command.action(async (flags: Flags) => {
    const { install } = await import('../cni/installation.ts');
    const { runDir } = settingsOf(command, host);
    for (const line of install({ ...flags, runDir })) host.stdout.write(`${line}\n`);
  });
}

function mtu(text: string): number {
  const bytes = Number(text);
  if (Number.isInteger(bytes) && bytes >= 576 && bytes <= 65_521) return bytes;
  throw new InvalidArgumentError('wanted a number from 576 to 65521.');
}

function defineUninstall(command: Command, host: Host): void {
  command.description(
    'Removes what install has made, and gives the networks that were put aside their names again. Containers that are attached stay so.',
  );
  withNetavark(withFolders(command));
  example(command, 'sluice cni uninstall');
  command.action(async (flags: Flags) => {
    const { uninstall } = await import('../cni/installation.ts');
    const done = uninstall(flags);
    host.stdout.write(done.length === 0 ? 'nothing to remove\n' : done.map((line) => `${line}\n`).join(''));
  });
}

function defineStatus(command: Command, host: Host): void {
  command.description(
    'Shows whether the plugin is installed, which network a runtime takes, whether the agent could attach a pod now, and what is attached. ' +
      'Ends with 1 when a pod could not be attached.',
  );
  withGlobals(withOutput(withFolders(command)));
  example(command, 'sluice cni status', 'sluice cni status -o json');
  command.action(async (flags: Flags) => {
    const { printPluginStatus } = await import('../cni/plugin-status.ts');
    if (!(await printPluginStatus(settingsOf(command, host), flags))) host.exitCode = EXIT.FAILED;
  });
}
