/** Listening on a unix socket that root may use, and a group if one is named. */
import { chmodSync, chownSync, readFileSync, rmSync } from 'node:fs';
import type { Server } from 'node:net';

/** Connections to one socket. */
const CONNECTION_LIMIT = 256;

/**
 * The number of a group that may use the sockets; undefined for ''.
 * @throws Error when there is no such group
 */
export function socketGroup(name: string): number | undefined {
  if (name === '') return undefined;
  const line = readFileSync('/etc/group', 'utf8')
    .split('\n')
    .find((entry) => entry.startsWith(`${name}:`));
  if (line === undefined) throw new Error(`socketGroup: found "${name}", wanted a group of /etc/group`);
  return Number(line.split(':')[2]);
}

/** Listens in place of whoever left a socket there, to at most CONNECTION_LIMIT connections. */
export async function listenUnix(server: Server, path: string, groupId: number | undefined): Promise<void> {
  rmSync(path, { force: true });
  server.maxConnections = CONNECTION_LIMIT;
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(path, resolve);
  });
  if (groupId !== undefined) chownSync(path, 0, groupId);
  chmodSync(path, groupId === undefined ? 0o600 : 0o660);
}
