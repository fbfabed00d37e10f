/** Entries of a policy map as people read them. */
import { protocolName } from '../wire/protocols.ts';
import type { PolicyEntry } from './policy-entry.ts';

/**
 * What ports and protocol an entry is for, as cilium-dbg has it: `ANY`, `ANY/TCP`, `80/TCP`, `8080-8095/TCP`.
 * @param portPrefix leading bits of `port` that count, 0 to 16
 */
export function portText(protocol: number, port: number, portPrefix: number): string {
  if (protocol === 0) return 'ANY';
  if (portPrefix === 0) return `ANY/${protocolName(protocol)}`;
  const last = port | ((1 << (16 - portPrefix)) - 1);
  return `${port}${last === port ? '' : `-${last}`}/${protocolName(protocol)}`;
}

/** An entry as users know it: Cilium's word for the rule set that it names is proxy port. */
export type PrintedEntry = Omit<PolicyEntry, 'ruleSet'> & { readonly proxyPort: number };

export function printedEntry({ ruleSet, ...entry }: PolicyEntry): PrintedEntry {
  return { ...entry, proxyPort: ruleSet };
}
