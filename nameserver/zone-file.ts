/**
 * The zone file: what the agent tells the name server, `<run dir>/dns/zone`. The agent writes it whole beside its place, syncs
 * and renames it; the name server reads it whole, or goes on with the one before. Lines of JSON:
 *
 *   {"format":"sluice-dns-zone","version":1,"serial":7,"domain":"cluster.local","ttlSec":5,"upstreams":"host",
 *    "ranges":["10.96.0.0/16"],"services":3,"pods":1}
 *   {"namespace":"default","name":"web","kind":"ClusterIP","addresses":["10.96.0.7"],
 *    "ports":[{"name":"http","protocol":"TCP","port":80}]}
 *   {"namespace":"default","name":"db","kind":"headless",
 *    "endpoints":[{"address":"10.0.0.7","hostname":"db-0","ports":[{"name":"sql","protocol":"TCP","port":5432}]}]}
 *   {"namespace":"default","name":"search","kind":"ExternalName","externalName":"search.example.com"}
 *   {"namespace":"default","address":"10.0.0.7"}
 *
 * (Each is one line; here they are broken.) The head says how many services and pods follow, in this order, so that a file that was
 * cut short is none. Reading is strict: a member that is missing, unknown or of another form refuses the file. Whoever
 * changes the form raises ZONE_FILE_VERSION; the agent then replaces a name server of another version.
 */
import { parseExactPrefix } from '../wire/prefix.ts';
import { isAddress, isDnsLabel, isDomain, RecordReader } from './record-reader.ts';

/** For tests, and for the agent. */
export const ZONE_FILE_VERSION = 1;
const FORMAT = 'sluice-dns-zone';

/** Largest file that is read, in bytes; for tests too. */
export const MAX_ZONE_FILE_BYTES = 64 << 20;
/** For the agent, as the next two: what it leaves out. */
export const MAX_SERVICES = 65_536;
export const MAX_PODS = 262_144;
export const MAX_ENDPOINTS = 10_000; // of one service
const MAX_SERVICE_ADDRESSES = 64; // of one service
export const MAX_ZONE_PORTS = 1_000; // of one service or endpoint
export const MAX_UPSTREAMS = 16;
const MAX_RANGES = 256;
const MAX_TTL_SEC = 3_600; // Kubernetes DNS specification: CoreDNS takes 0 to 3600

export type ZoneProtocol = 'TCP' | 'UDP' | 'SCTP';
const PROTOCOLS: readonly ZoneProtocol[] = ['TCP', 'UDP', 'SCTP'];

/** A port with a name (a DNS label); ports without one have no records, and are left out by the agent. */
export interface ZonePort {
  readonly name: string;
  readonly protocol: ZoneProtocol;
  readonly port: number;
}

/** An endpoint of a headless service that is to be found: ready, or published all the same. */
export interface ZoneEndpoint {
  readonly address: string;
  /** Of the pod, where its subdomain is the service; a DNS label. Without one its name is its address with dashes. */
  readonly hostname?: string;
  readonly ports: readonly ZonePort[];
}

interface Named {
  readonly namespace: string;
  readonly name: string;
}

export type ZoneService =
  | (Named & { readonly kind: 'ClusterIP'; readonly addresses: readonly string[]; readonly ports: readonly ZonePort[] })
  | (Named & { readonly kind: 'headless'; readonly endpoints: readonly ZoneEndpoint[] })
  | (Named & { readonly kind: 'ExternalName'; readonly externalName: string });

/** One address of a pod; a pod of two families is told twice. */
export interface ZonePod {
  readonly namespace: string;
  readonly address: string;
}

export interface Upstream {
  readonly address: string;
  readonly port: number;
}

/** What a zone file says of itself. */
export interface ZoneHead {
  /** 1 to 2^32 - 1, another for each content: the serial of the SOA. */
  readonly serial: number;
  /** Lower case, without a final dot: `cluster.local`. */
  readonly domain: string;
  /** Of the zone's own records: 0 to 3600. */
  readonly ttlSec: number;
  /** Who is asked for other names, in this order; `host`: the name servers of the host's /etc/resolv.conf, followed. */
  readonly upstreams: 'host' | readonly Upstream[];
  /** Prefixes of services and pods: an address in them that has no name here has none anywhere. */
  readonly ranges: readonly string[];
}

export interface ZoneFile extends ZoneHead {
  readonly services: readonly ZoneService[];
  readonly pods: readonly ZonePod[];
}

/** The text of a zone file. For tests. */
export function formatZoneFile({ services, pods, ...head }: ZoneFile): string {
  const counts = { services: services.length, pods: pods.length };
  return [formatZoneHead(head, counts), ...[...services, ...pods].map(formatZoneLine)].join('');
}

/** The first line; the lines of as many services and then of as many pods follow. */
export function formatZoneHead(head: ZoneHead, counts: { readonly services: number; readonly pods: number }): string {
  return `${JSON.stringify({ format: FORMAT, version: ZONE_FILE_VERSION, ...head, ...counts })}\n`;
}

export function formatZoneLine(line: ZoneService | ZonePod): string {
  return `${JSON.stringify(line)}\n`;
}

/**
 * Reads the text of a zone file; for tests, and who has nothing else to do.
 * @throws SyntaxError with line, member, what was found and what was wanted
 */
export function parseZoneFile(text: string): ZoneFile {
  const steps = readZoneFile(text);
  for (let step = steps.next(); ; step = steps.next()) if (step.done === true) return step.value;
}

/** As parseZoneFile(), a line at a time, for who has other things to do in between. */
export function* readZoneFile(text: string): Generator<undefined, ZoneFile> {
  if (text.length > MAX_ZONE_FILE_BYTES)
    throw new SyntaxError(`read a zone file: found ${text.length} characters, wanted at most ${MAX_ZONE_FILE_BYTES}`);
  const lines = new Lines(text);
  const head = lines.next();
  head.oneOf('format', [FORMAT]);
  head.oneOf('version', [ZONE_FILE_VERSION]);
  const counts = {
    services: head.integer('services', 0, MAX_SERVICES),
    pods: head.integer('pods', 0, MAX_PODS),
  };
  const { serial, domain, ttlSec, upstreams, ranges } = readHead(head);
  const services: ZoneService[] = [];
  for (let i = 0; i < counts.services; i++) {
    services.push(readService(lines.next()));
    yield undefined;
  }
  refuseTwins(services);
  const pods: ZonePod[] = [];
  for (let i = 0; i < counts.pods; i++) {
    pods.push(readPod(lines.next()));
    yield undefined;
  }
  lines.finish();
  return { serial, domain, ttlSec, upstreams, ranges, services, pods };
}

/** The lines of a text, each of which is one record. */
class Lines {
  readonly #text: string;
  #at = 0;
  #line = 0;

  constructor(text: string) {
    this.#text = text;
  }

  next(): RecordReader {
    const end = this.#text.indexOf('\n', this.#at);
    this.#line++;
    if (end < 0) throw new SyntaxError(`read a zone file: line ${this.#line}: found the end, wanted a whole line`);
    const reader = RecordReader.ofJson(`read a zone file: line ${this.#line}`, this.#text.slice(this.#at, end));
    this.#at = end + 1;
    return reader;
  }

  finish(): void {
    if (this.#at !== this.#text.length)
      throw new SyntaxError(`read a zone file: line ${this.#line + 1}: found more lines than the head tells of`);
  }
}

function readHead(head: RecordReader): Omit<ZoneFile, 'services' | 'pods'> {
  const read = {
    serial: head.integer('serial', 1, 0xffff_ffff),
    domain: head.text('domain', isDomain, 'a domain in lower case like cluster.local'),
    ttlSec: head.integer('ttlSec', 0, MAX_TTL_SEC),
    upstreams: head.isText('upstreams')
      ? head.oneOf('upstreams', ['host'] as const)
      : head.list('upstreams', MAX_UPSTREAMS, readUpstream),
    ranges: head.texts('ranges', MAX_RANGES, isPrefix, 'a prefix like 10.96.0.0/16'),
  };
  head.finish();
  return read;
}

function readUpstream(record: RecordReader): Upstream {
  const upstream = { address: readAddress(record), port: record.integer('port', 1, 65535) };
  record.finish();
  return upstream;
}

function readService(record: RecordReader): ZoneService {
  const named = { namespace: readLabel(record, 'namespace'), name: readLabel(record, 'name') };
  const service = readKind(record, named);
  record.finish();
  return service;
}

function readKind(record: RecordReader, named: Named): ZoneService {
  const kind = record.oneOf('kind', ['ClusterIP', 'headless', 'ExternalName'] as const);
  switch (kind) {
    case 'ClusterIP': {
      const addresses = record.texts('addresses', MAX_SERVICE_ADDRESSES, isAddress, 'an address');
      return { ...named, kind, addresses, ports: record.list('ports', MAX_ZONE_PORTS, readPort) };
    }
    case 'headless':
      return { ...named, kind, endpoints: record.list('endpoints', MAX_ENDPOINTS, readEndpoint) };
    case 'ExternalName':
      return { ...named, kind, externalName: record.text('externalName', isDomain, 'a domain in lower case') };
  }
}

function readEndpoint(record: RecordReader): ZoneEndpoint {
  const endpoint = {
    address: readAddress(record),
    ...(record.has('hostname') ? { hostname: readLabel(record, 'hostname') } : {}),
    ports: record.list('ports', MAX_ZONE_PORTS, readPort),
  };
  record.finish();
  return endpoint;
}

function readPort(record: RecordReader): ZonePort {
  const port = {
    name: readLabel(record, 'name'),
    protocol: record.oneOf('protocol', PROTOCOLS),
    port: record.integer('port', 1, 65535),
  };
  record.finish();
  return port;
}

function readPod(record: RecordReader): ZonePod {
  const pod = { namespace: readLabel(record, 'namespace'), address: readAddress(record) };
  record.finish();
  return pod;
}

function readLabel(record: RecordReader, name: string): string {
  return record.text(name, isDnsLabel, 'a label in lower case of 1 to 63 letters, digits and dashes');
}

function readAddress(record: RecordReader): string {
  return record.text('address', isAddress, 'an IPv4 or IPv6 address');
}

function isPrefix(text: string): boolean {
  try {
    parseExactPrefix(text);
    return true;
  } catch {
    return false;
  }
}

function refuseTwins(services: readonly ZoneService[]): void {
  const seen = new Set<string>();
  for (const { namespace, name } of services) {
    const key = `${namespace}/${name}`;
    if (seen.has(key)) throw new SyntaxError(`read a zone file: found service ${key} twice, wanted it once`);
    seen.add(key);
  }
}
