/**
 * Who pods are to those outside: one address of the node, or one that an egress gateway policy chooses, and a port out of a
 * range (cilium bpf/lib/nat.h).
 *
 *  1. A new connection is masqueraded when it goes to nobody here: no endpoint, not the host, not a prefix that routes
 *     pods' addresses natively; and comes from a pod, or from outside through a service.
 *  2. What an egress gateway policy says of a pod and a destination outside the cluster counts before that: its address,
 *     whether or not anybody else is masqueraded and where; nothing leaves without a gateway (194) or an address (204).
 *     While rows of policies are missing, a pod of which there is none may be meant by one of these: it stays (194).
 *  3. The port is the connection's own, if it is in the range and free; else the next free one from a random place on.
 *     A port is taken only towards the same address, port and protocol outside, by a connection that is still alive. At
 *     most MAX_TRIED ports are tried: then one of who has far more of them gives way (port-shares.ts), which is counted, or else
 *     the connection is refused (167), and counted.
 *  4. TCP, UDP and SCTP have ports, ICMP echo has its identifier; nothing else is masqueraded (168). What belongs to no
 *     connection (a fragment before its first, an ICMP error about nothing) does not leave with a pod's address.
 *  5. Where masquerading is required and there is no address of the family to do it with, nothing leaves (169).
 *  6. Nobody but this dataplane speaks with these addresses and a port of the range. A frame that comes so has left here before,
 *     and somebody's route or translation has turned it round: it is a pod's, whatever its address says.
 *  7. After a publication a connection has the address that a new one would have, as in Cilium (`renew`): with another than
 *     before most end, since nobody outside knows them by it, but none goes on under an address that it may not have.
 */
import * as row from '../../policy-maps/conntrack-row.ts';
import {
  EGRESS_ADDRESS,
  EGRESS_NO_GATEWAY,
  EGRESS_NONE,
  type EgressMap,
} from '../../policy-maps/service/egress-map.ts';
import * as nat from '../../policy-maps/service/nat-map.ts';
import { DEFAULT_MASQUERADE_PORTS, type TranslationSettings } from '../../policy-maps/service/translation-settings.ts';
import { Xorshift } from '../../policy-maps/table/xorshift.ts';
import type { Frame } from '../../wire/frame.ts';
import * as icmp from '../../wire/header/icmp.ts';
import * as icmpv6 from '../../wire/header/icmpv6.ts';
import {
  aggregateOf,
  AGGREGATE_WORLD,
  IDENTITY_HOST,
  IDENTITY_WORLD,
  IDENTITY_WORLD_IPV4,
  IDENTITY_WORLD_IPV6,
  OWN_CLUSTER,
} from '../../wire/identities.ts';
import { holdsWords } from '../../wire/prefix.ts';
import { ROLE_POD } from '../../wire/port-kinds.ts';
import { PROTO_ICMP, PROTO_ICMPV6 } from '../../wire/protocols.ts';
import {
  DROP_FIB_LOOKUP_FAILED,
  DROP_FIRST_FRAGMENT_MISSING,
  DROP_NAT_NO_MAPPING,
  DROP_NAT_UNSUPPORTED_PROTOCOL,
  DROP_NO_EGRESS_GATEWAY,
  DROP_NO_EGRESS_IP,
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

/** `choose` of a frame that leaves with the address that it has. */
const KEEPS_ADDRESS = -1;
const ENTRY_WORDS = 5; // address, length
const MAX_PREFIXES = 8;

export class Masquerade {
  /** Connections refused: every port that was tried is taken. */
  exhausted = 0;
  /** Connections whose port went to an endpoint with far fewer. */
  displaced = 0;
  readonly #nat: nat.NatMap;
  readonly #egress: EgressMap;
  readonly #conntrack: Conntrack;
  readonly #ports: PortTable;
  readonly #tuple = new Tuple();
  /** What was chosen for the frame at hand. */
  #address: Int32Array;
  readonly #source = new Int32Array(4);
  #settings: TranslationSettings | undefined;
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

  constructor(maps: { nat: nat.NatMap; egress: EgressMap }, conntrack: Conntrack, ports: PortTable) {
    const { nat: natMap, egress } = maps;
    this.#nat = natMap;
    this.#egress = egress;
    this.#address = this.#address4;
    this.#conntrack = conntrack;
    this.#ports = ports;
    this.#random = new Xorshift(natMap.file.seed0);
  }

  refresh(settings: TranslationSettings): void {
    this.#settings = settings;
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

  /** A connection that was just committed: gives it its address and port if it is to have others. @returns 0, or a drop reason */
  open(f: Frame): number {
    const choice = this.#choose(f);
    return choice === 0 ? this.#take(f) : Math.max(choice, 0);
  }

  /** The same of one that is there already, once after each publication. */
  renew(f: Frame): number {
    const rows = this.#conntrack.rowsOf(f.protocol).words;
    const at = f.ctSlot * CT_ROW_WORDS + CT_MASQUERADE;
    const choice = this.#choose(f);
    if (choice > 0) return choice;
    const base = rows[at] === 0 ? -1 : this.#nat.at(rows[at]);
    if (choice === 0 && base >= 0 && this.#isKnownAs(base)) return 0;
    if (choice !== 0 && rows[at] === 0) return 0;
    rows[at] = 0;
    if (base >= 0) this.#nat.remove(base);
    return choice === 0 ? this.#take(f) : 0;
  }

  /**
   * A frame that belongs to no connection.
   * @returns 0 when it may leave as it is, or a drop reason. Preconditions: both ends are identified
   */
  refuseStray(f: Frame): number {
    if (f.family === 0) return 0;
    const choice = this.#choose(f);
    if (choice !== 0) return Math.max(choice, 0);
    return f.isFragment ? DROP_FIRST_FRAGMENT_MISSING : DROP_NAT_UNSUPPORTED_PROTOCOL;
  }

  /** Whom those outside are to see behind a forward frame. @returns 0 for `#address`, KEEPS_ADDRESS, or a drop reason: 169, 194, 204 */
  #choose(f: Frame): number {
    if (f.dstEndpoint !== 0 || f.dstIdentity === IDENTITY_HOST) return KEEPS_ADDRESS; // 1
    const isPod = this.#ports.role[f.port] === ROLE_POD;
    if (isPod && isOutside(f.dstIdentity)) {
      const said = this.#ask(f); // 2
      if (said !== KEEPS_ADDRESS) return said;
    }
    if ((!isPod && f.frontend === 0) || this.#isNative(f)) return KEEPS_ADDRESS;
    this.#address = f.family === 4 ? this.#address4 : this.#address6;
    if (!isNone(this.#address)) return 0;
    return this.#isRequired ? DROP_FIB_LOOKUP_FAILED : KEEPS_ADDRESS; // 5
  }

  /** What egress gateway policies say. @returns 0 for `#address`, KEEPS_ADDRESS for nothing, or a drop reason */
  #ask(f: Frame): number {
    const source = this.#source;
    source[0] = f.src0;
    source[1] = f.src1;
    source[2] = f.src2;
    source[3] = f.src3;
    const kind = this.#egress.lookup(source, f.dst0, f.dst1, f.dst2, f.dst3);
    if (kind === EGRESS_NONE) return this.#settings?.isEgressIncomplete ? DROP_NO_EGRESS_GATEWAY : KEEPS_ADDRESS;
    if (kind === EGRESS_NO_GATEWAY) return DROP_NO_EGRESS_GATEWAY;
    if (kind !== EGRESS_ADDRESS) return KEEPS_ADDRESS;
    this.#address = this.#egress.address;
    return isNone(this.#address) ? DROP_NO_EGRESS_IP : 0;
  }

  /** Whether those outside know the connection of a row by the chosen address. */
  #isKnownAs(base: number): boolean {
    const { words } = this.#nat;
    const at = base + nat.NAT_DST;
    const address = this.#address;
    return (
      words[at + 3] === address[3] &&
      words[at + 2] === address[2] &&
      words[at + 1] === address[1] &&
      words[at] === address[0]
    );
  }

  /** Gives a connection a free port of the chosen address. @returns 0, or a drop reason: 167, 168 */
  #take(f: Frame): number {
    if (!hasPort(f)) return DROP_NAT_UNSUPPORTED_PROTOCOL; // 4
    const tuple = this.#tuple;
    const span = this.#last - this.#first + 1;
    const isOwnInRange = f.srcPort >= this.#first && f.srcPort <= this.#last;
    const start = isOwnInRange ? f.srcPort - this.#first : this.#random.below(span);
    tuple.copyTurned(f);
    this.#shares.begin();
    for (let i = 0; i < MAX_TRIED && i < span; i++) {
      this.#try(f, this.#first + ((start + i) % span));
      if (this.#isFree()) return this.#note(f);
    }
    return this.#displace(f);
  }

  /** Has the tuple of the answers to a port looked up. */
  #try(f: Frame, port: number): void {
    const tuple = this.#tuple;
    tuple.setDestination(this.#address, 0, port);
    if (f.protocol === PROTO_ICMP || f.protocol === PROTO_ICMPV6) tuple.srcPort = (port + 1) & 0xffff; // icmp-tuple.ts
  }

  #displace(f: Frame): number {
    const base = this.#shares.yielding(f.srcEndpoint);
    if (base < 0) {
      this.exhausted++;
      return DROP_NAT_NO_MAPPING;
    }
    this.#try(f, this.#nat.words[base + nat.NAT_PORTS] & 0xffff);
    this.#nat.remove(base); // whoever holds its handle finds out
    this.displaced++;
    return this.#note(f);
  }

  /** Whether only frames that have left here have the source of this one. */
  isOwnSource(f: Frame): boolean {
    if (f.srcPort < this.#first || f.srcPort > this.#last || !hasPort(f)) return false;
    const address = f.family === 4 ? this.#address4 : this.#address6;
    const isNodes = f.src3 === address[3] && f.src2 === address[2] && f.src1 === address[1] && f.src0 === address[0];
    return (isNodes && !isNone(address)) || this.#egress.hasAddress(f.src0, f.src1, f.src2, f.src3);
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
  #note(f: Frame): number {
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

/** No pod, no node and nothing else of the cluster: the world, or a prefix. */
function isOutside(identity: number): boolean {
  return isWorld(identity) || aggregateOf(identity, OWN_CLUSTER) === AGGREGATE_WORLD;
}

function isWorld(identity: number): boolean {
  return identity === IDENTITY_WORLD || identity === IDENTITY_WORLD_IPV4 || identity === IDENTITY_WORLD_IPV6;
}

function isNone(address: Int32Array): boolean {
  return address[3] === 0 && address[0] === 0;
}

function hasPort(f: Frame): boolean {
  if (f.protocol === PROTO_ICMP) return f.icmpType === icmp.ECHO_REQUEST;
  return f.protocol !== PROTO_ICMPV6 || f.icmpType === icmpv6.ECHO_REQUEST;
}
