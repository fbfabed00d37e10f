/**
 * Which records the cluster's names have: the Kubernetes DNS specification 1.1
 * (github.com/kubernetes/dns), and for what it leaves open what CoreDNS does.
 *
 *   dns-version                      TXT "1.1.0"
 *   SERVICE.NS.svc                   A, AAAA: cluster addresses; of a headless one those of its endpoints; CNAME of an ExternalName
 *   _PORT._PROTO.SERVICE.NS.svc      SRV 0 100 port -> SERVICE.NS.svc; headless: one for each endpoint -> HOST.SERVICE.NS.svc
 *   HOST.SERVICE.NS.svc              A, AAAA of an endpoint of a headless one; HOST is its host name, or its address with dashes
 *   10-0-0-7.NS.pod                  A, AAAA of a pod (zone.ts)
 *   REVERSE.in-addr.arpa, ip6.arpa   PTR: service, or endpoint of a headless one
 *
 * A headless service without endpoints has no name at all. All below the domain.
 */
import { addressWords, isV4Mapped, V4_MAPPED_BITS } from '../wire/address.ts';
import { parsePrefix, type Prefix } from '../wire/prefix.ts';
import { TYPE_A, TYPE_AAAA, TYPE_NS, TYPE_PTR, TYPE_SOA, TYPE_SRV, TYPE_TXT } from '../wire/dns/types.ts';
import {
  addressBytes,
  dashedAddress,
  isName,
  labelKey,
  labelsOf,
  nameKey,
  reverseLabels,
  wireName,
  wireOf,
} from './wire-name.ts';
import {
  type AddressHolder,
  type Apex,
  type RecordMaker,
  type RecordSet,
  type ServiceNames,
  Zone,
  type ZoneNode,
} from './zone.ts';
import type { ZoneEndpoint, ZoneFile, ZonePort, ZoneService } from './zone-file.ts';

const DNS_VERSION = '1.1.0';
const SRV_WEIGHTS = 100; // shared by the records of a name
const SOA_TIMERS = [7200, 1800, 86_400]; // refresh, retry, expire: as CoreDNS has them
const STEP = 256; // endpoints and pods between two yields

/** Builds the zone of a file, a step of about a millisecond at a time. */
export function* buildZone(file: ZoneFile): Generator<undefined, Zone> {
  const domain = labelsOf(file.domain);
  const soa = soaData(domain, file);
  const zone = new Zone(file, new Records(domain, soa, file), soa);
  let work = 0;
  for (const service of file.services) {
    zone.addService(service);
    work += service.kind === 'headless' ? 1 + service.endpoints.length : 1;
    if (work < STEP) continue;
    work = 0;
    yield undefined;
  }
  for (const { namespace, address } of file.pods) {
    zone.addPod(namespace, address);
    if (++work < STEP) continue;
    work = 0;
    yield undefined;
  }
  return zone;
}

class Records implements RecordMaker {
  readonly ownNames: ReadonlyMap<string, ZoneNode>;
  readonly apexes: ReadonlyMap<string, Apex>;
  readonly domain: Uint8Array;
  readonly domainLabels: number;
  readonly #domainKey: string;

  constructor(domain: readonly string[], soa: Uint8Array, { services, ranges }: ZoneFile) {
    this.domain = wireName(domain);
    this.domainLabels = domain.length;
    this.#domainKey = domain.map(labelKey).join('');
    const zones = ranges.flatMap((range) => reverseZones(parsePrefix(range, 'host')));
    this.apexes = new Map(zones.map((name) => [nameKey(name), { nameBytes: name.length, soa }]));
    const names = new Names();
    names.add('', TYPE_SOA, soa);
    names.add('', TYPE_NS, wireName(['ns', 'dns', ...domain]));
    names.add(labelKey('dns-version'), TYPE_TXT, characterString(DNS_VERSION));
    for (const label of ['svc', 'pod', 'dns']) names.node(labelKey(label));
    const server = labelKey('ns') + labelKey('dns');
    names.node(server);
    const own = services.find(({ namespace, name }) => namespace === 'kube-system' && name === 'kube-dns');
    if (own?.kind === 'ClusterIP') for (const address of own.addresses) names.addAddress(server, addressWords(address));
    this.ownNames = names.nodes;
  }

  namesOf(service: ZoneService): ServiceNames {
    const names = new Names();
    switch (service.kind) {
      case 'ClusterIP':
        for (const address of service.addresses) names.addAddress('', addressWords(address));
        for (const port of service.ports) names.addPort(port, names.node(''), wireOf(this.#keyOf(service)));
        break;
      case 'headless':
        for (const endpoint of service.endpoints) this.#addEndpoint(names, endpoint, this.#keyOf(service));
        names.shareWeights();
        break;
      case 'ExternalName':
        names.node('').alias = wireName(labelsOf(service.externalName));
    }
    return names.nodes;
  }

  reverseOf({ service, endpoint }: AddressHolder, words: readonly number[]): Uint8Array {
    return wireOf((endpoint === undefined ? '' : hostKey(endpoint, words)) + this.#keyOf(service));
  }

  pointers(found: readonly Uint8Array[]): ZoneNode {
    const names = new Names();
    for (const name of found) if (isName(name)) names.add('', TYPE_PTR, name);
    return names.node('');
  }

  #addEndpoint(names: Names, endpoint: ZoneEndpoint, serviceKey: string): void {
    const words = addressWords(endpoint.address);
    const host = hostKey(endpoint, words);
    names.addAddress('', words);
    names.addAddress(host, words);
    for (const port of endpoint.ports) names.addPort(port, names.node(host), wireOf(host + serviceKey));
  }

  #keyOf({ name, namespace }: ZoneService): string {
    return labelKey(name) + labelKey(namespace) + labelKey('svc') + this.#domainKey;
  }
}

/** Names below a name, with their records. */
class Names {
  readonly nodes = new Map<string, ZoneNode>();
  /** What a set has, so that one of thousands is not searched for each. */
  readonly #seen = new Map<RecordSet, Set<string>>();

  node(key: string): ZoneNode {
    let node = this.nodes.get(key);
    if (node === undefined) this.nodes.set(key, (node = { sets: [], alias: undefined }));
    return node;
  }

  /** Adds a record, once. */
  add(key: string, type: number, data: Uint8Array, target?: ZoneNode): void {
    const { sets } = this.node(key);
    let set = sets.find((one) => one.type === type);
    if (set === undefined) sets.push((set = { type, data: [], targets: [] }));
    let seen = this.#seen.get(set);
    if (seen === undefined) this.#seen.set(set, (seen = new Set()));
    if (seen.size === seen.add(nameKey(data)).size) return;
    set.data.push(data);
    if (target !== undefined) set.targets.push(target);
  }

  addAddress(key: string, words: readonly number[]): void {
    this.add(key, isV4Mapped(words[0], words[1], words[2]) ? TYPE_A : TYPE_AAAA, addressBytes(words));
  }

  addPort({ name, protocol, port }: ZonePort, target: ZoneNode, targetName: Uint8Array): void {
    if (!isName(targetName)) return;
    const above = labelKey(`_${protocol.toLowerCase()}`);
    this.node(above);
    const data = new Uint8Array(6 + targetName.length);
    data.set([0, 0, SRV_WEIGHTS >> 8, SRV_WEIGHTS & 255, port >> 8, port & 255]);
    data.set(targetName, 6);
    this.add(labelKey(`_${name}`) + above, TYPE_SRV, data, target);
  }

  shareWeights(): void {
    for (const { sets } of this.nodes.values()) {
      for (const { type, data } of sets) {
        const weight = Math.max(1, Math.floor(SRV_WEIGHTS / data.length));
        if (type === TYPE_SRV) for (const record of data) record.set([weight >> 8, weight & 255], 2);
      }
    }
  }
}

function hostKey({ hostname }: ZoneEndpoint, words: readonly number[]): string {
  return labelKey(hostname ?? dashedAddress(words));
}

function characterString(text: string): Uint8Array {
  return Uint8Array.from([text.length, ...Buffer.from(text, 'latin1')]);
}

/** Names and numbers of a SOA record; negative answers live as long as others (RFC 2308 4). */
function soaData(domain: readonly string[], { serial, ttlSec }: ZoneFile): Uint8Array {
  const numbers = Buffer.alloc(20);
  for (const [i, number] of [serial, ...SOA_TIMERS, ttlSec].entries()) numbers.writeUInt32BE(number, 4 * i);
  const names = [wireName(['ns', 'dns', ...domain]), wireName(['hostmaster', ...domain])];
  return new Uint8Array(Buffer.concat([...names, numbers]));
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
