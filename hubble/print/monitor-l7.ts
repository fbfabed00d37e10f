/** Access-log records as `cilium-dbg monitor` prints them. */
import type { AccessLog } from '../../wire/access-log.ts';
import { INGRESS } from '../../wire/direction.ts';
import type { EventRecord } from '../../wire/event.ts';
import type { Directory } from '../decode/directory.ts';
import type { MonitorOptions } from './monitor-line.ts';
import { escapeControls } from './terminal.ts';

function l7Protocol(log: AccessLog): string {
  if (log.HTTP) return 'http';
  if (log.Kafka) return 'kafka';
  if (log.TLS) return 'tls';
  return log.DNS ? 'dns' : (log.L7?.Proto ?? 'unknown-l7');
}

function labelsOf(record: EventRecord, directory: Directory, isSource: boolean): readonly string[] {
  const id = isSource ? record.sourceEndpoint : record.destinationEndpoint;
  const identity = isSource ? record.srcIdentity : record.dstIdentity;
  return (id === 0 ? undefined : directory.endpoint(id)?.labels) ?? directory.identityLabels(identity) ?? [];
}

/** One access-log record as one line. */
export function l7Line(record: EventRecord, log: AccessLog, options: MonitorOptions): string {
  const arrow = record.direction === INGRESS ? '<-' : '->';
  const end = (isSource: boolean) =>
    `${isSource ? record.sourceEndpoint : record.destinationEndpoint} ([${labelsOf(record, options.directory, isSource).join(' ')}])`;
  const parties = log.Type === 'Response' ? `to ${end(false)} from ${end(true)}` : `from ${end(true)} to ${end(false)}`;
  const identities = `identity ${record.srcIdentity}->${record.dstIdentity}`;
  return escapeControls(
    `${arrow} ${log.Type} ${l7Protocol(log)} ${parties}, ${identities}, verdict ${log.Verdict}${l7Detail(log)}`,
  );
}

function l7Detail(log: AccessLog): string {
  if (log.HTTP) return ` ${log.HTTP.Method} ${log.HTTP.URL} => ${log.HTTP.Code ?? 0}`;
  if (log.Kafka) return ` ${log.Kafka.APIKey ?? ''} topic ${log.Kafka.Topic ?? ''} => ${log.Kafka.ErrorCode ?? 0}`;
  if (log.TLS) return ` SNI ${log.TLS.SNI}`;
  if (!log.DNS) return '';
  const { DNS: dns } = log;
  const question = ` DNS ${dns.ObservationSource ?? ''}: ${dns.Query} ${(dns.QTypes ?? []).join(',')}`;
  if (log.Type !== 'Response') return question;
  const aliases = dns.CNAMEs?.length ? ` CNAMEs: ${dns.CNAMEs.join(',')}` : '';
  return `${question} TTL: ${dns.TTL ?? 0} Answer: '${(dns.IPs ?? []).join(',')}'${aliases}`;
}

/** One access-log record as JSON. */
export function l7Json(record: EventRecord, log: AccessLog, { directory }: MonitorOptions): string {
  return JSON.stringify({
    type: 'logRecord',
    observationPoint: record.direction === INGRESS ? 'Ingress' : 'Egress',
    flowType: log.Type,
    l7Proto: l7Protocol(log),
    srcEpID: record.sourceEndpoint,
    srcEpLabels: labelsOf(record, directory, true),
    srcIdentity: record.srcIdentity,
    dstEpID: record.destinationEndpoint,
    dstEpLabels: labelsOf(record, directory, false),
    dstIdentity: record.dstIdentity,
    verdict: log.Verdict,
    http: log.HTTP,
    kafka: log.Kafka,
    dns: log.DNS,
    tls: log.TLS,
    l7: log.L7,
  });
}
