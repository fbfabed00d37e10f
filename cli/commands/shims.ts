/** `sluice shims install DIR` */
import type { Command } from 'commander';
import { example } from '../terminal/help.ts';
import type { Host } from '../terminal/host.ts';

export function define(command: Command, host: Host): void {
  command.description(
    'Makes links to sluice named hubble, cilium, cilium-dbg and kubectl-sluice (for `kubectl sluice ...`), so that the commands ' +
      'of tutorials run. A program of that name in the folder stays as it is.',
  );
  const install = command.command('install').summary('Make the links').argument('<dir>', 'a folder on PATH');
  install.description('Makes the links in a folder. What is there and is no link of ours is a failure, and stays.');
  example(
    install,
    'sluice shims install ~/.local/bin',
    'sluice shims install --kubectl ./bin',
    'sluice shims install /usr/local/bin && hubble observe -f',
  );
  example(command, 'sluice shims install /usr/local/bin');
  install.option('--kubectl', 'also kubectl, which hides a real one that stands later on the PATH');
  install.action(async (folder: string, flags: { kubectl?: boolean }) => {
    const { installShims } = await import('../shim-links.ts');
    installShims(host, folder, flags);
  });
}
