/** Internet sockets of a server: made in any network namespace. Failures are those of index.ts. */
import { loadAddon } from './addon.ts';

interface Addon {
  openInetSocket: (stream: boolean, address: string, port: number, netns: string | undefined) => number;
}

const addon = loadAddon() as Addon;

/**
 * Opens a UDP or TCP socket in a network namespace, bound to an address that may come later, for this process or one that
 * it is sent to (`sendFds`). TCP listens; UDP has room for 2 MiB that wait.
 *
 * @param address IPv4 or IPv6, `0.0.0.0` and `::` for every one of their family. @param port 0 = any that is free.
 * @param netns name or path; this process's without. @throws SystemError EADDRINUSE, ENOENT.
 */
export function openInetSocket(
  type: 'udp' | 'tcp',
  address: string,
  port: number,
  { netns }: { netns?: string } = {},
): number {
  return addon.openInetSocket(type === 'tcp', address, port, netns);
}
