/** Flows of every kind that the decoder makes, for whoever must understand them all. */
import type { Flow } from '../../hubble/flow.ts';
import * as event from '../../wire/event.ts';
import * as icmp from '../../wire/header/icmp.ts';
import * as icmpv6 from '../../wire/header/icmpv6.ts';
import * as sctp from '../../wire/header/sctp.ts';
import * as tcp from '../../wire/header/tcp.ts';
import { MATCH_ALL, MATCH_NONE, MATCH_PROTO_ONLY } from '../../wire/match.ts';
import { DROP_MIN, REASONS } from '../../wire/reasons.ts';
import {
  decode,
  decodeL7,
  ENDS,
  type Event,
  flows,
  frame,
  HTTP,
  l4,
  recordOf,
  tcpOf,
  udpOf,
  verdictSyn,
} from '../events.ts';

const KAFKA = { ErrorCode: 3, APIVersion: 5, APIKey: 'produce', CorrelationID: 7, Topic: 'orders' };
const HEADERS = {
  'X-Request-Id': ['1', '2'],
  Traceparent: ['00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'],
};

/** A drop for each reason that has a number. */
export function dropsOfAllReasons(): Flow[] {
  const numbers = Object.keys(REASONS).map(Number);
  const drops = numbers.filter((number) => number >= DROP_MIN);
  return drops.flatMap((subtype) => [
    decode(recordOf({ type: event.EVENT_DROP, subtype })),
    decode(recordOf({ ...verdictSyn, match: MATCH_NONE, verdict: -subtype, cookies: [8, 7] })),
  ]);
}

export function flowsOfAllKinds(): Flow[] {
  const of = (fields: Partial<Event>) =>
    decode(recordOf({ type: event.EVENT_TRACE, flags: event.FLAG_REPLY_KNOWN, ...fields }));
  const points = [...event.OBSERVATION_POINTS.keys()].map((subtype) => of({ subtype, verdict: 15001, ifindex: 4 }));
  const reasons = Array.from({ length: 9 }, (_, traceReason) => of({ traceReason, ifindex: 99 }));
  const matches = Array.from({ length: MATCH_PROTO_ONLY + 1 }, (_, match) =>
    [0, 1, 2].map((auth) => decode(recordOf({ ...verdictSyn, match, auth, cookies: [7, 8] }))),
  );
  const audited = decode(recordOf({ ...verdictSyn, match: MATCH_ALL, verdict: -133, flags: event.FLAG_AUDITED }));
  const redirected = decode(recordOf({ ...verdictSyn, verdict: 9 }));
  const packets = [
    frame('10.0.0.1', '10.0.0.2', udpOf(53, 54)),
    frame('fd00::1', 'fd00::2', tcpOf(1, 2, tcp.FIN | tcp.RST | tcp.PSH | tcp.URG | tcp.ECE | tcp.CWR)),
    frame(
      '10.0.0.1',
      '10.0.0.2',
      l4(132, 12, (b) => sctp.emit(b, 0, { srcPort: 5, dstPort: 6, verificationTag: 7 })),
    ),
    frame(
      '10.0.0.1',
      '10.0.0.2',
      l4(1, 8, (b) => icmp.emit(b, 0, 8, 0, 0)),
    ),
    frame(
      'fd00::1',
      'fd00::2',
      l4(58, 8, (b) => icmpv6.emit(b, 0, 128, 0, 0)),
    ),
    new Uint8Array(14),
    new Uint8Array(3),
  ];
  const l7 = (['Forwarded', 'Denied', 'Error', 'Redirected'] as const).flatMap((Verdict) =>
    (['Request', 'Response', 'Sample'] as const).flatMap((Type) => [
      decodeL7({ Type, Verdict, ...ENDS, LatencyNs: 12.5, HTTP: { ...HTTP, Code: 403, Headers: HEADERS } }),
      decodeL7({ Type, Verdict, ...ENDS, Kafka: KAFKA }, { cookies: [7, 8] }),
      decodeL7({ Type, Verdict, ...ENDS, L7: { Proto: 'line', Fields: { verb: 'get' } } }),
    ]),
  );
  return [
    ...Object.values(flows),
    ...points,
    ...reasons,
    ...matches.flat(),
    audited,
    redirected,
    ...packets.map((packet) => of({ packet })),
    ...l7,
  ];
}
