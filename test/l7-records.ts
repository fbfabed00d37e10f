/** Access-log records as bytes, of what they are to say: the other way round than their reader. */
import type { AccessLog, AccessLogEndpoint } from '../wire/access-log.ts';
import { addressWords } from '../wire/address.ts';
import { DomainName } from '../wire/dns/name.ts';
import { typeName } from '../wire/dns/types.ts';
import type { EventRecord } from '../wire/event.ts';
import { API_KEY_NAMES } from '../wire/kafka.ts';
import * as form from '../wire/l7-record.ts';
import { OneRecord } from './told.ts';

const TYPES = { Request: form.TYPE_REQUEST, Response: form.TYPE_RESPONSE, Sample: form.TYPE_SAMPLE } as const;
const VERDICTS = { Forwarded: 1, Denied: 2, Error: 3, Redirected: 4 } as const;
const VERSIONS: Readonly<Record<string, number>> = { 'HTTP/1.0': 0x10, 'HTTP/1.1': 0x11, 'HTTP/2': 0x20 };

const TYPE_NUMBERS = new Map(Array.from({ length: 65_536 }, (_, type) => [typeName(type), type]));

/** The slots of a record that says this. */
export function recordsOf(log: AccessLog, mostSlots: number = form.MAX_RECORD_SLOTS): EventRecord[] {
  const ring = new OneRecord();
  const record = new form.L7RecordWriter(ring);
  record.begin(mostSlots, protocolOf(log), TYPES[log.Type], VERDICTS[log.Verdict], 0);
  record.setNanoseconds(log.LatencyNs ?? 0);
  setEnd(record, true, log.SourceEndpoint);
  setEnd(record, false, log.DestinationEndpoint);
  if (log.Info !== undefined) record.text(form.FIELD_INFO, log.Info);
  if (log.Carried !== undefined) {
    record.fieldHeader(form.FIELD_BYTES, 16);
    record.double(log.Carried.FromClient);
    record.double(log.Carried.ToClient);
  }
  if (log.HTTP) writeHttp(record, log.HTTP);
  if (log.DNS) writeDns(record, log.DNS);
  if (log.Kafka) writeKafka(record, log.Kafka);
  if (log.TLS) record.text(form.FIELD_SERVER_NAME, log.TLS.SNI);
  if (log.L7) writeOther(record, log.L7);
  record.end();
  return ring.take();
}

function protocolOf(log: AccessLog): number {
  if (log.HTTP) return form.L7_HTTP;
  if (log.DNS) return form.L7_DNS;
  if (log.Kafka) return form.L7_KAFKA;
  return log.TLS ? form.L7_TLS : form.L7_OTHER;
}

function setEnd(record: form.L7RecordWriter, ofClient: boolean, end: AccessLogEndpoint | undefined): void {
  if (end !== undefined)
    record.setEnd(ofClient, end.Port ?? 0, Int32Array.from(addressWords(end.IPv4 ?? end.IPv6 ?? '::')), 0);
}

function writeHttp(record: form.L7RecordWriter, http: NonNullable<AccessLog['HTTP']>): void {
  record.setKind(VERSIONS[http.Protocol] ?? 0, 0);
  record.setCode(http.Code ?? 0);
  record.text(form.FIELD_METHOD, http.Method);
  const [, host = '', path = ''] = /^http:\/\/([^/]*)(.*)$/s.exec(http.URL) ?? [];
  record.text(form.FIELD_HOST, host);
  record.text(form.FIELD_PATH, path);
  writeLists(record, form.FIELD_NAME, http.Headers);
  writeLists(record, form.FIELD_MISSING, http.MissingHeaders);
  writeLists(record, form.FIELD_REJECTED, http.RejectedHeaders);
}

function writeLists(
  record: form.L7RecordWriter,
  tag: number,
  lists: Readonly<Record<string, readonly string[]>> = {},
): void {
  for (const [name, values] of Object.entries(lists)) {
    for (const value of values) {
      record.text(tag, name);
      record.text(form.FIELD_VALUE, value);
    }
  }
}

function writeDns(record: form.L7RecordWriter, dns: NonNullable<AccessLog['DNS']>): void {
  record.setCode(dns.RCode ?? 0);
  record.setNumber(dns.TTL ?? 0);
  writeName(record, form.FIELD_QUERY, dns.Query);
  writeTypes(record, form.FIELD_QUERY_TYPES, dns.QTypes ?? []);
  writeTypes(record, form.FIELD_ANSWER_TYPES, dns.AnswerTypes ?? []);
  for (const name of dns.CNAMEs ?? []) writeName(record, form.FIELD_ALIAS, name);
  const words = (dns.IPs ?? []).flatMap((ip) => addressWords(ip));
  record.fieldHeader(form.FIELD_ADDRESSES, 4 * words.length);
  record.words(Int32Array.from(words), 0, words.length);
}

function writeName(record: form.L7RecordWriter, tag: number, text: string): void {
  const name = new DomainName();
  name.loadText(text);
  record.field(tag, name.bytes, 0, name.length);
}

function writeTypes(record: form.L7RecordWriter, tag: number, types: readonly string[]): void {
  record.fieldHeader(tag, 2 * types.length);
  for (const type of types) record.u16(TYPE_NUMBERS.get(type) ?? 0);
}

function writeKafka(record: form.L7RecordWriter, kafka: NonNullable<AccessLog['Kafka']>): void {
  record.setKind(
    kafka.APIKey === undefined ? form.NO_KIND : API_KEY_NAMES.indexOf(kafka.APIKey),
    kafka.APIVersion ?? 0,
  );
  record.setNumber(kafka.CorrelationID ?? 0);
  record.setCode(kafka.ErrorCode ?? 0);
  record.text(form.FIELD_TOPIC, kafka.Topic ?? '');
}

function writeOther(record: form.L7RecordWriter, { Proto, Fields = {} }: NonNullable<AccessLog['L7']>): void {
  record.text(form.FIELD_PROTOCOL, Proto);
  for (const [name, value] of Object.entries(Fields)) {
    record.text(form.FIELD_NAME, name);
    record.text(form.FIELD_VALUE, value);
  }
}
