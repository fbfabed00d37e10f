/**
 * Which records the cluster's names have: the Kubernetes DNS specification 1.1
 * (github.com/kubernetes/dns), and for what it leaves open what CoreDNS does.
 *
 *   dns-version                      TXT "1.1.0"
 *   SERVICE.NS.svc                   A, AAAA: cluster addresses; of a headless one those of its endpoints; CNAME of an ExternalName
 *   _PORT._PROTO.SERVICE.NS.svc      SRV 0 100 port -> SERVICE.NS.svc; headless: one for each endpoint -> HOST.SERVICE.NS.svc
 *   HOST.SERVICE.NS.svc              A, AAAA of an endpoint of a headless one; HOST is its host name, or its address with dashes
 *   10-0-0-7.NS.pod                  A, AAAA of a pod
 *   REVERSE.in-addr.arpa, ip6.arpa   PTR: service, or endpoint of a headless one
 *
 * A headless service without endpoints has no name at all. All below the domain.
 */
import { addressWords, isV4Mapped, V4_MAPPED_BITS } from '../wire/address.ts';
import { parsePrefix, type Prefix } from '../wire/prefix.ts';
import { TYPE_A, TYPE_AAAA, TYPE_NS, TYPE_PTR, TYPE_SOA, TYPE_SRV, TYPE_TXT } from '../wire/dns/types.ts';
import { addressBytes, dashedAddress, isName, labelsOf, reverseLabels, wireName } from './wire-name.ts';
import { type RecordSet, Zone, type ZoneNode } from './zone.ts';
import type { ZoneEndpoint, ZoneFile, ZonePort, ZoneService } from './zone-file.ts';

const DNS_VERSION = '1.1.0';
const SRV_WEIGHTS = 100; // shared by the records of a name
const SOA_TIMERS = [7200, 1800, 86_400]; // refresh, retry, expire: as CoreDNS has them

/** Builds the zone of a file; takes about 5 µs a record. */
export function buildZone(file: ZoneFile): Zone {
  const domain = labelsOf(file.domain);
  const soa = soaData(domain, file);
  const zone = new Zone(wireName(domain), soa, file);
  for (const name of file.ranges.flatMap((range) => reverseZones(parsePrefix(range, 'host')))) zone.addApex(name, soa);
  const builder = new Builder(zone, domain);
  builder.addDomain(soa, file.services);
  for (const service of file.services) builder.addService(service);
  for (const { namespace, address } of file.pods) builder.addPod(namespace, addressWords(address));
  return zone;
}

class Builder {
  readonly #zone: Zone;
  readonly #domain: readonly string[];
  /** What a set has, so that one of thousands is not searched for each. */
  readonly #seen = new Map<RecordSet, Set<string>>();

  constructor(zone: Zone, domain: readonly string[]) {
    this.#zone = zone;
    this.#domain = domain;
  }

  addDomain(soa: Uint8Array, services: readonly ZoneService[]): void {
    const apex = this.#node([]);
    const nameServer = this.#node(['ns', 'dns']);
    this.#add(apex, TYPE_SOA, soa);
    this.#add(apex, TYPE_NS, wireName(['ns', 'dns', ...this.#domain]));
    this.#add(this.#node(['dns-version']), TYPE_TXT, characterString(DNS_VERSION));
    this.#node(['svc']);
    this.#node(['pod']);
    const own = services.find(({ namespace, name }) => namespace === 'kube-system' && name === 'kube-dns');
    if (own?.kind === 'ClusterIP')
      for (const address of own.addresses) this.#addAddress(nameServer, addressWords(address));
  }

  addService(service: ZoneService): void {
    const labels = [service.name, service.namespace, 'svc'];
    switch (service.kind) {
      case 'ClusterIP':
        this.#addClusterIp(labels, service.addresses, service.ports);
        break;
      case 'headless':
        this.#addHeadless(labels, service.endpoints);
        break;
      case 'ExternalName':
        this.#node(labels).alias = wireName(labelsOf(service.externalName));
    }
  }

  addPod(namespace: string, words: readonly number[]): void {
    this.#zone.addPod(namespace, words);
    this.#node([namespace, 'pod']);
  }

  #addClusterIp(labels: string[], addresses: readonly string[], ports: readonly ZonePort[]): void {
    const node = this.#node(labels);
    const name = wireName([...labels, ...this.#domain]);
    for (const address of addresses) {
      const words = addressWords(address);
      this.#addAddress(node, words);
      this.#addReverse(words, name);
    }
    for (const port of ports) this.#addPort(labels, port, { name, node });
  }

  #addHeadless(labels: string[], endpoints: readonly ZoneEndpoint[]): void {
    for (const endpoint of endpoints) {
      const words = addressWords(endpoint.address);
      const host = endpoint.hostname ?? dashedAddress(words);
      const node = this.#node([host, ...labels]);
      const name = wireName([host, ...labels, ...this.#domain]);
      this.#addAddress(this.#node(labels), words);
      this.#addAddress(node, words);
      this.#addReverse(words, name);
      for (const port of endpoint.ports) this.#addPort(labels, port, { name, node });
    }
    for (const set of this.#portSets(labels, endpoints)) shareWeights(set);
  }

  #addPort(labels: string[], port: ZonePort, target: { name: Uint8Array; node: ZoneNode }): void {
    if (!isName(target.name)) return;
    const node = this.#node(portLabels(labels, port));
    const data = new Uint8Array(6 + target.name.length);
    data.set([0, 0, SRV_WEIGHTS >> 8, SRV_WEIGHTS & 255, port.port >> 8, port.port & 255]);
    data.set(target.name, 6);
    this.#add(node, TYPE_SRV, data, target.node);
  }

  #portSets(labels: string[], endpoints: readonly ZoneEndpoint[]): Set<RecordSet> {
    const sets = endpoints.flatMap(({ ports }) => ports.map((port) => this.#node(portLabels(labels, port)).sets));
    return new Set(sets.flat());
  }

  #addReverse(words: readonly number[], name: Uint8Array): void {
    if (isName(name)) this.#add(this.#zone.node(wireName(reverseLabels(words))), TYPE_PTR, name);
  }

  #addAddress(node: ZoneNode, words: readonly number[]): void {
    this.#add(node, isV4Mapped(words[0], words[1], words[2]) ? TYPE_A : TYPE_AAAA, addressBytes(words));
  }

  /** Adds a record, once. */
  #add(node: ZoneNode, type: number, data: Uint8Array, target?: ZoneNode): void {
    let set = node.sets.find((one) => one.type === type);
    if (set === undefined) node.sets.push((set = { type, data: [], targets: [] }));
    let seen = this.#seen.get(set);
    if (seen === undefined) this.#seen.set(set, (seen = new Set()));
    if (seen.size === seen.add(Buffer.from(data).toString('latin1')).size) return;
    set.data.push(data);
    if (target !== undefined) set.targets.push(target);
  }

  #node(labels: readonly string[]): ZoneNode {
    return this.#zone.node(wireName([...labels, ...this.#domain]));
  }
}

function portLabels(labels: readonly string[], { name, protocol }: ZonePort): string[] {
  return [`_${name}`, `_${protocol.toLowerCase()}`, ...labels];
}

function shareWeights({ type, data }: RecordSet): void {
  if (type !== TYPE_SRV) return;
  const weight = Math.max(1, Math.floor(SRV_WEIGHTS / data.length));
  for (const record of data) record.set([weight >> 8, weight & 255], 2);
}

function characterString(text: string): Uint8Array {
  return Uint8Array.from([text.length, ...Buffer.from(text, 'latin1')]);
}

/** Names and numbers of a SOA record; negative answers live as long as others (RFC 2308 4). */
function soaData(domain: readonly string[], { serial, ttlSec }: ZoneFile): Uint8Array {
  const numbers = Buffer.alloc(20);
  for (const [i, number] of [serial, ...SOA_TIMERS, ttlSec].entries()) numbers.writeUInt32BE(number, 4 * i);
  const names = [wireName(['ns', 'dns', ...domain]), wireName(['hostmaster', ...domain])];
  return Uint8Array.from(Buffer.concat([...names, numbers]));
}

/** The zones under in-addr.arpa or ip6.arpa that a prefix covers: one, or several where it ends between two labels. */
function reverseZones({ family, words, bits }: Prefix): Uint8Array[] {
  const step = family === 4 ? 8 : 4;
  const length = family === 4 ? bits - V4_MAPPED_BITS : bits;
  const whole = Math.ceil(length / step);
  const total = (family === 4 ? 32 : 128) / step;
  const count = 2 ** (whole * step - length);
  return Array.from({ length: count }, (_, i) => {
    const labels = reverseLabels(withLast(words, { at: whole * step + (family === 4 ? V4_MAPPED_BITS : 0), add: i }));
    return wireName(labels.slice(total - whole));
  });
}

/** The words with a number added whose last bit is the one before `at`. */
function withLast(words: readonly number[], { at, add: more }: { at: number; add: number }): number[] {
  const result = [...words];
  if (more > 0) result[(at - 1) >> 5] |= more << (31 - ((at - 1) & 31));
  return result;
}
