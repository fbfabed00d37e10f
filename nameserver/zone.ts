/**
 * The cluster's names: what the zone file says, arranged to be looked up. Built whole and replaced whole, so that each answer is
 * of one file.
 *
 *   question -> apexOf(name): the zone that is ours and holds it, or none: others are asked
 *            -> nodeOf(name): its records; none in a zone of ours: the name does not exist
 *
 * Ours are the domain, and the zones under in-addr.arpa and ip6.arpa that the ranges of the file cover: 10.96.0.0/16 is
 * 96.10.in-addr.arpa, a prefix between two bytes (nibbles of IPv6) is several. A name with names below has a node, if an empty one
 * (RFC 8020). Pods have none: their names say their addresses, which are looked up in a set. Names above 255 bytes are left
 * out, and counted.
 */
import { parseIp } from '../wire/address.ts';
import { type DomainName, MAX_NAME_BYTES } from '../wire/dns/name.ts';
import { TYPE_A, TYPE_AAAA } from '../wire/dns/types.ts';
import { addressBytes, addressOfLabel, dashedAddress, isName, nameKey } from './wire-name.ts';

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

const MAX_LABELS_ABOVE = 34; // ip6.arpa has 34 labels

export class Zone {
  readonly ttlSec: number;
  readonly serial: number;
  /** Names that were too long. */
  leftOut = 0;
  readonly #nodes = new Map<string, ZoneNode>();
  readonly #apexes = new Map<string, Apex>();
  readonly #pods = new Map<string, Set<string>>();
  readonly #podSuffix: string;
  readonly #domain: Uint8Array;
  readonly #domainApex: Apex;
  readonly #scratch: Buffer = Buffer.alloc(MAX_NAME_BYTES);

  /** @param domain in wire form @param soa data of its SOA record */
  constructor(domain: Uint8Array, soa: Uint8Array, { ttlSec, serial }: { ttlSec: number; serial: number }) {
    this.#domain = domain;
    this.ttlSec = ttlSec;
    this.serial = serial;
    this.#domainApex = { nameBytes: domain.length, soa };
    this.#apexes.set(nameKey(domain), this.#domainApex);
    this.#podSuffix = `\x03pod${nameKey(domain)}`;
    this.#nodes.set(nameKey(domain), newNode());
  }

  get names(): number {
    return this.#nodes.size;
  }

  addApex(name: Uint8Array, soa: Uint8Array): void {
    this.#apexes.set(nameKey(name), { nameBytes: name.length, soa });
    this.node(name);
  }

  /** The node of a name, which is made where there is none, and those between it and its zone. */
  node(name: Uint8Array): ZoneNode {
    if (!isName(name)) {
      this.leftOut++;
      return newNode();
    }
    const key = nameKey(name);
    const found = this.#nodes.get(key);
    if (found !== undefined) return found;
    const made = newNode();
    this.#nodes.set(key, made);
    const parent = name.subarray(name[0] + 1);
    if (!this.#apexes.has(key) && this.#holds(parent)) this.node(parent);
    return made;
  }

  addPod(namespace: string, words: readonly number[]): void {
    let addresses = this.#pods.get(namespace);
    if (addresses === undefined) this.#pods.set(namespace, (addresses = new Set()));
    addresses.add(dashedAddress(words));
  }

  /** The zone of ours that holds a name. */
  apexOf(name: DomainName): Apex | undefined {
    if (endsWith(name.bytes, name.length, this.#domain)) return this.#domainApex;
    return this.#reverseApexOf(name);
  }

  /** The records of a name; undefined when it does not exist. */
  nodeOf(name: DomainName): ZoneNode | undefined {
    this.#scratch.set(name.bytes);
    const key = this.#scratch.toString('latin1', 0, name.length);
    return this.#nodes.get(key) ?? (key.endsWith(this.#podSuffix) ? this.#podNode(key) : undefined);
  }

  /** `10-0-0-7.default.pod`: an address of a pod of this namespace. */
  #podNode(key: string): ZoneNode | undefined {
    const above = key.slice(0, key.length - this.#podSuffix.length);
    const labelEnd = 1 + above.charCodeAt(0);
    const namespace = above.slice(labelEnd + 1);
    const addresses = this.#pods.get(namespace);
    if (addresses === undefined || above.charCodeAt(labelEnd) !== namespace.length) return undefined;
    const words = [0, 0, 0, 0];
    const family = parseIp(addressOfLabel(above.slice(1, labelEnd)), words);
    if (family === 0 || !addresses.has(dashedAddress(words))) return undefined;
    return {
      sets: [{ type: family === 4 ? TYPE_A : TYPE_AAAA, data: [addressBytes(words)], targets: [] }],
      alias: undefined,
    };
  }

  #reverseApexOf(name: DomainName): Apex | undefined {
    const { labels, labelAt, length, bytes } = name;
    if (labels < 3 || this.#apexes.size === 1 || !endsWith(bytes, length, ARPA)) return undefined;
    this.#scratch.set(bytes);
    for (let i = Math.max(0, labels - MAX_LABELS_ABOVE); i < labels - 2; i++) {
      const apex = this.#apexes.get(this.#scratch.toString('latin1', labelAt[i], length));
      if (apex !== undefined) return apex;
    }
    return undefined;
  }

  /** Whether a name is that of a zone of ours or in it. */
  #holds(name: Uint8Array): boolean {
    for (let rest = name; rest.length > 1; rest = rest.subarray(rest[0] + 1))
      if (this.#apexes.has(nameKey(rest))) return true;
    return false;
  }
}

const ARPA = Uint8Array.from(Buffer.from('\x04arpa\0', 'latin1'));

function newNode(): ZoneNode {
  return { sets: [], alias: undefined };
}

/** Whether a name in wire form ends in another; labels agree, since a length is never a letter. */
function endsWith(bytes: Uint8Array, length: number, suffix: Uint8Array): boolean {
  const from = length - suffix.length;
  if (from < 0) return false;
  for (let i = 0; i < suffix.length; i++) if (bytes[from + i] !== suffix[i]) return false;
  return true;
}
