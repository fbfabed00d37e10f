/** What DNS counts: over one transport, and of what answers teach over either. */
import * as counter from '../../policy-maps/counters.ts';
import { DNS_ERROR_KINDS } from '../../wire/dns/message.ts';
import type { CounterReader } from '../protocol.ts';
import type { TeachingCounters } from './teaching.ts';

export class DnsCounters {
  forwarded = 0;
  denied = 0;
  responses = 0;
  /** Answers that waited. */
  held = 0;
  readonly errors: Int32Array = new Int32Array(DNS_ERROR_KINDS.length);
}

/** @param base DNS_UDP or DNS_TCP */
export function dnsReaders(counters: DnsCounters, base: number): CounterReader[] {
  return [
    [base + counter.DNS_FORWARDED, () => counters.forwarded],
    [base + counter.DNS_DENIED, () => counters.denied],
    [base + counter.DNS_RESPONSES, () => counters.responses],
    [base + counter.DNS_HELD, () => counters.held],
    ...[...counters.errors.keys()]
      .slice(1)
      .map((error): CounterReader => [base + counter.DNS_ERROR + error, () => counters.errors[error]]),
  ];
}

/** Of what answers teach. */
export function teachingReaders(counters: TeachingCounters): CounterReader[] {
  return [
    ...counter.DNS_UNPUBLISHED_CAUSES.map((_, cause): CounterReader => {
      return [counter.DNS_UNPUBLISHED + cause, () => counters.unpublished[cause]];
    }),
    [counter.DNS_TAUGHT_ASK, () => counters.asked],
    [counter.DNS_TAUGHT_RENEW, () => counters.renewed],
    [counter.DNS_UNTAUGHT, () => counters.untaught],
    [counter.DNS_FULL_ENDPOINT, () => counters.fullEndpoint],
  ];
}
