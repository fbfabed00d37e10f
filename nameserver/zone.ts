/**
 * The cluster's names: what the zone file says, arranged to be looked up. Built whole and replaced whole, so that each answer is
 * of one file.
 *
 *   question -> apexOf(name): the zone that is ours and holds it, or none: others are asked
 *            -> nodeOf(name): its records; none in a zone of ours: the name does not exist
 *
 * Ours are the domain, and the zones under in-addr.arpa and ip6.arpa that the ranges of the file cover: 10.96.0.0/16 is
 * 96.10.in-addr.arpa, a prefix between two bytes (nibbles of IPv6) is several. A name with names below exists, if without records
 * (RFC 8020).
 *
 * A file has up to 65,536 services and many more endpoints, and is replaced at every change of one: so only services are entered
 * (and which of them has an address), and the records of a service are made when somebody asks for one. They stay until
 * RECORDS_KEPT are there, then all are forgotten. A pod has no entry but its address in a set.
 */
import { addressWords } from '../wire/address.ts';
import type { DomainName } from '../wire/dns/name.ts';
import { MAX_NAME_BYTES } from '../wire/dns/name.ts';
import { TYPE_A, TYPE_AAAA } from '../wire/dns/types.ts';
import { addressBytes, addressKey, labelKey, podAddress, reverseAddress } from './wire-name.ts';
import type { ZoneEndpoint, ZoneFile, ZoneService } from './zone-file.ts';

/** Records of one type. */
export interface RecordSet {
  readonly type: number;
  readonly data: Uint8Array[];
  /** Of SRV records, one each: where the names that they lead to have their addresses. */
  readonly targets: ZoneNode[];
}

export interface ZoneNode {
  readonly sets: RecordSet[];
  /** Another name, in wire form, which this one stands for. */
  alias: Uint8Array | undefined;
}

/** The top of a zone of ours. */
export interface Apex {
  /** Bytes of its name: the end of each name in it. */
  readonly nameBytes: number;
  /** Data of its SOA record. */
  readonly soa: Uint8Array;
}

/** The names of a service: what stands before its own name -> its records; '' is its own. */
export type ServiceNames = ReadonlyMap<string, ZoneNode>;

/** Who has an address: a service, or an endpoint of a headless one. Kept, since a service may have thousands to look through. */
export interface AddressHolder {
  readonly service: ZoneService;
  readonly endpoint: ZoneEndpoint | undefined;
}

/** What makes records (zone-records.ts). */
export interface RecordMaker {
  /** Names of the domain that no service has: labels before it, as a key. */
  readonly ownNames: ReadonlyMap<string, ZoneNode>;
  readonly apexes: ReadonlyMap<string, Apex>;
  readonly domain: Uint8Array;
  readonly domainLabels: number;
  namesOf(service: ZoneService): ServiceNames;
  reverseOf(holder: AddressHolder, words: readonly number[]): Uint8Array;
  pointers(names: readonly Uint8Array[]): ZoneNode;
}

const RECORDS_KEPT = 100_000;
const REVERSE_MIN_LABELS = 3;
const MAX_LABELS_ABOVE = 34; // ip6.arpa: 32 digits and two
const SVC = labelKey('svc');
const POD = labelKey('pod');
const EMPTY: ZoneNode = { sets: [], alias: undefined };
const ARPA = Uint8Array.from(Buffer.from('\x04arpa\0', 'latin1'));

export class Zone {
  readonly ttlSec: number;
  readonly serial: number;
  readonly #maker: RecordMaker;
  readonly #domainApex: Apex;
  /** By name and namespace in wire form. */
  readonly #services = new Map<string, ZoneService>();
  readonly #namespaces = new Set<string>();
  readonly #pods = new Map<string, Set<string>>();
  /** Who has an address. */
  readonly #reverse = new Map<string, AddressHolder[]>();
  readonly #names = new Map<string, ServiceNames>();
  #records = 0;
  readonly #scratch: Buffer = Buffer.alloc(MAX_NAME_BYTES);

  constructor({ ttlSec, serial }: Pick<ZoneFile, 'ttlSec' | 'serial'>, maker: RecordMaker, soa: Uint8Array) {
    this.ttlSec = ttlSec;
    this.serial = serial;
    this.#maker = maker;
    this.#domainApex = { nameBytes: maker.domain.length, soa };
  }

  get services(): number {
    return this.#services.size;
  }

  addService(service: ZoneService): void {
    const namespace = labelKey(service.namespace);
    this.#services.set(labelKey(service.name) + namespace, service);
    this.#namespaces.add(namespace);
    if (service.kind === 'ClusterIP')
      for (const address of service.addresses) this.#hold(address, { service, endpoint: undefined });
    else if (service.kind === 'headless')
      for (const endpoint of service.endpoints) this.#hold(endpoint.address, { service, endpoint });
  }

  #hold(address: string, holder: AddressHolder): void {
    const key = addressKey(addressWords(address));
    const others = this.#reverse.get(key);
    if (others === undefined) this.#reverse.set(key, [holder]);
    else others.push(holder);
  }

  addPod(namespace: string, address: string): void {
    const key = labelKey(namespace);
    let addresses = this.#pods.get(key);
    if (addresses === undefined) this.#pods.set(key, (addresses = new Set()));
    addresses.add(addressKey(addressWords(address)));
  }

  /** The zone of ours that holds a name. */
  apexOf(name: DomainName): Apex | undefined {
    if (endsWith(name, this.#maker.domain)) return this.#domainApex;
    if (name.labels < REVERSE_MIN_LABELS || this.#maker.apexes.size === 0 || !endsWith(name, ARPA)) return undefined;
    for (let i = Math.max(0, name.labels - MAX_LABELS_ABOVE); i < name.labels - 2; i++) {
      const apex = this.#maker.apexes.get(this.#text(name, i, name.labels) + '\0');
      if (apex !== undefined) return apex;
    }
    return undefined;
  }

  /** The records of a name; undefined when it does not exist. */
  nodeOf(name: DomainName): ZoneNode | undefined {
    if (!endsWith(name, this.#maker.domain)) return this.#reverseNode(name);
    const above = name.labels - this.#maker.domainLabels;
    const kind = above === 0 ? '' : this.#text(name, above - 1, above);
    if (kind === SVC && above > 1) return this.#serviceNode(name, above - 1);
    if (kind === POD && above > 1) return this.#podNode(name, above - 1);
    return this.#maker.ownNames.get(this.#text(name, 0, above));
  }

  /** @param above labels before `svc` */
  #serviceNode(name: DomainName, above: number): ZoneNode | undefined {
    if (above === 1) return this.#namespaces.has(this.#text(name, 0, 1)) ? EMPTY : undefined;
    const key = this.#text(name, above - 2, above);
    const service = this.#services.get(key);
    if (service === undefined) return undefined;
    let names = this.#names.get(key);
    if (names === undefined) this.#names.set(key, (names = this.#make(service)));
    return names.get(above === 2 ? '' : this.#text(name, 0, above - 2));
  }

  #make(service: ZoneService): ServiceNames {
    const names = this.#maker.namesOf(service);
    if (this.#records > RECORDS_KEPT) {
      this.#names.clear();
      this.#records = 0;
    }
    this.#records += names.size;
    return names;
  }

  /** `10-0-0-7.default.pod`: an address of a pod of this namespace. @param above labels before `pod` */
  #podNode(name: DomainName, above: number): ZoneNode | undefined {
    const addresses = above > 2 ? undefined : this.#pods.get(this.#text(name, above - 1, above));
    if (addresses === undefined || above === 1) return addresses && EMPTY;
    const words = podAddress(this.#text(name, 0, 1).slice(1));
    if (words === undefined || !addresses.has(addressKey(words))) return undefined;
    const data = addressBytes(words);
    return { sets: [{ type: data.length === 4 ? TYPE_A : TYPE_AAAA, data: [data], targets: [] }], alias: undefined };
  }

  /** Names under arpa: of an address that a service has; a piece of one may have names below. */
  #reverseNode(name: DomainName): ZoneNode | undefined {
    if (!endsWith(name, ARPA)) return undefined;
    const words = reverseAddress(name);
    if (words === 'piece') return EMPTY;
    const holders = words && this.#reverse.get(addressKey(words));
    if (words === undefined || holders === undefined) return undefined;
    return this.#maker.pointers(holders.map((holder) => this.#maker.reverseOf(holder, words)));
  }

  /** Labels [from, to) of a name in wire form, without the empty one. */
  #text(name: DomainName, from: number, to: number): string {
    const start = from < name.labels ? name.labelAt[from] : name.length - 1;
    const end = to < name.labels ? name.labelAt[to] : name.length - 1;
    for (let i = start; i < end; i++) this.#scratch[i] = name.bytes[i];
    return this.#scratch.toString('latin1', start, end);
  }
}

/** Whether a name ends in another; labels agree, since a length is never a letter. */
function endsWith({ bytes, length }: DomainName, suffix: Uint8Array): boolean {
  const from = length - suffix.length;
  if (from < 0) return false;
  for (let i = 0; i < suffix.length; i++) if (bytes[from + i] !== suffix[i]) return false;
  return true;
}
