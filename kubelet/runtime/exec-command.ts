/**
 * What to spawn to run a command in a container, or in the network namespace of a pod that has none. Descriptors 0, 1 and 2 are
 * the command's, or what its terminal is copied from and to. Descriptor 3, a duplex `pipe` of Node's, takes the sizes of the terminal (rows
 * and columns, two bytes each, big endian) and gives one line when the command could not be started, with code 126 or 127. The
 * command ends when descriptor 3 is closed.
 */
import { LAUNCHER } from './launcher.ts';

export interface ExecOptions {
  readonly isTty: boolean;
}

/** @param container.stateDir where its spec is */
export function execCommand(
  container: { readonly stateDir: string },
  argv: readonly string[],
  { isTty }: ExecOptions,
): string[] {
  return [LAUNCHER, 'exec', container.stateDir, ...(isTty ? ['--tty'] : []), '--', ...argv];
}

/**
 * The command has the rights of the caller, and the environment that the launcher is spawned with; HOSTNAME in it becomes the
 * host's name.
 *
 * @param netns name or path
 */
export function execInNetns(netns: string, argv: readonly string[], { isTty }: ExecOptions): string[] {
  return [LAUNCHER, 'netns', netns, ...(isTty ? ['--tty'] : []), '--', ...argv];
}
