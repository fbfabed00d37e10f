/**
 * What the dataplane counts beside the outcomes of frames (metrics-map.ts): THE table of counters. The pinned map
 * (counters-map.ts), `sluice bpf metrics list`, `sluice status --verbose` and the READMEs read it.
 *
 * Its owner counts in a field of its own; the forwarding thread brings the word up to it twenty times a second
 * (daemon/forward/counting.ts), so that counting costs a frame nothing more, and a dataplane that is killed loses at most
 * 50 ms of it. A counter counts from the creation of the map on: a dataplane that is started again goes on where the one
 * before it stopped. A gauge says how much there is now; it is zeroed when a dataplane takes the map.
 *
 * A new counter: one line here, with the next free number of its group, and one where its owner lists what it counts
 * (`readers` in l7proxy, else daemon/forward/counting.ts). Tests say what is missing, and UPDATE=1 writes it into the README.
 * Numbers are places in the pinned file: never moved, never used again.
 */
import { DNS_ERROR_KINDS } from '../wire/dns/message.ts';
import { type Counter, counter, defined, gauge } from './counter.ts';

// --- 0 to 63: the dataplane
export const EVENTS_SKIPPED = counter(
  0,
  'events_skipped',
  'events',
  'Not told, other than drops: more a second than the rate limit lets.',
);
export const DROPS_COUNTED = counter(11, 'drops_counted', 'frames', 'Dropped, and told as counts: too many at once.');
export const NEIGHBOR_DROPS = counter(1, 'neighbor_drops', 'frames', 'Dropped: their next hop was not known in time.');
export const GATEWAY4_DROPS = counter(2, 'gateway_drops', 'frames', 'Dropped: the gateway did not answer.', {
  family: 'ipv4',
});
export const GATEWAY6_DROPS = counter(3, 'gateway_drops', 'frames', 'Dropped: the gateway did not answer.', {
  family: 'ipv6',
});
export const ICMP_ERRORS_LIMITED = counter(
  4,
  'icmp_errors_limited',
  'frames',
  'Their sender was owed an ICMP error and got none: more a second than the budget.',
);
export const CT_EVICTED_IDLE = counter(
  5,
  'ct_evictions',
  'connections',
  'Closing or never answered, forgotten because the table was full.',
  { state: 'idle' },
);
export const CT_EVICTED_OVER = counter(
  6,
  'ct_evictions',
  'connections',
  'In use, of an endpoint with more than its share of a full table.',
  { state: 'over-share' },
);
export const CT_EVICTED_WITHIN = counter(
  7,
  'ct_evictions',
  'connections',
  'In use, of an endpoint with no more than its share of a full table.',
  { state: 'within-share' },
);
export const CT_FULL_ENDPOINT = gauge(
  8,
  'ct_full_endpoint',
  'endpoint',
  'Whose connection in use was forgotten last because the table was full.',
);

export const MASQUERADE_EXHAUSTED = counter(
  9,
  'masquerade_exhausted',
  'connections',
  'Refused: no port of the masquerade range was free towards their destination.',
);
export const MASQUERADE_DISPLACED = counter(
  10,
  'masquerade_displaced',
  'connections',
  'Lost their port to an endpoint that had far fewer towards their destination, when none was free.',
);
export const LOOP_IDLE = counter(
  15,
  'loop_idle_microseconds',
  'us',
  'For which the forwarding thread had nothing to do.',
);

// --- 64 to 127: TCP streams under L7 rules
export const L7_OPENED = counter(64, 'l7_opened', 'connections', 'Taken under L7 rules.');
export const L7_REFUSED = counter(65, 'l7_refused', 'connections', 'Refused: their rules cannot be read.');
export const L7_TABLE_FULL = counter(
  66,
  'l7_table_full',
  'connections',
  'Refused: the share of their endpoint in the table of flows was full.',
);
export const L7_RESUMED = counter(67, 'l7_resumed', 'connections', 'Taken up from a former dataplane.');
export const L7_UNRESUMED = counter(68, 'l7_unresumed', 'connections', 'Of a former dataplane, that could not go on.');
export const L7_RESETS = counter(69, 'l7_resets', 'connections', 'Reset on both sides.');
export const L7_CLOSES = counter(70, 'l7_closes', 'connections', 'Ended behind a reply of the dataplane.');
export const L7_BAD_CHECKSUM = counter(71, 'l7_bad_checksum', 'segments', 'Refused: wrong checksum.');
export const L7_INVALID = counter(
  72,
  'l7_invalid',
  'segments',
  'Refused: URG, no ACK, old timestamp, outside the window.',
);
export const L7_EARLY = counter(73, 'l7_early', 'segments', 'Came before the bytes in front of them, and waited.');
export const L7_EARLY_DROPPED = counter(
  74,
  'l7_early_dropped',
  'segments',
  'Came too early, and there was no room to wait.',
);
export const L7_NO_MEMORY = counter(75, 'l7_no_memory', 'segments', 'Dropped: their bytes could not be kept.');
export const L7_REPEATED = counter(76, 'l7_repeated', 'segments', 'Sent again by their sender.');
export const L7_REPEATED_OTHERWISE = counter(
  77,
  'l7_repeated_otherwise',
  'segments',
  'Sent again with other bytes; the bytes judged went out instead.',
);
export const L7_RESENT = counter(78, 'l7_resent', 'segments', 'Sent again by the dataplane: nobody acknowledged them.');
export const L7_GAVE_UP = counter(79, 'l7_gave_up', 'connections', 'Ended: nobody acknowledged what was sent again.');
export const L7_HEAD_TIMEOUTS = counter(80, 'l7_head_timeouts', 'connections', 'Ended: a message head never ended.');
export const L7_MEMORY_REFUSED = counter(
  81,
  'l7_memory_refused',
  'events',
  'Buffer refused: one way of a connection had all that it may have.',
);
export const L7_MEMORY = gauge(82, 'l7_memory', 'bytes', 'Buffers in use.');
export const L7_MEMORY_PEAK = gauge(83, 'l7_memory_peak', 'bytes', 'Buffers in use at most so far.');
export const L7_UNREAD = counter(
  84,
  'l7_unread',
  'connections',
  'Refused: nothing here reads the protocol of their rules.',
);
export const L7_DATAGRAMS_PASSED = counter(85, 'l7_datagrams', 'messages', 'Allowed.', { verdict: 'forwarded' });
export const L7_DATAGRAMS_DENIED = counter(86, 'l7_datagrams', 'messages', 'Denied.', { verdict: 'denied' });
export const L7_DATAGRAMS_UNREAD = counter(
  87,
  'l7_datagrams_unread',
  'frames',
  'Dropped: nothing here reads the protocol of their rules.',
);
export const L7_DATAGRAMS_BAD_CHECKSUM = counter(88, 'l7_datagrams_bad_checksum', 'frames', 'Dropped: wrong checksum.');
export const L7_DATAGRAMS_SEVERAL = counter(
  96,
  'l7_datagrams_several',
  'frames',
  'Dropped: several datagrams in one frame (UDP segmentation offload), which would be read as one message.',
);
export const L7_FLOWS = gauge(89, 'l7_flows', 'connections', 'In the table of flows.');
export const L7_RECLAIMED = counter(
  90,
  'l7_reclaimed',
  'connections',
  'Ended or half open ones that made room for others in the table of flows.',
);
export const L7_EARLY_AGED = counter(
  91,
  'l7_early_aged',
  'events',
  'Early bytes of a stream dropped: those in front of them never came.',
);
export const L7_MEMORY_SHARE_FULL = counter(
  92,
  'l7_memory_share_full',
  'events',
  'Buffer refused: the share of its endpoint was full.',
);
export const L7_FULL_ENDPOINT = gauge(
  93,
  'l7_full_endpoint',
  'endpoint',
  'Whose share of the table of flows was full last.',
);
export const L7_MEMORY_FULL_ENDPOINT = gauge(
  94,
  'l7_memory_full_endpoint',
  'endpoint',
  'Whose share of the memory was full last.',
);
export const L7_RECORDS = counter(97, 'l7_records', 'records', 'Requests and responses told.');
export const L7_RECORDS_CUT = counter(
  98,
  'l7_records_cut',
  'records',
  'Of these, without all that their message says.',
);
export const L7_RECORDS_SKIPPED = counter(
  99,
  'l7_records_skipped',
  'records',
  'Requests and responses not told: more than readers of the ring could follow.',
);

// --- 128 to 191: HTTP/1
export const HTTP_FORWARDED = counter(128, 'http_requests', 'messages', 'Allowed.', { verdict: 'forwarded' });
export const HTTP_DENIED = counter(129, 'http_requests', 'messages', 'Denied.', { verdict: 'denied' });
export const HTTP_RESPONSES = counter(130, 'http_responses', 'messages', 'Passed.');
export const HTTP_MEMO_HITS = counter(
  131,
  'http_memo_hits',
  'messages',
  'Requests judged as one before; of http_requests.',
);

/** Why an HTTP/1 message is refused, by error number (l7proxy/http1/syntax.ts); number 0 is no error. */
export const HTTP_ERROR_KINDS = [
  'none',
  'bad-method',
  'bad-target',
  'bad-version',
  'http-0.9',
  'http2-preface',
  'bad-request-line',
  'bad-header-name',
  'space-before-colon',
  'obs-fold',
  'bare-cr',
  'bare-lf',
  'nul',
  'control-character',
  'head-too-large',
  'too-many-headers',
  'bad-content-length',
  'duplicate-content-length',
  'bad-transfer-encoding',
  'length-with-chunked',
  'missing-host',
  'duplicate-host',
  'bad-host',
  'host-mismatch',
  'bad-connection',
  'bad-chunk',
  'bad-trailer',
  'truncated',
  'bad-status-line',
  'unsolicited-response',
  'unjudgeable-upgrade',
  'tls',
  'bad-frame',
  'bad-header-block',
  'bad-pseudo-header',
  'bad-header-value',
  'connection-header',
  'content-mismatch',
  'bad-stream',
  'bad-settings',
  'bad-window',
  'flood',
  'too-many-streams',
  'bad-server-frame',
  'server-flood',
] as const;

/** Error n is counter HTTP_ERROR + n. */
export const HTTP_ERROR = 140;
for (const [error, kind] of HTTP_ERROR_KINDS.entries()) {
  if (error > 0) counter(HTTP_ERROR + error, 'http_errors', 'messages', 'Refused.', { kind });
}

// --- 192 to 255: DNS, over UDP and over TCP; numbers of one transport are these plus its base
export const DNS_UDP = 192;
export const DNS_TCP = 224;
export const DNS_FORWARDED = 0;
export const DNS_DENIED = 1;
export const DNS_RESPONSES = 2;
export const DNS_HELD = 24;
/** Error n (wire/dns/message.ts) is base + DNS_ERROR + n; number 0 is no error. */
export const DNS_ERROR = 4;
for (const [base, transport] of [
  [DNS_UDP, 'udp'],
  [DNS_TCP, 'tcp'],
] as const) {
  counter(base + DNS_FORWARDED, 'dns_queries', 'messages', 'Allowed.', { transport, verdict: 'forwarded' });
  counter(base + DNS_DENIED, 'dns_queries', 'messages', 'Answered with a refusal.', { transport, verdict: 'denied' });
  counter(base + DNS_RESPONSES, 'dns_responses', 'messages', 'Passed.', { transport });
  counter(base + DNS_HELD, 'dns_held', 'messages', 'Answers that waited for the agent.', { transport });
  for (const [error, kind] of DNS_ERROR_KINDS.entries()) {
    if (error > 0)
      counter(base + DNS_ERROR + error, 'dns_errors', 'messages', 'Dropped, or their connection reset.', {
        transport,
        kind,
      });
  }
}
export const DNS_DISPLACED = counter(
  223,
  'dns_displaced',
  'messages',
  'Queries over UDP forgotten for others of the same endpoint: their answers are dropped.',
);

export const DNS_HELD_LOST = counter(
  255,
  'dns_held_lost',
  'messages',
  'Answers that waited, and could not be sent any more: their conversation or port was gone.',
);

/** Why an answer was replaced by SERVFAIL, by number. */
export const DNS_UNPUBLISHED_CAUSES = ['delay', 'ring-full', 'share-full', 'memory-full'] as const;
// --- 256 to 287: what DNS answers teach
/** Cause n is counter DNS_UNPUBLISHED + n. */
export const DNS_UNPUBLISHED = 256;
for (const [number, cause] of DNS_UNPUBLISHED_CAUSES.entries()) {
  const meaning = 'Answers replaced by SERVFAIL: what they taught was not published in time, or could not be told.';
  counter(DNS_UNPUBLISHED + number, 'dns_unpublished', 'messages', meaning, { cause });
}
const TAUGHT = 'Answers told to the agent: those that waited, and those that went on.';
export const DNS_TAUGHT_ASK = counter(264, 'dns_taught', 'messages', TAUGHT, { kind: 'ask' });
export const DNS_TAUGHT_RENEW = counter(265, 'dns_taught', 'messages', TAUGHT, { kind: 'renew' });
export const DNS_UNTAUGHT = counter(
  266,
  'dns_untaught',
  'messages',
  'Answers that went on without the agent being told that they were given again: it was too busy.',
);
export const DNS_FULL_ENDPOINT = gauge(
  267,
  'dns_full_endpoint',
  'endpoint',
  'Whose share of answers that wait was full last.',
);

// --- 320 to 351: TLS
export const TLS_FORWARDED = counter(320, 'tls_hellos', 'messages', 'Allowed.', { verdict: 'forwarded' });
export const TLS_DENIED = counter(321, 'tls_hellos', 'messages', 'Denied.', { verdict: 'denied' });

/** Why a stream under rules of server names is refused, by error number (l7proxy/tls/errors.ts); number 0 is no error. */
export const TLS_ERROR_KINDS = [
  'none',
  'not-tls',
  'ssl2-hello',
  'bad-record',
  'hello-too-large',
  'bad-hello',
  'duplicate-extension',
  'bad-name',
  'several-names',
  'server-first',
  'truncated',
  'bad-answer',
] as const;

/** Error n is counter TLS_ERROR + n. */
export const TLS_ERROR = 328;
for (const [error, kind] of TLS_ERROR_KINDS.entries()) {
  if (error > 0) counter(TLS_ERROR + error, 'tls_errors', 'connections', 'Refused.', { kind });
}

// --- 384 to 415: Kafka
export const KAFKA_FORWARDED = counter(384, 'kafka_requests', 'messages', 'Allowed.', { verdict: 'forwarded' });
export const KAFKA_DENIED = counter(385, 'kafka_requests', 'messages', 'Answered with an error.', {
  verdict: 'denied',
});
export const KAFKA_RESPONSES = counter(386, 'kafka_responses', 'messages', 'Passed.');

/** Why a stream under Kafka rules is refused, by error number (l7proxy/kafka/errors.ts); number 0 is no error. */
export const KAFKA_ERROR_KINDS = [
  'none',
  'bad-size',
  'bad-header',
  'bad-body',
  'truncated',
  'unasked',
  'late-denial',
] as const;

/** Error n is counter KAFKA_ERROR + n. */
export const KAFKA_ERROR = 392;
for (const [error, kind] of KAFKA_ERROR_KINDS.entries()) {
  if (error > 0) counter(KAFKA_ERROR + error, 'kafka_errors', 'connections', 'Refused.', { kind });
}

/** All counters, by number. */
export const COUNTERS: readonly Counter[] = [...defined()].sort((a, b) => a.number - b.number);
