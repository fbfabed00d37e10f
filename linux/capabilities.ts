/** What the agent may do on this machine: making interfaces and entering namespaces takes capabilities, which root has. */
import { readFileSync } from 'node:fs';

/** Bits of linux/capability.h. */
const NEEDED: Readonly<Record<string, bigint>> = { CAP_NET_ADMIN: 12n, CAP_NET_RAW: 13n, CAP_SYS_ADMIN: 21n };

/**
 * Capabilities that the agent needs and does not have.
 * @param status text of /proc/self/status
 */
export function missingCapabilities(status = readFileSync('/proc/self/status', 'latin1')): string[] {
  const effective = BigInt(`0x${/^CapEff:\s*([0-9a-f]+)$/m.exec(status)?.[1] ?? '0'}`);
  return Object.keys(NEEDED).filter((name) => ((effective >> NEEDED[name]) & 1n) === 0n);
}
