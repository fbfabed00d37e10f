/**
 * Who pods are to those outside: one address of the node, and a port out of a range (cilium bpf/lib/nat.h).
 *
 *  1. A new connection is masqueraded when it goes to nobody here: no endpoint, not the host, not a prefix that routes
 *     pods' addresses natively; and comes from a pod, or from outside through a service.
 *  2. The port is the connection's own, if it is in the range and free; else the next free one from a random place on.
 *     A port is taken only towards the same address, port and protocol outside, by a connection that is still alive. At
 *     most MAX_TRIED ports are tried: then one of who has far more of them gives way (port-shares.ts), which is counted, or else
 *     the connection is refused (167), and counted.
 *  3. TCP, UDP and SCTP have ports, ICMP echo has its identifier; nothing else is masqueraded (168). What belongs to no
 *     connection (a fragment before its first, an ICMP error about nothing) does not leave with a pod's address.
 *  4. Where masquerading is required and there is no address of the family to do it with, nothing leaves (169).
 *  5. Nobody but this dataplane speaks with that address and a port of the range. A frame that comes so has left here before,
 *     and somebody's route or translation has turned it round: it is a pod's, whatever its address says.
 */
import * as row from '../../policy-maps/conntrack-row.ts';
import * as nat from '../../policy-maps/service/nat-map.ts';
import { DEFAULT_MASQUERADE_PORTS, type TranslationSettings } from '../../policy-maps/service/translation-settings.ts';
import { Xorshift } from '../../policy-maps/table/xorshift.ts';
import type { Frame } from '../../wire/frame.ts';
import * as icmp from '../../wire/header/icmp.ts';
import * as icmpv6 from '../../wire/header/icmpv6.ts';
import { IDENTITY_HOST } from '../../wire/identities.ts';
import { holdsWords } from '../../wire/prefix.ts';
import { ROLE_POD } from '../../wire/port-kinds.ts';
import { PROTO_ICMP, PROTO_ICMPV6 } from '../../wire/protocols.ts';
import {
  DROP_FIB_LOOKUP_FAILED,
  DROP_FIRST_FRAGMENT_MISSING,
  DROP_NAT_NO_MAPPING,
  DROP_NAT_UNSUPPORTED_PROTOCOL,
} from '../../wire/reasons.ts';
import type { Conntrack } from '../conntrack.ts';
import type { PortTable } from '../port/table.ts';
import { Tuple } from '../tuple.ts';
import { MAX_TRIED, PortShares } from './port-shares.ts';

const {
  CT_FLAGS,
  CT_FLAG_TRANSLATED,
  CT_LIFETIME,
  CT_MASQUERADE,
  CT_ROW_WORDS,
  CT_SLOT_GENERATION,
  CT_SOURCE_ENDPOINT,
} = row;

const ENTRY_WORDS = 5; // address, length
const MAX_PREFIXES = 8;

export class Masquerade {
  /** Connections refused: every port that was tried is taken. */
  exhausted = 0;
  /** Connections whose port went to an endpoint with far fewer. */
  displaced = 0;
  readonly #nat: nat.NatMap;
  readonly #conntrack: Conntrack;
  readonly #ports: PortTable;
  readonly #tuple = new Tuple();
  readonly #address4 = new Int32Array(4);
  readonly #address6 = new Int32Array(4);
  readonly #native = new Int32Array(ENTRY_WORDS * MAX_PREFIXES);
  #nativeCount = 0;
  /** Who has no address here may not leave with its own. */
  #isRequired = false;
  #first = DEFAULT_MASQUERADE_PORTS.first;
  #last = DEFAULT_MASQUERADE_PORTS.last;
  readonly #random: Xorshift;
  readonly #shares = new PortShares();

  constructor(natMap: nat.NatMap, conntrack: Conntrack, ports: PortTable) {
    this.#nat = natMap;
    this.#conntrack = conntrack;
    this.#ports = ports;
    this.#random = new Xorshift(natMap.file.seed0);
  }

  refresh(settings: TranslationSettings): void {
    this.#address4.set(settings.masquerade(4));
    this.#address6.set(settings.masquerade(6));
    this.#isRequired = settings.mustMasquerade;
    const { first, last } = settings.masqueradePorts;
    this.#first = first;
    this.#last = last;
    const prefixes = settings.nativePrefixes();
    this.#nativeCount = prefixes.length;
    for (const [i, { address, prefixLength }] of prefixes.entries())
      this.#native.set([...address, prefixLength], i * ENTRY_WORDS);
  }

  /** Whether the connection of a forward frame is to be masqueraded. Preconditions: both ends are identified */
  concerns(f: Frame): boolean {
    const address = f.family === 4 ? this.#address4 : this.#address6;
    if (isNone(address) && !this.#isRequired) return false;
    if (f.dstEndpoint !== 0 || f.dstIdentity === IDENTITY_HOST) return false; // 1
    const isPod = this.#ports.role[f.port] === ROLE_POD;
    return (isPod || f.frontend !== 0) && !this.#isNative(f);
  }

  /**
   * Gives a connection that was just committed its port.
   * @returns 0, or a drop reason: 167, 168, 169
   */
  assign(f: Frame): number {
    if (!hasPort(f)) return DROP_NAT_UNSUPPORTED_PROTOCOL; // 3
    const tuple = this.#tuple;
    const address = f.family === 4 ? this.#address4 : this.#address6;
    if (isNone(address)) return DROP_FIB_LOOKUP_FAILED;
    const span = this.#last - this.#first + 1;
    const isOwnInRange = f.srcPort >= this.#first && f.srcPort <= this.#last;
    const start = isOwnInRange ? f.srcPort - this.#first : this.#random.below(span);
    tuple.copyTurned(f);
    this.#shares.begin();
    for (let i = 0; i < MAX_TRIED && i < span; i++) {
      this.#try(f, address, this.#first + ((start + i) % span));
      if (this.#isFree()) return this.#take(f);
    }
    return this.#displace(f, address);
  }

  /** Has the tuple of the answers to a port looked up. */
  #try(f: Frame, address: Int32Array, port: number): void {
    const tuple = this.#tuple;
    tuple.setDestination(address, 0, port);
    if (f.protocol === PROTO_ICMP || f.protocol === PROTO_ICMPV6) tuple.srcPort = (port + 1) & 0xffff; // icmp-tuple.ts
  }

  #displace(f: Frame, address: Int32Array): number {
    const base = this.#shares.yielding(f.srcEndpoint);
    if (base < 0) {
      this.exhausted++;
      return DROP_NAT_NO_MAPPING;
    }
    this.#try(f, address, this.#nat.words[base + nat.NAT_PORTS] & 0xffff);
    this.#nat.remove(base); // whoever holds its handle finds out
    this.displaced++;
    return this.#take(f);
  }

  /** Whether only frames that have left here have the source of this one. */
  isOwnSource(f: Frame): boolean {
    const address = f.family === 4 ? this.#address4 : this.#address6;
    if (f.srcPort < this.#first || f.srcPort > this.#last || isNone(address) || !hasPort(f)) return false;
    return f.src3 === address[3] && f.src2 === address[2] && f.src1 === address[1] && f.src0 === address[0];
  }

  /** A frame that belongs to no connection. @returns 0 when it may leave as it is, or a drop reason */
  refuseStray(f: Frame): number {
    if (f.family === 0 || !this.concerns(f)) return 0;
    return f.isFragment ? DROP_FIRST_FRAGMENT_MISSING : DROP_NAT_UNSUPPORTED_PROTOCOL;
  }

  /** Whether nobody has the port that is tried; else it is noted who has it. */
  #isFree(): boolean {
    const base = this.#nat.lookup(this.#tuple);
    if (base < 0) return true;
    if (!this.#nat.isOwned(base)) return true;
    const at = this.#nat.words[base + nat.NAT_CT_SLOT] * CT_ROW_WORDS;
    const rows = this.#conntrack.rowsOf(this.#tuple.protocol).words;
    if (rows[at + CT_LIFETIME] < this.#conntrack.life.nowSec) return true;
    this.#shares.note(base, rows[at + CT_SOURCE_ENDPOINT], rows[at + CT_LIFETIME]);
    return false;
  }

  /** Makes the row by which answers come back, and tells the connection of it. */
  #take(f: Frame): number {
    const base = this.#nat.insert(this.#tuple);
    if (base < 0) return DROP_NAT_NO_MAPPING;
    const { words } = this.#nat;
    const rows = this.#conntrack.rowsOf(f.protocol).words;
    const row = f.ctSlot * CT_ROW_WORDS;
    words[base + nat.NAT_TO] = f.src0;
    words[base + nat.NAT_TO + 1] = f.src1;
    words[base + nat.NAT_TO + 2] = f.src2;
    words[base + nat.NAT_TO + 3] = f.src3;
    words[base + nat.NAT_TO_PORT] = f.srcPort;
    words[base + nat.NAT_KIND] = nat.NAT_MASQUERADE;
    words[base + nat.NAT_FRONTEND] = 0;
    words[base + nat.NAT_WORLD] = 0;
    words[base + nat.NAT_BACKEND] = 0;
    words[base + nat.NAT_CT_SLOT] = f.ctSlot;
    words[base + nat.NAT_CT_GENERATION] = rows[row + CT_SLOT_GENERATION];
    rows[row + CT_MASQUERADE] = this.#nat.handleOf(base);
    rows[row + CT_FLAGS] |= CT_FLAG_TRANSLATED;
    return 0;
  }

  #isNative(f: Frame): boolean {
    const words = this.#native;
    for (let at = 0; at < this.#nativeCount * ENTRY_WORDS; at += ENTRY_WORDS) {
      if (holdsWords(words, at, words[at + 4], f.dst0, f.dst1, f.dst2, f.dst3)) return true;
    }
    return false;
  }
}

function isNone(address: Int32Array): boolean {
  return address[3] === 0 && address[0] === 0;
}

function hasPort(f: Frame): boolean {
  if (f.protocol === PROTO_ICMP) return f.icmpType === icmp.ECHO_REQUEST;
  return f.protocol !== PROTO_ICMPV6 || f.icmpType === icmpv6.ECHO_REQUEST;
}
