/**
 * Access-log records make L7 flows. One record comes in one or more slots of its ring (wire/l7-record.ts); `L7Joiner` puts
 * them together. The slots of a record follow each other, since the ring has one writer, so it keeps one unfinished record; a gap, or
 * slots that do not belong together, cost the record, which is counted. Nothing is read of a record before somebody looks.
 *
 * In a record the source is the client and the destination the server, whichever way the message goes; in a flow the
 * source is the sender, so a response is turned round (and printed with `<-`).
 */
import type { AccessLog, AccessLogDns, AccessLogEndpoint, AccessLogHttp } from '../../wire/access-log.ts';
import { type EventRecord, FLAG_IPV6, PAYLOAD_BYTES } from '../../wire/event.ts';
import { FIXED_BYTES, L7_FORM, MAX_RECORD_SLOTS, PART_BYTES } from '../../wire/l7-record.ts';
import { concat } from '../../wire/pcap.ts';
import { Redaction } from './redact.ts';
import { rcodeText } from './rcode-names.ts';
import { commonFields, type DecodeOptions, directionName, endpointOf, fillPolicies } from './decode.ts';
import { portsOf } from './dissect.ts';
import { type FlowFields, finish } from './flow-object.ts';
import {
  compact,
  type Dns,
  type Flow,
  type Http,
  type HttpHeader,
  type Kafka,
  type Layer4,
  type Layer7,
  type Verdict,
} from '../flow.ts';

export class L7Joiner {
  #first: EventRecord | undefined;
  #payloads: Uint8Array[] = [];
  /** Access-log records that could not be told, because parts were lost or they made no sense. */
  dropped = 0;

  /** Forgets an unfinished record. Call it when events were lost. */
  reset(): void {
    if (this.#first !== undefined) this.dropped++;
    this.#first = undefined;
  }

  /**
   * Takes the next slot.
   * @param record of type EVENT_L7
   * @returns the record, with the payload of all its slots, once it is whole; else undefined
   */
  join(record: EventRecord): EventRecord | undefined {
    if (record.subtype === 0) return this.#begin(record);
    const first = this.#first;
    if (first === undefined || record.subtype !== this.#payloads.length) {
      this.#drop();
      return undefined;
    }
    this.#payloads.push(record.payload);
    if (record.subtype < partsOf(first) - 1) return undefined;
    this.#first = undefined;
    const payload = concat(this.#payloads);
    if (payload.length === payloadBytes(first)) return { ...first, payload };
    this.dropped++;
    return undefined;
  }

  #begin(record: EventRecord): EventRecord | undefined {
    this.reset();
    if (record.payload[0] !== L7_FORM || partsOf(record) > MAX_RECORD_SLOTS) {
      this.dropped++;
      return undefined;
    }
    if (record.payload.length === payloadBytes(record)) return record;
    this.#first = record;
    this.#payloads = [record.payload];
    return undefined;
  }

  /** A part without its beginning: the record that was under way, and this one if it is another. */
  #drop(): void {
    if (this.#first === undefined) this.dropped++;
    this.reset();
  }
}

function payloadBytes(first: EventRecord): number {
  return FIXED_BYTES + first.originalBytes;
}

/** How many slots a record has. @param first the first of them */
function partsOf(first: EventRecord): number {
  return 1 + Math.ceil(Math.max(0, payloadBytes(first) - PAYLOAD_BYTES) / PART_BYTES);
}

/** Passwords are hidden all the same. */
const NO_REDACTION_AT_ALL = new Redaction();

const VERDICTS: Readonly<Record<string, Verdict>> = {
  Forwarded: 'FORWARDED',
  Denied: 'DROPPED',
  Error: 'ERROR',
  Redirected: 'REDIRECTED',
};

/** A record had no room for all that its message says. */
const RECORD_CUT: Flow['extensions'] = {
  '@type': 'type.googleapis.com/google.protobuf.StringValue',
  value: 'SLUICE_RECORD_CUT',
};

const TYPES = { Request: 'REQUEST', Response: 'RESPONSE', Sample: 'SAMPLE' } as const;

/** Decodes an access-log record. @param record the last event record of its text */
export function decodeL7(record: EventRecord, log: AccessLog, options: DecodeOptions): Flow {
  const { directory } = options;
  const isResponse = log.Type === 'Response';
  const fields = commonFields(record, options);
  const isV6 = (record.flags & FLAG_IPV6) !== 0;
  const ip = (end: AccessLogEndpoint | undefined) => (isV6 ? end?.IPv6 : end?.IPv4) ?? '';
  const client = { ip: ip(log.SourceEndpoint), port: log.SourceEndpoint?.Port ?? 0 };
  const server = { ip: ip(log.DestinationEndpoint), port: log.DestinationEndpoint?.Port ?? record.dstPort };
  const [from, to] = isResponse ? [server, client] : [client, server];
  const clientEndpoint = endpointOf(directory, record.sourceEndpoint, record.srcIdentity, client.ip);
  const serverEndpoint = endpointOf(directory, record.destinationEndpoint, record.dstIdentity, server.ip);
  fields.verdict = VERDICTS[log.Verdict] ?? 'VERDICT_UNKNOWN';
  fields.IP = from.ip === '' ? undefined : { source: from.ip, destination: to.ip, ipVersion: isV6 ? 'IPv6' : 'IPv4' };
  fields.l4 = layer4(record.protocol, from.port, to.port);
  fields.source = isResponse ? serverEndpoint : clientEndpoint;
  fields.destination = isResponse ? clientEndpoint : serverEndpoint;
  fields.Type = 'L7';
  fields.source_names = directory.names(from.ip, fields.destination.ID ?? 0);
  fields.destination_names = directory.names(to.ip, fields.source.ID ?? 0);
  fields.source_service = directory.service(from.ip, from.port);
  fields.destination_service = directory.service(to.ip, to.port);
  const asked = record.frontend === 0 ? undefined : directory.frontend(record.frontend);
  if (isResponse) fields.source_service ??= asked;
  else fields.destination_service ??= asked;
  const { redaction = NO_REDACTION_AT_ALL } = options;
  const url = log.HTTP === undefined ? '' : redaction.url(log.HTTP);
  fields.l7 = layer7(log, redaction, url);
  fields.is_reply = isResponse;
  fields.reply = isResponse ? true : undefined;
  fields.traffic_direction = directionName(record.direction);
  fields.Summary = summaryOf(log, redaction, url);
  if (log.IsCut === true) fields.extensions = RECORD_CUT;
  fillTraceContext(fields, log.HTTP);
  fillPolicies(fields, record, directory);
  return finish(fields);
}

function layer4(protocol: number, source: number, destination: number): Layer4 | undefined {
  const ports = portsOf(source, destination);
  if (protocol === 6) return { TCP: ports };
  if (protocol === 17) return { UDP: ports };
  return protocol === 132 ? { SCTP: ports } : undefined;
}

/** @param url of a request, as it may be told */
function layer7(log: AccessLog, redaction: Redaction, url: string): Layer7 {
  const isRequest = log.Type === 'Request';
  const layer: { -readonly [K in keyof Layer7]: Layer7[K] } = { type: TYPES[log.Type] ?? 'SAMPLE' };
  if (log.LatencyNs) layer.latency_ns = String(Math.round(log.LatencyNs));
  if (log.DNS) layer.dns = layer7Dns(log.DNS, isRequest);
  if (log.HTTP) layer.http = layer7Http(log, log.HTTP, redaction, url);
  if (log.Kafka) layer.kafka = layer7Kafka(log.Kafka, redaction);
  if (log.TLS) layer.tlsSNI = log.TLS.SNI; // an empty name is told: the hello had none
  return layer;
}

/** A request has no answer yet: the fields of one are left out. */
function layer7Dns(dns: AccessLogDns, isRequest: boolean): Dns {
  return compact<Dns>({
    query: dns.Query,
    ips: isRequest ? undefined : dns.IPs,
    ttl: isRequest ? undefined : dns.TTL,
    cnames: isRequest ? undefined : dns.CNAMEs,
    observation_source: dns.ObservationSource,
    rcode: isRequest ? undefined : dns.RCode,
    qtypes: dns.QTypes,
    rrtypes: isRequest ? undefined : dns.AnswerTypes,
  });
}

function layer7Http({ Type, Carried }: AccessLog, http: AccessLogHttp, redaction: Redaction, url: string): Http {
  const headers: HttpHeader[] = [];
  if (http.Headers !== undefined) {
    for (const key of Object.keys(http.Headers).sort()) {
      for (const value of http.Headers[key]) headers.push({ key, value: redaction.header(key, value) });
    }
  }
  if (Carried !== undefined) {
    headers.push({ key: 'Sluice-Bytes-Sent', value: String(Carried.FromClient) });
    headers.push({ key: 'Sluice-Bytes-Received', value: String(Carried.ToClient) });
  }
  const { Code: code, Method: method, Protocol: protocol } = http;
  return compact<Http>({ code: Type === 'Request' ? undefined : code, method, url, protocol, headers });
}

function layer7Kafka(kafka: NonNullable<AccessLog['Kafka']>, redaction: Redaction): Kafka {
  return compact<Kafka>({
    error_code: kafka.ErrorCode,
    api_version: kafka.APIVersion,
    api_key: redaction.apiKey(kafka.APIKey),
    correlation_id: kafka.CorrelationID,
    topic: kafka.Topic,
  });
}

/** W3C trace context: `traceparent: 00-<trace id>-<parent id>-<flags>`. */
function fillTraceContext(fields: FlowFields, http: AccessLogHttp | undefined): void {
  const value = http?.Headers?.['Traceparent']?.[0]; // readers write names of headers in one way
  if (value === undefined) return;
  const id = /^[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}/.exec(value)?.[1];
  if (id !== undefined) fields.trace_context = { parent: { trace_id: id } };
}

function summaryOf(log: AccessLog, redaction: Redaction, url: string): string {
  const isResponse = log.Type === 'Response';
  if (log.HTTP) {
    const { Protocol: protocol, Method: method, Code: code } = log.HTTP;
    const request = `${method} ${url}`;
    const ms = Math.floor((log.LatencyNs ?? 0) / 1e6);
    if (log.Carried !== undefined) {
      const { FromClient: sent, ToClient: received } = log.Carried;
      return `${protocol} ${ms}ms (${request}) sent ${sent} bytes, received ${received} bytes`;
    }
    return isResponse ? `${protocol} ${code ?? 0} ${ms}ms (${request})` : `${protocol} ${request}`;
  }
  if (log.DNS)
    return isResponse ? dnsAnswer(log.DNS) : `DNS Query ${log.DNS.Query} ${(log.DNS.QTypes ?? []).join(',')}`;
  if (log.Kafka) {
    const key = redaction.apiKey(log.Kafka.APIKey) ?? '';
    const { CorrelationID: id = 0, Topic: topic = '', ErrorCode: error = 0 } = log.Kafka;
    const what = `Kafka ${isResponse ? 'response' : 'request'} ${key} correlation id ${id} topic '${topic}'`;
    return isResponse ? `${what} return code ${error}` : what;
  }
  if (log.TLS) return `TLS ClientHello ${log.TLS.SNI === '' ? 'without a server name' : log.TLS.SNI}`;
  return log.L7 ? `${log.L7.Proto} Fields: ${JSON.stringify(log.L7.Fields ?? {})}` : '';
}

function dnsAnswer(dns: AccessLogDns): string {
  const rcode = dns.RCode ?? 0;
  const parts: string[] = [];
  if (rcode !== 0) parts.push(`RCode: ${rcodeText(rcode)}`);
  else {
    if (dns.IPs?.length) parts.push(JSON.stringify(dns.IPs.join(',')));
    if (dns.CNAMEs?.length) parts.push(`CNAMEs: ${JSON.stringify(dns.CNAMEs.join(','))}`);
  }
  const from = dns.ObservationSource === 'proxy' ? 'Proxy' : 'Query';
  const question = `${dns.Query} ${(dns.QTypes ?? []).join(',')}`;
  return `DNS Answer ${parts.join(' ')} TTL: ${dns.TTL ?? 0} (${from} ${question})`;
}
