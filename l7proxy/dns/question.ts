/** What tells one question from another. */
import type { DnsMessage } from '../../wire/dns/message.ts';
import type { DomainName } from '../../wire/dns/name.ts';

/** Name, type and class as one number, the case of the name aside. @param seed random at start */
export function questionHash({ type, class: kind }: DnsMessage, name: DomainName, seed: number): number {
  return name.hash(seed ^ Math.imul((type << 16) | kind, 0x2545f491));
}
