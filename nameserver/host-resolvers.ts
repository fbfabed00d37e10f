/** The name servers of the host, as its /etc/resolv.conf lists them. */
import { isAddress } from './record-reader.ts';
import type { Upstream } from './zone-file.ts';

const MAX_SERVERS = 8;
/** Their file. */
export const HOST_RESOLV_CONF = '/etc/resolv.conf';
/** Where name servers are asked. */
export const SERVER_PORT = 53;

/** Those that a resolv.conf lists; link-local ones with a zone (`fe80::1%eth0`) are left out. */
export function parseResolvConf(text: string): Upstream[] {
  const words = text.split('\n').map((line) => line.trim().split(/\s+/));
  const servers = words.flatMap(([key, address]) => (key === 'nameserver' ? [address ?? ''] : []));
  const usable = [...new Set(servers)].filter(isAddress).slice(0, MAX_SERVERS);
  return usable.map((address) => ({ address, port: SERVER_PORT }));
}
