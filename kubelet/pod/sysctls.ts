/** The sysctls that a pod may set: those that Kubernetes calls safe, all of its own namespaces. */
import type { Pod } from '../pod-spec.ts';

const SAFE = new Set([
  'kernel.shm_rmid_forced',
  'net.ipv4.ip_local_port_range',
  'net.ipv4.tcp_syncookies',
  'net.ipv4.ping_group_range',
  'net.ipv4.ip_unprivileged_port_start',
  'net.ipv4.ip_local_reserved_ports',
  'net.ipv4.tcp_keepalive_time',
  'net.ipv4.tcp_fin_timeout',
  'net.ipv4.tcp_keepalive_intvl',
  'net.ipv4.tcp_keepalive_probes',
  'net.ipv4.tcp_rmem',
  'net.ipv4.tcp_wmem',
]);

/** @returns `net/ipv4/x=1` each; or what is wrong, one sentence */
export function safeSysctls({ spec = {} }: Pod): { readonly lines: readonly string[]; readonly problem: string } {
  const wanted = spec.securityContext?.sysctls ?? [];
  const bad = wanted.find(({ name }) => !SAFE.has(name.replaceAll('/', '.')));
  if (bad !== undefined)
    return { lines: [], problem: `securityContext.sysctls: forbidden sysctl: "${bad.name}" not allowlisted` };
  const lines = wanted.map(({ name, value }) => `${name.replaceAll('.', '/')}=${value.replaceAll(/[\n\0]/g, ' ')}`);
  return { lines, problem: '' };
}
