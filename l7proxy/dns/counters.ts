/** What DNS counts, over one transport. */
import * as counter from '../../policy-maps/counters.ts';
import { DNS_ERROR_KINDS } from '../../wire/dns/message.ts';
import type { CounterReader } from '../protocol.ts';

export class DnsCounters {
  forwarded = 0;
  denied = 0;
  responses = 0;
  readonly errors: Int32Array = new Int32Array(DNS_ERROR_KINDS.length);
}

/** @param base DNS_UDP or DNS_TCP */
export function dnsReaders(counters: DnsCounters, base: number): CounterReader[] {
  return [
    [base + counter.DNS_FORWARDED, () => counters.forwarded],
    [base + counter.DNS_DENIED, () => counters.denied],
    [base + counter.DNS_RESPONSES, () => counters.responses],
    ...[...counters.errors.keys()]
      .slice(1)
      .map((error): CounterReader => [base + counter.DNS_ERROR + error, () => counters.errors[error]]),
  ];
}
