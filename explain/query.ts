/**
 * One flow to be judged: the line format of `sluice policy verdict --queries`, checked.
 *
 *     {"id":1,"from":{"pod":"shop/web-0"},"to":{"pod":"shop/api-0"},"port":80,"http":{"method":"GET","path":"/"}}
 */
import type { DnsRequest } from '../l7proxy/dns/rules.ts';
import type { HttpRequest } from '../l7proxy/http/offline.ts';
import type { KafkaRequest } from '../l7proxy/kafka/rules.ts';
import { icmpType } from '../policy/rule/icmp-types.ts';
import { PROTO_ICMP, PROTO_ICMPV6, protocolNumbers } from '../wire/protocols.ts';

/** One end of a flow: exactly one of pod, ip, entity, labels. */
export type End =
  | { readonly pod: string }
  | { readonly ip: string }
  | { readonly entity: string }
  | { readonly labels: readonly string[]; readonly namespace?: string };

export interface FlowQuery {
  readonly id: unknown;
  readonly from: End;
  readonly to: End;
  /** IP protocol number. */
  readonly protocol: number;
  /** A port number, a port name to be looked up at the destination, or an ICMP type. */
  readonly port: number | string;
  readonly http?: HttpRequest;
  readonly dns?: DnsRequest;
  readonly sni?: string;
  readonly kafka?: KafkaRequest;
}

/** What a query may say. */
export const QUERY_FIELDS: readonly string[] = [
  'id',
  'from',
  'to',
  'port',
  'protocol',
  'icmp',
  'http',
  'dns',
  'sni',
  'kafka',
];
const ENDS = ['pod', 'ip', 'entity', 'labels'];
const PROTOCOLS = ['TCP', 'UDP', 'SCTP', 'ICMP', 'ICMPv6', 'VRRP', 'IGMP', 'GRE', 'IPIP', 'IPV6', 'ESP', 'AH'];
/** Protocols that have ports. */
const WITH_PORTS = ['TCP', 'UDP', 'SCTP'];

const KAFKA = '{"apiKey","topic","clientID"}';

type QueryFields = Readonly<Record<string, unknown>>;

/**
 * Checks what a line of JSON, or the flags, say.
 * @throws SyntaxError that says what was found and what is wanted
 */
export function readQuery(value: unknown): FlowQuery {
  if (!isFields(value)) throw new SyntaxError(`read query: found ${shown(value)}, wanted an object`);
  const fields = withoutNull(value);
  for (const key of Object.keys(fields)) {
    if (!QUERY_FIELDS.includes(key))
      throw new SyntaxError(`read query: found '${key}', wanted one of ${QUERY_FIELDS.join(', ')}`);
  }
  const { http, dns, sni, kafka } = fields;
  return {
    id: fields['id'] ?? null,
    from: readEnd('from', fields['from']),
    to: readEnd('to', fields['to']),
    ...readPort(fields),
    ...(http !== undefined && { http: readHttp(http) }),
    ...(dns !== undefined && { dns: readDns(dns) }),
    ...(sni !== undefined && { sni: text('sni', sni) }),
    ...(kafka !== undefined && { kafka: readKafka(kafka) }),
  };
}

/** Programs write null for what they have not. */
function withoutNull(value: QueryFields): QueryFields {
  if (!Object.values(value).includes(null)) return value;
  return Object.fromEntries(Object.entries(value).filter(([, member]) => member !== null));
}

function readKafka(given: unknown): KafkaRequest {
  if (!isFields(given)) return wrong('kafka', given, KAFKA);
  const value = withoutNull(given);
  for (const [key, member] of Object.entries(value)) {
    const isNumber = typeof member === 'number' && key.startsWith('api');
    if (typeof member !== 'string' && !isNumber) wrong(`kafka.${key}`, member, 'a text');
  }
  return value;
}

function readDns(value: unknown): DnsRequest {
  return isFields(value) ? { query: text('dns.query', value['query']) } : wrong('dns', value, '{"query":"a.name"}');
}

function readEnd(name: string, member: unknown): End {
  const value = isFields(member) ? withoutNull(member) : member;
  const given = isFields(value) ? ENDS.filter((key) => value[key] !== undefined) : [];
  if (!isFields(value) || given.length !== 1)
    return wrong(name, value, 'one of {"pod":"ns/name"}, {"ip"}, {"entity"}, {"labels"}');
  const [kind] = given;
  if (kind === 'labels') {
    const { labels, namespace } = value;
    if (!Array.isArray(labels) || !labels.every((label) => typeof label === 'string'))
      return wrong(`${name}.labels`, labels, 'a list such as ["k8s:app=web"]');
    return {
      labels,
      ...(namespace !== undefined && { namespace: text(`${name}.namespace`, namespace) }),
    };
  }
  if (typeof value[kind] !== 'string') return wrong(`${name}.${kind}`, value[kind], 'a text');
  if (kind === 'pod' && !/^[^/]+\/[^/]+$/.test(value[kind]))
    return wrong(`${name}.pod`, value[kind], '"namespace/name"');
  return { [kind]: value[kind] } as End;
}

function readPort(value: QueryFields): { protocol: number; port: number | string } {
  if (value['icmp'] !== undefined) return readIcmp(value['icmp']);
  const { port, protocol: name = 'TCP' } = value;
  const known = typeof name === 'string' && PROTOCOLS.find((one) => one.toLowerCase() === name.toLowerCase());
  if (typeof known !== 'string') return wrong('protocol', name, PROTOCOLS.join(', '));
  const [protocol] = protocolNumbers(known);
  if (known === 'ICMP' || known === 'ICMPv6') {
    return readIcmp({ family: known === 'ICMP' ? 'IPv4' : 'IPv6', type: port ?? 'EchoRequest' });
  }
  if (!WITH_PORTS.includes(known)) return { protocol, port: 0 };
  if (typeof port === 'string' && !/^\d+$/.test(port)) return { protocol, port: port.toLowerCase() };
  const number = typeof port === 'number' || (typeof port === 'string' && port !== '') ? Number(port) : Number.NaN;
  if (!Number.isInteger(number) || number < 0 || number > 65535)
    return wrong('port', port, 'a number 0 to 65535, or a name');
  return { protocol, port: number };
}

function readIcmp(value: unknown): { protocol: number; port: number } {
  if (!isFields(value)) return wrong('icmp', value, '{"family":"IPv4","type":8}');
  const family = value['family'] === undefined ? 'IPv4' : value['family'];
  if (family !== 'IPv4' && family !== 'IPv6') return wrong('icmp.family', family, '"IPv4" or "IPv6"');
  const given = value['type'] ?? 'EchoRequest';
  const type = typeof given === 'number' || typeof given === 'string' ? icmpType(family, given) : undefined;
  if (type === undefined)
    return wrong('icmp.type', value['type'], 'a number 0 to 255, or a name such as "EchoRequest"');
  return { protocol: family === 'IPv4' ? PROTO_ICMP : PROTO_ICMPV6, port: type };
}

function readHttp(given: unknown): HttpRequest {
  if (!isFields(given)) return wrong('http', given, '{"method","path","host","headers"}');
  const value = withoutNull(given);
  for (const key of ['method', 'path', 'host']) {
    if (value[key] !== undefined && typeof value[key] !== 'string') wrong(`http.${key}`, value[key], 'a text');
  }
  const { headers } = value;
  const areTexts = isFields(headers) && Object.values(headers).every((one) => typeof one === 'string');
  if (headers !== undefined && !areTexts) wrong('http.headers', headers, '{"Name":"value"}');
  return value;
}

function isFields(value: unknown): value is QueryFields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function text(name: string, value: unknown): string {
  return typeof value === 'string' ? value : wrong(name, value, 'a text');
}

function wrong(name: string, found: unknown, wanted: string): never {
  throw new SyntaxError(`read query: ${name}: found ${shown(found)}, wanted ${wanted}`);
}

function shown(value: unknown): string {
  return (JSON.stringify(value) ?? 'nothing').slice(0, 80);
}
